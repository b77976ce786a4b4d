import { describe, expect, it } from "vitest";
import { likelyCamera, likelyMicrophone, pick, rank, type Candidate } from "./choice.ts";

const device = (name: string, port: string, serial = ""): Candidate => ({
  id: `usb:046d:0825${serial && `:${serial}`}@0000:00:14.0/${port}#1.0`,
  name,
  address: `/dev/video${port}`,
});
const a = device("HD Pro Webcam C920", "1", "AAAA1111");
const b = device("USB Camera", "2");
const c = device("OBS Virtual Camera", "3", "CCCC3333");
const names = (rows: ReturnType<typeof rank>) => rows.map(({ device, wanted }) => device?.name ?? `(${wanted!.name})`);
const known = ({ id, name }: Candidate) => ({ id, name });

describe("choice", () => {
  it("by itself takes the likeliest; among equals the first", () => {
    expect(names(rank([c, b, a], [], undefined, likelyCamera, false))).toEqual([b.name, a.name, c.name]);
    const heard = ["HDA Intel PCH", "HD Pro Webcam C920 (USB Audio)", "Jabra SPEAK 510 USB", "Loopback"];
    const microphones = heard.map((name, i) => ({ id: `${i}`, name, address: `hw:${i}` }));
    expect(names(rank(microphones, [], undefined, likelyMicrophone, false))).toEqual([2, 1, 0, 3].map((i) => heard[i]));
  });

  it("follows the order that somebody gave, wherever the devices are plugged in, then the likeliest", () => {
    const moved = device(a.name, "7", "AAAA1111");
    expect(names(rank([b, c, moved], [known(c), known(a)], undefined, likelyCamera, false))).toEqual([
      c.name,
      a.name,
      b.name,
    ]);
  });

  it("keeps the place of what is wanted and not there", () => {
    expect(names(rank([b], [known(a), known(b)], undefined, likelyCamera, true))).toEqual([`(${a.name})`, b.name]);
  });

  it("takes words of a configuration as part of a name or as an address", () => {
    const order = [
      { id: "c920", name: "c920" },
      { id: "/dev/video3", name: "/dev/video3" },
      { id: "BRIO", name: "BRIO" },
    ];
    expect(names(rank([b, c, a], order, undefined, likelyCamera, false))).toEqual([a.name, c.name, "(BRIO)", b.name]);
  });

  it("in a session leaves the usual device in its place, whatever else is plugged in; before, the likeliest wins", () => {
    const poor = known(c);
    expect(names(rank([c, a], [], poor, likelyCamera, true))).toEqual([c.name, a.name]);
    expect(names(rank([c, a], [], poor, likelyCamera, false))).toEqual([a.name, c.name]);
    expect(names(rank([b, a], [], known(a), likelyCamera, false))).toEqual([a.name, b.name]);
  });

  it("says what is missing when the usual device is not there, in a session and before it", () => {
    for (const held of [true, false])
      expect(names(rank([b], [], known(a), likelyCamera, held))).toEqual([`(${a.name})`, b.name]);
    // What somebody chose comes before habit, and is the same device here.
    expect(names(rank([b, a], [known(a)], known(a), likelyCamera, true))).toEqual([a.name, b.name]);
  });

  it("a device that is wanted by a word of its name is not missed when it has become the usual one", () => {
    for (const word of ["c920", a.address])
      for (const held of [true, false])
        expect(names(rank([b, a], [{ id: word, name: word }], known(a), likelyCamera, held))).toEqual([a.name, b.name]);
  });

  it("a device by name and nothing in its place", () => {
    expect(pick([a, b, c], "obs")).toBe(c);
    expect(pick([a, b, c], "/dev/video2")).toBe(b);
    expect(pick([a, b, c], "BRIO")).toBeUndefined();
  });
});
