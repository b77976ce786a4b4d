import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { LevelsView, UserView } from "../../hub/http/views.ts";
import { mayDo, type BoxId, type PointId, type Role } from "../../protocol/protocol.ts";
import { type Api, createApi } from "./api.ts";
import { openEvents } from "./events.ts";
import { allRooms, type Facts, NO_FACTS, reduce, type RoomFacts, withRecordings } from "./facts.ts";

export type HubLink = { state: "connecting" } | { state: "answering" } | { state: "silent"; sinceMs: number };

/** Everything that pages read. One per window. */
export interface Desk {
  api: Api;
  /** Undefined until the hub said who we are; null when signed out. */
  user: Signal<UserView | null | undefined>;
  /** The password just typed, so that a forced change does not ask for it again. */
  password: Signal<string | null>;
  /** Signed out by the hub in mid-work. */
  expired: Signal<boolean>;
  facts: ReadonlySignal<Facts>;
  /** Ordered by who needs help. */
  rooms: ReadonlySignal<RoomFacts[]>;
  link: ReadonlySignal<HubLink>;
  /** The hub's time, once a second, on the second. */
  now: ReadonlySignal<number>;
  /** The one room that is heard alone. */
  listening: Signal<PointId | null>;
  /** All that are heard together while none is heard alone. */
  hearing: Signal<ReadonlySet<BoxId>>;
  /** How loud it is in the rooms of running sessions, as last measured. */
  levels: ReadonlySignal<ReadonlyMap<PointId, LevelsView["rooms"][number]>>;
  /** Counts statements about recordings, so that an open recording knows when to ask again. */
  recordingsTold: ReadonlySignal<number>;
  /** Fetches the list of recordings; it stays fresh by events from then on. */
  loadRecordings: () => Promise<void>;
  signOut: () => Promise<void>;
  close: () => void;
}

const Context = createContext<Desk | null>(null);
export const DeskProvider = Context.Provider;
export function useDesk(): Desk {
  const desk = useContext(Context);
  if (!desk) throw new Error("no desk above this component");
  return desk;
}

/** Whether who is signed in has this role or a higher one. What they may not do is not shown, and the hub refuses it. */
export function useMay(needed: Role): boolean {
  const { user } = useDesk();
  return user.value != null && mayDo(user.value.role, needed);
}

/** Offsets below the resolution of the Date header are noise. */
const CLOCK_NOISE_MS = 1_500;
/** Rooms move on the wall by need; this often is enough for words that hang on the time of day. */
const ORDER_EVERY_MS = 30_000;

/**
 * INVARIANTS
 * - `facts` changes only by `reduce` and `withRecordings`, in the order in which the hub spoke.
 * - The event stream exists exactly while somebody is signed in with a password of their own.
 */
export function createDesk(): Desk {
  let offsetMs = 0;
  const user = signal<UserView | null | undefined>(undefined);
  const password = signal<string | null>(null);
  const expired = signal(false);
  const facts = signal<Facts>(NO_FACTS);
  const link = signal<HubLink>({ state: "connecting" });
  const now = signal(Date.now());
  const listening = signal<PointId | null>(null);
  const hearing = signal<ReadonlySet<BoxId>>(new Set());
  const levels: Signal<ReadonlyMap<PointId, LevelsView["rooms"][number]>> = signal(new Map());
  const recordingsTold = signal(0);

  const api = createApi({
    onClock(seenMs) {
      if (Math.abs(seenMs - offsetMs) > CLOCK_NOISE_MS) offsetMs = Math.abs(seenMs) > CLOCK_NOISE_MS ? seenMs : 0;
    },
    onSignedOut() {
      if (user.peek()) expired.value = true;
      user.value = null;
    },
  });

  const tick = () => {
    now.value = Date.now() + offsetMs;
    timer = setTimeout(tick, 1_000 - (now.peek() % 1_000));
  };
  let timer = setTimeout(tick, 0);

  async function loadRecordings() {
    const answer = await api.recordings();
    if (answer.ok) facts.value = withRecordings(facts.peek(), answer.value);
  }

  const signedIn = computed(() => Boolean(user.value && !user.value.mustChangePassword));
  const stopEvents = effect(() => {
    if (!signedIn.value) {
      facts.value = NO_FACTS;
      listening.value = null;
      hearing.value = new Set();
      return undefined;
    }
    return openEvents({
      api,
      onEvent(event) {
        facts.value = reduce(facts.peek(), event);
        if (event.type === "recording" || event.type === "snapshot") recordingsTold.value += 1;
        // Statements may have been missed before a snapshot.
        if (event.type === "snapshot" && facts.peek().recordings) void loadRecordings();
      },
      onLevels({ rooms }) {
        levels.value = new Map(rooms.map((room) => [room.point, room]));
      },
      onLink(answering) {
        const before = link.peek();
        if (answering) link.value = { state: "answering" };
        else if (before.state !== "silent") link.value = { state: "silent", sinceMs: now.peek() };
      },
    });
  });

  let retry: ReturnType<typeof setTimeout> | undefined;
  async function askWhoWeAre(): Promise<void> {
    const answer = await api.me();
    if (answer.ok) user.value = answer.value;
    else if (answer.code === "noAnswer") {
      if (link.peek().state !== "silent") link.value = { state: "silent", sinceMs: now.peek() };
      retry = setTimeout(() => void askWhoWeAre(), 2_000);
    } else {
      link.value = { state: "answering" };
      user.value = null;
    }
  }
  void askWhoWeAre();

  const roundedNow = computed(() => Math.floor(now.value / ORDER_EVERY_MS) * ORDER_EVERY_MS);
  return {
    api,
    user,
    password,
    expired,
    facts,
    rooms: computed(() => allRooms(facts.value, roundedNow.value)),
    link,
    now,
    listening,
    hearing,
    levels,
    recordingsTold,
    loadRecordings,
    async signOut() {
      await api.signOut();
      user.value = null;
    },
    close() {
      clearTimeout(timer);
      clearTimeout(retry);
      stopEvents();
    },
  };
}
