import "../design/base.css";
import "../design/elements.css";
import "./desk.css";
import { render } from "preact";
import { DeskScreen } from "./desk.tsx";
import { createDesk } from "./store.ts";
import { applyTheme, storedTheme } from "./theme.ts";

applyTheme(storedTheme());
render(<DeskScreen desk={createDesk()} />, document.body);
