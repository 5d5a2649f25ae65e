// What the blocks of a message or a modal share.

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Names, Part, Told } from "../types";

/** Where elements stand, and what happens when they are used. */
export interface Host {
  names: Names;
  me: string;
  click: (element: Part) => Promise<Told | null>;
  choose: (element: Part, value: unknown) => Promise<Told | null>;
  /** The input of an `input` block; only modals have a form. */
  input?: (block: Part) => preact.ComponentChild;
  /** What a click on one of the `commands` in code style does. */
  tryOut?: (text: string) => void;
  commands?: string[];
  /** What was picked in a menu outside of the form. */
  kept?: (element: Part, blockId: string) => Part | undefined;
}

export const HostContext = createContext<Host>(null as unknown as Host);
export const useHost = (): Host => useContext(HostContext);
