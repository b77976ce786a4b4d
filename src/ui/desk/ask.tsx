import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { Button } from "../design/button.tsx";
import { Field } from "../design/field.tsx";
import { STAGE_TEXT_MAX } from "../../protocol/protocol.ts";
import { ASK, type AskWords } from "../text/control.ts";

/** Asks for one line of words before an act: chosen by one press, or typed. `optional`: may be left empty. */
export function Ask(props: {
  words: AskWords | null;
  optional?: boolean;
  busy: boolean;
  onAnswer: (text: string | null) => void;
  onCancel: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const text = useSignal("");
  const missing = useSignal(false);
  const { words } = props;
  useEffect(() => {
    const element = dialog.current;
    if (!element) return;
    if (words && !element.open) {
      text.value = "";
      missing.value = false;
      element.showModal();
    }
    if (!words && element.open) element.close();
  }, [words]);
  const answer = () => {
    const said = text.peek().trim();
    if (said === "" && !props.optional) missing.value = true;
    else props.onAnswer(said === "" ? null : said);
  };
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby={`${id}-title`}
      onCancel={(event) => {
        event.preventDefault();
        props.onCancel();
      }}
    >
      {words && (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            answer();
          }}
        >
          <h2 id={`${id}-title`}>{words.title}</h2>
          <p>{words.text}</p>
          <fieldset class="ask-choices">
            <legend class="aside">{ASK.or}</legend>
            {words.choices.map((choice) => (
              <Button
                key={choice}
                pressed={text.value === choice}
                onPress={() => {
                  text.value = choice;
                  missing.value = false;
                }}
              >
                {choice}
              </Button>
            ))}
          </fieldset>
          <Field
            label={words.label}
            value={text.value}
            maxLength={STAGE_TEXT_MAX}
            error={missing.value ? ASK.missing : undefined}
            onInput={(value) => {
              text.value = value;
            }}
          />
          <div class="dialog-actions">
            <Button kind="primary" submit busy={props.busy}>
              {words.confirm}
            </Button>
            <Button onPress={props.onCancel}>{ASK.cancel}</Button>
          </div>
        </form>
      )}
    </dialog>
  );
}
