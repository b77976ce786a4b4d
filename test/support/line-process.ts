import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Cable, Line, Target } from "./cable.ts";
import type { LineOrder } from "./line-child.ts";

/** A line in a process of its own: what box and hub do in this one delays nothing that is on its way. */
export interface LineProcess extends AsyncDisposable {
  lay(target: Target): Promise<Cable>;
}

export async function openLine(line: Line): Promise<LineProcess> {
  const child = fork(join(import.meta.dirname, "line-child.ts"), [JSON.stringify(line)]);
  await once(child, "spawn");
  let laid = 0;
  const order = (order: LineOrder) => void child.send(order);
  return {
    async lay(target) {
      const number = laid++;
      const isLaid = new Promise<number>((resolve) => {
        const hear = (word: { number: number; port: number }) => {
          if (word.number !== number) return;
          child.off("message", hear);
          resolve(word.port);
        };
        child.on("message", hear);
      });
      order({ do: "lay", number, target });
      return {
        port: await isLaid,
        cut: () => order({ do: "cut", number }),
        mend: () => order({ do: "mend", number }),
        corruptNext: () => order({ do: "corruptNext", number }),
        lead: (target) => order({ do: "lead", number, target }),
        [Symbol.asyncDispose]: async () => order({ do: "takeUp", number }),
      };
    },
    async [Symbol.asyncDispose]() {
      const exited = once(child, "exit");
      child.disconnect();
      await exited;
    },
  };
}
