const PARTS = new Intl.DateTimeFormat("en-GB", {
  timeZone: "Asia/Ho_Chi_Minh",
  ...{ day: "2-digit", month: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
});

/** The name of a session that was begun in the room and that nobody had planned, in the time of Việt Nam. */
export function adHocName(utcMs: number): string {
  const part = Object.fromEntries(PARTS.formatToParts(utcMs).map(({ type, value }) => [type, value]));
  return `Buổi tiếp tại phòng ${part["hour"]}:${part["minute"]} ${part["day"]}/${part["month"]}`;
}
