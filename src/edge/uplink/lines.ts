import { join } from "node:path";
import { readTcpQueues, type Clock, type Log } from "../../platform/platform.ts";
import { LIVE_KINDS, type Health, type LiveKind } from "../../protocol/protocol.ts";
import type { Dial } from "./dial.ts";
import { isSent, LinePolicy } from "./line.ts";
import { createLiveTunnels, type LiveRequest, type LiveTunnels } from "./live-tunnels.ts";
import { openRelay, type Relay } from "./relay.ts";

interface Relays {
  live: Readonly<Record<LiveKind, Relay>>;
  rsync: Relay;
  tunnels: LiveTunnels;
}

interface LinesOptions {
  log: Log;
  clock: Clock;
  runDirectory: string;
}

/** Opens the relays only, which takes milliseconds: the recorder needs their address before anything else. */
export async function openLines(options: LinesOptions): Promise<Lines> {
  const { log, clock, runDirectory } = options;
  const liveRelay = (kind: LiveKind) =>
    openRelay({ log, clock, protocol: "rtmp", portFile: join(runDirectory, `relay-${kind}.port`) });
  const live = { video: await liveRelay("video"), small: await liveRelay("small"), audio: await liveRelay("audio") };
  const rsync = await openRelay({ log, clock, protocol: "rsync" });
  return new Lines(options, { live, rsync, tunnels: createLiveTunnels({ log }) });
}

/**
 * What goes over the line beside the control channel, and how much of it each kind gets.
 *
 * INVARIANTS
 * - One relay per kind of live stream, so that each can be closed by itself; the sound's is never closed.
 * - Whoever dials is replaced everywhere at once: no connection of a former identity stays.
 */
export class Lines implements AsyncDisposable {
  private readonly log: Log;
  private readonly clock: Clock;
  private readonly relays: Relays;
  private readonly policy = new LinePolicy();
  private dial: Dial | undefined;

  constructor({ log, clock }: LinesOptions, relays: Relays) {
    this.log = log;
    this.clock = clock;
    this.relays = relays;
  }

  /** On 127.0.0.1; the same after a restart of the agent. */
  livePort(kind: LiveKind): number {
    return this.relays.live[kind].port;
  }

  get syncPort(): number {
    return this.relays.rsync.port;
  }

  get quality(): Health["link"]["quality"] {
    return this.policy.quality;
  }

  /** What rsync may take so that live has its share. */
  syncLimitKibPerS(ceiling: number): number {
    return this.policy.syncLimitKibPerS(ceiling);
  }

  /** Undefined: unpaired. */
  setDial(dial: Dial | undefined): void {
    this.dial = dial;
    for (const kind of LIVE_KINDS) this.relays.live[kind].setDial(dial);
    this.relays.rsync.setDial(dial);
    this.relays.tunnels.setDial(dial);
  }

  /** Another room's picture or sound, for the page. */
  openTunnel(request: LiveRequest): void {
    this.relays.tunnels.open(request);
  }

  /** Bytes of any live stream have moved within the last `withinMs`. */
  isLive(withinMs: number): boolean {
    return LIVE_KINDS.some((kind) => this.relays.live[kind].active(withinMs) > 0);
  }

  /** The line is dead: nobody waits out TCP's retransmissions. */
  dropAll(): void {
    for (const kind of LIVE_KINDS) this.relays.live[kind].dropAll();
    this.dropSync();
    this.relays.tunnels.dropAll();
  }

  dropSync(): void {
    this.relays.rsync.dropAll();
  }

  /** Looks at what waits for the line, and sends what it can carry. */
  async run(onQuality: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.dial) this.look(onQuality);
      await this.clock.sleep(this.policy.lookAgainMs, signal).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const kind of LIVE_KINDS) await this.relays.live[kind][Symbol.asyncDispose]();
    await this.relays.rsync[Symbol.asyncDispose]();
    this.relays.tunnels.dropAll();
  }

  private look(onQuality: () => void): void {
    const { live, rsync } = this.relays;
    const { video, small, audio } = live;
    const ipv6 = [video, small, audio, rsync].some((relay) => relay.overIpv6());
    const queues = readTcpQueues({ ipv6 });
    const before = this.policy.quality;
    this.policy.look({
      nowMs: this.clock.monotonicMs(),
      live: { video: video.passage(queues), small: small.passage(queues), audio: audio.passage(queues) },
      sync: rsync.passage(queues),
    });
    const { quality, isNarrow } = this.policy;
    for (const kind of LIVE_KINDS) {
      live[kind].setOpen(isSent(kind, quality));
      live[kind].setThrift(isNarrow);
    }
    if (quality === before) return;
    this.log.warn("line.quality", { quality, before });
    onQuality();
  }
}
