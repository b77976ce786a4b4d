import { describe, expect, test } from "vitest";
import { judgeEcho, judgeVoice, levelled, powers, TEST_RATE, type Heard } from "./judge.ts";

const SECOND = TEST_RATE;
const amplitude = (db: number) => 32_768 * 10 ** (db / 20);
/** The same each time. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) / 2 ** 32) * 2 - 1;
  };
}
const noise = (seconds: number, db: number, seed = 7): Float64Array => {
  const random = randomOf(seed);
  const width = amplitude(db) * Math.sqrt(3);
  return Float64Array.from({ length: Math.round(seconds * SECOND) }, () => random() * width);
};
/** Syllables of 200 ms four times a second, in phrases of `on` seconds. */
function speech(seconds: number, db: number, isOn: (atS: number) => boolean): Float64Array {
  const carrier = noise(seconds, db, 11);
  return carrier.map((sample, i) => {
    const atS = i / SECOND;
    return isOn(atS) ? sample * Math.abs(Math.sin(Math.PI * 2.3 * atS)) : 0;
  });
}
const PHRASE_S = 10;
/** Four phrases with pauses of 0.8 s. */
const phrased = (atS: number) => atS % 2.5 < 1.7;
const phrase = speech(PHRASE_S, -17, phrased);
function sum(...parts: Float64Array[]): Int16Array {
  const all = new Float64Array(parts[0]!.length);
  for (const part of parts) for (let i = 0; i < all.length; i++) all[i]! += part[i]!;
  return Int16Array.from(all, (sample) => Math.round(Math.max(-32_768, Math.min(32_767, sample))));
}
const later = (samples: Float64Array, ms: number, db: number): Float64Array => {
  const by = Math.round((ms / 1_000) * SECOND);
  return samples.map((_, i) => (i < by ? 0 : samples[i - by]! * 10 ** (db / 20)));
};
const played = sum(phrase);
const ROOM = -62;

const quiet = (liveNoiseDb = -75): Heard => ({
  microphone: sum(noise(1.5, ROOM, 3)),
  live: sum(noise(1.5, liveNoiseDb, 5)),
});
/** A room in which the phrase comes back so much softer, and leaves it softer again by `lossDb`. */
const room = (echoDb: number, lossDb: number, more: { spoken?: Float64Array; liveNoiseDb?: number } = {}): Heard => {
  const spoken = more.spoken ?? new Float64Array(phrase.length);
  return {
    microphone: sum(later(phrase, 260, echoDb), noise(PHRASE_S, ROOM, 3), spoken),
    live: sum(later(phrase, 300, echoDb - lossDb), noise(PHRASE_S, more.liveNoiseDb ?? -75, 5), spoken),
  };
};

