const HEAD_END = Buffer.from("\r\n\r\n");
/** Longer than any picture: what grows beyond it is not what it says. */
const PART_LIMIT_BYTES = 16 * 1024 * 1024;

/** Takes FFmpeg's mpjpeg apart: MIME parts (RFC 2046) that say their Content-Length. */
export class JpegParts {
  private rest: Buffer = Buffer.alloc(0);

  /** @returns the whole pictures that these bytes complete; throws RangeError at what is no mpjpeg */
  push(bytes: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    const pictures: Buffer[] = [];
    for (;;) {
      const headEnd = this.rest.indexOf(HEAD_END);
      if (headEnd < 0) break;
      const length = /Content-length: (\d{1,8})/i.exec(this.rest.toString("latin1", 0, headEnd))?.[1];
      if (length === undefined) throw new RangeError("a part without its length");
      const from = headEnd + HEAD_END.length;
      const to = from + Number(length);
      if (Number(length) > PART_LIMIT_BYTES) throw new RangeError(`a part of ${length} bytes`);
      if (this.rest.length < to) break;
      pictures.push(this.rest.subarray(from, to));
      this.rest = this.rest.subarray(to);
    }
    if (this.rest.length > PART_LIMIT_BYTES * 2) throw new RangeError("no part begins");
    return pictures;
  }
}
