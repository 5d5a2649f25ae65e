// Where one types: messages, and commands with what may follow.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { complete } from "./completion";
import { store } from "./store";
import type { Place } from "./types";

/** What was sent before, the newest last; Arrow up brings it back. */
const sent: string[] = [];

interface Props {
  place: Place;
  label: string;
  thread?: string;
}

export function Composer({ place, label, thread }: Props) {
  const [text, setText] = useState("");
  const [active, setActive] = useState(-1);
  const [isOpen, setOpen] = useState(false);
  const [back, setBack] = useState(0);
  const input = useRef<HTMLTextAreaElement>(null);
  const { offers, usage } = complete(text, place.commands, store.words);
  const shown = isOpen && !thread ? offers : [];
  const listId = thread ? "offers-thread" : "offers";

  useLayoutEffect(() => {
    const node = input.current!;
    node.style.height = "auto";
    node.style.height = `${node.scrollHeight}px`;
  }, [text]);
  useLayoutEffect(() => {
    if (store.draft === null || thread) return;
    write(store.draft);
    setOpen(false);
    store.draft = null;
    input.current!.focus();
  });
  useLayoutEffect(() => {
    document.querySelector(`#${listId} [aria-selected=true]`)?.scrollIntoView({ block: "nearest" });
  }, [active]);

  const write = (value: string) => {
    setText(value);
    setActive(-1);
    setOpen(true);
    setBack(0);
  };
  const take = (index: number) => {
    write(shown[index].text);
    input.current!.focus();
  };
  const send = async () => {
    const typed = text.trim();
    if (!typed) return;
    if (thread && typed.startsWith("/")) {
      return store.set({ said: `${typed.split(" ")[0]} is not supported in threads. Sorry!` });
    }
    if (store.status !== "open") {
      return store.set({ said: "There is no connection; nothing was sent." });
    }
    sent.push(typed);
    write("");
    const what = typed.startsWith("/")
      ? { do: "command", channel: store.channel, text: typed }
      : { do: "say", channel: store.channel, text: typed, thread };
    store.isPinned = true;
    await store.act(what);
    // As in Slack, what nobody took stands there to be mended.
    if (store.said) setText((now) => now || typed);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    const keys: Record<string, () => void> = {
      Enter: () => (active >= 0 ? take(active) : void send()),
    };
    if (shown.length) {
      keys.ArrowDown = () => setActive((active + 1) % shown.length);
      keys.ArrowUp = () => setActive((active <= 0 ? shown.length : active) - 1);
      keys.Tab = () => take(Math.max(active, 0));
      keys.Escape = () => setOpen(false);
    } else if ((!text || back) && sent.length) {
      keys.ArrowUp = () => recall(Math.min(back + 1, sent.length));
      if (back) keys.ArrowDown = () => recall(back - 1);
    }
    if (event.shiftKey || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  };
  const recall = (steps: number) => {
    setText(steps ? sent[sent.length - steps] : "");
    setBack(steps);
    setOpen(false);
  };
  return (
    <div class="composer">
      {/* First, so that it never moves: a node that is moved loses the focus. */}
      <div class="box">
        <textarea
          ref={input}
          rows={1}
          value={text}
          placeholder={thread ? "Reply" : `${label}, or ${place.commands[0] ?? "a command"}`}
          aria-label={label}
          aria-autocomplete="list"
          aria-controls={listId}
          aria-activedescendant={active >= 0 ? `${listId}-${active}` : undefined}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => write(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          onBlur={() => setOpen(false)}
        />
        <button type="button" class="send" aria-label="Send" disabled={!text.trim()} onClick={() => void send()}>
          ➤
        </button>
      </div>
      {store.said && Boolean(thread) === (store.pane?.kind === "thread") && (
        <div class="said" role="alert">
          {store.said}
        </div>
      )}
      {shown.length > 0 && (
        <ul class="offers" id={listId} role="listbox" aria-label="Words">
          {shown.map((one, i) => (
            <li
              key={one.label}
              id={`${listId}-${i}`}
              role="option"
              aria-selected={i === active}
              onMouseDown={(event) => {
                event.preventDefault();
                take(i);
              }}
            >
              <code>{one.label}</code>
              <span>{one.about}</span>
            </li>
          ))}
        </ul>
      )}
      {usage && shown.length === 0 && !thread && (
        <div class="usage">
          <span>{usage}</span>
        </div>
      )}
    </div>
  );
}
