import { constants } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { join } from "node:path";
import { causeOf, type Clock, type Log } from "../../platform/platform.ts";
import type { BoxSpace, SegmentName } from "../../protocol/protocol.ts";
import type { Deleter } from "./deleter.ts";
import type { SessionNeed } from "./need.ts";
import {
  planDeletions,
  planSpace,
  ReleaseBudget,
  reserveTarget,
  type HeldSegment,
  type MediumRoom,
  type SpacePlan,
} from "./plan.ts";
import { isReadOnly, Reserve } from "./reserve.ts";

/** Kept free ahead of the encoder for new segments, records and receipts. */
const LEAD_MINUTES = 20 / 60;
/** With less than two seconds of recording free, the next write may fail. */
const FULL_MINUTES = 2 / 60;
/** A reserve that is off by less is left alone: a fallocate for each second would be work for nothing. */
const SLACK_MINUTES = 5 / 60;
/** More free than this is taken from under a recording by nobody within a second or two. */
const TIGHT_MINUTES = 60;

export interface MediumSpaceOptions {
  log: Log;
  clock: Clock;
  /** The medium's own folder; `reserve` lies in it. */
  directory: string;
  bytesPerMinute: number;
  deleter: Deleter;
}

interface Ahead {
  bytes: number;
  /** Taken by a segment itself in the next instant: no reason to be sparing. */
  ownBytes: number;
}

/** Reserve and eviction on one medium. */
export class MediumSpace {
  readonly deleter: Deleter;
  private readonly options: MediumSpaceOptions;
  private readonly reserve: Reserve;
  private readonly budget: ReleaseBudget;
  private complaint = "";
  /** At the last look so little was free that somebody else may take it between two looks. */
  isTight = true;

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
   * @param ahead what a running session must find free now; of a disk that others have filled it gets no more
   */
  async provide(
    needs: readonly SessionNeed[],
    held: () => Promise<Iterable<HeldSegment>>,
    ahead: Ahead = { bytes: Infinity, ownBytes: 0 },
  ): Promise<BoxSpace> {
    let room = await this.room();
    let plan = planSpace(needs, room);
    const missingBytes = plan.neededBytes - plan.coveredBytes;
    if (missingBytes > 0 && (await this.evict(await held(), missingBytes)) > 0) {
      room = await this.room();
      plan = planSpace(needs, room);
    }
    const running = needs.some((need) => need.running);
    const state = await this.hold(plan, room, running ? this.minutes(LEAD_MINUTES) : 0, ahead);
    return { state, reservedBytes: this.reserve.bytes, sessions: plan.readiness };
  }

  async freeBytes(): Promise<number> {
    return (await this.room()).freeBytes;
  }

  private async room(): Promise<MediumRoom> {
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
  private async hold(plan: SpacePlan, room: MediumRoom, leadBytes: number, ahead: Ahead): Promise<BoxSpace["state"]> {
    const { log, clock, directory } = this.options;
    const before = this.reserve.bytes;
    const shortBytes = Math.max(0, ahead.bytes + ahead.ownBytes - room.freeBytes);
    const ownBytes = Math.min(ahead.ownBytes, shortBytes);
    const releaseBytes = ownBytes + Math.min(this.budget.now(clock.monotonicMs()), shortBytes - ownBytes);
    const target = reserveTarget(plan, before, leadBytes, releaseBytes);
    let after: MediumRoom | undefined = room;
    const isSlack = Math.abs(target - before) <= this.minutes(SLACK_MINUTES);
    try {
      if (target !== before && (!isSlack || target === 0 || (shortBytes > 0 && target < before))) {
        after = undefined;
        await this.reserve.resize(target);
      }
      if (this.reserve.bytes < before && plan.coveredBytes < plan.neededBytes)
        this.budget.spend(before - this.reserve.bytes - ownBytes);
      await access(directory, constants.W_OK);
      this.complaint = "";
    } catch (error) {
      const cause = causeOf(error);
      if (cause !== this.complaint) log.error("space.notHeld", { directory, cause, bytes: target });
      this.complaint = cause;
      if (isReadOnly(error)) return "readOnly";
    }
    after ??= await this.room();
    this.isTight = after.freeBytes < this.minutes(TIGHT_MINUTES);
    return after.freeBytes + after.reservedBytes < this.minutes(FULL_MINUTES) ? "full" : "ok";
  }

  private minutes(minutes: number): number {
    return Math.ceil(this.options.bytesPerMinute * minutes);
  }
}
