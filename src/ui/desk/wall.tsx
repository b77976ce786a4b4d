import { useComputed, useSignal } from "@preact/signals";
import { MonitorPlay, Plug, SearchX } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useLocation } from "preact-iso";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Button, ButtonLink } from "../design/button.tsx";
import { Segmented } from "../design/field.tsx";
import { EmptyState } from "../design/states.tsx";
import { FilterBox } from "../design/table.tsx";
import type { PointId } from "../../protocol/protocol.ts";
import { ROOMS } from "../text/rooms.ts";
import { count, fold } from "../text/format.ts";
import { leastHeight, needsHelp, type RoomFacts, type Tile, tilePicture, wallShape } from "./facts.ts";
import { Page } from "./page.tsx";
import { RoomDetail } from "./room-detail.tsx";
import { ROUTES } from "./routes.ts";
import { useDesk } from "./store.ts";
import { RoomTile, type TileExtras } from "./tile.tsx";

const GROUPS = {
  all: () => true,
  needHelp: needsHelp,
  connected: ({ room }: RoomFacts) => room.connected,
  recording: (facts: RoomFacts) => facts.recording === true,
  offline: ({ room }: RoomFacts) => room.box !== null && !room.connected,
  noBox: ({ room }: RoomFacts) => room.box === null,
} satisfies Record<string, (facts: RoomFacts) => boolean>;
type Group = keyof typeof GROUPS;

/** All rooms at once; the address remembers the group, so that a number elsewhere can open its list. */
export function RoomsPage() {
  const { rooms } = useDesk();
  const asked = useLocation().query["nhom"];
  const group = useSignal<Group>(asked && asked in GROUPS ? (asked as Group) : "all");
  const filter = useSignal("");
  const shown = useComputed(() => {
    const words = fold(filter.value).split(" ").filter(Boolean);
    return rooms.value.filter(
      (facts) => GROUPS[group.value](facts) && words.every((word) => fold(facts.room.point.name).includes(word)),
    );
  });

  if (rooms.value.length === 0)
    return (
      <Page title={ROOMS.title}>
        <EmptyState
          icon={MonitorPlay}
          title={ROOMS.empty}
          action={
            <ButtonLink kind="primary" icon={Plug} href={ROUTES.pairing}>
              {ROOMS.pair}
            </ButtonLink>
          }
        >
          {ROOMS.emptyText}
        </EmptyState>
      </Page>
    );
  const choices = (Object.keys(GROUPS) as Group[])
    .map((value) => ({ value, n: rooms.value.filter(GROUPS[value]).length }))
    .filter(({ value, n }) => n > 0 || value === "all" || value === group.value)
    .map(({ value, n }) => ({
      value,
      label: (
        <>
          {ROOMS[value]} <b>{count(n)}</b>
        </>
      ),
    }));
  return (
    <Page title={ROOMS.title} lead={ROOMS.lead}>
      <h2 class="aside">{ROOMS.list}</h2>
      <div class="wall-tools">
        <Segmented
          legend={ROOMS.groups}
          hideLegend
          name="group"
          value={group.value}
          choices={choices}
          onChange={(value) => {
            group.value = value as Group;
          }}
        />
        {rooms.value.length > 6 && (
          <FilterBox
            label={ROOMS.filter}
            value={filter.value}
            onInput={(value) => {
              filter.value = value;
            }}
          />
        )}
      </div>
      {shown.value.length === 0 ? (
        <EmptyState
          icon={SearchX}
          title={ROOMS.noMatch}
          action={
            <Button
              onPress={() => {
                group.value = "all";
                filter.value = "";
              }}
            >
              {ROOMS.all}
            </Button>
          }
        >
          {ROOMS.noMatchText}
        </EmptyState>
      ) : (
        <RoomWall rooms={shown.value} />
      )}
    </Page>
  );
}

interface WallProps {
  rooms: RoomFacts[];
  tile?: Tile;
  /** What stands in a tile beside the room's own state. */
  extras?: (facts: RoomFacts) => TileExtras;
  /** What stands above the state of the chosen room. */
  detail?: (facts: RoomFacts) => ComponentChildren;
}

/** Tiles as large as the window allows, and the chosen room beside them. */
export function RoomWall({ rooms, tile, extras, detail: above }: WallProps) {
  const { listening } = useDesk();
  const chosen = useSignal<PointId | null>(listening.peek());
  const frame = useRef<HTMLDivElement>(null);
  const space = useSignal({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = frame.current!;
    const measure = () => {
      const top = element.getBoundingClientRect().top + scrollY;
      space.value = { width: element.clientWidth, height: Math.max(leastHeight(tile), innerHeight - top - 24) };
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    addEventListener("resize", measure);
    return () => {
      observer.disconnect();
      removeEventListener("resize", measure);
    };
  }, []);
  const shape = wallShape(space.value.width, space.value.height, rooms.length, tile);
  const picture = tilePicture(rooms.length, shape);
  const detail = rooms.find(({ room }) => room.point.id === chosen.value);
  const choose = (facts: RoomFacts) => {
    const { id } = facts.room.point;
    const again = chosen.peek() === id;
    chosen.value = again ? null : id;
    listening.value = again || !facts.room.connected ? null : id;
  };
  return (
    <div class="wall-frame">
      <div ref={frame}>
        <ul class="wall" style={{ gridTemplateColumns: `repeat(${shape.columns}, ${shape.tilePx}px)` }}>
          {rooms.map((facts) => (
            <RoomTile
              key={facts.room.point.id}
              facts={facts}
              picture={picture}
              chosen={facts.room.point.id === chosen.value}
              onChoose={() => choose(facts)}
              extras={extras?.(facts)}
            />
          ))}
        </ul>
      </div>
      {detail && (
        <RoomDetail
          facts={detail}
          onClose={() => {
            chosen.value = null;
            listening.value = null;
          }}
        >
          {above?.(detail)}
        </RoomDetail>
      )}
    </div>
  );
}
