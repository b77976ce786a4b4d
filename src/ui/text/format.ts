/**
 * Numbers and times in Vietnamese words. Pure; instants are milliseconds since 1970 or ISO 8601 texts, shown in the
 * time of Việt Nam whatever the machine is set to.
 */
const ZONE = "Asia/Ho_Chi_Minh";
/** No-break space: a number never parts from its unit. */
const NBSP = "\u00a0";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export type Instant = number | string;
export const instantMs = (at: Instant): number => (typeof at === "number" ? at : Date.parse(at));

const WEEKDAYS: Record<string, string> = {
  Mon: "thứ Hai",
  Tue: "thứ Ba",
  Wed: "thứ Tư",
  Thu: "thứ Năm",
  Fri: "thứ Sáu",
  Sat: "thứ Bảy",
  Sun: "Chủ Nhật",
};

// The parts are taken from one fixed locale, so that the words do not hang on the browser's own Vietnamese data.
const PARTS = new Intl.DateTimeFormat("en-GB", {
  timeZone: ZONE,
  weekday: "short",
  day: "2-digit",
  month: "2-digit",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

type Part = "weekday" | "day" | "month" | "year" | "hour" | "minute" | "second";

function partsOf(at: Instant): Record<Part, string> {
  const parts = { weekday: "", day: "", month: "", year: "", hour: "", minute: "", second: "" };
  for (const { type, value } of PARTS.formatToParts(instantMs(at))) if (type in parts) parts[type as Part] = value;
  return parts;
}

/** `23/11/2026` */
export function shortDate(at: Instant): string {
  const { day, month, year } = partsOf(at);
  return `${day}/${month}/${year}`;
}

/** `thứ Hai, 23/11/2026` */
export const longDate = (at: Instant): string => `${WEEKDAYS[partsOf(at).weekday] ?? ""}, ${shortDate(at)}`;

/** `14:05` */
export function clockTime(at: Instant): string {
  const { hour, minute } = partsOf(at);
  return `${hour}:${minute}`;
}

/** `14:05:09` */
export const clockTimeSeconds = (at: Instant): string => `${clockTime(at)}:${partsOf(at).second}`;

export const sameDay = (a: Instant, b: Instant): boolean => shortDate(a) === shortDate(b);

/** `14:05 hôm nay`, `14:05 ngày mai`, `14:05 hôm qua`, else `14:05, thứ Hai, 23/11/2026`. */
export function dayAndTime(at: Instant, now: Instant): string {
  const ms = instantMs(at);
  const nowMs = instantMs(now);
  if (sameDay(ms, nowMs)) return `${clockTime(at)} hôm nay`;
  if (sameDay(ms, nowMs + DAY_MS)) return `${clockTime(at)} ngày mai`;
  if (sameDay(ms, nowMs - DAY_MS)) return `${clockTime(at)} hôm qua`;
  return `${clockTime(at)}, ${longDate(at)}`;
}

/** The instant of a date `2026-11-23` and time `14:05` chosen in Việt Nam (UTC+7, no daylight saving). */
export const instantOf = (date: string, time: string): string => new Date(`${date}T${time}:00+07:00`).toISOString();

/** `2026-11-23`, the value of a native date field. */
export function dateFieldValue(at: Instant): string {
  const { day, month, year } = partsOf(at);
  return `${year}-${month}-${day}`;
}

/** Two largest units: `2 giờ 10 phút`, `3 ngày 2 giờ`, `45 giây`. */
export function duration(ms: number): string {
  const rounded = Math.max(0, Math.round(ms / SECOND_MS)) * SECOND_MS;
  if (rounded === 0) return ms > 0 ? "dưới 1 giây" : `0${NBSP}giây`;
  const units = [
    [DAY_MS, "ngày"],
    [HOUR_MS, "giờ"],
    [MINUTE_MS, "phút"],
    [SECOND_MS, "giây"],
  ] as const;
  const first = units.findIndex(([size]) => rounded >= size);
  let rest = rounded;
  const words: string[] = [];
  for (const [size, word] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) words.push(`${count}${NBSP}${word}`);
  }
  return words.join(" ");
}

/** `còn 2 giờ 10 phút`; whole minutes above one, since a countdown that flickers is read by nobody. */
export function remaining(ms: number): string {
  if (ms <= 0) return "đã đến giờ";
  return `còn ${duration(ms >= MINUTE_MS ? Math.floor(ms / MINUTE_MS) * MINUTE_MS : ms)}`;
}

/** `vừa xong`, `5 phút trước`, `2 giờ 10 phút trước`. */
export function ago(ms: number): string {
  if (ms < 10 * SECOND_MS) return "vừa xong";
  return `${duration(ms >= MINUTE_MS ? Math.floor(ms / MINUTE_MS) * MINUTE_MS : ms)} trước`;
}

/** `1:23:45`, always with hours, for the big clock and the player. */
export function stopwatch(ms: number): string {
  const total = Math.max(0, Math.floor(ms / SECOND_MS));
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${Math.floor(total / 3600)}:${two(Math.floor(total / 60) % 60)}:${two(total % 60)}`;
}

/** `1,9 GB`: decimal units as on the label of a disk, comma as the decimal sign. */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  // 999.5 would be shown as 1000, so it is already the next unit.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits).replace(/\.0$/, "").replace(".", ",")}${NBSP}${units[unit]}`;
}

/** `1.240` */
export const count = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ".");

/** `97 %`. Rounded down: 100 % is said of nothing that lacks a byte. */
export const percent = (part: number, whole: number): string =>
  `${whole > 0 ? Math.min(100, Math.floor((part / whole) * 100)) : 0}${NBSP}%`;

/** For filters: lower case, without diacritics, đ as d, single spaces. */
export const fold = (text: string): string =>
  text.normalize("NFD").replace(/\p{M}/gu, "").replace(/[đĐ]/g, "d").toLowerCase().replace(/\s+/g, " ").trim();

const COLLATOR = new Intl.Collator("vi", { numeric: true, sensitivity: "base" });
/** Order of names as a Vietnamese reader expects it; numbers inside names by value. */
export const byName = (a: string, b: string): number => COLLATOR.compare(a, b);
