// `rich_text` blocks.

import { showDate } from "../times";
import type { Part } from "../types";
import { Command } from "./command";
import { Link, Mention } from "./mrkdwn";
import { Unknown } from "./unknown";

const TAGS = [
  ["code", "code"],
  ["strike", "s"],
  ["italic", "i"],
  ["bold", "b"],
  ["underline", "u"],
] as const;

export function RichText({ block }: { block: Part }) {
  return (
    <div class="rich">
      {block.elements.map((part: Part, i: number) => (
        <RichPart key={i} part={part} />
      ))}
    </div>
  );
}

function RichPart({ part }: { part: Part }) {
  const inside = part.elements.map((one: Part, i: number) =>
    part.type === "rich_text_list" ? (
      <li key={i}>{one.elements.map(draw)}</li>
    ) : (
      draw(one, i)
    ),
  );
  switch (part.type) {
    case "rich_text_section":
      return <div class="paragraph">{trimEnd(part, inside)}</div>;
    case "rich_text_preformatted":
      return <pre>{inside}</pre>;
    case "rich_text_quote":
      return <blockquote>{inside}</blockquote>;
    case "rich_text_list": {
      const List = part.style === "ordered" ? "ol" : "ul";
      return (
        <List class={`indent-${part.indent ?? 0}`} start={1 + (part.offset ?? 0)}>
          {inside}
        </List>
      );
    }
    default:
      return <Unknown kind={part.type} />;
  }
}

/** A line break at the very end of a section would draw an empty line. */
function trimEnd(part: Part, inside: preact.ComponentChild[]): preact.ComponentChild[] {
  const last = part.elements.at(-1);
  return last?.type === "text" && last.text === "\n" ? inside.slice(0, -1) : inside;
}

function draw(one: Part, key: number): preact.ComponentChild {
  let shown = drawPlain(one);
  for (const [style, Tag] of TAGS) {
    if (one.style?.[style]) shown = <Tag key={key}>{shown}</Tag>;
  }
  return shown;
}

function drawPlain(one: Part): preact.ComponentChild {
  switch (one.type) {
    case "text":
      return one.style?.code ? <Command text={one.text} /> : one.text;
    case "link":
      return <Link url={one.url}>{one.text || one.url}</Link>;
    case "user":
      return <Mention kind="users" id={one.user_id} />;
    case "usergroup":
      return <Mention kind="groups" id={one.usergroup_id} />;
    case "channel":
      return <Mention kind="channels" id={one.channel_id} />;
    case "broadcast":
      return <span class="mention">@{one.range}</span>;
    case "emoji":
      return one.unicode ? fromHex(one.unicode) : `:${one.name}:`;
    case "date":
      return showDate(Number(one.timestamp), one.format, one.fallback ?? String(one.timestamp));
    case "color":
      return <code>{one.value}</code>;
    default:
      return <Unknown kind={one.type} />;
  }
}

function fromHex(unicode: string): string {
  return String.fromCodePoint(...unicode.split("-").map((one) => parseInt(one, 16)));
}
