import { layCable, type Cable, type Line, type Target } from "./cable.ts";

export type LineOrder =
  | { do: "lay"; number: number; target: Target }
  | { do: "cut" | "mend" | "corruptNext" | "takeUp"; number: number }
  | { do: "lead"; number: number; target: Target };

const line = JSON.parse(process.argv[2]!) as Line;
const cables = new Map<number, Cable>();

async function follow(order: LineOrder): Promise<void> {
  const { number } = order;
  if (order.do === "lay") {
    const cable = await layCable(order.target, { line });
    cables.set(number, cable);
    process.send!({ number, port: cable.port });
    return;
  }
  const cable = cables.get(number)!;
  if (order.do === "lead") cable.lead(order.target);
  else if (order.do === "takeUp") await cable[Symbol.asyncDispose]();
  else cable[order.do]();
}

process.on("message", (order: LineOrder) => void follow(order));
process.on("disconnect", () => process.exit());
