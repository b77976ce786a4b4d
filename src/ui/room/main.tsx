import "../design/base.css";
import "../design/elements.css";
import "./room.css";
import { render } from "preact";
import { openRoom } from "./agent.ts";
import { RoomScreen } from "./room.tsx";

render(<RoomScreen room={openRoom()} />, document.body);
