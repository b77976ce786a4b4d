export * from "./ids.ts";
export * from "./names.ts";
export * from "./records.ts";
export * from "./alarms.ts";
export * from "./health.ts";
export * from "./control.ts";
export * from "./enrolment.ts";
export * from "./room.ts";
