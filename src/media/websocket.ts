/**
 * Binary messages as a WebSocket server sends them: one frame, unmasked (RFC 6455, 5.2). The bytes are the same for every
 * receiver, so a message is framed once however many it goes to.
 */
const FIN_BINARY = 0x82;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MAX_SHORT_BYTES = 125;
const MAX_16_BYTES = 0xffff;

/** What stands before a payload of this length. */
export const webSocketHeaderBytes = (payloadBytes: number): 2 | 4 | 10 =>
  payloadBytes <= MAX_SHORT_BYTES ? 2 : payloadBytes <= MAX_16_BYTES ? 4 : 10;

/** Writes the header of a payload of this length, below 4 GiB, to the beginning of `out`. */
export function writeWebSocketHeader(out: Uint8Array, payloadBytes: number): void {
  out[0] = FIN_BINARY;
  const headerBytes = webSocketHeaderBytes(payloadBytes);
  out[1] = headerBytes === 2 ? payloadBytes : headerBytes === 4 ? LENGTH_16 : LENGTH_64;
  // In memory that was something else before, zeros are written too.
  for (let at = headerBytes - 1, rest = payloadBytes; at > 1; at--, rest = Math.floor(rest / 256)) out[at] = rest % 256;
}

/** The payloads of messages that lie one behind another; views, no copies. */
export function webSocketPayloads(messages: Uint8Array): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  let at = 0;
  while (at < messages.length) {
    const short = messages[at + 1]!;
    const headerBytes = short === LENGTH_64 ? 10 : short === LENGTH_16 ? 4 : 2;
    let payloadBytes = 0;
    if (headerBytes === 2) payloadBytes = short;
    else for (const byte of messages.subarray(at + 2, at + headerBytes)) payloadBytes = payloadBytes * 256 + byte;
    at += headerBytes;
    payloads.push(messages.subarray(at, at + payloadBytes));
    at += payloadBytes;
  }
  return payloads;
}
