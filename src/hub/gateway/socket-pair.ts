import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Two ends of one stream inside this machine. */
export interface SocketPair {
  ours: Socket;
  /** To be a child's standard input; nothing has read from it. */
  theirs: Socket;
}

/** Makes connected Unix sockets. The sockets' names live in a directory that only this user can enter. */
export interface SocketPairs extends AsyncDisposable {
  make(): Promise<SocketPair>;
}

/**
 * Node has no socketpair(2) that a caller can hand on: its own stdio pipes are socket pairs, but standard input can
 * only be written. So a pair is made by connecting to a listener that takes one connection. 1 to 2 ms, measured.
 */
export async function openSocketPairs(parent: string): Promise<SocketPairs> {
  const directory = await privateDirectory(parent);
  let made = 0;
  return {
    async make() {
      // Half-open: the end of one direction must not cut off words that are still under way in the other.
      const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
      try {
        const path = join(directory, String(made++));
        await listening(server, path);
        const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
        const ours = connect({ path, allowHalfOpen: true });
        await new Promise<void>((resolve, reject) => {
          ours.once("connect", resolve);
          ours.once("error", reject);
        });
        return { ours, theirs: await accepted };
      } finally {
        server.close();
      }
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

/** sockaddr_un holds 108 bytes with the closing zero, unix(7); a few are for the socket's number. */
const MAX_DIRECTORY_BYTES = 95;

/** A fixed place, so that a killed hub leaves nothing behind; a temporary one only where that path is too long. */
async function privateDirectory(parent: string): Promise<string> {
  const fixed = join(parent, "pairs");
  if (Buffer.byteLength(fixed) > MAX_DIRECTORY_BYTES) return await mkdtemp(join(tmpdir(), "diemcau-pair-"));
  await rm(fixed, { recursive: true, force: true });
  await mkdir(fixed, { mode: 0o700 });
  return fixed;
}

const listening = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
