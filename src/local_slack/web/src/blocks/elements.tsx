// Buttons and menus: native ones, for the keyboard and for screen readers.

import { useState } from "preact/hooks";
import { store } from "../store";
import type { Part } from "../types";
import { Picture } from "./blocks";
import { useHost } from "./context";
import { Choices, SelectMenu } from "./menus";
import { Unknown } from "./unknown";

const MENUS = ["static_select", "users_select", "channels_select", "conversations_select", "overflow"];
const CHOICES = ["radio_buttons", "checkboxes", "multi_static_select"];
const PICKERS: Record<string, "date" | "time"> = { datepicker: "date", timepicker: "time" };

export function Element({ element, blockId }: { element: Part; blockId: string }) {
  const host = useHost();
  const [busy, run] = useBusy();
  const pick = (value: unknown) => ask(element, () => run(() => host.choose(element, value)));
  if (element.type === "button") return <PushButton element={element} />;
  if (element.type === "image") return <Picture image={element} />;
  const kept = host.kept?.(element, blockId);
  if (MENUS.includes(element.type)) {
    return <SelectMenu element={element} kept={kept} busy={busy} onPick={pick} />;
  }
  if (CHOICES.includes(element.type)) {
    return <Choices element={element} kept={kept} name={blockId} onPick={pick} />;
  }
  if (element.type in PICKERS) {
    const value = element.initial_date ?? element.initial_time ?? "";
    return (
      <input
        class="field"
        type={PICKERS[element.type]}
        aria-label={element.placeholder?.text ?? element.type}
        value={kept?.selected_date ?? kept?.selected_time ?? value}
        onChange={(event) => pick(event.currentTarget.value)}
      />
    );
  }
  return <Unknown kind={element.type} />;
}

function PushButton({ element }: { element: Part }) {
  const { click } = useHost();
  const [busy, run] = useBusy();
  const style = `button ${element.style ?? ""}`;
  const press = () => ask(element, () => run(() => click(element)));
  if (element.url) {
    return (
      <a class={style} href={element.url} target="_blank" rel="noopener noreferrer" onClick={press}>
        {element.text.text}
      </a>
    );
  }
  // Not `disabled`, which would take the focus away from whoever uses the keyboard.
  return (
    <button
      type="button"
      class={style}
      aria-disabled={busy}
      aria-busy={busy}
      aria-label={element.accessibility_label}
      onClick={busy ? undefined : press}
    >
      {element.text.text}
    </button>
  );
}

/** Ask first where the element says so. */
function ask(element: Part, go: () => void): void {
  if (element.confirm) store.set({ question: { confirm: element.confirm, go } });
  else go();
}

/** From the click until the app acknowledged. */
function useBusy(): [boolean, (work: () => Promise<unknown>) => void] {
  const [busy, setBusy] = useState(false);
  return [
    busy,
    (work) => {
      setBusy(true);
      void work().finally(() => setBusy(false));
    },
  ];
}
