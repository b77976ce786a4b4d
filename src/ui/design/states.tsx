import type { LucideIcon } from "lucide-preact";
import { CircleCheck, Info, OctagonAlert, TriangleAlert } from "lucide-preact";
import type { ComponentChildren } from "preact";
import type { Lamp as LampState } from "../../protocol/protocol.ts";
import { LAMP_NAMES, LAMP_WORDS } from "../text/terms.ts";

/** One shape for each state, so that colour is never the only word. */
function Shape({ state }: { state: LampState }) {
  return (
    <svg class="lamp-shape" viewBox="0 0 20 20" aria-hidden="true">
      {state === "ok" && (
        <>
          <circle cx="10" cy="10" r="9" fill="currentColor" />
          <path d="M5.8 10.4l2.9 2.9 5.6-6" fill="none" stroke="var(--lamp-mark)" stroke-width="2.2" />
        </>
      )}
      {state === "warn" && (
        <>
          <path
            d="M10 1.6L19 17.6H1Z"
            fill="currentColor"
            stroke="currentColor"
            stroke-width="1.6"
            stroke-linejoin="round"
          />
          <path d="M10 7v5.2M10 14.4v1.8" fill="none" stroke="var(--lamp-mark)" stroke-width="2.2" />
        </>
      )}
      {state === "bad" && (
        <>
          <rect x="1.5" y="1.5" width="17" height="17" rx="2" fill="currentColor" />
          <path d="M6 6l8 8M14 6l-8 8" fill="none" stroke="var(--lamp-mark)" stroke-width="2.4" />
        </>
      )}
      {state === "unknown" && (
        <circle cx="10" cy="10" r="7.5" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="3.4 2.5" />
      )}
    </svg>
  );
}

/** A room's lamp: shape, colour and words. `short` shows the name alone while all is well. */
export function Lamp({ of, state, short }: { of: keyof typeof LAMP_NAMES; state: LampState; short?: boolean }) {
  const whole = LAMP_WORDS[of][state];
  const shown = short && (state === "ok" || state === "unknown") ? LAMP_NAMES[of] : whole;
  return (
    <span class={`lamp lamp-${state}`}>
      <Shape state={state} />
      {shown === whole ? (
        <span>{whole}</span>
      ) : (
        <>
          <span aria-hidden="true">{shown}</span>
          <span class="aside">{whole}</span>
        </>
      )}
    </span>
  );
}

/** The recording sign; red is kept for it. */
export function RecordingMark({ children }: { children: ComponentChildren }) {
  return (
    <span class="recording-mark">
      <i aria-hidden="true" />
      {children}
    </span>
  );
}

export type Tone = "neutral" | "ok" | "warn" | "bad" | "accent" | "rec";

export function Badge({ tone = "neutral", children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`badge badge-${tone}`}>{children}</span>;
}

const ALERT_ICONS: Record<"info" | "ok" | "warn" | "bad", LucideIcon> = {
  info: Info,
  ok: CircleCheck,
  warn: TriangleAlert,
  bad: OctagonAlert,
};

interface AlertProps {
  tone: "info" | "ok" | "warn" | "bad";
  title: ComponentChildren;
  /** What to do, said first; then what it means and whose fault it is not. */
  repair?: string | undefined;
  comfort?: string | undefined;
  repairLabel?: string;
  children?: ComponentChildren;
  action?: ComponentChildren;
  /** Read out when it appears. */
  live?: boolean;
}

export function Alert(props: AlertProps) {
  const Icon = ALERT_ICONS[props.tone];
  return (
    <div class={`alert alert-${props.tone}`} role={props.live ? "alert" : undefined}>
      <Icon size={20} aria-hidden="true" />
      <div class="alert-body">
        <p class="alert-title">{props.title}</p>
        {props.repair && (
          <p>
            {props.repairLabel && <strong>{props.repairLabel} </strong>}
            {props.repair}
          </p>
        )}
        {props.comfort && <p class="soft">{props.comfort}</p>}
        {props.children}
      </div>
      {props.action && <div class="alert-action">{props.action}</div>}
    </div>
  );
}

export function EmptyState(props: {
  icon: LucideIcon;
  title: string;
  level?: 2 | 3;
  children?: ComponentChildren;
  action?: ComponentChildren;
}) {
  const Icon = props.icon;
  const Heading = props.level === 3 ? "h3" : "h2";
  return (
    <div class="empty">
      <Icon size={32} strokeWidth={1.5} aria-hidden="true" />
      <Heading>{props.title}</Heading>
      {props.children && <p>{props.children}</p>}
      {props.action && <div class="row">{props.action}</div>}
    </div>
  );
}

/** How far a work has come; words beside it say the same. */
export function Progress({ part, whole, label }: { part: number; whole: number; label: string }) {
  const ratio = whole > 0 ? Math.min(1, part / whole) : 0;
  return <progress class={ratio === 1 ? "progress-done" : undefined} value={ratio} max={1} aria-label={label} />;
}

/** Grey lines where a list will be. */
export function Skeleton({ lines, label }: { lines: number; label: string }) {
  return (
    <div class="skeleton">
      <output class="aside">{label}</output>
      {Array.from({ length: lines }, (_, i) => (
        <i key={i} aria-hidden="true" />
      ))}
    </div>
  );
}
