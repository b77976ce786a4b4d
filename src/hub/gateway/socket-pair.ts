import { mkdtemp, rm } from "node:fs/promises";
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
export async function openSocketPairs(): Promise<SocketPairs> {
  // mkdtemp makes it with mode 0700. The data directory would not do: a Unix socket's path has at most 107 bytes.
  const directory = await mkdtemp(join(tmpdir(), "diemcau-pair-"));
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

const listening = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
