// The page: channels at the left, messages, and a pane at the right on demand.

import { useEffect, useLayoutEffect, useReducer, useRef } from "preact/hooks";
import { Channel, Thread, title } from "./channel";
import { Confirm, Modal } from "./dialogs";
import { Inspector } from "./inspector";
import { PanelPane } from "./panel";
import { store } from "./store";
import type { Place } from "./types";

export function App() {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  // Not `useEffect`, which waits for a frame: what comes before it would not be drawn.
  useLayoutEffect(() => store.watch(() => redraw(undefined as never)), []);
  const { panel, place, pane, question, view } = store;
  if (!place) return <main class="start">{store.status === "locked" ? <Locked /> : <p>Connecting…</p>}</main>;
  return (
    <div class={pane ? "page with-pane" : "page"}>
      <Sidebar place={place} />
      <main>
        <Bar place={place} />
        <div class="alerts" role="alert">
          <Lost />
        </div>
        <Channel place={place} />
      </main>
      {pane?.kind === "inspector" && <Inspector />}
      {pane?.kind === "guide" && panel && <PanelPane panel={panel} place={place} />}
      {pane?.kind === "thread" && <Thread place={place} ts={pane.ts} />}
      {view && <Modal key={view.depth} view={view} place={place} />}
      {question && <Confirm question={question} place={place} />}
    </div>
  );
}

function Bar({ place }: { place: Place }) {
  const channel = place.channels.find((one) => one.id === store.channel);
  const isInspecting = store.pane?.kind === "inspector";
  const isGuided = store.pane?.kind === "guide";
  useEffect(() => {
    document.title = `${channel ? title(channel, place) : "Local Slack"} · ${place.workspace}`;
  });
  return (
    <header class="bar">
      <button
        type="button"
        class="icon menu"
        aria-label="Channels"
        aria-expanded={store.isMenuOpen}
        onClick={() => store.set({ isMenuOpen: true })}
      >
        ☰{store.unread.size > 0 && <i class="dot" />}
      </button>
      <h1>
        {channel ? title(channel, place) : "No channel"}
        {channel?.shared && <span class="tag">shared</span>}
        {channel?.private && <span class="tag">private</span>}
      </h1>
      {place.people.length > 1 && <ActAs place={place} />}
      {store.panel && (
        <button
          type="button"
          class="button quiet dotted"
          aria-pressed={isGuided}
          onClick={() => store.guide(!isGuided)}
        >
          Guide{store.hasNewEvent && <i class="dot" role="img" aria-label="something happened" />}
        </button>
      )}
      <button
        type="button"
        class="button quiet inspect"
        aria-pressed={isInspecting}
        onClick={() => store.inspect(!isInspecting)}
      >
        Inspector
      </button>
    </header>
  );
}

function ActAs({ place }: { place: Place }) {
  const hasRoles = place.people.some(({ role }) => role);
  return (
    <label class="act-as">
      <span>Act as</span>
      <select value={place.me} onChange={(event) => store.be(event.currentTarget.value)}>
        {place.people.map((one) => (
          <option key={one.id} value={one.id}>
            {hasRoles ? `${one.name} · ${one.role || "no role"}` : one.name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Sidebar({ place }: { place: Place }) {
  const close = () => store.set({ isMenuOpen: false });
  const closer = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (store.isMenuOpen) closer.current!.focus();
  }, [store.isMenuOpen]);
  return (
    <>
      <nav
        class={store.isMenuOpen ? "sidebar open" : "sidebar"}
        aria-label="Channels"
        onKeyDown={(event) => event.key === "Escape" && close()}
      >
        <div class="workspace">
          {place.workspace}
          <button ref={closer} type="button" class="icon menu" aria-label="Close the list" onClick={close}>
            ✕
          </button>
        </div>
        <h2>Channels</h2>
        {place.channels.filter((one) => !one.direct && !one.group).map((one) => (
          <ChannelButton key={one.id} id={one.id} sign={one.private ? "🔒" : "#"} name={one.name} />
        ))}
        <h2>Direct messages</h2>
        <DirectButton place={place} />
        {place.channels.filter((one) => one.group).map((one) => (
          <ChannelButton key={one.id} id={one.id} sign="👥" name={one.name} />
        ))}
        <p class="notice">{place.notice}</p>
      </nav>
      {store.isMenuOpen && <div class="shade" onClick={close} />}
    </>
  );
}

function ChannelButton({ id, sign, name }: { id: string; sign: string; name: string }) {
  const unread = store.unread.get(id) ?? 0;
  return (
    <button
      type="button"
      class={unread ? "place unread" : "place"}
      aria-current={id === store.channel ? "page" : undefined}
      onClick={() => store.open(id)}
    >
      <span class="sign">{sign}</span>
      <span class="name">{name}</span>
      {unread > 0 && <span class="count">{unread > 99 ? "99+" : unread}</span>}
    </button>
  );
}

function DirectButton({ place }: { place: Place }) {
  const direct = place.channels.find((one) => one.direct);
  if (direct) return <ChannelButton id={direct.id} sign="⚙️" name={place.app.name} />;
  return (
    <button type="button" class="place" onClick={() => void store.openDirect()}>
      <span class="sign">⚙️</span>
      <span class="name">{place.app.name}</span>
    </button>
  );
}

function Lost() {
  if (store.status === "locked") return <Locked />;
  if (store.status !== "lost") return null;
  return (
    <p class="lost">
      The connection to the local Slack is lost. Trying again… What you see may be out of date.
    </p>
  );
}

function Locked() {
  return (
    <p class="lost">
      The local Slack was started anew with another secret. Open the URL that the terminal printed.
    </p>
  );
}
