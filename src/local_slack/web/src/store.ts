// What the page knows, and what it does when news come in.

import { Feed, type Status } from "./feed";
import { isNarrow, newestEvent, onNarrow, upsert } from "./knowing";
import type { Entry, Message, Panel, Part, Place, View, Word } from "./types";

const MOST_DRAWN = 300;
const KEPT = 200;
const MOST_ENTRIES = 500;

export type Pane = { kind: "inspector" } | { kind: "guide" } | { kind: "thread"; ts: string } | null;

/** A question that a button asks before it counts. */
export interface Question {
  confirm: Part;
  go: () => void;
}

export class Store {
  status: Status = "connecting";
  place: Place | null = null;
  words: Word[] = [];
  messages = new Map<string, Message[]>();
  more = new Set<string>();
  unread = new Map<string, number>();
  channel = "";
  view: View | null = null;
  pane: Pane = null;
  thread: Message[] = [];
  entries: Entry[] = [];
  question: Question | null = null;
  /** A sentence above the composer: what could not be done. */
  said: string | null = null;
  isMenuOpen = false;
  panel: Panel | null = null;
  /** When the newest event of the panel was that the person has seen. */
  seenEvent = 0;
  /** What the composer takes over. */
  draft: string | null = null;
  /** Whether the newest message is in sight; then what is far above may go. */
  isPinned = true;

  private feed = new Feed(
    (news) => this.take(news),
    (status) => this.setStatus(status),
  );
  private watchers = new Set<() => void>();
  /** Whether the guide stands where no other pane is open. */
  private isGuided = true;

  start(): void {
    this.feed.connect();
    onNarrow((isNarrow) => this.fitGuide(isNarrow));
    addEventListener("hashchange", () => this.greet());
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => void this.watchers.delete(watcher);
  }

  set(changes: Partial<Store>): void {
    Object.assign(this, changes);
    for (const watcher of this.watchers) watcher();
  }

  get role(): string {
    return this.place?.people.find((one) => one.id === this.place?.me)?.role ?? "";
  }

  /** Messages of the channel that stand there by themselves, oldest first. */
  get roots(): Message[] {
    const there = this.messages.get(this.channel) ?? [];
    const known = new Set(there.map((one) => one.ts));
    // A reply to what was deleted stands by itself.
    const isLost = (thread: string) => !known.has(thread) && !this.more.has(this.channel);
    return there.filter((one) => !one.thread || isLost(one.thread));
  }

  be(user: string): void {
    location.hash = `${user}/${this.channel}`;
  }

  open(channel: string): void {
    this.unread.delete(channel);
    this.set({ channel, pane: this.pane?.kind === "thread" ? this.rest : this.pane, isPinned: true });
    this.set({ isMenuOpen: false, said: null });
    if (this.place) history.replaceState(null, "", `#${this.place.me}/${channel}`);
  }

  async openDirect(): Promise<void> {
    const channel = await this.act({ do: "direct" });
    if (channel) this.open(channel);
  }

  /** Do it; what goes wrong is said above the composer. */
  async act(what: object): Promise<any> {
    this.set({ said: null });
    try {
      return await this.feed.ask(what);
    } catch (error) {
      this.set({ said: (error as Error).message });
      return null;
    }
  }

  async showOlder(): Promise<void> {
    const channel = this.channel;
    const there = this.messages.get(channel) ?? [];
    const found = await this.act({ do: "older", channel, before: there[0]?.ts ?? "9" });
    if (!found) return;
    const known = new Set(there.map((one) => one.ts));
    const older = found.messages.filter((one: Message) => !known.has(one.ts));
    this.messages.set(channel, [...older, ...(this.messages.get(channel) ?? [])]);
    if (!found.more) this.more.delete(channel);
    this.set({});
  }

  async openThread(ts: string): Promise<void> {
    this.set({ pane: { kind: "thread", ts }, thread: [] });
    const found = await this.act({ do: "thread", channel: this.channel, ts });
    if (found) this.set({ thread: found.messages });
  }

  inspect(on: boolean): void {
    this.set({ pane: on ? { kind: "inspector" } : this.rest, entries: [] });
    this.feed.tell({ do: "inspect", on });
  }

  guide(on: boolean): void {
    if (this.pane?.kind === "inspector") this.inspect(false);
    if (!isNarrow()) this.isGuided = on;
    this.set({ pane: on ? { kind: "guide" } : null, seenEvent: newestEvent(this.panel) });
  }

