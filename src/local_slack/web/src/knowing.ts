// Small questions that the store asks.

import type { Message, Panel } from "./types";

/** The list with this message in its place, oldest first. */
export function upsert(there: Message[], message: Message): Message[] {
  const index = there.findIndex((one) => one.ts === message.ts);
  if (index >= 0) return there.with(index, message);
  const after = there.findLastIndex((one) => one.ts < message.ts);
  return there.toSpliced(after + 1, 0, message);
}

/** When the newest event happened; 0 without one. */
export function newestEvent(panel: Panel | null): number {
  return panel?.events.at(-1)?.at ?? 0;
}

const narrow = matchMedia("(max-width: 1000px)");

/** Whether a pane covers the messages; see style/page.css. */
export function isNarrow(): boolean {
  return narrow.matches;
}

export function onNarrow(tell: (isNarrow: boolean) => void): void {
  narrow.addEventListener("change", () => tell(narrow.matches));
}