describe("the echo of a room", () => {
  test("is measured by what is left of it when it leaves the room", () => {
    const good = judgeEcho(quiet(), room(-10, 35), played);
    expect(good).toMatchObject({ echo: "good", atLeast: false });
    expect(good.returnLossDb).toBeGreaterThan(33);
    expect(good.returnLossDb).toBeLessThan(37);
    const weak = judgeEcho(quiet(), room(-10, 23), played);
    expect(weak.echo).toBe("weak");
    expect(Math.abs(weak.returnLossDb! - 23)).toBeLessThan(2);
    const poor = judgeEcho(quiet(), room(-10, 6), played);
    expect(poor.echo).toBe("poor");
    expect(Math.abs(poor.returnLossDb! - 6)).toBeLessThan(2);
  });

  test("may slip through for a moment where words begin, and not all the time", () => {
    const leaking = (share: number): Heard => {
      const heard = room(-10, 40);
      const open = room(-10, 4);
      // Of each phrase of 2.5 s, so much of its beginning is not cancelled.
      const live = heard.live!.map((sample, i) => ((i / SECOND - 0.3) % 2.5 < share ? open.live![i]! : sample));
      return { ...heard, live };
    };
    expect(judgeEcho(quiet(), leaking(0.05), played)).toMatchObject({ echo: "good" });
    expect(judgeEcho(quiet(), leaking(0.6), played).echo).not.toBe("good");
  });

  test("that is softer than the room's own noise is no echo, and at least as much weaker as can be said", () => {
    const judged = judgeEcho(quiet(), room(-10, 70), played);
    expect(judged).toMatchObject({ echo: "good", atLeast: true });
    expect(judged.returnLossDb).toBeGreaterThan(40);
    const soft = judgeEcho(quiet(-58), room(-30, 20, { liveNoiseDb: -58 }), played);
    expect(soft).toMatchObject({ echo: "good", atLeast: true });
  });

  test("cannot be told while somebody speaks", () => {
    const spoken = speech(PHRASE_S, -25, () => true);
    expect(judgeEcho(quiet(), room(-10, 60, { spoken }), played)).toEqual({
      echo: "noisy",
      returnLossDb: null,
      atLeast: false,
    });
    expect(judgeEcho(quiet(), room(-80, 0, { spoken }), played).echo).toBe("noisy");
    const early = sum(
      noise(1.5, ROOM, 3),
      speech(1.5, -25, () => true),
    );
    const goesOn = speech(PHRASE_S, -25, (atS) => atS < 1);
    const before = { microphone: early, live: early };
    expect(judgeEcho(before, room(-80, 0, { spoken: goesOn }), played).echo).toBe("noisy");
  });

  test("is unknown where the loudspeaker is not heard, and open where nothing cancels", () => {
    expect(judgeEcho(quiet(), room(-80, 0), played)).toMatchObject({ echo: "unheard", returnLossDb: null });
    const open = { ...room(-10, 0), live: null };
    expect(judgeEcho({ ...quiet(), live: null }, open, played)).toMatchObject({ echo: "open", returnLossDb: null });
    // A fan that begins to turn is no echo.
    const fan = { microphone: sum(noise(PHRASE_S, -40, 3)), live: sum(noise(PHRASE_S, -60, 5)) };
    expect(judgeEcho(quiet(), fan, played).echo).not.toBe("good");
  });

  test("is found however late the loudspeaker is", () => {
    for (const ms of [0, 400, 1_200]) {
      const heard: Heard = {
        microphone: sum(later(phrase, ms, -10), noise(PHRASE_S, ROOM, 3)),
        live: sum(later(phrase, ms, -22), noise(PHRASE_S, -75, 5)),
      };
      expect(judgeEcho(quiet(), heard, played)).toMatchObject({ echo: "poor", returnLossDb: 12 });
    }
  });
});

describe("a voice", () => {
  const said = (db: number, liveDb: number): Heard => ({
    microphone: sum(
      speech(4, db, (atS) => atS % 1.5 < 1),
      noise(4, ROOM, 3),
    ),
    live: sum(
      speech(4, liveDb, (atS) => atS % 1.5 < 1),
      noise(4, -75, 5),
    ),
  });

  test("is heard, quiet, not there, or lost on its way out", () => {
    expect(judgeVoice(said(-25, -26))).toBe("heard");
    expect(judgeVoice(said(-48, -49))).toBe("quiet");
    expect(judgeVoice(said(-90, -90))).toBe("silent");
    expect(judgeVoice(said(-25, -60))).toBe("lost");
    expect(judgeVoice({ ...said(-25, -90), live: null })).toBe("heard");
    expect(judgeVoice({ microphone: sum(noise(4, -30)), live: null })).toBe("silent");
    expect(judgeVoice({ microphone: new Int16Array(0), live: null })).toBe("silent");
  });

  test("is played again as loud as others hear it, and never beyond full scale", () => {
    const loudest = (samples: Int16Array) => 10 * Math.log10(Math.max(...powers(samples)));
    for (const db of [-40, -25]) {
      const again = levelled(sum(speech(4, db, () => true)));
      expect(loudest(again)).toBeGreaterThan(-22);
      expect(loudest(again)).toBeLessThan(-15);
    }
    const clap = new Int16Array(4 * SECOND);
    clap[100] = 20_000;
    expect(Math.max(...levelled(clap))).toBeLessThanOrEqual(0.9 * 32_768);
    expect([...levelled(new Int16Array(640))].every((sample) => sample === 0)).toBe(true);
  });
});
