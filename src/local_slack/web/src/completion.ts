// What the composer offers while a command is typed.

import type { Word } from "./types";

export interface Offer {
  /** The whole text when it is taken. */
  text: string;
  label: string;
  about: string;
}

/** `usage`: how the word that stands there goes on. */
export interface Completion {
  offers: Offer[];
  usage: string;
}

const MOST = 8;

export function complete(text: string, commands: string[], words: Word[]): Completion {
  const none = { offers: [], usage: "" };
  if (!text.startsWith("/") || text.includes("\n")) return none;
  const command = commands.find((one) => text === one || text.startsWith(`${one} `));
  if (!command || text === command) return { ...none, offers: offerCommands(text, commands) };
  const typed = text.slice(command.length + 1);
  const [name, ...rest] = typed.split(" ");
  if (rest.length === 0) {
    const found = words.filter((one) => one.name.startsWith(name) && one.name !== name);
    const exact = words.find((one) => one.name === name);
    return {
      offers: found.map((one) => offer(`${command} ${one.name} `, one.name, one.about)).slice(0, 30),
      usage: exact ? describe(exact) : "",
    };
  }
  const word = words.find((one) => one.name === name);
  if (!word) return none;
  const last = rest.at(-1)!;
  const usage = describe(word);
  if (!last.startsWith("-")) return { offers: [], usage };
  const before = text.slice(0, text.length - last.length);
  const options = word.options.filter(
    (one) => one.name.startsWith(last) && one.name !== last && !rest.slice(0, -1).includes(one.name),
  );
  const offers = options.map((one) =>
    offer(`${before}${one.name} `, `${one.name} ${one.takes}`.trim(), one.about),
  );
  return { offers: offers.slice(0, MOST), usage };
}

/** One line: `--` offers the options, so several are only hinted at. */
function describe(word: Word): string {
  return `${word.usage.replace(/(?: \[-[^\]]*\]){2,}/, " [--…]")}: ${word.about}`;
}

function offerCommands(text: string, commands: string[]): Offer[] {
  return commands
    .filter((one) => one.startsWith(text))
    .map((one) => offer(`${one} `, one, "talk to the app"));
}

function offer(text: string, label: string, about: string): Offer {
  return { text, label, about };
}
