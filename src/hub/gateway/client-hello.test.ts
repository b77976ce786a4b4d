import { randomBytes } from "node:crypto";
import { Duplex } from "node:stream";
import { connect } from "node:tls";
import { describe, expect, test } from "vitest";
import { readClientHello } from "./client-hello.ts";

/** What Node's OpenSSL really sends, caught before it reaches any network. */
function realHello(protocols?: string[]): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(Buffer.from(chunk));
        done();
      },
    });
    const socket = connect({
      socket: wire,
      servername: "hub.diemcau.internal",
      ...(protocols ? { ALPNProtocols: protocols } : {}),
    });
    socket.on("error", () => {});
  });
}

/** The same handshake message cut into records of `size` bytes. */
function refragment(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(records);
}

describe("readClientHello", () => {
  test("names the protocols that OpenSSL offers, in its order", async () => {
    const hello = await realHello(["diemcau-rtmp", "h2"]);
    expect(readClientHello(hello)).toEqual({ kind: "hello", protocols: ["diemcau-rtmp", "h2"] });
  });

  test("gives no protocols where none are offered", async () => {
    expect(readClientHello(await realHello())).toEqual({ kind: "hello", protocols: [] });
  });

  test("wants more for every true prefix, and never reads a prefix as something else", async () => {
    const hello = await realHello(["diemcau-http"]);
    for (let length = 0; length < hello.length; length++)
      expect(readClientHello(hello.subarray(0, length)), `first ${length} bytes`).toEqual({ kind: "more" });
  });

  test.each([1, 2, 3, 4, 7, 100])("puts a hello together that was cut into records of %i bytes", async (size) => {
    const hello = refragment(await realHello(["diemcau-rsync"]), size);
    expect(readClientHello(hello)).toEqual({ kind: "hello", protocols: ["diemcau-rsync"] });
    expect(readClientHello(hello.subarray(0, -1))).toEqual({ kind: "more" });
  });

  test("does not mind bytes after the hello", async () => {
    const hello = Buffer.concat([await realHello(["h2"]), randomBytes(50)]);
    expect(readClientHello(hello)).toEqual({ kind: "hello", protocols: ["h2"] });
  });

  test.each([
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n")],
    ["SSH", Buffer.from("SSH-2.0-OpenSSH_9.2\r\n")],
    ["SSL 2", Buffer.from([0x80, 0x2e, 0x01, 0x00, 0x02])],
    ["a record of version 2", Buffer.from([22, 2, 0])],
  ])("knows %s as not TLS at the first bytes", (_name, bytes) => {
    expect(readClientHello(bytes).kind).toBe("notTls");
  });

  test("refuses an empty record, an oversized record, another handshake and another record inside", async () => {
    expect(readClientHello(Buffer.from([22, 3, 1, 0, 0])).kind).toBe("malformed");
    expect(readClientHello(Buffer.from([22, 3, 1, 0x40, 1])).kind).toBe("malformed");
    expect(readClientHello(Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])).kind).toBe("malformed");
    const cut = refragment(await realHello(["h2"]), 50);
    cut[55] = 23;
    expect(readClientHello(cut).kind).toBe("malformed");
  });

  test("refuses lengths that run past their vector", () => {
    // version, random, session id of 255 bytes that are not there
    const body = Buffer.concat([Buffer.from([3, 3]), Buffer.alloc(32), Buffer.from([255, 1, 2])]);
    const hello = Buffer.concat([Buffer.from([22, 3, 1, 0, body.length + 4, 1, 0, 0, body.length]), body]);
    expect(readClientHello(hello)).toEqual({ kind: "malformed", detail: "legacy_session_id runs past its end" });
  });

  test("refuses an empty protocol name", async () => {
    const hello = await realHello(["h2"]);
    const alpn = hello.indexOf(Buffer.from([0, 16, 0, 5, 0, 3, 2, 104, 50]));
    expect(alpn).toBeGreaterThan(0);
    hello[alpn + 6] = 0;
    expect(readClientHello(hello)).toEqual({ kind: "malformed", detail: "empty ProtocolName" });
  });

  test("answers whatever bytes come, without throwing", async () => {
    const hello = await realHello(["diemcau-http", "h2"]);
    for (let round = 0; round < 3_000; round++) {
      const bytes =
        round % 2 === 0 ? Buffer.from(hello) : Buffer.concat([Buffer.from([22, 3, 1]), randomBytes(round % 300)]);
      for (const at of randomBytes(4)) bytes[(at * 7) % bytes.length] = randomBytes(1)[0]!;
      expect(["more", "notTls", "malformed", "hello"]).toContain(readClientHello(bytes).kind);
    }
  });
});
