// Times as Slack shows them: in the reader's own zone and language.

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const clockWithSeconds = new Intl.DateTimeFormat(undefined, {
  hour: "numeric",
  minute: "2-digit",
  second: "2-digit",
});
const shortDay = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const longDay = new Intl.DateTimeFormat(undefined, {
  weekday: "long",
  month: "long",
  day: "numeric",
});
const dateWithYear = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  year: "numeric",
});
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export const atTs = (ts: string): Date => new Date(Number(ts) * 1000);
export const showClock = (at: Date): string => clock.format(at);
export const showSeconds = (at: Date): string => clockWithSeconds.format(at);
export const showWhole = (at: Date): string => whole.format(at);

export function showDay(at: Date, now = new Date()): string {
  return relative(at, now) ?? longDay.format(at);
}

/** Today, yesterday or tomorrow; else nothing. */
function relative(at: Date, now: Date): string | undefined {
  const days = Math.round((startOf(at) - startOf(now)) / 86_400_000);
  return { "-1": "Yesterday", "0": "Today", "1": "Tomorrow" }[String(days)];
}

function startOf(at: Date): number {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}

/** The text of `<!date^…>`; the fallback where Slack would not know the format either. */
export function showDate(seconds: number, format: string, fallback: string): string {
  const at = new Date(seconds * 1000);
  if (Number.isNaN(at.getTime())) return fallback;
  // As in Slack: "Yesterday" where it begins the format, else "yesterday".
  const day = relative(at, new Date());
  const pretty = format.startsWith("{") ? day : day?.toLowerCase();
  const shown: Record<string, () => string> = {
    date_num: () => at.toLocaleDateString("sv"),
    date_slash: () => at.toLocaleDateString(),
    date: () => dateWithYear.format(at),
    date_short: () => shortDay.format(at),
    date_long: () => longDay.format(at),
    date_pretty: () => pretty ?? dateWithYear.format(at),
    date_short_pretty: () => pretty ?? shortDay.format(at),
    date_long_pretty: () => pretty ?? longDay.format(at),
    time: () => clock.format(at),
    time_secs: () => clockWithSeconds.format(at),
  };
  let isKnown = true;
  const text = format.replace(/\{(\w+)\}/g, (_, name) => {
    isKnown &&= name in shown;
    return shown[name]?.() ?? "";
  });
  return isKnown ? text : fallback;
}
