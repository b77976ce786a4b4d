/** Wording of the test of a room's sound, on the TV and at the desk. */

import {
  soundTestPassed,
  type SoundTest,
  type SoundTestPhase,
  type SoundTestRefusal,
} from "../../protocol/protocol.ts";
import { count } from "./format.ts";

export const SOUND_TEST = {
  title: "Thử tiếng",
  stop: "Dừng thử",
  again: "Thử lại",
  close: "Xong",
  failed: "Chưa thử được. Xin bấm lại.",
  good: "Tiếng hai chiều tốt",
  bad: "Tiếng chưa đạt",
  goodText: "Nơi khác nghe rõ phòng này và không nghe lại tiếng của mình.",
  left: (seconds: number): string => `còn ${seconds} giây`,
  last: (when: string): string => `Thử tiếng vọng lúc ${when}:`,
};

export const SOUND_TEST_STEPS: Record<SoundTestPhase, { step: string; title: string; text: string }> = {
  speak: {
    step: "Nói thử",
    title: "Xin nói một câu",
    text: "Nói như khi tiếp công dân: “Một, hai, ba, phòng chúng tôi nói thử.”",
  },
  playBack: { step: "Nghe lại", title: "Nghe lại câu vừa nói", text: "Nơi khác nghe phòng này như thế." },
  listen: { step: "Đo tiếng vọng", title: "Xin giữ yên lặng", text: "Loa đang phát câu thử để đo tiếng vọng." },
};

export const SOUND_TEST_REFUSED: Record<SoundTestRefusal, string> = {
  inSession: "Đang trong buổi tiếp, không thử được.",
  noMicrophone: "Chưa có micrô để thử.",
  running: "Đang thử.",
};
export const SOUND_TEST_BROKEN = {
  session: "Đã dừng thử vì buổi tiếp bắt đầu.",
  failed: "Chưa thử được: thiết bị không phát hoặc không thu được tiếng. Cắm lại micrô và loa rồi thử lại.",
};

export const SOUND_TEST_AT_DESK = {
  title: "Thử tiếng vọng",
  none: "chưa thử từ khi bật thiết bị",
  notToday: "hôm nay chưa thử",
  away: "chưa nối",
  passed: (n: number, all: number): string => `Thử tiếng vọng hôm nay: ${count(n)}/${count(all)} phòng đạt.`,
  more: (n: number): string => `và ${count(n)} phòng khác`,
};

interface Finding {
  is: "good" | "bad" | "unknown";
  words: string;
}

const VOICES: Record<SoundTest["voice"], Finding> = {
  heard: { is: "good", words: "Micrô: nghe rõ" },
  quiet: { is: "good", words: "Micrô: nghe được nhưng còn nhỏ. Nên ngồi gần micrô hơn." },
  silent: { is: "bad", words: "Micrô: không nghe thấy lời nói. Bật nút micrô rồi nói to một câu." },
  lost: { is: "bad", words: "Lời nói không ra khỏi phòng. Rút điện thiết bị, 10 giây sau cắm lại." },
};
const LOUDSPEAKER = {
  heard: { is: "good", words: "Loa: nghe rõ" },
  unheard: { is: "bad", words: "Loa: micrô không nghe thấy loa. Bật loa hoặc tivi to hơn." },
  unknown: { is: "unknown", words: "Loa: chưa biết" },
} satisfies Record<string, Finding>;

/** Nobody in a room knows what a decibel is; whoever is asked on the telephone does. */
function loss({ returnLossDb, atLeast }: SoundTest): string {
  if (returnLossDb === null) return "";
  if (!atLeast) return `, ${returnLossDb} dB`;
  return returnLossDb >= 30 ? `, từ ${returnLossDb} dB` : ", nhỏ hơn tiếng ồn của phòng";
}

const ECHOES: Record<SoundTest["echo"], (loss: string) => Finding> = {
  good: (by) => ({ is: "good", words: `Tiếng vọng: đạt${by}` }),
  weak: (by) => ({ is: "bad", words: `Tiếng vọng: còn nghe thấy${by}. Đặt micrô xa loa hơn, vặn nhỏ loa.` }),
  poor: (by) => ({ is: "bad", words: `Tiếng vọng: còn to${by}. Đặt micrô xa loa hơn, vặn nhỏ loa.` }),
  open: () => ({
    is: "bad",
    words: "Tiếng vọng: thiết bị chưa khử được. Vặn nhỏ loa và gọi phụ trách kỹ thuật.",
  }),
  unheard: () => ({ is: "unknown", words: "Tiếng vọng: chưa đo được" }),
  noisy: () => ({ is: "bad", words: "Tiếng vọng: chưa đo được vì phòng ồn. Giữ yên lặng rồi thử lại." }),
};

/** Microphone, loudspeaker and echo, each with one word that says whether it passes, and its repair if not. */
export function soundFindings(test: SoundTest): Finding[] {
  const { heard, unheard, unknown } = LOUDSPEAKER;
  const loudspeaker = test.echo === "unheard" ? unheard : test.echo === "noisy" ? unknown : heard;
  return [VOICES[test.voice], loudspeaker, ECHOES[test.echo](loss(test))];
}

const SHORT: Record<SoundTest["echo"], string> = {
  good: "",
  weak: "còn nghe thấy tiếng vọng",
  poor: "tiếng vọng to",
  open: "chưa khử được tiếng vọng",
  unheard: "micrô không nghe thấy loa",
  noisy: "phòng ồn, chưa đo được",
};
const SHORT_VOICE: Record<SoundTest["voice"], string> = {
  heard: "",
  quiet: "",
  silent: "micrô không nghe thấy lời nói",
  lost: "lời nói không ra khỏi phòng",
};

/** In one line: "đạt, 42 dB". */
export function soundTestWords(test: SoundTest): string {
  if (soundTestPassed(test)) return `đạt${loss(test)}`;
  const measured = test.returnLossDb !== null && test.echo !== "good" ? ` (${test.returnLossDb} dB)` : "";
  const why = [SHORT_VOICE[test.voice], `${SHORT[test.echo]}${measured}`].filter(Boolean).join(", ");
  return `chưa đạt: ${why}`;
}
