import { MapPinOff } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useLocation } from "preact-iso";
import { useEffect, useRef } from "preact/hooks";
import { Alert, EmptyState } from "../design/states.tsx";
import { Button, ButtonLink } from "../design/button.tsx";
import { ERRORS, NO_ANSWER, NOT_ALLOWED, NOT_FOUND, WORDS } from "../text/desk.ts";
import { PRODUCT } from "../text/terms.ts";
import type { Refusal } from "./api.ts";
import { ROUTES } from "./routes.ts";
import { useShell } from "./shell.tsx";

/** A longer title is set smaller, so that the page below it stays in sight. */
const LONG_TITLE = 60;

interface Props {
  title: string;
  lead?: ComponentChildren;
  /** Beside the title: state of what the page is about. */
  badge?: ComponentChildren;
  actions?: ComponentChildren;
  children?: ComponentChildren;
}

/** One page: its title in the window and the heading, which takes the focus after a change of place. */
export function Page(props: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { path } = useLocation();
  const { focused } = useShell();
  useEffect(() => {
    document.title = `${props.title} – ${PRODUCT}`;
  }, [props.title]);
  // On mounting only: while the next page is being fetched, this one still stands, at the next page's path.
  useEffect(() => {
    if (focused.current !== null && focused.current !== path) {
      scrollTo(0, 0);
      heading.current?.focus({ preventScroll: true });
    }
    focused.current = path;
  }, []);
  return (
    <>
      <header class="page-head">
        <div class="page-title">
          <div class="row">
            <h1 ref={heading} tabIndex={-1} class={props.title.length > LONG_TITLE ? "long" : undefined}>
              {props.title}
            </h1>
            {props.badge}
          </div>
          {props.lead && <div class="soft">{props.lead}</div>}
        </div>
        {props.actions && <div class="row">{props.actions}</div>}
      </header>
      {props.children}
    </>
  );
}

/** A refusal in words: what happened, what it means for the recording, what to do. */
export function RefusalAlert({ code }: { code: Refusal }) {
  const words = code === "noAnswer" ? NO_ANSWER : ERRORS[code];
  return (
    <Alert tone="bad" title={words.title} live>
      <p>{words.text}</p>
    </Alert>
  );
}

export function Missing({ title, text, href, action }: { title: string; text: string; href: string; action: string }) {
  return (
    <Page title={title}>
      <EmptyState icon={MapPinOff} title={title} action={<ButtonLink href={href}>{action}</ButtonLink>}>
        {text}
      </EmptyState>
    </Page>
  );
}

export function NotFound() {
  return <Missing title={NOT_FOUND.title} text={NOT_FOUND.text} href={ROUTES.today} action={NOT_FOUND.home} />;
}

/** The address of a page for people of another role. */
export function NotAllowed() {
  return <Missing title={NOT_ALLOWED.title} text={NOT_ALLOWED.text} href={ROUTES.today} action={NOT_FOUND.home} />;
}

/** The program of a page could not be fetched; loading anew also fetches a newer version. */
export function PageFailed() {
  return (
    <Page title={NO_ANSWER.title}>
      <div class="stack-wide reading">
        <Alert tone="warn" title={NO_ANSWER.title} live>
          <p>{NO_ANSWER.text}</p>
        </Alert>
        <div class="row">
          <Button kind="primary" onPress={() => location.reload()}>
            {WORDS.reload}
          </Button>
        </div>
      </div>
    </Page>
  );
}
