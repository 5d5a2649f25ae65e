// What the server sends; see page/seen.py and page/traffic.py.

/** A block, an element or a text object, as the app gave it. */
export type Part = Record<string, any>;

export interface Message {
  ts: string;
  channel: string;
  user: string;
  text: string;
  blocks: Part[];
  private: boolean;
  kind: "message" | "command" | "error";
  edited: boolean;
  thread: string | null;
}

export interface Channel {
  id: string;
  name: string;
  private: boolean;
  archived: boolean;
  shared: boolean;
  direct: boolean;
  group: boolean;
}

export interface Person {
  id: string;
  name: string;
  role: string;
}

export interface Names {
  users: Record<string, string>;
  groups: Record<string, string>;
  channels: Record<string, string>;
}

export interface Place {
  me: string;
  workspace: string;
  notice: string;
  app: { user: string; name: string };
  commands: string[];
  people: Person[];
  channels: Channel[];
  names: Names;
}

export interface View {
  id: string;
  hash: string;
  title: string;
  submit: string | null;
  close: string | null;
  blocks: Part[];
  values: Record<string, Record<string, Part>>;
  errors: Record<string, string>;
  trouble: string | null;
  depth: number;
  submit_disabled: boolean;
}

export interface Word {
  name: string;
  usage: string;
  about: string;
  options: { name: string; takes: string; about: string }[];
}

export interface Entry {
  kind: "request" | "call" | "breach";
  at: number;
  title: string;
  seconds?: number;
  status?: number;
  error?: string | null;
  data: Part;
}

/** Beside the messages; see page/panel.py. */
export interface Panel {
  title: string;
  steps: Step[];
  end: string;
  switches: Switch[];
  events: Happening[];
}

export interface Step {
  title: string;
  text: string;
  user: string;
  done: boolean;
}

/** `on` is null for a button, which shows the first word of the label. */
export interface Switch {
  label: string;
  about: string;
  on: boolean | null;
  busy: boolean;
}

export interface Happening {
  at: number;
  text: string;
  user: string;
}

/** How the app acknowledged what a person did. */
export interface Told {
  acked: boolean;
  seconds: number;
  error_shown: string | null;
}
