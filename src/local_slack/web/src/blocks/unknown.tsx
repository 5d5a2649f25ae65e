/** What the page cannot draw is named, never dropped. */
export function Unknown({ kind }: { kind: unknown }) {
  return (
    <span class="unknown">
      Slack would show a <code>{String(kind)}</code> here
    </span>
  );
}
