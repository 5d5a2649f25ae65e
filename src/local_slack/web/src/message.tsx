// One message in a channel or a thread.

import { Component } from "preact";
import { Blocks } from "./blocks/blocks";
import { Command } from "./blocks/command";
import { HostContext, type Host } from "./blocks/context";
import { Mrkdwn } from "./blocks/mrkdwn";
import { store } from "./store";
import { atTs, showClock, showWhole } from "./times";
import type { Message, Place } from "./types";

interface Props {
  message: Message;
  place: Place;
  replies: number;
  inThread?: boolean;
}

/** Drawn anew only when it was edited. */
export class MessageRow extends Component<Props> {
  shouldComponentUpdate(next: Props) {
    const { message, place, replies } = this.props;
    return message !== next.message || place !== next.place || replies !== next.replies;
  }

  render() {
    const { message, place, replies, inThread } = this.props;
    if (message.kind === "command") return <CommandRow message={message} place={place} />;
    const isBot = message.user === place.app.user;
    const name = message.kind === "error" ? "Slackbot" : (place.names.users[message.user] ?? message.user);
    return (
      <article class={message.private ? "message private" : "message"} data-ts={message.ts}>
        <Avatar name={name} isBot={isBot} hue={place.people.findIndex((one) => one.id === message.user)} />
        <div class="body">
          {message.private && <div class="only">Only visible to you</div>}
          <div class="who">
            <b>{name}</b>
            {isBot && <span class="app">APP</span>}
            <Time ts={message.ts} />
          </div>
          <HostContext.Provider value={hostOf(message, place)}>
            <Content message={message} />
          </HostContext.Provider>
          {message.edited && <div class="edited">(edited)</div>}
          {replies > 0 && !inThread && (
            <button type="button" class="replies" onClick={() => void store.openThread(message.ts)}>
              {replies === 1 ? "1 reply" : `${replies} replies`}
            </button>
          )}
        </div>
      </article>
    );
  }
}

function Content({ message }: { message: Message }) {
  if (message.blocks.length) return <Blocks blocks={message.blocks} />;
  return (
    <div class="paragraph">
      <Mrkdwn text={message.text} />
    </div>
  );
}

/** What somebody typed, above the answer that everybody sees. */
function CommandRow({ message, place }: { message: Message; place: Place }) {
  return (
    <div class="used" data-ts={message.ts}>
      <b>{place.names.users[message.user] ?? message.user}</b> used{" "}
      <code>
        <Command text={message.text} />
      </code>
    </div>
  );
}

function Avatar({ name, isBot, hue }: { name: string; isBot: boolean; hue: number }) {
  if (isBot) return <div class="avatar bot" aria-hidden="true">⚙️</div>;
  return (
    <div class={`avatar hue-${Math.max(0, hue) % 6}`} aria-hidden="true">
      {[...name][0]?.toUpperCase()}
    </div>
  );
}

function Time({ ts }: { ts: string }) {
  const at = atTs(ts);
  return (
    <time dateTime={at.toISOString()} title={showWhole(at)}>
      {showClock(at)}
    </time>
  );
}

function hostOf(message: Message, place: Place): Host {
  const where = { channel: message.channel, ts: message.ts };
  return {
    names: place.names,
    me: place.me,
    click: (element) =>
      store.act({ do: "click", ...where, action: element.action_id, value: element.value ?? null }),
    choose: (element, value) => store.act({ do: "choose", ...where, action: element.action_id, value }),
  };
}
