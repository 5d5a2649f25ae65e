// Modals and the questions that buttons ask: native dialogs, so that Escape and Tab work.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Blocks } from "./blocks/blocks";
import { HostContext, type Host } from "./blocks/context";
import { TextObject } from "./blocks/mrkdwn";
import { FormInput, findMissing, readDraft, type Draft } from "./form";
import { store, type Question } from "./store";
import type { Part, Place, View } from "./types";

function useShown(): preact.RefObject<HTMLDialogElement | null> {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = ref.current!;
    dialog.showModal();
    // Closing gives the focus back to where it was, which removing alone would not.
    return () => dialog.close();
  }, []);
  return ref;
}

export function Confirm({ question, place }: { question: Question; place: Place }) {
  const ref = useShown();
  const { confirm } = question;
  const close = () => store.set({ question: null });
  const go = () => {
    close();
    question.go();
  };
  return (
    <dialog ref={ref} class="dialog confirm" aria-labelledby="confirm-title" onClose={close}>
      <h2 id="confirm-title">{confirm.title.text}</h2>
      <div class="inside paragraph">
        <HostContext.Provider value={plainHost(place)}>
          <TextObject text={confirm.text} />
        </HostContext.Provider>
      </div>
      <footer>
        <button type="button" class="button" onClick={close}>
          {confirm.deny.text}
        </button>
        <button type="button" class={`button ${confirm.style ?? "primary"}`} onClick={go}>
          {confirm.confirm.text}
        </button>
      </footer>
    </dialog>
  );
}

export function Modal({ view, place }: { view: View; place: Place }) {
  const ref = useShown();
  const [draft, setDraft] = useState<{ id: string; values: Draft }>({ id: view.id, values: {} });
  const [missing, setMissing] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState(false);
  const values = draft.id === view.id ? draft.values : {};
  const close = () => void store.act({ do: "close" });
  const submit = async () => {
    const found = findMissing(view, values);
    setMissing(found);
    if (Object.keys(found).length || busy) return;
    setBusy(true);
    await store.act({ do: "submit", values: readDraft(view, values) });
    setBusy(false);
  };
  const host: Host = {
    ...plainHost(place),
    click: (element) =>
      store.act({ do: "click_in_view", action: element.action_id, value: element.value ?? null }),
    choose: (element, value) => store.act({ do: "choose_in_view", action: element.action_id, value }),
    kept: (element, blockId) => view.values[blockId]?.[element.action_id],
    input: (block) => (
      <FormInput
        block={block}
        kept={view.values[block.block_id]?.[block.element.action_id]}
        draft={values[block.element.action_id]}
        error={missing[block.block_id] ?? view.errors[block.block_id]}
        onDraft={(value) =>
          setDraft({ id: view.id, values: { ...values, [block.element.action_id]: value } })
        }
      />
    ),
  };
  return (
    <dialog
      ref={ref}
      class="dialog modal"
      aria-labelledby="modal-title"
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <header>
        <h2 id="modal-title">{view.title}</h2>
        <button type="button" class="icon" aria-label="Close the modal" onClick={close}>
          {view.depth > 1 ? "←" : "✕"}
        </button>
      </header>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div class="inside">
          <div role="alert">
            {(view.trouble ?? store.said) && <p class="trouble">{view.trouble ?? store.said}</p>}
          </div>
          <HostContext.Provider value={host}>
            <Blocks blocks={view.blocks} />
          </HostContext.Provider>
        </div>
        <footer>
          <button type="button" class="button" onClick={close}>
            {view.close ?? "Cancel"}
          </button>
          {view.submit && (
            <button class="button primary" disabled={view.submit_disabled} aria-busy={busy}>
              {view.submit}
            </button>
          )}
        </footer>
      </form>
    </dialog>
  );
}

function plainHost(place: Place): Host {
  const nothing = async (_element: Part) => null;
  return { names: place.names, me: place.me, click: nothing, choose: nothing };
}
