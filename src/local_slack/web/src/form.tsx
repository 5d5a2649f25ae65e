// The inputs of a modal's form.

import { Choices, listOptions, SelectMenu } from "./blocks/menus";
import { Unknown } from "./blocks/unknown";
import type { Part, View } from "./types";

/** action_id → what was typed or picked since the view opened. */
export type Draft = Record<string, any>;

const TYPED: Record<string, any> = {
  plain_text_input: "text",
  email_text_input: "email",
  url_text_input: "url",
  number_input: "number",
  datepicker: "date",
  timepicker: "time",
  datetimepicker: "datetime-local",
};
const MENUS = ["static_select", "users_select", "channels_select", "conversations_select"];
const CHOICES = ["radio_buttons", "checkboxes", "multi_static_select"];
const REQUIRED = "Please complete this required field.";

interface Props {
  block: Part;
  kept?: Part;
  draft: any;
  error?: string;
  onDraft: (value: any) => void;
}

export function FormInput({ block, kept, draft, error, onDraft }: Props) {
  const id = `input-${block.block_id}`;
  const about = `${id}-about`;
  const isGroup = CHOICES.includes(block.element.type);
  const Label = isGroup ? "div" : "label";
  return (
    <div class={error ? "input wrong" : "input"}>
      <Label class="label" {...(isGroup ? {} : { for: id })}>
        {block.label.text}
        {block.optional && <span class="hint"> (optional)</span>}
      </Label>
      <Field {...{ id, about, block, kept, draft, error, onDraft }} />
      <div id={about}>
        {error && <div class="error">{error}</div>}
        {block.hint && <div class="hint">{block.hint.text}</div>}
      </div>
    </div>
  );
}

function Field({ id, about, block, kept, draft, error, onDraft }: Props & { id: string; about: string }) {
  const { element } = block;
  if (MENUS.includes(element.type)) {
    const now = draft === undefined ? kept : asState(element, draft);
    return <SelectMenu element={element} kept={now} id={id} describedBy={about} onPick={onDraft} />;
  }
  if (CHOICES.includes(element.type)) {
    const now = draft === undefined ? kept : asState(element, draft);
    return <Choices element={element} kept={now} name={id} describedBy={about} onPick={onDraft} />;
  }
  if (!(element.type in TYPED)) return <Unknown kind={element.type} />;
  const common = {
    id,
    class: "field",
    value: draft ?? readTyped(kept),
    placeholder: element.placeholder?.text,
    "aria-describedby": about,
    "aria-invalid": Boolean(error),
    autofocus: element.focus_on_load,
    onInput: (event: Event) => onDraft((event.currentTarget as HTMLInputElement).value),
  };
  if (element.multiline) return <textarea {...common} rows={5} maxLength={element.max_length} />;
  return (
    <input {...common} type={TYPED[element.type]} maxLength={element.max_length} min={element.min_value} max={element.max_value} />
  );
}

function readTyped(kept?: Part): string {
  if (kept?.selected_date_time) {
    const at = new Date(kept.selected_date_time * 1000);
    return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  }
  return kept?.value ?? kept?.selected_date ?? kept?.selected_time ?? "";
}

function asState(element: Part, draft: any): Part {
  const option = (value: string) => listOptions(element).find((one) => one.value === value);
  if (Array.isArray(draft)) return { selected_options: draft.map(option) };
  if (element.options || element.option_groups) return { selected_option: option(draft) };
  return { selected_user: draft };
}

/** What the submit sends: what was typed and picked since the view opened. */
export function readDraft(view: View, draft: Draft): Draft {
  const sent: Draft = {};
  for (const block of view.blocks) {
    const element = block.element;
    if (block.type !== "input" || !(element.action_id in draft)) continue;
    const value = draft[element.action_id];
    sent[element.action_id] =
      element.type === "datetimepicker" ? Math.floor(new Date(value).getTime() / 1000) : value;
  }
  return sent;
}

/** block_id → what Slack's own form says before it sends anything. */
export function findMissing(view: View, draft: Draft): Record<string, string> {
  const missing: Record<string, string> = {};
  for (const block of view.blocks) {
    if (block.type !== "input") continue;
    const { action_id: id, min_length: least = 0 } = block.element;
    const kept = view.values[block.block_id]?.[id] ?? {};
    const value = id in draft ? draft[id] : Object.entries(kept).find(([key]) => key !== "type")?.[1];
    const isEmpty = value === undefined || value === null || value === "" || value.length === 0;
    if (isEmpty && !block.optional) missing[block.block_id] = REQUIRED;
    else if (!isEmpty && typeof value === "string" && value.length < least) {
      missing[block.block_id] = `Please write at least ${least} characters.`;
    }
  }
  return missing;
}
