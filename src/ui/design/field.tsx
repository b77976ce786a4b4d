import type { ComponentChildren, InputHTMLAttributes } from "preact";
import { useId } from "preact/hooks";

interface FieldProps {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  value: string;
  onInput: (value: string) => void;
  type?: "text" | "password" | "date" | "time" | "search";
  autocomplete?: string;
  autofocus?: boolean;
  maxLength?: number;
  /** Words or a button after the box. */
  after?: ComponentChildren;
  narrow?: boolean;
  onPaste?: (event: ClipboardEvent) => void;
  id?: string;
}

interface Words {
  id: string;
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  narrow?: boolean | undefined;
}

/** What an input or a list of choices has around it. */
function Labelled({ id, label, hint, error, narrow, children }: Words & { children: ComponentChildren }) {
  return (
    <div class={`field${error ? " field-wrong" : ""}${narrow ? " field-narrow" : ""}`}>
      <label for={id}>{label}</label>
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error && (
        <p class="field-error" id={`${id}-error`}>
          {error}
        </p>
      )}
      <div class="field-box">{children}</div>
    </div>
  );
}

/** For the box itself: what {@link Labelled} says of it. */
const described = ({ id, hint, error }: Words) => ({
  "aria-invalid": error ? ("true" as const) : undefined,
  "aria-describedby": [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined,
});

export function Field(props: FieldProps) {
  const made = useId();
  const id = props.id ?? made;
  const words = { id, label: props.label, hint: props.hint, error: props.error, narrow: props.narrow };
  const attributes: InputHTMLAttributes = {
    type: props.type ?? "text",
    value: props.value,
    autocomplete: props.autocomplete ?? "off",
    spellcheck: false,
    onInput: (event) => props.onInput(event.currentTarget.value),
  };
  return (
    <Labelled {...words}>
      <input
        id={id}
        {...attributes}
        maxLength={props.maxLength}
        autofocus={props.autofocus}
        {...described(words)}
        onPaste={props.onPaste}
      />
      {props.after}
    </Labelled>
  );
}

export interface Choice {
  value: string;
  label: string;
}

interface SelectProps {
  label: string;
  hint?: string;
  error?: string | undefined;
  value: string;
  placeholder?: string;
  groups: { label?: string; choices: Choice[] }[];
  onChange: (value: string) => void;
}

export function SelectField(props: SelectProps) {
  const id = useId();
  const words = { id, label: props.label, hint: props.hint, error: props.error };
  const options = (choices: Choice[]) => choices.map(({ value, label }) => <option value={value}>{label}</option>);
  return (
    <Labelled {...words}>
      <select
        id={id}
        value={props.value}
        {...described(words)}
        onChange={(event) => props.onChange(event.currentTarget.value)}
      >
        {props.placeholder !== undefined && <option value="">{props.placeholder}</option>}
        {props.groups
          .filter((group) => group.choices.length > 0)
          .map((group) =>
            group.label ? <optgroup label={group.label}>{options(group.choices)}</optgroup> : options(group.choices),
          )}
      </select>
    </Labelled>
  );
}

/** A row of choices of which one holds: radio buttons that look like tabs. */
export function Segmented(props: {
  legend: ComponentChildren;
  hideLegend?: boolean;
  name: string;
  value: string;
  choices: { value: string; label: ComponentChildren }[];
  onChange: (value: string) => void;
}) {
  return (
    <fieldset class="segmented">
      <legend class={props.hideLegend ? "aside" : undefined}>{props.legend}</legend>
      {props.choices.map((choice) => (
        <label>
          <input
            type="radio"
            name={props.name}
            value={choice.value}
            checked={props.value === choice.value}
            onChange={() => props.onChange(choice.value)}
          />
          <span>{choice.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
