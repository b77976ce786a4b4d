import { useComputed, useSignal } from "@preact/signals";
import {
  CalendarDays,
  Film,
  House,
  LogOut,
  type LucideIcon,
  MapPin,
  MonitorPlay,
  PackageCheck,
  Plug,
  Users,
} from "lucide-preact";
import { type ComponentChildren, createContext, type RefObject } from "preact";
import { useLocation } from "preact-iso";
import { useContext, useRef } from "preact/hooks";
import { Button } from "../design/button.tsx";
import { Alert, Badge } from "../design/states.tsx";
import { HUB, NAV, THEME } from "../text/desk.ts";
import { count, size, stopwatch } from "../text/format.ts";
import { PRODUCT, PRODUCT_LONG, SESSION_STATES } from "../text/terms.ts";
import { isOpen, needsHelp, sessionClock } from "./facts.ts";
import icon from "./icon.svg";
import { ROUTES } from "./routes.ts";
import { useDesk, useMay } from "./store.ts";
import { applyTheme, storedTheme, type ThemeName, THEMES } from "./theme.ts";

/** The place whose heading had the focus last; null before the first page. */
const ShellContext = createContext<{ focused: RefObject<string> }>({ focused: { current: null } });
export const useShell = () => useContext(ShellContext);

export function Shell({ children }: { children: ComponentChildren }) {
  const focused = useRef<string>(null);
  return (
    <ShellContext.Provider value={{ focused }}>
      <a class="skip" href="#main">
        {NAV.skip}
      </a>
      <div class="shell">
        <Side />
        <div class="content">
          <HubBanner />
          <main id="main" tabIndex={-1}>
            {children}
          </main>
        </div>
      </div>
    </ShellContext.Provider>
  );
}

function Side() {
  const desk = useDesk();
  const { path } = useLocation();
  const troubled = useComputed(() => desk.rooms.value.filter(needsHelp).length);
  const { waitingBoxes } = desk.facts.value;
  const administers = useMay("administrator");
  const link = (href: string, icon: LucideIcon, words: string, number?: ComponentChildren) => {
    const Icon = icon;
    const here = href === "/" ? path === "/" : path === href || path.startsWith(`${href}/`);
    return (
      <li>
        <a href={href} aria-current={here ? (path === href ? "page" : "true") : undefined}>
          <Icon size={20} aria-hidden="true" />
          <span>{words}</span>
          {number}
        </a>
      </li>
    );
  };
  const number = (n: number, tone: "bad" | "accent", words: string) =>
    n > 0 ? (
      <Badge tone={tone}>
        <span aria-hidden="true">{count(n)}</span>
        <span class="aside">{words}</span>
      </Badge>
    ) : undefined;
  return (
    <header class="side">
      <p class="brand">
        <img src={icon} width={32} height={32} alt="" />
        <span>
          <b>{PRODUCT}</b>
          <small>{PRODUCT_LONG}</small>
        </span>
      </p>
      <nav aria-label={NAV.label}>
        <ul>
          {link(ROUTES.today, House, NAV.today)}
          {link(ROUTES.rooms, MonitorPlay, NAV.rooms, number(troubled.value, "bad", NAV.needHelp(troubled.value)))}
          {link(ROUTES.sessions, CalendarDays, NAV.sessions)}
          {link(ROUTES.recordings, Film, NAV.recordings)}
          {link(ROUTES.points, MapPin, NAV.points)}
          {administers && (
            <>
              {link(ROUTES.pairing, Plug, NAV.pairing, number(waitingBoxes, "accent", NAV.waiting(waitingBoxes)))}
              {link(ROUTES.releases, PackageCheck, NAV.releases)}
              {link(ROUTES.people, Users, NAV.people)}
            </>
          )}
        </ul>
      </nav>
      <OpenSessions />
      <div class="side-foot">
        <Theme />
        <p class="small">{desk.user.value?.name}</p>
        <Button kind="quiet" icon={LogOut} onPress={() => void desk.signOut()}>
          {NAV.signOut}
        </Button>
      </div>
    </header>
  );
}

/** What goes on now stays in sight on every page. */
function OpenSessions() {
  const { facts, now } = useDesk();
  const open = [...facts.value.sessions.values()].filter(isOpen);
  return (
    <>
      {open.map((session) => (
        <a key={session.id} class="side-session" href={ROUTES.session(session.id)}>
          <span class="row small">
            {session.state === "live" ? (
              <Badge tone="accent">{NAV.liveNow}</Badge>
            ) : (
              <Badge tone="warn">{SESSION_STATES.paused}</Badge>
            )}
            <b>{stopwatch(sessionClock(session, now.value).runningMs)}</b>
          </span>
          <span class="side-session-name">{session.name}</span>
        </a>
      ))}
    </>
  );
}

function Theme() {
  const theme = useSignal(storedTheme());
  return (
    <label class="theme">
      <span class="aside">{THEME.label}</span>
      <select
        value={theme.value}
        onChange={(event) => {
          theme.value = event.currentTarget.value as ThemeName;
          applyTheme(theme.value);
        }}
      >
        {THEMES.map((name) => (
          <option value={name}>{THEME[name]}</option>
        ))}
      </select>
    </label>
  );
}

/** Shown at most a second late and gone by itself: the hub does not answer. */
export function HubBanner() {
  const { link, now, facts } = useDesk();
  const { state, freeBytes } = facts.value.hubDisk;
  if (link.value.state !== "silent" && state !== "ok")
    return (
      <div class="hub-banner">
        <Alert tone={state === "full" ? "bad" : "warn"} title={HUB.disk[state]} live>
          <p>{HUB.diskText[state](size(freeBytes))}</p>
        </Alert>
      </div>
    );
  if (link.value.state !== "silent") return null;
  const silentMs = now.value - link.value.sinceMs;
  return (
    <div class="hub-banner">
      <Alert tone="warn" title={HUB.silentTitle} live>
        <p>
          {HUB.silent} <span aria-hidden="true">{silentMs >= 3_000 ? HUB.silentFor(silentMs) : ""}</span>
        </p>
      </Alert>
    </div>
  );
}
