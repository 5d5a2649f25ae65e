// The panel that a server may set beside the messages: what to try, what happened, switches.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { HostContext, type Host } from "./blocks/context";
import { Mrkdwn } from "./blocks/mrkdwn";
import { store } from "./store";
import { showSeconds } from "./times";
import type { Happening, Panel, Place, Step, Switch } from "./types";

interface Props {
  panel: Panel;
  place: Place;
}

export function PanelPane({ panel, place }: Props) {
  const [newest, ...earlier] = panel.events.toReversed();
  const current = panel.steps.findIndex((one) => !one.done);
  const [trouble, setTrouble] = useState("");
  const news = useRef<HTMLElement>(null);
  const rest = useRef<HTMLDivElement>(null);
  const last = useRef({ height: 0, pressed: false });
  useLayoutEffect(() => {
    // Whoever reads what was earlier is shown what is new.
    news.current?.scrollTo(0, 0);
    // What is pressed or read stays where it is, though the news above it are longer or shorter.
    const height = news.current?.offsetHeight ?? 0;
    const { pressed, height: before } = last.current;
    if (pressed || rest.current!.scrollTop > 0) rest.current!.scrollTop += height - before;
    last.current = { height, pressed: false };
  }, [newest?.at, trouble]);
  const turn = (item: Switch) => {
    last.current.pressed = true;
    setTrouble("");
    store.turn(item.label, !item.on).catch((error: Error) => setTrouble(error.message));
  };
  return (
    <aside class="pane guide" aria-label={panel.title}>
      <header>
        <h2>{panel.title}</h2>
        <button type="button" class="icon" aria-label="Close the guide" onClick={() => store.guide(false)}>
          ✕
        </button>
      </header>
      {(newest || trouble) && (
        <section ref={news} class="news" aria-label="Just happened">
          <h3>Just happened</h3>
          {trouble && (
            <p class="said" role="alert">
              {trouble}
            </p>
          )}
          {newest && (
            <div class="happened" aria-live="polite">
              <Told key={newest.at} event={newest} place={place} />
            </div>
          )}
          {earlier.length > 0 && (
            <details class="earlier">
              <summary>Earlier ({earlier.length})</summary>
              {earlier.map((one) => (
                <Told key={one.at} event={one} place={place} />
              ))}
            </details>
          )}
        </section>
      )}
      <div ref={rest} class="scroll">
        {panel.steps.length > 0 && (
          <section aria-label="Try next">
            <h3>{current < 0 ? "All of it tried" : "Try next"}</h3>
            {current < 0 && panel.end && (
              <p class="end">
                <Words text={panel.end} place={place} />
              </p>
            )}
            <ol class="steps">
              {panel.steps.map((one, i) => (
                <StepRow key={`${one.title} ${i === current}`} step={one} isOpen={i === current} place={place} />
              ))}
            </ol>
          </section>
        )}
        {panel.switches.length > 0 && (
          <section aria-label="Switches">
            <h3>Switches</h3>
            {panel.switches.map((one) => (
              <SwitchRow key={one.label} item={one} place={place} turn={() => turn(one)} />
            ))}
          </section>
        )}
      </div>
    </aside>
  );
}

function Told({ event, place }: { event: Happening; place: Place }) {
  return (
    <div class="event">
      <time>{showSeconds(new Date(event.at * 1000))}</time>
      <p>
        <Words text={event.text} place={place} user={event.user} />
      </p>
    </div>
  );
}

function StepRow({ step, isOpen, place }: { step: Step; isOpen: boolean; place: Place }) {
  const who = place.people.find((one) => one.id === step.user && one.id !== place.me);
  return (
    <li class={step.done ? "step done" : "step"}>
      <details open={isOpen}>
        <summary>
          <span class="mark" role="img" aria-label={step.done ? "done" : "to do"}>
            {step.done ? "✓" : "○"}
          </span>
          <span class="title">{step.title}</span>
          {who && !step.done && <span class="tag">as {who.name}</span>}
        </summary>
        <p>
          <Words text={step.text} place={place} user={step.user} />
        </p>
      </details>
    </li>
  );
}

function SwitchRow({ item, place, turn }: { item: Switch; place: Place; turn: () => void }) {
  const name = item.label.replaceAll("`", "");
  return (
    <div class="switch">
      <div>
        <b>
          <Words text={item.label} place={place} />
        </b>
        <p class="hint">
          <Words text={item.about} place={place} />
        </p>
      </div>
      {item.on === null ? (
        <button
          type="button"
          class="button"
          aria-busy={item.busy}
          aria-label={name}
          disabled={item.busy}
          onClick={turn}
        >
          {name.split(" ")[0]}
        </button>
      ) : (
        <button
          type="button"
          class="toggle"
          role="switch"
          aria-checked={item.on}
          aria-busy={item.busy}
          aria-label={name}
          disabled={item.busy}
          onClick={turn}
        />
      )}
    </div>
  );
}

/** Mrkdwn whose commands go into the composer. */
function Words({ text, place, user = "" }: { text: string; place: Place; user?: string }) {
  const nobody = () => Promise.resolve(null);
  const host: Host = {
    names: place.names,
    me: place.me,
    click: nobody,
    choose: nobody,
    tryOut: (words) => store.tryOut(words, user),
    commands: place.commands,
  };
  return (
    <HostContext.Provider value={host}>
      <Mrkdwn text={text} />
    </HostContext.Provider>
  );
}
