import { expect, test } from "vitest";
import { JpegParts } from "./jpeg-parts.ts";

const part = (body: string) =>
  `--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: ${body.length}\r\n\r\n${body}\r\n`;

test("pictures come out whole, however the bytes were cut", () => {
  const bodies = ["first", "", "\r\n\r\n--ffmpeg in a picture", "last"];
  const bytes = Buffer.from(bodies.map(part).join(""));
  for (const size of [1, 7, 64, bytes.length]) {
    const parts = new JpegParts();
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += size)
      found.push(...parts.push(bytes.subarray(at, at + size)).map((picture) => picture.toString()));
    expect(found).toEqual(bodies);
  }
});

test("what is no mpjpeg is refused, and fills no memory", () => {
  expect(() => new JpegParts().push(Buffer.from("GET / HTTP/1.1\r\n\r\n"))).toThrow(RangeError);
  expect(() => new JpegParts().push(Buffer.from("Content-length: 99999999\r\n\r\n"))).toThrow(RangeError);
});
