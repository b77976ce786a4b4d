import type { CompanionSign } from "../../protocol/protocol.ts";
import { COMPANION } from "../text/companion.ts";
import { LAMP_NAMES, RECORDING_SIGN } from "../text/terms.ts";

const COLOURS = { ok: "#2e9e5b", warn: "#d98a00", bad: "#d03a2b", unknown: "#8a8f98" };
/** Read from 4 m on any screen; it lies where meeting pages have neither faces nor buttons. */
const STYLE = `
  :host { all: initial; position: fixed; inset: 0 auto auto 0; margin: 0; padding: 0; border: 0; background: none;
    pointer-events: none; overflow: visible; }
  div { display: flex; gap: 1.2vh; align-items: center; padding: 0.6vh 1.4vh; background: #14171ce6; color: #fff;
    border-radius: 0 0 1vh 0; font: 600 max(14px, 2.4vh) / 1.3 "Be Vietnam Pro", "DejaVu Sans", sans-serif; }
  b { letter-spacing: 0.02em; }
  i { width: 0.8em; height: 0.8em; border-radius: 50%; display: inline-block; margin-right: 0.4em;
    vertical-align: -0.05em; }
`;

export interface Sign {
  show(state: CompanionSign): void;
}

/**
 * The recording sign and the lamps, over a page that is not ours: in the top layer, in a closed shadow tree, and put
 * back when the page takes it out. Runs in an isolated world of the page's main frame, out of reach of its scripts.
 */
export function openSign(): Sign {
  const host = document.createElement("div");
  host.popover = "manual";
  const shadow = host.attachShadow({ mode: "closed" });
  const style = document.createElement("style");
  style.textContent = STYLE;
  const line = document.createElement("div");
  shadow.append(style, line);

  const raise = () => {
    if (!host.isConnected) return;
    // Last shown is uppermost: over what went to full screen after it.
    if (host.matches(":popover-open")) host.hidePopover();
    host.showPopover();
  };
  const place = () => {
    if (!document.documentElement || host.isConnected) return;
    document.documentElement.append(host);
    raise();
  };
  new MutationObserver(place).observe(document, { childList: true, subtree: true });
  document.addEventListener("fullscreenchange", raise);
  place();

  const dot = (colour: string, words: string, element: "b" | "span") => {
    const item = document.createElement(element);
    const light = document.createElement("i");
    light.style.background = colour;
    item.append(light, words);
    return item;
  };
  return {
    show({ recording, lamps }) {
      line.replaceChildren(
        dot(recording ? COLOURS.bad : COLOURS.unknown, recording ? RECORDING_SIGN : COMPANION.notRecording, "b"),
        ...(["picture", "sound", "link"] as const).map((of) => dot(COLOURS[lamps[of]], LAMP_NAMES[of], "span")),
      );
    },
  };
}
