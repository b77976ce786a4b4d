import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/**
 * The line between one room and the hub, as TCP sees it. While it is cut nothing is forwarded and nothing is closed:
 * a pulled plug sends no FIN. What was on its way arrives after mending, as TCP's retransmissions would bring it.
 */
export interface Cable extends AsyncDisposable {
  readonly port: number;
  cut(): void;
  mend(): void;
}

export async function layCable(target: { host: string; port: number }): Promise<Cable> {
  let isCut = false;
  const pairs = new Set<{ near: Socket; far: Socket | undefined }>();
  const join = (pair: { near: Socket; far: Socket | undefined }) => {
    const far = connect({ ...target, noDelay: true });
    pair.far = far;
    const { near } = pair;
    const forward = (from: Socket, to: Socket) => {
      from.on("data", (chunk) => {
        if (!to.write(chunk)) from.pause();
      });
      to.on("drain", () => {
        if (!isCut) from.resume();
      });
      // An end that happens while the plug is out is not heard on the other side before it is back in.
      from.on("close", () => {
        if (isCut) pendingEnds.push(() => to.destroy());
        else to.destroySoon();
        pairs.delete(pair);
      });
      from.on("error", () => {});
    };
    forward(near, far);
    forward(far, near);
  };
  const pendingEnds: (() => void)[] = [];
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (near) => {
    const pair = { near, far: undefined };
    pairs.add(pair);
    near.on("error", () => {});
    if (isCut) return;
    join(pair);
    near.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true;
      for (const { near, far } of pairs) {
        near.pause();
        far?.pause();
      }
    },
    mend() {
      isCut = false;
      for (const end of pendingEnds.splice(0)) end();
      for (const pair of pairs) {
        if (pair.near.destroyed) {
          pairs.delete(pair);
          continue;
        }
        if (!pair.far) join(pair);
        pair.near.resume();
        pair.far?.resume();
      }
    },
    async [Symbol.asyncDispose]() {
      for (const { near, far } of pairs) {
        near.destroy();
        far?.destroy();
      }
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
