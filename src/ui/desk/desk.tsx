import { useSignalEffect } from "@preact/signals";
import type { ComponentChildren, ComponentType } from "preact";
import { LocationProvider, lazy, Route, Router } from "preact-iso";
import { useEffect } from "preact/hooks";
import { Skeleton } from "../design/states.tsx";
import { HUB, WORDS } from "../text/desk.ts";
import { NotAllowed, NotFound, PageFailed } from "./page.tsx";
import { ROUTES } from "./routes.ts";
import { HubBanner, Shell } from "./shell.tsx";
import { NewPassword, SignIn } from "./sign-in.tsx";
import { type Desk, DeskProvider, useDesk, useMay } from "./store.ts";
import { TodayPage } from "./today.tsx";

// Home comes first and alone; the others follow by themselves, or when they are asked for.
const RoomsPage = late(() => import("./wall.tsx").then(({ RoomsPage }) => RoomsPage));
const SessionsPage = late(() => import("./sessions.tsx").then(({ SessionsPage }) => SessionsPage));
const NewSessionPage = late(() => import("./session-new.tsx").then(({ NewSessionPage }) => NewSessionPage));
const SessionPage = late(() => import("./session.tsx").then(({ SessionPage }) => SessionPage));
const RecordingsPage = late(() => import("./recordings.tsx").then(({ RecordingsPage }) => RecordingsPage));
const RecordingPage = late(() => import("./recording.tsx").then(({ RecordingPage }) => RecordingPage));
const PointsPage = late(() => import("./points.tsx").then(({ PointsPage }) => PointsPage));
const PointPage = late(() => import("./point.tsx").then(({ PointPage }) => PointPage));
const PairingPage = late(() => import("./pairing.tsx").then(({ PairingPage }) => PairingPage));
const StickPage = late(() => import("./stick.tsx").then(({ StickPage }) => StickPage));
const ReleasesPage = late(() => import("./releases.tsx").then(({ ReleasesPage }) => ReleasesPage));
const PeoplePage = late(() => import("./people.tsx").then(({ PeoplePage }) => PeoplePage));
const LATE = [
  RoomsPage,
  SessionsPage,
  NewSessionPage,
  SessionPage,
  RecordingsPage,
  RecordingPage,
  PointsPage,
  PointPage,
  PairingPage,
  StickPage,
  ReleasesPage,
  PeoplePage,
];

/** Long enough for home to be whole; after that a hub that falls silent takes no page away. */
const FOLLOW_MS = 2_000;

/** The hub may be silent just then, or have become a newer version whose files are named otherwise. */
function late(load: () => Promise<ComponentType>) {
  return lazy(() => load().catch(() => PageFailed));
}

/** The hub's screens for officials, from signing in to the last page. */
export function DeskScreen({ desk }: { desk: Desk }) {
  useEffect(() => {
    const timer = setTimeout(() => void Promise.all(LATE.map((page) => page.preload())), FOLLOW_MS);
    return () => {
      clearTimeout(timer);
      desk.close();
    };
  }, [desk]);
  return (
    <DeskProvider value={desk}>
      <LocationProvider>
        <Inside />
      </LocationProvider>
    </DeskProvider>
  );
}

function Inside() {
  const { user, password } = useDesk();
  const [operates, administers] = [useMay("operator"), useMay("administrator")];
  useSignalEffect(() => {
    // Not kept longer than the one form that needs it.
    if (user.value && !user.value.mustChangePassword) password.value = null;
  });
  if (user.value === undefined)
    return (
      <main class="door">
        <HubBanner />
        <Skeleton lines={3} label={HUB.connecting} />
      </main>
    );
  if (user.value === null) return <SignIn />;
  if (user.value.mustChangePassword) return <NewPassword />;
  return (
    <Shell>
      <Loaded>
        <Router>
          <Route path={ROUTES.today} component={TodayPage} />
          <Route path={ROUTES.rooms} component={RoomsPage} />
          <Route path={ROUTES.sessions} component={SessionsPage} />
          <Route path={ROUTES.newSession} component={operates ? NewSessionPage : NotAllowed} />
          <Route path={ROUTES.session(":id")} component={SessionPage} />
          <Route path={ROUTES.recordings} component={RecordingsPage} />
          <Route path={ROUTES.recording(":id")} component={RecordingPage} />
          <Route path={ROUTES.points} component={PointsPage} />
          <Route path={ROUTES.point(":id")} component={PointPage} />
          <Route path={ROUTES.pairing} component={administers ? PairingPage : NotAllowed} />
          <Route path={ROUTES.stick} component={administers ? StickPage : NotAllowed} />
          <Route path={ROUTES.releases} component={administers ? ReleasesPage : NotAllowed} />
          <Route path={ROUTES.people} component={administers ? PeoplePage : NotAllowed} />
          <Route default component={NotFound} />
        </Router>
      </Loaded>
    </Shell>
  );
}

/** Nothing may look empty before the hub has spoken. */
function Loaded({ children }: { children: ComponentChildren }) {
  const { facts } = useDesk();
  return facts.value.loaded ? <>{children}</> : <Skeleton lines={6} label={WORDS.loading} />;
}
