// What goes between Slack and the app: requests, acknowledgements, calls, breaches.

import { useLayoutEffect, useRef } from "preact/hooks";
import { store } from "./store";
import { showSeconds } from "./times";
import type { Entry } from "./types";

export function Inspector() {
  const list = useRef<HTMLDivElement>(null);
  const breaches = store.entries.filter((one) => one.kind === "breach").length;
  const newest = store.entries.length;
  useLayoutEffect(() => {
    list.current!.scrollTop = list.current!.scrollHeight;
  }, [newest]);
  return (
    <aside class="pane" aria-label="Inspector">
      <header>
        <div>
          <h2>Inspector</h2>
          <p class={breaches ? "hint bad" : "hint"}>
            {breaches === 0 && "No breach of Slack's rules."}
            {breaches === 1 && "1 breach of Slack's rules."}
            {breaches > 1 && `${breaches} breaches of Slack's rules.`}
          </p>
        </div>
        <button type="button" class="icon" aria-label="Close the inspector" onClick={() => store.inspect(false)}>
          ✕
        </button>
      </header>
      <div class="scroll traffic" ref={list}>
        {store.entries.length === 0 && (
          <p class="hint">Type a command or press a button: what Slack sends and the app calls shows here.</p>
        )}
        {store.entries.map((entry, i) => (
          <Row key={`${entry.at} ${i}`} entry={entry} />
        ))}
      </div>
    </aside>
  );
}

function Row({ entry }: { entry: Entry }) {
  const isBad = entry.kind === "breach" || Boolean(entry.error);
  return (
    <details class={`entry ${entry.kind} ${isBad ? "bad" : ""}`}>
      <summary>
        <time>{showSeconds(new Date(entry.at * 1000))}</time>
        <span class="title">
          <span class="way">{{ request: "→", call: "←", breach: "⚠" }[entry.kind]}</span>
          {entry.title}
        </span>
        <span class="outcome">{outcomeOf(entry)}</span>
      </summary>
      <pre>{JSON.stringify(entry.data, null, 2)}</pre>
    </details>
  );
}

function outcomeOf(entry: Entry): string {
  if (entry.kind === "breach") return String(entry.data.detail);
  if (entry.kind === "call") {
    if (!entry.error) return "ok";
    if (entry.status === 200) return entry.error;
    const code = String(entry.status); // a fault that was switched on has that name
    return entry.error === code ? `HTTP ${code}` : `HTTP ${code} ${entry.error}`;
  }
  if (entry.error) return entry.error;
  return `acked in ${Math.round((entry.seconds ?? 0) * 1000)} ms`;
}
