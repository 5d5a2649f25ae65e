// The messages of a channel: the newest in sight, older ones on demand.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Composer } from "./composer";
import { MessageRow } from "./message";
import { store } from "./store";
import { atTs, showDay } from "./times";
import type { Message, Place } from "./types";

const NEAR = 60;

export function Channel({ place }: { place: Place }) {
  const channel = place.channels.find((one) => one.id === store.channel);
  const list = useRef<HTMLDivElement>(null);
  const before = useRef({ oldest: "", height: 0 });
  const roots = store.roots;
  const newest = roots.at(-1)?.ts;
  const [seen, setSeen] = useState(newest);

  useLayoutEffect(() => {
    const node = list.current!;
    const oldest = roots[0]?.ts ?? "";
    if (store.isPinned) node.scrollTop = node.scrollHeight;
    // What was in sight stays there when older messages are drawn above it.
    else if (oldest < before.current.oldest) node.scrollTop += node.scrollHeight - before.current.height;
    before.current = { oldest, height: node.scrollHeight };
    if (store.isPinned && seen !== newest) setSeen(newest);
  });
  useLayoutEffect(() => {
    const stay = () => {
      if (store.isPinned) list.current!.scrollTop = list.current!.scrollHeight;
    };
    const observer = new ResizeObserver(stay);
    observer.observe(list.current!);
    return () => observer.disconnect();
  }, []);

  const onScroll = () => {
    const node = list.current!;
    const isPinned = node.scrollHeight - node.scrollTop - node.clientHeight < NEAR;
    if (isPinned !== store.isPinned) store.set({ isPinned });
  };
  const showOlder = () => {
    store.isPinned = false;
    void store.showOlder();
  };
  return (
    <>
      <div class="messages" ref={list} onScroll={onScroll} role="log" aria-label="Messages" tabIndex={0}>
        {store.more.has(store.channel) ? (
          <button type="button" class="older" onClick={showOlder}>
            Show older messages
          </button>
        ) : (
          <p class="begin">
            {channel ? `This is the very beginning of ${title(channel, place)}.` : "You are in no channel."}
            {store.panel && store.pane?.kind !== "guide" && !roots.length && (
              <>
                {" "}
                Press <b>Guide</b> above to see what to try.
              </>
            )}
          </p>
        )}
        <Days messages={roots} place={place} />
      </div>
      {channel && !channel.archived && <Composer key={channel.id} place={place} label={`Message ${title(channel, place)}`} />}
      {channel?.archived && <p class="archived">This channel is archived; nobody can write here.</p>}
      {!store.isPinned && seen !== newest && (
        <button type="button" class="newer" onClick={() => store.set({ isPinned: true })}>
          New messages ↓
        </button>
      )}
    </>
  );
}

export function title(channel: { name: string; direct: boolean; group: boolean }, place: Place): string {
  if (channel.direct) return place.app.name;
  return channel.group ? channel.name : `#${channel.name}`;
}

function Days({ messages, place }: { messages: Message[]; place: Place }) {
  const replies = new Map<string, number>();
  for (const one of store.messages.get(store.channel) ?? []) {
    if (one.thread) replies.set(one.thread, (replies.get(one.thread) ?? 0) + 1);
  }
  let day = "";
  return (
    <>
      {messages.map((message) => {
        const before = day;
        day = showDay(atTs(message.ts));
        const row = (
          <MessageRow key={message.ts} message={message} place={place} replies={replies.get(message.ts) ?? 0} />
        );
        if (day === before) return row;
        return [
          <div key={`day ${message.ts}`} class="day" role="separator">
            <span>{day}</span>
          </div>,
          row,
        ];
      })}
    </>
  );
}

export function Thread({ place, ts }: { place: Place; ts: string }) {
  return (
    <aside class="pane" aria-label="Thread">
      <header>
        <h2>Thread</h2>
        <button type="button" class="icon" aria-label="Close the thread" onClick={() => store.set({ pane: store.rest })}>
          ✕
        </button>
      </header>
      <div class="scroll">
        {store.thread.map((one) => (
          <MessageRow key={one.ts} message={one} place={place} replies={0} inThread />
        ))}
      </div>
      <Composer key={ts} place={place} label="Reply" thread={ts} />
    </aside>
  );
}
