// Menus and choices, in messages and in the forms of modals.

import { store } from "../store";
import type { Part } from "../types";
import { useHost } from "./context";
import { TextObject } from "./mrkdwn";

interface MenuProps {
  element: Part;
  /** The state of the element, as in `view.state.values`. */
  kept?: Part;
  busy?: boolean;
  id?: string;
  describedBy?: string;
  onPick: (value: any) => void;
}

interface Option {
  value: string;
  text: string;
}

export function SelectMenu({ element, kept, busy, id, describedBy, onPick }: MenuProps) {
  const { names } = useHost();
  const groups = listGroups(element, names);
  const empty = element.placeholder?.text ?? (element.type === "overflow" ? "More…" : "Choose…");
  const initial = element.initial_option?.value ?? element.initial_user ?? element.initial_channel;
  const now =
    kept?.selected_option?.value ?? kept?.selected_user ?? kept?.selected_channel ??
    kept?.selected_conversation ?? (kept ? undefined : (initial ?? element.initial_conversation));
  return (
    <select
      class="field"
      id={id}
      aria-label={id ? undefined : empty}
      aria-describedby={describedBy}
      aria-busy={busy}
      value={now ?? ""}
      onChange={(event) => {
        const select = event.currentTarget;
        if (select.value) onPick(select.value);
        if (element.type === "overflow") select.value = "";
      }}
    >
      <option value="" disabled={!id}>
        {empty}
      </option>
      {groups.map(([label, options]) =>
        label ? (
          <optgroup key={label} label={label}>
            {options.map(drawOption)}
          </optgroup>
        ) : (
          options.map(drawOption)
        ),
      )}
    </select>
  );
}

function drawOption(option: Option) {
  return (
    <option key={option.value} value={option.value}>
      {option.text}
    </option>
  );
}

function listGroups(element: Part, names: ReturnType<typeof useHost>["names"]): [string, Option[]][] {
  const fromNames = (sign: string, found: Record<string, string>): [string, Option[]][] => [
    ["", Object.entries(found).map(([value, name]) => ({ value, text: sign + name }))],
  ];
  const fromOptions = (options: Part[]): Option[] =>
    options.map((one) => ({ value: one.value, text: one.text.text }));
  if (element.type === "users_select") {
    const people = new Set(store.place?.people.map((one) => one.id));
    const found = Object.entries(names.users).filter(([id]) => people.has(id));
    return fromNames("@", Object.fromEntries(found));
  }
  if (element.type.endsWith("s_select") && element.type !== "static_select") {
    return fromNames("#", names.channels);
  }
  if (element.option_groups) {
    return element.option_groups.map((one: Part) => [one.label.text, fromOptions(one.options)]);
  }
  return [["", fromOptions(element.options)]];
}

/** All options, also of groups. */
export function listOptions(element: Part): Part[] {
  const groups: Part[] = element.option_groups ?? [];
  return [...(element.options ?? []), ...groups.flatMap((one) => one.options)];
}

/** Radio buttons, or check boxes of which several may be ticked. */
export function Choices({ element, kept, name, describedBy, onPick }: MenuProps & { name: string }) {
  const isOne = element.type === "radio_buttons";
  const initial = isOne ? [element.initial_option] : (element.initial_options ?? []);
  const chosen: Part[] = kept ? (isOne ? [kept.selected_option] : kept.selected_options) : initial;
  const values = chosen.filter(Boolean).map((one) => one.value);
  const toggle = (value: string, on: boolean) => {
    if (isOne) return onPick(value);
    onPick(on ? [...values, value] : values.filter((one) => one !== value));
  };
  return (
    <div class="choices" role="group" aria-describedby={describedBy}>
      {listOptions(element).map((option: any) => (
        <label key={option.value}>
          <input
            type={isOne ? "radio" : "checkbox"}
            name={name}
            checked={values.includes(option.value)}
            onChange={(event) => toggle(option.value, event.currentTarget.checked)}
          />
          <span>
            <TextObject text={option.text} />
            {option.description && (
              <span class="hint">
                <TextObject text={option.description} />
              </span>
            )}
          </span>
        </label>
      ))}
    </div>
  );
}
