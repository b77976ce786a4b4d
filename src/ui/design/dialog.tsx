import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Button } from "./button.tsx";

interface ConfirmProps {
  open: boolean;
  title: string;
  confirm: string;
  cancel: string;
  busy?: boolean;
  onConfirm: () => void;
  onCancel: () => void;
  children: ComponentChildren;
}

/**
 * The second press of what cannot be undone. It opens away from the first button and with the way back in focus, so
 * that two quick presses end nothing.
 */
export function Confirm(props: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    if (!element) return;
    if (props.open && !element.open) element.showModal();
    if (!props.open && element.open) element.close();
  }, [props.open]);
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-text`}
      onCancel={(event) => {
        event.preventDefault();
        props.onCancel();
      }}
    >
      <h2 id={`${id}-title`}>{props.title}</h2>
      <div id={`${id}-text`} class="stack">
        {props.children}
      </div>
      <div class="dialog-actions">
        <Button kind="danger" busy={props.busy ?? false} onPress={props.onConfirm}>
          {props.confirm}
        </Button>
        <Button onPress={props.onCancel} buttonRef={(element) => element?.setAttribute("autofocus", "")}>
          {props.cancel}
        </Button>
      </div>
    </dialog>
  );
}
