// Block Kit, block by block.

import { Component } from "preact";
import type { Part } from "../types";
import { Chart } from "./chart";
import { Command } from "./command";
import { useHost } from "./context";
import { Element } from "./elements";
import { TextObject } from "./mrkdwn";
import { RichText } from "./rich_text";
import { Table } from "./tables";
import { Unknown } from "./unknown";

export function Blocks({ blocks }: { blocks: Part[] }) {
  // Slack draws the table of a message at its bottom, wherever it stands.
  const isLast = (block: Part) => block.type === "table" || block.type === "data_table";
  const sorted = [...blocks.filter((one) => !isLast(one)), ...blocks.filter(isLast)];
  return (
    <>
      {sorted.map((block) => (
        <Careful key={block.block_id} block={block} />
      ))}
    </>
  );
}

/** A block that breaks the page's own code is named like one that it does not know. */
class Careful extends Component<{ block: Part }, { broke: boolean }> {
  static getDerivedStateFromError() {
    return { broke: true };
  }

  componentDidUpdate(before: { block: Part }) {
    if (before.block !== this.props.block && this.state.broke) this.setState({ broke: false });
  }

  render() {
    const { block } = this.props;
    return this.state.broke ? <Unknown kind={block.type} /> : <Block block={block} />;
  }
}

function Block({ block }: { block: Part }) {
  const host = useHost();
  switch (block.type) {
    case "rich_text":
      return <RichText block={block} />;
    case "section":
      return <Section block={block} />;
    case "context":
      return <Context block={block} />;
    case "actions":
      return (
        <div class="actions">
          {block.elements.map((one: Part) => (
            <Element key={one.action_id} element={one} blockId={block.block_id} />
          ))}
        </div>
      );
    case "divider":
      return <hr />;
    case "header":
      return <h3 class="header">{block.text.text}</h3>;
    case "table":
    case "data_table":
      return <Table block={block} />;
    case "data_visualization":
      return <Chart block={block} />;
    case "image":
      return <Picture image={block} />;
    case "markdown":
      // Not Slack's own markup but a large one: named, and shown as it was written.
      return (
        <div class="paragraph">
          <Unknown kind={block.type} />
          {`\n${block.text}`}
        </div>
      );
    case "alert":
      return (
        <div class={`alert ${block.level ?? "default"}`} role="note">
          <TextObject text={block.text} />
        </div>
      );
    case "container":
      return <Container block={block} />;
    case "input":
      return <>{host.input?.(block) ?? <LoneInput block={block} />}</>;
    default:
      return <Unknown kind={block.type} />;
  }
}

/** In a message there is no form: an input either tells the app at once, or keeps what it has. */
function LoneInput({ block }: { block: Part }) {
  return (
    <div class="input">
      <div class="label">{block.label.text}</div>
      {block.dispatch_action ? (
        <Element element={block.element} blockId={block.block_id} />
      ) : (
        <Unknown kind={block.element.type} />
      )}
    </div>
  );
}

function Section({ block }: { block: Part }) {
  return (
    <div class="section">
      <div class="texts">
        {block.text && (
          <div class="paragraph">
            <TextObject text={block.text} />
          </div>
        )}
        {block.fields && (
          <div class="fields">
            {block.fields.map((field: any, i: number) => (
              <div key={i} class="paragraph">
                <TextObject text={field} />
              </div>
            ))}
          </div>
        )}
      </div>
      {block.accessory && <Element element={block.accessory} blockId={block.block_id} />}
    </div>
  );
}

function Context({ block }: { block: Part }) {
  return (
    <div class="context">
      {block.elements.map((one: any, i: number) => (
        <span key={i}>
          {one.type === "image" ? (
            <Picture image={one} />
          ) : one.type === "plain_text" ? (
            <Command text={one.text} />
          ) : (
            <TextObject text={one} />
          )}
        </span>
      ))}
    </div>
  );
}

/** Nothing is loaded from elsewhere: a picture is a link to it. */
export function Picture({ image }: { image: Part }) {
  const alt = image.alt_text || "picture";
  return image.image_url ? (
    <a class="picture" href={image.image_url} target="_blank" rel="noopener noreferrer">
      🖼 {alt}
    </a>
  ) : (
    <span class="picture">🖼 {alt}</span>
  );
}

function Container({ block }: { block: Part }) {
  const title = (
    <>
      <b>{block.rich_text_title ? <RichText block={block.rich_text_title} /> : block.title.text}</b>
      {block.subtitle && (
        <span class="context">
          <TextObject text={block.subtitle} />
        </span>
      )}
    </>
  );
  const children = <Blocks blocks={block.child_blocks} />;
  if (!block.is_collapsible) {
    return (
      <div class="container">
        {title}
        {children}
      </div>
    );
  }
  return (
    <details class="container" open={!block.default_collapsed}>
      <summary>{title}</summary>
      {children}
    </details>
  );
}
