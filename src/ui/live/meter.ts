/**
 * Loudness of an element that plays its own sound. An element can be tapped only once in its life, and only in one
 * context, so taps are kept by element.
 */
const taps = new WeakMap<HTMLVideoElement, AnalyserNode>();

/** Root mean square of what the element plays now, full scale 1. */
export function meterOf(video: HTMLVideoElement): number {
  let analyser = taps.get(video);
  if (!analyser) {
    const context = new AudioContext();
    analyser = context.createAnalyser();
    analyser.fftSize = 2048;
    context.createMediaElementSource(video).connect(analyser).connect(context.destination);
    taps.set(video, analyser);
  }
  if (analyser.context.state === "suspended") void (analyser.context as AudioContext).resume().catch(() => {});
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  let square = 0;
  for (const value of samples) square += value * value;
  return Math.sqrt(square / samples.length);
}
