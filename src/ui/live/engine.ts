// oxlint-disable-next-line import/default -- the bundler makes a script of its own of this and exports its worker
import LiveWorker from "./live.worker.ts?worker";

/**
 * The page's one worker, made for the first player and ended some time after the last. One for each player would start
 * nine threads and nine heaps for a screen of nine rooms and paint no frame earlier (measured).
 */
interface Engine {
  /** A room of one's own in the worker. @param onDead the worker is gone, and everything in it */
  enter(onDead: () => void): { port: MessagePort; leave: () => void };
  /** Gives the worker up: it has stopped answering. All of its players are told. */
  restart(): void;
}

function createEngine(): Engine {
  let worker: Worker | undefined;
  const players = new Set<() => void>();
  const drop = () => {
    worker?.terminate();
    worker = undefined;
  };
  const restart = () => {
    drop();
    for (const onDead of [...players]) onDead();
  };
  return {
    enter(onDead) {
      if (!worker) {
        const made = new LiveWorker();
        // Its script could not be loaded, or something in it was never to be thrown.
        made.addEventListener("error", () => {
          if (worker === made) restart();
        });
        worker = made;
      }
      const { port1, port2 } = new MessageChannel();
      players.add(onDead);
      worker.postMessage({ port: port2 }, [port2]);
      return {
        port: port1,
        leave() {
          players.delete(onDead);
        },
      };
    },
    restart,
  };
}

export const engine: Engine = createEngine();
