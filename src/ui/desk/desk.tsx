import { useSignalEffect } from "@preact/signals";
import { LocationProvider, lazy, Route, Router } from "preact-iso";
import { useEffect } from "preact/hooks";
import { Skeleton } from "../design/states.tsx";
import { HUB, WORDS } from "../text/desk.ts";
import { NotFound } from "./page.tsx";
import { PairingPage } from "./pairing.tsx";
import { PointsPage } from "./points.tsx";
import { RecordingsPage } from "./recordings.tsx";
import { ROUTES } from "./routes.ts";
import { SessionPage } from "./session.tsx";
import { NewSessionPage } from "./session-new.tsx";
import { SessionsPage } from "./sessions.tsx";
import { HubBanner, Shell } from "./shell.tsx";
import { NewPassword, SignIn } from "./sign-in.tsx";
import { type Desk, DeskProvider, useDesk } from "./store.ts";
import { TodayPage } from "./today.tsx";
import { RoomsPage } from "./wall.tsx";

// The only page with a timeline and a player of recordings.
const RecordingPage = lazy(() => import("./recording.tsx").then(({ RecordingPage }) => RecordingPage));

/** The hub's screens for officials, from signing in to the last page. */
export function DeskScreen({ desk }: { desk: Desk }) {
  useEffect(() => () => desk.close(), [desk]);
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
          <Route path={ROUTES.newSession} component={NewSessionPage} />
          <Route path={ROUTES.session(":id")} component={SessionPage} />
          <Route path={ROUTES.recordings} component={RecordingsPage} />
          <Route path={ROUTES.recording(":id")} component={RecordingPage} />
          <Route path={ROUTES.points} component={PointsPage} />
          <Route path={ROUTES.pairing} component={PairingPage} />
          <Route default component={NotFound} />
        </Router>
      </Loaded>
    </Shell>
  );
}

/** Nothing may look empty before the hub has spoken. */
function Loaded({ children }: { children: preact.ComponentChildren }) {
  const { facts } = useDesk();
  return facts.value.loaded ? <>{children}</> : <Skeleton lines={6} label={WORDS.loading} />;
}
