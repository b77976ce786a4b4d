import { MarkReader, type HeardMark } from "../marks.ts";
import type { Heard } from "./ear.worklet.ts";
// oxlint-disable-next-line import/default -- the bundler makes a script of its own of this and exports its address
import earUrl from "./ear.worklet.ts?worker&url";

/** From now on, whatever a page sends to a loudspeaker is heard here as well, in the same render quantum. */
export function growEar(): HeardMark[] {
  const marks: HeardMark[] = [];
  const ears = new Map<BaseAudioContext, Promise<AudioWorkletNode>>();
  const earOf = async (context: BaseAudioContext) => {
    await context.audioWorklet.addModule(earUrl);
    const ear = new AudioWorkletNode(context, "ear", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
    });
    const reader = new MarkReader(context.sampleRate);
    ear.port.onmessage = ({ data: { samples, wallMs } }: MessageEvent<Heard>) => {
      for (const [quantum, atMs] of wallMs.entries())
        marks.push(...reader.push(samples.subarray(quantum * 128, (quantum + 1) * 128), atMs));
    };
    return ear;
  };
  // oxlint-disable-next-line typescript/unbound-method -- called with its node below
  const connect = AudioNode.prototype.connect as (this: AudioNode, target: AudioNode) => AudioNode;
  AudioNode.prototype.connect = function (this: AudioNode, target: AudioNode) {
    if (target instanceof AudioDestinationNode) {
      const { context } = target;
      if (!ears.has(context)) ears.set(context, earOf(context));
      void ears.get(context)!.then((ear) => connect.call(this, ear));
    }
    return connect.call(this, target);
  } as typeof AudioNode.prototype.connect;
  return marks;
}
