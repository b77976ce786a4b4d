/** The parts of node-media-server 4.4.3 (CommonJS, untyped) that rtmp.ts builds on. */
declare module "node-media-server/src/protocol/rtmp.js" {
  interface Packet {
    header: { fmt: number; cid: number; timestamp: number; length: number; type: number; stream_id: number };
    /** Message time in ms, chunk deltas added up. */
    clock: number;
    payload: Buffer;
    capacity: number;
    /** Of the payload, received so far; 0 between messages. */
    bytes: number;
  }
  class Rtmp {
    parserPacket: Packet;
    inPackets: Map<number, Packet>;
    inChunkSize: number;
    outChunkSize: number;
    streamApp: unknown;
    /** A second parser with a buffer of 1 MiB that RTMP does not use. */
    flv: object | null;
    onOutputCallback: (bytes: Buffer) => void;
    parserData(chunk: Buffer): string | null;
    packetParse(): void;
    packetAlloc(): void;
    packetHandler(): void;
    dataHandler(): void;
    onPublish(message: { streamName?: unknown }): void;
    onPlay(message: object): void;
    onDeleteStream(message: object): void;
  }
  export default Rtmp;
}

declare module "node-media-server/src/core/logger.js" {
  const logger: { log: (message: string, level?: string) => void };
  export default logger;
}
