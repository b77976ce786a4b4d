import { join } from "node:path";
import type { Socket } from "node:net";
import type { BoxId } from "../../protocol/protocol.ts";
import { causeOf, makeDirectory, startProcess, writeDurable, type Log } from "../../platform/platform.ts";
import { BOX_VARIABLE, inboxPath, readEnding, rsyncdConf } from "./rsyncd.ts";
import { openSocketPairs, type SocketPair, type SocketPairs } from "./socket-pair.ts";

/** One that works, and one whose end of line the hub has not noticed yet. */
const MAX_PER_BOX = 2;
const MAX_TOTAL = 64;
const IDLE_S = 60;
/** rsync ends at once when its socket is gone; SIGKILL is for one that does not. */
const STOP_GRACE_MS = 2_000;
const LINGER_MS = 5_000;
/** rsync's last words fit in it many times over. */
const TAIL_BYTES = 4_096;

export interface RsyncServer extends AsyncDisposable {
  /** Serves one connection of a box; destroys the socket when rsync ends, and ends rsync when the socket does. */
  serve(socket: Socket, box: BoxId): void;
}

export interface RsyncOptions {
  log: Log;
  /** For the generated rsyncd.conf. */
  directory: string;
  inboxDirectory: string;
  /** After each connection, whatever became of it. */
  onDone(box: BoxId): void;
}

/**
 * rsync --daemon as inetd would start it: one process for each connection, its standard input the connection. It
 * listens nowhere, and its configuration is chosen by the hub alone.
 *
 * INVARIANTS
 * - A process ends with its socket, and a socket with its process.
 * - onDone is called once for each connection that was served, after the process has ended.
 */
class InetdRsync implements RsyncServer {
  readonly #options: RsyncOptions;
  readonly #pairs: SocketPairs;
  readonly #config: string;
  readonly #running = new Map<BoxId, number>();
  readonly #sessions = new Set<{ socket: Socket; ended: Promise<void> }>();
  #total = 0;

  constructor(options: RsyncOptions, pairs: SocketPairs, config: string) {
    this.#options = options;
    this.#pairs = pairs;
    this.#config = config;
  }

  serve(socket: Socket, box: BoxId): void {
    const { log } = this.#options;
    socket.on("error", () => socket.destroy());
    socket.setTimeout(IDLE_S * 1_000, () => socket.destroy());
    const running = this.#running.get(box) ?? 0;
    if (running >= MAX_PER_BOX || this.#total >= MAX_TOTAL) {
      log.warn("sync.refused", { box, reason: "tooManyTransfers", running, total: this.#total });
      socket.destroy();
      return;
    }
    this.#running.set(box, running + 1);
    this.#total++;
    const ended = this.#session(socket, box)
      .catch((error: unknown) => log.error("sync.failed", { box, cause: causeOf(error) }))
      .then(() => {
        // The client may still be reading rsync's last words.
        socket.end();
        socket.resume();
        socket.setTimeout(LINGER_MS, () => socket.destroy());
        this.#running.set(box, this.#running.get(box)! - 1);
        this.#total--;
        this.#sessions.delete(session);
        this.#options.onDone(box);
      });
    const session = { socket, ended };
    this.#sessions.add(session);
  }

  async #session(socket: Socket, box: BoxId): Promise<void> {
    const { log, inboxDirectory } = this.#options;
    await makeDirectory(inboxPath(inboxDirectory, box));
    const pair = await this.#pairs.make();
    const child = await this.#start(pair, box).catch((error: unknown) => {
      pair.ours.destroy();
      throw error;
    });
    const relay = joinSockets(socket, pair.ours);
    const stop = () => void child.stop(STOP_GRACE_MS);
    socket.once("close", stop);
    if (socket.destroyed) stop();
    const exit = await child.exited;
    await relay.ended;
    const ending = readEnding(exit.code, relay.tail());
    if (ending.kind === "refused") log.warn("sync.refused", { box, reason: ending.reason, words: ending.words });
    else if (ending.kind === "interrupted") log.info("sync.interrupted", { box, words: ending.words });
    else log.debug("sync.done", { box });
  }

  async #start({ theirs }: SocketPair, box: BoxId) {
    try {
      return await startProcess(["rsync", "--daemon", `--config=${this.#config}`], {
        env: { PATH: process.env["PATH"], LC_ALL: "C", [BOX_VARIABLE]: box },
        stdio: [theirs, "ignore", "ignore"],
      });
    } finally {
      // The child has its own descriptor of it; while ours is open it would not see the end.
      theirs.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const sessions = [...this.#sessions];
    for (const { socket } of sessions) socket.destroy();
    await Promise.all(sessions.map(({ ended }) => ended));
    await this.#pairs[Symbol.asyncDispose]();
  }
}

/**
 * Carries bytes both ways, with back-pressure, and keeps the last of what rsync said. Like pipeline, except that the
 * end of rsync ends the socket's writing side only: what rsync said before is still on its way.
 */
function joinSockets(socket: Socket, ours: Socket): { ended: Promise<void>; tail(): Buffer } {
  let tail = Buffer.alloc(0);
  const ended = new Promise<void>((resolve) => ours.once("close", () => resolve()));
  // rsync that ends before it has read everything resets the pair; its exit code tells the rest.
  ours.on("error", () => ours.destroy());
  ours.on("data", (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
  });
  ours.once("end", () => ours.end());
  socket.once("close", () => ours.destroy());
  socket.pipe(ours);
  ours.pipe(socket, { end: false });
  return { ended, tail: () => tail };
}

export async function openRsync(options: RsyncOptions): Promise<RsyncServer> {
  const config = join(options.directory, "rsyncd.conf");
  await makeDirectory(options.directory);
  await makeDirectory(options.inboxDirectory);
  // rsyncd.conf has no quoting: a path is its text, with % and line ends as the only special characters.
  if (/[%\n]|^\s|\s$/.test(options.inboxDirectory))
    throw new RangeError(`the inbox directory's path must hold no % and no line end: ${options.inboxDirectory}`);
  const user = { uid: process.getuid!(), gid: process.getgid!() };
  await writeDurable(config, rsyncdConf(options.inboxDirectory, user, IDLE_S));
  return new InetdRsync(options, await openSocketPairs(), config);
}
