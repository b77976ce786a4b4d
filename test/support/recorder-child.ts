import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createSigner } from "../../src/evidence/evidence.ts";
import { createLog, processLifetime, systemClock } from "../../src/platform/platform.ts";
import { openRecorder } from "../../src/edge/recording/recording.ts";
import type { BoxId, PointId, SessionId, TakeId } from "../../src/protocol/protocol.ts";
import type { CaptureConfig } from "../../src/edge/capture/capture.ts";
import type { Devices } from "../../src/edge/devices/devices.ts";

/**
 * A recorder in a process of its own, so that a test can kill it. Argument 1: JSON. Answers on a loopback port, which
 * it prints: GET /facts, POST /session (JSON: setSession's arguments).
 */
export interface RecorderChildOptions {
  dataDirectory: string;
  runDirectory: string;
  capture: CaptureConfig;
  rtmpPort: number;
  identity: { box: BoxId; point: PointId; keyFile: string };
  session: { id: SessionId; startedAt: string } | null;
  ended: { id: SessionId; endedAt: string }[];
  /** What is plugged in, read anew each time; this machine's own devices where it is left out. */
  devicesFile?: string;
}

/** A record that the recorder said is on disk, and when it did. */
export interface ToldRecord {
  take: TakeId;
  /** CLOCK_MONOTONIC */
  atMs: number;
}

async function main(): Promise<void> {
  const options = JSON.parse(process.argv[2]!) as RecorderChildOptions;
  const log = createLog(systemClock);
  const signal = processLifetime(log);
  const { devicesFile } = options;
  const { box, point, keyFile } = options.identity;
  const recorder = await openRecorder({
    clock: systemClock,
    log,
    config: options.capture,
    dataDirectory: options.dataDirectory,
    runDirectory: options.runDirectory,
    liveUrl: (kind, run) => `rtmp://127.0.0.1:${options.rtmpPort}/live/${box}_${kind}_${run}`,
    hubOffset: () => null,
    agentVersion: "test",
    listDevices: devicesFile ? async () => JSON.parse(await readFile(devicesFile, "utf8")) as Devices : undefined,
  });
  const told: ToldRecord[] = [];
  recorder.onRecord((take) => told.push({ take, atMs: systemClock.monotonicMs() }));
  recorder.setIdentity({ box, point, signer: createSigner(readFileSync(keyFile, "utf8")) });
  recorder.setSession(options.session, "sessionEnded");
  recorder.setEnded(options.ended);
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (request.url === "/session")
        recorder.setSession(
          ...(JSON.parse(Buffer.concat(chunks).toString()) as Parameters<typeof recorder.setSession>),
        );
      const [facts, takes, segments] = [recorder.facts(), recorder.takes(), recorder.segments()];
      const unreadable = [...recorder.unreadable()];
      response.end(JSON.stringify({ facts, takes, segments, told, unreadable }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  process.stdout.write(`${typeof address === "object" ? address?.port : ""}\n`);
  await recorder.run(signal);
  server.close();
  server.closeAllConnections();
}

await main();
