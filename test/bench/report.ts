import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

/** What one bench found. Figures are medians where nothing else is said; units stand in their names. */
export interface Report {
  name: string;
  machine: Machine;
  figures: Record<string, unknown>;
  /** The same figures of the programs measured beside ours, by program. */
  peers: Record<string, unknown>;
  goals: Goal[];
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryBytes: number;
  kernel: string;
  node: string;
  /** Of the last minute, when the bench began: others on the machine slow absolute figures, ratios less. */
  loadAverage: number;
}

export interface Goal {
  name: string;
  /** Null where it could not be measured, which never meets a goal. */
  value: number | null;
  limit: number;
  met: boolean;
}

export interface BenchOptions {
  /** Length of one window of measurement; each bench has its own default. */
  seconds?: number | undefined;
  /** Length of a whole run, where a bench is one long run. */
  minutes?: number | undefined;
  /** What a bench draws its chances from: the same seed, the same run. */
  seed?: number | undefined;
  /** The rooms' encoder, where a bench judges one: a box ships its own, which may be newer than this machine's. */
  ffmpeg?: string | undefined;
}

export interface Bench {
  name: string;
  run(options: BenchOptions): Promise<Report>;
}

export const machineNow = (): Machine => ({
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryBytes: totalmem(),
  kernel: release(),
  node: process.version,
  loadAverage: Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]),
});

/** A goal that wants the value at or below the limit. */
export const atMost = (name: string, value: number | null, limit: number): Goal => ({
  name,
  value,
  limit,
  met: value !== null && value <= limit,
});

/** A goal that wants the value at or above the limit. */
export const atLeast = (name: string, value: number | null, limit: number): Goal => ({
  name,
  value,
  limit,
  met: value !== null && value >= limit,
});

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
