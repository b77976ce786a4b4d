/** Three rising notes of a major triad, Hz: no speech, no alarm, and no hum of the mains. */
const NOTES = [523.25, 659.25, 783.99];
const NOTE_S = 0.6;
/** The last note rings out. */
const TAIL_S = 0.5;
const LOUDNESS = 0.4;

/** Plays the chime of the test; resolves when it has sounded. */
export async function playChime(): Promise<void> {
  const context = new AudioContext();
  try {
    const startS = context.currentTime + 0.05;
    const ends = NOTES.map((frequency, i) => {
      const tone = new OscillatorNode(context, { frequency });
      const envelope = new GainNode(context, { gain: 0 });
      const fromS = startS + i * NOTE_S;
      envelope.gain.setValueAtTime(0, fromS);
      envelope.gain.linearRampToValueAtTime(LOUDNESS, fromS + 0.02);
      envelope.gain.setTargetAtTime(0, fromS + NOTE_S * 0.7, 0.12);
      tone.connect(envelope).connect(context.destination);
      tone.start(fromS);
      tone.stop(fromS + NOTE_S + TAIL_S);
      return new Promise((resolve) => tone.addEventListener("ended", resolve, { once: true }));
    });
    await Promise.all(ends);
  } finally {
    await context.close();
  }
}
