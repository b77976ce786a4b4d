import { describe, expect, test } from "vitest";
import { parseOsRelease } from "./image.ts";

describe("os-release", () => {
  test("says which release runs, and on what", () => {
    const text =
      'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nIMAGE_ID=diemcau\nIMAGE_VERSION=0.2.0\nVARIANT_ID="screen"\n';
    expect(parseOsRelease(text, "x64")).toEqual({
      version: "0.2.0",
      hardware: { architecture: "x86-64", flavour: "screen" },
    });
    expect(parseOsRelease(text, "arm64").hardware.architecture).toBe("arm64");
  });

  test("of another system is no release", () => {
    expect(() => parseOsRelease("ID=debian\n", "x64")).toThrow(/expected string/);
  });
});