  /** Whether something happened that the person has not seen. */
  get hasNewEvent(): boolean {
    return this.pane?.kind !== "guide" && newestEvent(this.panel) > this.seenEvent;
  }

  /** Put it into the composer, as this person. */
  tryOut(text: string, user: string): void {
    if (user && user !== this.place?.me) this.be(user);
    if (isNarrow()) this.guide(false);
    this.set({ draft: text });
  }

  turn(label: string, on: boolean): Promise<void> {
    return this.feed.ask({ do: "switch", label, on });
  }

  /** What stands at the right when nothing else does. */
  get rest(): Pane {
    return this.panel && this.isGuided && !isNarrow() ? { kind: "guide" } : null;
  }

  /** The window got so narrow that the guide would cover the messages, or wide again. */
  private fitGuide(isNarrow: boolean): void {
    if (isNarrow ? this.pane?.kind === "guide" : !this.pane) this.set({ pane: this.rest });
  }

  private setStatus(status: Status): void {
    this.set({ status });
    if (status === "open") {
      this.greet();
      if (this.pane?.kind === "inspector") this.inspect(true);
    }
  }

  private greet(): void {
    const [user = "", channel = ""] = location.hash.slice(1).split("/");
    if (channel) this.channel = channel;
    this.feed.tell({ do: "hello", user });
  }

  private take(news: any): void {
    if (news.kind === "place") this.takePlace(news);
    else if (news.kind === "start") this.takeStart(news);
    else if (news.kind === "changes") this.takeChanges(news.messages, news.deleted);
    else if (news.kind === "view") this.set({ view: news.view, said: null });
    else if (news.kind === "panel") this.takePanel(news.panel);
    else if (news.kind === "traffic") {
      const entries = [...this.entries, ...news.entries].sort((a, b) => a.at - b.at);
      this.set({ entries: entries.slice(-MOST_ENTRIES) });
    }
  }

  private takePlace(place: Place): void {
    const isOther = place.me !== this.place?.me;
    const ids = place.channels.map((one) => one.id);
    this.set({ place });
    if (isOther) {
      this.unread.clear();
      this.question = null;
    }
    const isHere = ids.includes(this.channel);
    if (isOther || !isHere) this.open(isHere ? this.channel : (ids[0] ?? ""));
  }

  private takePanel(panel: Panel): void {
    const isFirst = this.panel === null;
    this.set({ panel });
    if (isFirst && !this.pane) this.set({ pane: this.rest });
    if (this.pane?.kind === "guide") this.seenEvent = newestEvent(panel);
  }

  private takeStart(news: { messages: Message[]; more: string[]; words: Word[] }): void {
    const messages = new Map<string, Message[]>();
    for (const one of news.messages) {
      messages.set(one.channel, [...(messages.get(one.channel) ?? []), one]);
    }
    this.set({ messages, more: new Set(news.more), words: news.words, isPinned: true });
    if (this.pane?.kind === "thread") void this.openThread(this.pane.ts);
  }

  private takeChanges(changed: Message[], deleted: [string, string][]): void {
    for (const one of changed) {
      this.put(one);
      if (this.pane?.kind === "thread" && [one.ts, one.thread].includes(this.pane.ts)) {
        this.thread = upsert(this.thread, one);
      }
    }
    for (const [channel, ts] of deleted) {
      const there = this.messages.get(channel) ?? [];
      this.messages.set(channel, there.filter((one) => one.ts !== ts));
      this.thread = this.thread.filter((one) => one.ts !== ts);
    }
    this.set({});
  }

  private put(message: Message): void {
    const { channel, ts } = message;
    const there = this.messages.get(channel) ?? [];
    const isKnown = there.some((one) => one.ts === ts);
    // What was edited far above is fetched when it is scrolled to.
    if (!isKnown && this.more.has(channel) && there.length && ts < there[0].ts) return;
    let now = upsert(there, message);
    if (now.length > MOST_DRAWN && (channel !== this.channel || this.isPinned)) {
      now = now.slice(-KEPT);
      this.more.add(channel);
    }
    this.messages.set(channel, now);
    if (!isKnown && channel !== this.channel && message.kind !== "command") {
      this.unread.set(channel, (this.unread.get(channel) ?? 0) + 1);
    }
  }
}

export const store = new Store();
