import { describe, expect, test } from "vitest";
import { arrange, PICTURES_MOST, type Rect, renditionFor, shownOf } from "./arrangement.ts";

const AREA = { width: 1728, height: 724, screenHeight: 1080 };
/** As much as two notices leave. */
const SHORT = { ...AREA, height: 530 };
const COUNTS = [AREA, SHORT].flatMap((area) =>
  [1, 2, 3, 4, 9].flatMap((large) =>
    [0, 1, 3, 4, 7].map((small) => ({ area, height: area.height, large, small: shownOf(area, 1, small).small })),
  ),
);

const overlap = (a: Rect, b: Rect): boolean =>
  a.left < b.left + b.width && b.left < a.left + a.width && a.top < b.top + b.height && b.top < a.top + a.height;

describe("pictures of a conversation", () => {
  test.each(COUNTS)(
    "stand inside $height px and over no other one: $large large, $small small",
    ({ area, large, small }) => {
      const all = arrange(area, large, small);
      const rects = [...all.large, ...all.small];
      expect(all.large).toHaveLength(large);
      expect(all.small).toHaveLength(small + 1);
      for (const [i, rect] of rects.entries()) {
        expect(rect.left).toBeGreaterThanOrEqual(0);
        expect(rect.top).toBeGreaterThanOrEqual(-1);
        expect(rect.left + rect.width).toBeLessThanOrEqual(area.width);
        expect(rect.top + rect.height).toBeLessThanOrEqual(area.height);
        expect(rects.slice(i + 1).some((other) => overlap(rect, other))).toBe(false);
      }
    },
  );

  test("the speaker has more than half of the width, whatever the number of others", () => {
    for (const small of [0, 1, 3, 7]) expect(arrange(AREA, 1, small).large[0]!.width).toBeGreaterThan(AREA.width / 2);
  });

  test("the own picture keeps its corner while others come and go in one column", () => {
    const corner = ({ left, top, width, height }: Rect) => [left + width, top + height];
    for (const small of [0, 2, 3, 6]) expect(corner(arrange(AREA, 1, small).small.at(-1)!)).toEqual([1728, 724]);
  });

  test("names stay legible: a short area has fewer pictures in its strip, not smaller ones", () => {
    const { small } = shownOf(SHORT, 1, 20);
    expect(small).toBeLessThan(shownOf(AREA, 1, 20).small);
    for (const { width } of arrange(SHORT, 1, small).small) expect(width).toBeGreaterThan(250);
  });

  test("no more are decoded than a small box carries", () => {
    for (const [large, small] of [
      [1, 39],
      [40, 0],
      [5, 20],
    ] as const) {
      const shown = shownOf(AREA, large, small);
      expect(shown.large + shown.small).toBeLessThanOrEqual(PICTURES_MOST);
      expect(shown.large).toBeGreaterThan(0);
    }
  });

  test("the large rendition is for few and wide pictures", () => {
    const { large, small } = arrange(AREA, 1, 3);
    expect(renditionFor(large[0]!, 1)).toBe("video");
    expect(renditionFor(small[0]!, 1)).toBe("small");
    expect(renditionFor(arrange(AREA, 9, 0).large[0]!, 9)).toBe("small");
  });
});
