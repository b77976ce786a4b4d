import { connect } from "node:net";
import { until } from "./until.ts";

/** Commands of QEMU's machine protocol, one after the other; throws with its words at the first that it refuses. */
export async function askQemu(path: string, ...commands: object[]): Promise<void> {
  const socket = connect(path);
  try {
    let text = "";
    socket.on("data", (data) => (text += data.toString()));
    socket.on("error", (error) => (text += `{"error": ${JSON.stringify(String(error))}}\n`));
    for (const [n, command] of [{ execute: "qmp_capabilities" }, ...commands].entries()) {
      socket.write(`${JSON.stringify(command)}\n`);
      const answer = await until(
        "QEMU answers",
        () => [...text.matchAll(/^\{"(?:return|error)".*$/gm)].map(([line]) => line)[n],
        { withinMs: 60_000 },
      );
      if (answer.startsWith('{"error"')) throw new Error(`QEMU: ${JSON.stringify(command)}: ${answer}`);
    }
  } finally {
    socket.destroy();
  }
}
