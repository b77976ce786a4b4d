import "../design/base.css";
import "../design/elements.css";
import "./room.css";
import "./talk.css";
import { render } from "preact";
import { openRoom } from "./agent.ts";
import { showMovedPointer } from "./pointer.ts";
import { RoomScreen } from "./room.tsx";

showMovedPointer();
render(<RoomScreen room={openRoom()} />, document.body);
