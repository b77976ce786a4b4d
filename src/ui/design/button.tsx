import type { LucideIcon } from "lucide-preact";
import type { ComponentChildren, Ref } from "preact";

type Kind = "primary" | "plain" | "quiet" | "danger";

interface Look {
  kind?: Kind | undefined;
  icon?: LucideIcon | undefined;
  large?: boolean | undefined;
  children: ComponentChildren;
}

const classes = ({ kind = "plain", large }: Look): string => `button button-${kind}${large ? " button-large" : ""}`;

interface ButtonProps extends Look {
  onPress?: (() => void) | undefined;
  submit?: boolean;
  /** Work under way: the button stays focusable and says so, but does nothing twice. */
  busy?: boolean;
  disabled?: boolean;
  label?: string | undefined;
  pressed?: boolean | undefined;
  buttonRef?: Ref<HTMLButtonElement>;
}

export function Button(props: ButtonProps) {
  const Icon = props.icon;
  return (
    <button
      ref={props.buttonRef ?? null}
      type={props.submit ? "submit" : "button"}
      class={classes(props)}
      aria-busy={props.busy ? "true" : undefined}
      aria-label={props.label}
      aria-pressed={props.pressed}
      disabled={props.disabled}
      onClick={(event) => {
        if (props.busy) event.preventDefault();
        else props.onPress?.();
      }}
    >
      {Icon && <Icon size={18} aria-hidden="true" />}
      <span>{props.children}</span>
    </button>
  );
}

/** Chooses files. The browser's own control speaks the browser's language and not the page's. */
export function FileButton(props: Look & { busy: boolean; describedBy: string; onFiles: (files: File[]) => void }) {
  const Icon = props.icon;
  return (
    <label class={`${classes(props)} file-button`}>
      {Icon && <Icon size={18} aria-hidden="true" />}
      <span>{props.children}</span>
      <input
        type="file"
        multiple
        disabled={props.busy}
        aria-describedby={props.describedBy}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          // The same files chosen once more are a change again.
          event.currentTarget.value = "";
          if (files.length > 0) props.onFiles(files);
        }}
      />
    </label>
  );
}

/** A link that looks like a button, where the next act is on another page. */
export function ButtonLink(props: Look & { href: string }) {
  const Icon = props.icon;
  return (
    <a class={classes(props)} href={props.href}>
      {Icon && <Icon size={18} aria-hidden="true" />}
      <span>{props.children}</span>
    </a>
  );
}

/** A button with a picture only; the label is read out and shown as a tip. */
export function IconButton(props: { icon: LucideIcon; label: string; onPress: () => void; disabled?: boolean }) {
  const Icon = props.icon;
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={props.label}
      title={props.label}
      disabled={props.disabled}
      onClick={props.onPress}
    >
      <Icon size={20} aria-hidden="true" />
    </button>
  );
}
