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

export function Field(props: FieldProps) {
  const made = useId();
  const id = props.id ?? made;
  const described = [props.hint && `${id}-hint`, props.error && `${id}-error`].filter(Boolean).join(" ");
  const attributes: InputHTMLAttributes = {
    type: props.type ?? "text",
    value: props.value,
    autocomplete: props.autocomplete ?? "off",
    spellcheck: false,
    onInput: (event) => props.onInput(event.currentTarget.value),
  };
  return (
    <div class={`field${props.error ? " field-wrong" : ""}${props.narrow ? " field-narrow" : ""}`}>
      <label for={id}>{props.label}</label>
      {props.hint && (
        <p class="hint" id={`${id}-hint`}>
          {props.hint}
        </p>
      )}
      {props.error && (
        <p class="field-error" id={`${id}-error`}>
          {props.error}
        </p>
      )}
      <div class="field-box">
        <input
          id={id}
          {...attributes}
          maxLength={props.maxLength}
          autofocus={props.autofocus}
          aria-invalid={props.error ? "true" : undefined}
          aria-describedby={described || undefined}
          onPaste={props.onPaste}
        />
        {props.after}
      </div>
    </div>
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
  const described = [props.hint && `${id}-hint`, props.error && `${id}-error`].filter(Boolean).join(" ");
  const options = (choices: Choice[]) => choices.map(({ value, label }) => <option value={value}>{label}</option>);
  return (
    <div class={`field${props.error ? " field-wrong" : ""}`}>
      <label for={id}>{props.label}</label>
      {props.hint && (
        <p class="hint" id={`${id}-hint`}>
          {props.hint}
        </p>
      )}
      {props.error && (
        <p class="field-error" id={`${id}-error`}>
          {props.error}
        </p>
      )}
      <div class="field-box">
        <select
          id={id}
          value={props.value}
          aria-invalid={props.error ? "true" : undefined}
          aria-describedby={described || undefined}
          onChange={(event) => props.onChange(event.currentTarget.value)}
        >
          {props.placeholder !== undefined && <option value="">{props.placeholder}</option>}
          {props.groups
            .filter((group) => group.choices.length > 0)
            .map((group) =>
              group.label ? <optgroup label={group.label}>{options(group.choices)}</optgroup> : options(group.choices),
            )}
        </select>
      </div>
    </div>
  );
}

/** A row of choices of which one holds: radio buttons that look like tabs. */
export function Segmented(props: {
  legend: string;
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
