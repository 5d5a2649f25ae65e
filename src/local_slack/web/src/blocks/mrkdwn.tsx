// Slack's own markup as elements; what it does not know stays as it was written.

import { NodeType, parse, type Node } from "slack-message-parser";
import { getEmoji } from "../emoji";
import { showDate } from "../times";
import { Command } from "./command";
import { useHost } from "./context";

export function Mrkdwn({ text }: { text: string }) {
  return <>{parse(setApart(text)).children.map(draw)}</>;
}

/** A space without a width, which `unescape` takes away again. */
const APART = "\uFEFF";

/** The parser knows code only between spaces and some of the signs that Slack allows beside it. */
function setApart(text: string): string {
  return text.replace(/`(?=[:;"'’”…])/g, `\`${APART}`).replace(/(?<=[:;"'‘“])`/g, `${APART}\``);
}

/** A text object of Block Kit. */
export function TextObject({ text }: { text: { type: string; text: string } }) {
  return text.type === "mrkdwn" ? <Mrkdwn text={text.text} /> : <>{text.text}</>;
}

export function Mention({ kind, id }: { kind: "users" | "groups" | "channels"; id: string }) {
  const { names, me } = useHost();
  const name = names[kind][id] ?? id;
  const isMe = kind === "users" && id === me;
  return <span class={isMe ? "mention me" : "mention"}>{(kind === "channels" ? "#" : "@") + name}</span>;
}

export function Link({ url, children }: { url: string; children: preact.ComponentChildren }) {
  if (!/^(https?|mailto):/i.test(url)) return <>{children}</>;
  return (
    <a href={url} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}

function Code({ text }: { text: string }) {
  const host = useHost();
  const isCommand = host?.commands?.includes(text.split(" ")[0]);
  if (!isCommand || !host.tryOut) return <code><Command text={text} /></code>;
  return (
    <button type="button" class="try" title="Put it into the message box" onClick={() => host.tryOut!(text)}>
      <Command text={text} />
    </button>
  );
}

function unescape(text: string): string {
  const signs: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };
  return text.replaceAll(APART, "").replace(/&(?:lt|gt|amp);/g, (found) => signs[found]);
}

function draw(node: Node): preact.ComponentChild {
  switch (node.type) {
    case NodeType.Text:
      return unescape(node.text);
    case NodeType.UserLink:
      return node.label ? "@" + plain(node.label) : <Mention kind="users" id={node.userID} />;
    case NodeType.ChannelLink:
      return node.label ? "#" + plain(node.label) : <Mention kind="channels" id={node.channelID} />;
    case NodeType.URL:
      if (!/^(https?|mailto):/i.test(node.url)) return unescape(node.source);
      return <Link url={unescape(node.url)}>{node.label?.map(draw) ?? unescape(node.url)}</Link>;
    case NodeType.Command:
      return drawCommand(node.name, node.arguments, node.label, node.source);
    case NodeType.Emoji:
      return getEmoji(node.name) ?? node.source;
    case NodeType.PreText:
      return <pre>{unescape(node.text).replace(/^\n/, "")}</pre>;
    case NodeType.Code:
      return <Code text={unescape(node.text)} />;
    case NodeType.Italic:
      // `__init__` is a name, not italics in italics.
      return node.source.startsWith("__") ? unescape(node.source) : <i>{node.children.map(draw)}</i>;
    case NodeType.Bold:
      return <b>{node.children.map(draw)}</b>;
    case NodeType.Strike:
      return <s>{node.children.map(draw)}</s>;
    case NodeType.Quote:
      return <blockquote>{node.children.map(draw)}</blockquote>;
    default:
      return unescape(node.source);
  }
}

function drawCommand(
  name: string,
  words: string[],
  label: Node[] | undefined,
  source: string,
): preact.ComponentChild {
  if (name === "date") return showDate(Number(words[0]), words[1] ?? "", plain(label ?? []));
  if (name === "subteam") return <Mention kind="groups" id={words[0]} />;
  if (["here", "channel", "everyone"].includes(name)) return <span class="mention">@{name}</span>;
  return label ? plain(label) : unescape(source);
}

function plain(nodes: Node[]): string {
  return unescape(nodes.map((one) => one.source).join(""));
}
