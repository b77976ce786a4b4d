import { stageForRoom, type BoxId, type HubMessage, type Stage } from "../../protocol/protocol.ts";

/** What a box was told on the channel that stands. */
interface Link {
  connected: boolean;
  /** Of its stage, without the revision; null: that there is none, which is also what a box begins with. */
  stage: string | null;
  watched: string;
}

/** Tells each box of its own room's part of the stage and of who watches it, where that is not what it was told last. */
export class Telling {
  readonly #send: (box: BoxId, message: HubMessage) => boolean;
  readonly #links = new Map<BoxId, Link>();

  constructor(send: (box: BoxId, message: HubMessage) => boolean) {
    this.#send = send;
  }

  /** Which boxes are there now. */
  look(boxes: readonly { box: BoxId | null; connected: boolean }[]): void {
    const there = new Map(boxes.flatMap(({ box, connected }) => (box === null ? [] : [[box, connected]])));
    for (const box of this.#links.keys()) if (!there.has(box)) this.#links.delete(box);
    for (const [box, connected] of there) {
      const link = this.#links.get(box);
      if (!link?.connected || !connected) this.#links.set(box, { connected, stage: null, watched: "" });
    }
  }

  /** A new channel stands: the box knows of nothing. */
  forget(box: BoxId): void {
    const link = this.#links.get(box);
    if (link) this.#links.set(box, { ...link, stage: null, watched: "" });
  }

  tell(stages: readonly Stage[], watchedBy: (box: BoxId) => string[]): void {
    const parts = new Map(
      stages.flatMap((stage) =>
        stage.rooms.flatMap(({ box, point }) => (box === null ? [] : [[box, stageForRoom(stage, point.id)!]])),
      ),
    );
    for (const [box, link] of this.#links) {
      if (!link.connected) continue;
      const stage = parts.get(box) ?? null;
      const text = stage && JSON.stringify({ ...stage, revision: 0 });
      if (text !== link.stage && this.#send(box, { type: "stage", stage })) link.stage = text;
      const by = watchedBy(box);
      if (by.join() !== link.watched && this.#send(box, { type: "watched", by })) link.watched = by.join();
    }
  }
}
