import { openRoom } from "./room.ts";

/** Connections, demuxing and decoding of all players of a page: nothing of it waits for what the page is busy with. */
addEventListener("message", ({ data }: MessageEvent<{ port: MessagePort }>) => openRoom(data.port));
