import { ArrowDown, ArrowUp, Search, X } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useId, useMemo, useState } from "preact/hooks";
import { byName, fold } from "../text/format.ts";
import { WORDS } from "../text/desk.ts";

export interface Column<Row> {
  key: string;
  head: string;
  cell: (row: Row) => ComponentChildren;
  /** What the column is sorted and filtered by; columns without it are neither. */
  value?: (row: Row) => string | number;
  align?: "end";
  /** Words for the ear only, where the cells speak for themselves. */
  headUnseen?: boolean;
  /** The column that names the row. */
  names?: boolean;
}

interface Props<Row> {
  caption: string;
  rows: Row[];
  columns: Column<Row>[];
  rowKey: (row: Row) => string;
  filterLabel?: string;
  /** Below this many rows a filter is only in the way. */
  filterFrom?: number;
  sort?: { key: string; down?: boolean };
  rowTone?: (row: Row) => "bad" | "warn" | undefined;
}

const compare = (a: string | number, b: string | number): number =>
  typeof a === "number" && typeof b === "number" ? a - b : byName(String(a), String(b));

/** Sticky head, sort by column, filter as you type without diacritics, actions last. */
export function DataTable<Row>(props: Props<Row>) {
  const [sort, setSort] = useState(props.sort ?? { key: "", down: false });
  const [filter, setFilter] = useState("");
  const id = useId();
  const { rows, columns } = props;
  const shown = useMemo(() => {
    const words = fold(filter).split(" ").filter(Boolean);
    const by = columns.find(({ key }) => key === sort.key)?.value;
    const kept = words.length
      ? rows.filter((row) => {
          const text = fold(columns.map(({ value }) => (value ? String(value(row)) : "")).join(" "));
          return words.every((word) => text.includes(word));
        })
      : rows;
    return by ? [...kept].sort((a, b) => compare(by(a), by(b)) * (sort.down ? -1 : 1)) : kept;
  }, [rows, columns, filter, sort]);

  return (
    <div class="table-frame">
      {props.filterLabel && rows.length >= (props.filterFrom ?? 8) && (
        <div class="table-tools">
          <FilterBox label={props.filterLabel} value={filter} onInput={setFilter} id={id} />
          <output class="soft">{WORDS.shown(shown.length, rows.length)}</output>
        </div>
      )}
      {/* Focusable, so that a table wider than the window can be scrolled by keys. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <section class="table-scroll" aria-label={props.caption} tabIndex={0}>
        <table class="table">
          <caption class="aside">{props.caption}</caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <th
                  scope="col"
                  class={column.align === "end" ? "end" : undefined}
                  aria-sort={sort.key === column.key ? (sort.down ? "descending" : "ascending") : undefined}
                >
                  {column.value ? (
                    <button
                      type="button"
                      class="sort"
                      title={WORDS.sortBy(column.head.toLowerCase())}
                      onClick={() => setSort({ key: column.key, down: sort.key === column.key ? !sort.down : false })}
                    >
                      {column.head}
                      {sort.key === column.key &&
                        (sort.down ? (
                          <ArrowDown size={14} aria-hidden="true" />
                        ) : (
                          <ArrowUp size={14} aria-hidden="true" />
                        ))}
                    </button>
                  ) : (
                    <span class={column.headUnseen ? "aside" : undefined}>{column.head}</span>
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={props.rowKey(row)} class={props.rowTone?.(row) && `tone-${props.rowTone(row)}`}>
                {columns.map((column) =>
                  column.names ? (
                    <th scope="row">{column.cell(row)}</th>
                  ) : (
                    <td class={column.align === "end" ? "end" : undefined}>{column.cell(row)}</td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
        {shown.length === 0 && rows.length > 0 && <p class="table-none">{WORDS.noMatch}</p>}
      </section>
    </div>
  );
}

export function FilterBox(props: {
  label: string;
  value: string;
  onInput: (value: string) => void;
  onPaste?: (event: ClipboardEvent) => void;
  id?: string;
}) {
  const made = useId();
  const id = props.id ?? made;
  return (
    <div class="filter">
      <label class="aside" for={id}>
        {props.label}
      </label>
      <Search size={16} aria-hidden="true" />
      <input
        id={id}
        type="text"
        role="searchbox"
        value={props.value}
        placeholder={props.label}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => props.onInput(event.currentTarget.value)}
        onPaste={props.onPaste}
        onKeyDown={(event) => {
          if (event.key === "Escape" && props.value) {
            event.preventDefault();
            props.onInput("");
          }
        }}
      />
      {props.value && (
        <button
          type="button"
          aria-label={WORDS.clearFilter}
          title={WORDS.clearFilter}
          onClick={() => props.onInput("")}
        >
          <X size={16} aria-hidden="true" />
        </button>
      )}
    </div>
  );
}
