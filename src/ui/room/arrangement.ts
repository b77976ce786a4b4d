/** Where the pictures of a conversation stand on a TV: pure, in CSS pixels of the area that is left for them. */

export interface Rect {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Arrangement {
  large: Rect[];
  /** Of the strip at the right; the last one is the room's own picture. */
  small: Rect[];
}

const GAP = 12;
const RATIO = 16 / 9;
/** Of the screen's height: on a flatter picture of the strip a name of 32 px would not be told from others. */
const ROW_LEAST = 0.145;
const ROWS_MOST = 4;
const COLUMNS_MOST = 2;
/** Of the area's width, for one column and for two: the speaker keeps the larger part. */
const STRIP_SHARE = { 1: 0.24, 2: 0.37 } as const;

/** The decoders of a small box do not carry more pictures than this at once. */
export const PICTURES_MOST = 9;

export interface Area {
  width: number;
  height: number;
  /** Height of the whole screen, in the same unit. */
  screenHeight: number;
}

/** How many rows of the strip stay legible: fewer where notices take the height. */
const rowsIn = ({ height, screenHeight }: Area): number =>
  Math.max(1, Math.min(ROWS_MOST, Math.floor(height / (screenHeight * ROW_LEAST))));

/** How many of the large and of the small pictures are shown; the rest is named by its number. */
export function shownOf(area: Area, large: number, small: number): { large: number; small: number } {
  const shown = Math.min(large, PICTURES_MOST);
  const strip = COLUMNS_MOST * rowsIn(area) - 1;
  return { large: shown, small: Math.min(small, strip, PICTURES_MOST - shown) };
}

/** @param small remote pictures in the strip; the own one comes in addition */
export function arrange(area: Area, large: number, small: number): Arrangement {
  const tiles = small + 1;
  const most = rowsIn(area);
  const columns = tiles > most ? 2 : 1;
  const rows = Math.min(most, tiles);
  // What one large picture of the whole height leaves is the strip's.
  const left = large === 1 ? area.width - GAP - area.height * RATIO : 0;
  const byWidth = (Math.max(area.width * STRIP_SHARE[columns], left) - GAP * (columns - 1)) / columns;
  const byHeight = ((area.height - GAP * (rows - 1)) / rows) * RATIO;
  const width = Math.floor(Math.min(byWidth, byHeight));
  const height = Math.floor(width / RATIO);
  const stripLeft = area.width - columns * width - (columns - 1) * GAP;
  // Filled from the bottom right, so that the own picture stays where it is when others come and go.
  const place = (fromEnd: number): Rect => ({
    left: stripLeft + (columns - 1 - Math.floor(fromEnd / most)) * (width + GAP),
    top: area.height - height - (fromEnd % most) * (height + GAP),
    width,
    height,
  });
  return {
    large: grid({ width: stripLeft - GAP, height: area.height }, large),
    small: Array.from({ length: tiles }, (_, i) => place(tiles - 1 - i)),
  };
}

/** Equal pictures as large as they can be, the rows centred. */
function grid(area: { width: number; height: number }, count: number): Rect[] {
  let best = { columns: 1, width: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const byWidth = (area.width - GAP * (columns - 1)) / columns;
    const byHeight = ((area.height - GAP * (rows - 1)) / rows) * RATIO;
    const width = Math.floor(Math.min(byWidth, byHeight));
    if (width > best.width) best = { columns, width };
  }
  const { columns, width } = best;
  const height = Math.floor(width / RATIO);
  const rows = Math.ceil(count / columns);
  const top = (area.height - rows * height - (rows - 1) * GAP) / 2;
  return Array.from({ length: count }, (_, i) => {
    const row = Math.floor(i / columns);
    const inRow = Math.min(columns, count - row * columns);
    const left = (area.width - inRow * width - (inRow - 1) * GAP) / 2;
    return { left: left + (i % columns) * (width + GAP), top: top + row * (height + GAP), width, height };
  });
}

/** From this width on the large rendition shows more than the small one, as long as few are decoded at once. */
const LARGE_FROM_PX = 480;
const LARGE_MOST = 4;

/** Which of a room's pictures is asked for. */
export const renditionFor = ({ width }: Rect, largeShown: number): "video" | "small" =>
  width >= LARGE_FROM_PX && largeShown <= LARGE_MOST ? "video" : "small";
