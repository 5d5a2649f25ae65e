// A command as it was written, and as it is copied; a line never ends within an option or a name.

const WHOLE = /(--[a-z][a-z-]{0,20}|\b[EI]-[0-9a-z]{1,16})/;

export function Command({ text }: { text: string }) {
  return <>{text.split(WHOLE).map((part, i) => (i % 2 ? <span class="whole">{part}</span> : part))}</>;
}
