import { readFileSync } from "node:fs";
import { systemClock } from "../../src/platform/platform.ts";
import { openTo, type Target } from "./load-connection.ts";
import { Replayer } from "./rtmp-replay.ts";

/** What the rooms send; in the file that the only argument names, as JSON. */
export interface PublishPlan {
  publishes: { target: Target; name: string; clip: string; fromKeyFrame: number; delayMs: number }[];
}

/** Printed once a second after everything is connected. */
export interface PublishReport {
  sentBytes: number;
  /** How far behind its time the latest tag was sent, at worst. */
  worstLagMs: number;
}

const plan = JSON.parse(readFileSync(process.argv[2]!, "utf8")) as PublishPlan;
const replayer = new Replayer(systemClock);
for (const { target, name, clip, fromKeyFrame, delayMs } of plan.publishes) {
  const socket = await openTo(target, (why) => {
    console.error(`the server closed ${name}: ${why}`);
    process.exit(1);
  });
  replayer.add(socket, name, clip, { postmarks: true, fromKeyFrame, delayMs });
}
replayer.start();
setInterval(() => {
  const { sentBytes, worstLagMs } = replayer;
  console.log(JSON.stringify({ sentBytes, worstLagMs } satisfies PublishReport));
  replayer.worstLagMs = 0;
}, 1_000);
