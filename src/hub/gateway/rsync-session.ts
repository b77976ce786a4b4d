import { join } from "node:path";
import type { Socket } from "node:net";
import type { BoxId } from "../../protocol/protocol.ts";
import { causeOf, makeDirectory, startProcess, writeDurable, type Log } from "../../platform/platform.ts";
import { BOX_VARIABLE, inboxPath, readEnding, rsyncdConf } from "./rsyncd.ts";
import { openSocketPairs, type SocketPair, type SocketPairs } from "./socket-pair.ts";

/** Processes at one time, over all boxes. */
const MAX_TOTAL = 64;
/** rsync's client speaks at once; a connection that stays mute costs no process. */
const FIRST_BYTE_MS = 10_000;
const IDLE_S = 60;
/** A gigabit fills 250 MB in this time; what is kept free is more. */
const ADMIT_EVERY_MS = 2_000;
/** A file that has come whole is taken in while the next ones come. */
const ARRIVING_EVERY_MS = 1_000;
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
  /** Whether the box may send files now; asked at the start and while it sends. */
  admit: (box: BoxId) => Promise<Admission>;
  /** While a box sends: files of it may have come whole. */
  onArriving: (box: BoxId) => void;
  /** After each connection that reached rsync, whatever became of it. */
  onDone(box: BoxId): void;
}

export type Admission = { ok: true } | { ok: false; reason: string; words: string };

interface Session {
  readonly socket: Socket;
  readonly ended: Promise<void>;
}

/**
 * rsync --daemon as inetd would start it: one process for each connection, its standard input the connection. It
 * listens nowhere, and its configuration is chosen by the hub alone.
 *
 * INVARIANTS
 * - A box has at most one process. A newer connection destroys the older one, whose line may be dead without the hub
 *   knowing yet, and starts when that one's process has ended: two never write the same file.
 * - A process ends with its socket, and a socket with its process.
 * - onDone is called once for each connection that spoke, after its process has ended.
 */
class InetdRsync implements RsyncServer {
  readonly #options: RsyncOptions;
  readonly #pairs: SocketPairs;
  readonly #config: string;
  readonly #newest = new Map<BoxId, Session>();
  readonly #sessions = new Set<Session>();

  constructor(options: RsyncOptions, pairs: SocketPairs, config: string) {
    this.#options = options;
    this.#pairs = pairs;
    this.#config = config;
  }

  serve(socket: Socket, box: BoxId): void {
    socket.on("error", () => socket.destroy());
    socket.setTimeout(FIRST_BYTE_MS, () => socket.destroy());
    socket.once("readable", () => {
      if (socket.readableLength > 0) this.#begin(socket, box);
      else socket.destroy();
    });
  }

  #begin(socket: Socket, box: BoxId): void {
    const { log } = this.#options;
    const previous = this.#newest.get(box);
    if (!previous && this.#newest.size >= MAX_TOTAL) {
      log.warn("sync.refused", { box, reason: "tooManyTransfers", total: this.#newest.size });
      socket.destroy();
      return;
    }
    previous?.socket.destroy();
    const run = async () => {
      await previous?.ended;
      if (!socket.destroyed) await this.#session(socket, box);
    };
    const ended = run()
      .catch((error: unknown) => log.error("sync.failed", { box, cause: causeOf(error) }))
      .then(() => {
        // The client may still be reading rsync's last words.
        socket.end();
        socket.resume();
        socket.setTimeout(LINGER_MS);
        this.#sessions.delete(session);
        if (this.#newest.get(box) === session) this.#newest.delete(box);
        this.#options.onDone(box);
      });
    const session: Session = { socket, ended };
    this.#newest.set(box, session);
    this.#sessions.add(session);
  }

  async #session(socket: Socket, box: BoxId): Promise<void> {
    const { log, inboxDirectory, admit, onArriving } = this.#options;
    socket.setTimeout(IDLE_S * 1_000);
    const admission = await admit(box);
    if (!admission.ok) {
      log.warn("sync.refused", { box, reason: admission.reason, words: admission.words });
      // As rsync's daemon says it (rsync(1) prints the second line and ends with code 5), so that the box knows why.
      socket.end(`@RSYNCD: 31.0\n@ERROR: ${admission.words}\n`);
      return;
    }
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
    const watches = [
      setInterval(() => void this.#recheck(socket, box), ADMIT_EVERY_MS),
      setInterval(() => onArriving(box), ARRIVING_EVERY_MS),
    ];
    const exit = await child.exited;
    for (const watch of watches) clearInterval(watch);
    await relay.ended;
    const ending = readEnding(exit.code, relay.tail());
    if (ending.kind === "refused") log.warn("sync.refused", { box, reason: ending.reason, words: ending.words });
    else if (ending.kind === "interrupted") log.info("sync.interrupted", { box, words: ending.words });
    else log.debug("sync.done", { box });
  }

  /** What is there when the room runs out stays as a partial file, and goes on from it. */
  async #recheck(socket: Socket, box: BoxId): Promise<void> {
    const { log, admit } = this.#options;
    try {
      const admission = await admit(box);
      if (admission.ok) return;
      log.warn("sync.refused", { box, reason: admission.reason, words: admission.words });
      socket.destroy();
    } catch (error) {
      log.warn("sync.admitFailed", { box, cause: causeOf(error) });
    }
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
  return new InetdRsync(options, await openSocketPairs(options.directory), config);
}
