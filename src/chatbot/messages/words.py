"""Foreign text made harmless, and numbers as a reader wants them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from jobs_maint.durations import format_age, format_span
from jobs_maint.models import LARGEST_LIMIT
from jobs_maint.quoting import show_name

__all__ = [
    "ago",
    "all_well",
    "count",
    "cut",
    "cut_middle",
    "defuse",
    "escape",
    "first_lines",
    "larger_limit",
    "name_queue",
    "number",
    "say_change",
    "say_lately",
    "say_span",
    "sentence",
    "short_task",
]

_INVISIBLE = re.compile(
    # Controls but tab and newline; what turns the reading direction; lone surrogates; tags.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)

_STORED_CUT = re.compile(r"\n… (?P<missing>\d[\d,]{0,14}) characters cut …\n")
"""What the recorder left out of a long traceback."""

DOTS = {"red": "🔴", "yellow": "🟡", "green": "🟢"}
"""Of a verdict, by its level."""


def all_well(limited_to_queues: Sequence[str] | None, *, sure: bool = True) -> str:
    """The dot of good news; yellow where they are not of all that was asked for."""
    return "🟢 " if sure and limited_to_queues is None else "🟡 "


def defuse(text: str) -> str:
    """Text of unknown origin without characters that act instead of showing."""
    return _INVISIBLE.sub("", text.replace("\r\n", "\n"))


def escape(text: str) -> str:
    """Foreign text for mrkdwn: no mention, link or code fence in it takes effect."""
    plain = defuse(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("```", "'''")


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def name_queue(name: str) -> str:
    """All of it is seen, also an empty one."""
    return cut(show_name(name), 60)


def cut_middle(text: str, limit: int, where: str) -> str:
    """Both ends of a long text, the end longer; between them how much is left out, and `where`."""
    if len(text) <= limit:
        return text
    room = max(limit - 120, 8)
    # At whole lines where there are any: half a line misleads.
    head = text[: room // 4].rpartition("\n")[0] or text[: room // 4]
    tail = text[-(room - room // 4) :].partition("\n")[2] or text[-(room - room // 4) :]
    middle = text[len(head) : len(text) - len(tail)]
    left_out = len(middle)
    for stored in _STORED_CUT.finditer(middle):
        left_out += int(stored["missing"].replace(",", "")) - len(stored[0])
    return f"{head}\n… {left_out:,} characters left out; {where} …\n{tail}"


def first_lines(text: str, lines: int = 2, width: int = 110) -> str:
    """The first lines that say something, each cut to `width`; `…` where there was more.

    One line alone may be as long as all of them: what matters often stands at its end.
    """
    # An error message can be megabytes; only its beginning is looked at.
    there = [line.strip() for line in defuse(text[:8_000]).splitlines() if line.strip()]
    if len(there) == 1:
        return cut(there[0], lines * width)
    shown = [cut(line, width) for line in there[:lines]]
    if len(there) > lines and shown and not shown[-1].endswith("…"):
        shown[-1] = cut(f"{shown[-1]} …", width + 2)
    return "\n".join(shown)


def number(value: int) -> str:
    """`1,204`; zero as `–`, so that what is not zero stands out."""
    return f"{value:,}" if value else "–"


def count(value: int, noun: str, plural: str | None = None) -> str:
    """`1 job`, `1,204 jobs`."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def ago(span: timedelta) -> str:
    """`14 min ago`; below a second nobody cares for tenths."""
    return f"{format_age(span)} ago" if span >= timedelta(seconds=1) else "just now"


def say_span(seconds: float) -> tuple[str, str]:
    """How a window and the one before it are called: `24 hours`, `the day before`.

    To half an hour, as a day has in a zone that puts its clocks forward by so much.
    """
    hours = seconds / 3_600
    if abs(hours - 24) < 0.25:
        return "24 hours", "the day before"
    if 0.95 <= hours <= 1.05:
        return "hour", "the hour before"
    if abs(hours - 168) < 2:
        return "7 days", "the week before"
    if hours >= 48:
        return f"{hours / 24:.0f} days", f"the {hours / 24:.0f} days before"
    if hours >= 1.75:
        said = f"{round(2 * hours) / 2:g} hours"
        return said, f"the {said} before"
    if 57 <= seconds <= 63:
        return "minute", "the minute before"
    span = f"{max(1, round(seconds))} s" if seconds < 100 else format_span(seconds)
    return span, f"the {span} before"


def say_lately(seconds: float, until: datetime | None, as_of: datetime) -> str:
    """`in the last hour`, also of an hour that ended a minute ago; else `in one hour`."""
    span, _ = say_span(seconds)
    if until is None or (as_of - until).total_seconds() <= seconds / 60:
        return f"in the last {span}"
    return f"in {'one ' * (span in {'hour', 'minute'})}{span}"


def say_change(value: int, previous: int, period: str) -> str:
    """`up from 6 the day before`; `period` is the second half of `say_span`."""
    if period[4:5].isdigit():  # the 6 hours before
        period = f"in {period}"
    if not previous:
        return f"none {period}"
    if value == previous:
        return f"same as {period}"
    return f"{'up' if value > previous else 'down'} from {previous:,} {period}"


def larger_limit(limit: int) -> int:
    """The next step of `--limit` that shows more than this one."""
    return next((size for size in (20, 50, 100, 500) if size > limit), LARGEST_LIMIT)


def sentence(text: str) -> str:
    """Beginning with a capital, ending with a full stop."""
    text = text.strip()
    if not text:
        return text
    return f"{text[0].upper()}{text[1:]}" + ("" if text[-1] in ".!?…" else ".")


def short_task(task: str) -> str:
    """`team.tasks.deliver_webhook` → `deliver_webhook`."""
    return cut(show_name((task.rpartition(".")[2] or task)[:500]), 60) if task else ""
