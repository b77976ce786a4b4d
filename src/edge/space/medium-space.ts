import { constants } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { join } from "node:path";
import { causeOf, type Clock, type Log } from "../../platform/platform.ts";
import type { BoxSpace, SegmentName } from "../../protocol/protocol.ts";
import type { Deleter } from "./deleter.ts";
import type { SessionNeed } from "./need.ts";
import { planDeletions, planSpace, ReleaseBudget, reserveTarget, type HeldSegment, type SpacePlan } from "./plan.ts";
import { isReadOnly, Reserve } from "./reserve.ts";

/** Kept free ahead of the encoder for new segments, records and receipts. */
const LEAD_MINUTES = 20 / 60;
/** With less than two seconds of recording free, the next write may fail. */
const FULL_MINUTES = 2 / 60;
/** A reserve that is off by less is left alone: a fallocate for each second would be work for nothing. */
const SLACK_MINUTES = 5 / 60;

export interface MediumSpaceOptions {
  log: Log;
  clock: Clock;
  /** The medium's own folder; `reserve` lies in it. */
  directory: string;
  bytesPerMinute: number;
  deleter: Deleter;
}

/** Reserve and eviction on one medium. */
export class MediumSpace {
  readonly deleter: Deleter;
  private readonly options: MediumSpaceOptions;
  private readonly reserve: Reserve;
  private readonly budget: ReleaseBudget;
  private complaint = "";

  private constructor(options: MediumSpaceOptions, reserve: Reserve) {
    this.options = options;
    this.deleter = options.deleter;
    this.reserve = reserve;
    this.budget = new ReleaseBudget(this.minutes(LEAD_MINUTES));
  }

  static async open(options: MediumSpaceOptions): Promise<MediumSpace> {
    return new MediumSpace(options, await Reserve.open(join(options.directory, "reserve")));
  }

  /**
   * Makes room for these needs, by eviction if it must be, and holds it.
   * @param held oldest first; asked for only when room is missing
   */
  async provide(needs: readonly SessionNeed[], held: () => Promise<HeldSegment[]>): Promise<BoxSpace> {
    let plan = await this.plan(needs);
    const missingBytes = plan.neededBytes - plan.coveredBytes;
    if (missingBytes > 0 && (await this.evict(await held(), missingBytes)) > 0) plan = await this.plan(needs);
    const running = needs.some((need) => need.running);
    const state = await this.hold(plan, running ? this.minutes(LEAD_MINUTES) : 0);
    return { state, reservedBytes: this.reserve.bytes, sessions: plan.readiness };
  }

  private async plan(needs: readonly SessionNeed[]): Promise<SpacePlan> {
    return planSpace(needs, await this.room());
  }

  private async room() {
    const { bavail, bsize, blocks } = await statfs(this.options.directory);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, reservedBytes: this.reserve.bytes };
  }

  private async evict(held: Iterable<HeldSegment>, missingBytes: number): Promise<number> {
    const { log, directory } = this.options;
    const due: SegmentName[] = planDeletions(held, missingBytes).map(({ name }) => name);
    const deleted = await this.deleter.delete(due);
    if (deleted.length > 0) log.info("space.evicted", { directory, segments: deleted.length, missingBytes });
    return deleted.length;
  }

  /** Brings the reserve to where it should be, and says how the disk is. */
  private async hold(plan: SpacePlan, leadBytes: number): Promise<BoxSpace["state"]> {
    const { log, clock, directory } = this.options;
    const before = this.reserve.bytes;
    const target = reserveTarget(plan, before, leadBytes, this.budget.now(clock.monotonicMs()));
    try {
      if (Math.abs(target - before) > this.minutes(SLACK_MINUTES) || target === 0) await this.reserve.resize(target);
      if (this.reserve.bytes < before && plan.coveredBytes < plan.neededBytes)
        this.budget.spend(before - this.reserve.bytes);
      await access(directory, constants.W_OK);
      this.complaint = "";
    } catch (error) {
      const cause = causeOf(error);
      if (cause !== this.complaint) log.error("space.notHeld", { directory, cause, bytes: target });
      this.complaint = cause;
      if (isReadOnly(error)) return "readOnly";
    }
    const { freeBytes, reservedBytes } = await this.room();
    return freeBytes + reservedBytes < this.minutes(FULL_MINUTES) ? "full" : "ok";
  }

  private minutes(minutes: number): number {
    return Math.ceil(this.options.bytesPerMinute * minutes);
  }
}
