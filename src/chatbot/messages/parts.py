"""The parts of a message: each as blocks and, from the same source, as plain text.

Foreign text goes into rich text only, where nothing in it is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from chatbot.messages.message import Block
from chatbot.messages.words import cut, defuse, escape
from jobs_maint.durations import FarTime
from jobs_maint.models import name_window

__all__ = [
    "Button",
    "Line",
    "Part",
    "Span",
    "bold",
    "buttons",
    "channel",
    "code",
    "context",
    "divider",
    "paragraph",
    "plain",
    "preformatted",
    "table",
    "user",
    "usergroup",
    "when",
]

LONGEST_SPAN = 1_000
_LAST_WORD = re.compile(r"[a-z]+ $")


@dataclass(frozen=True, slots=True)
class Part:
    """`instead`: blocks for where Slack does not take the kind of the one block that is here."""

    blocks: tuple[Block, ...]
    text: str
    instead: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line: as rich text, as mrkdwn (for grey context) and as plain text."""

    rich: Block
    mrkdwn: str
    text: str


Line = Sequence[Span | str]


def _styled(text: str, style: str | None, mark: str) -> Span:
    # Cut first: an error can be megabytes long.
    shown = cut(defuse(text[: 2 * LONGEST_SPAN]), LONGEST_SPAN) or " "
    rich: Block = {"type": "text", "text": shown}
    if style:
        rich["style"] = {style: True}
    escaped = escape(shown)
    # A mark inside marked text would end it early.
    inner = escaped.replace(mark, "'") if mark else escaped
    return Span(rich, f"{mark}{inner}{mark}", escaped)


def plain(text: str) -> Span:
    return _styled(text, None, "")


def bold(text: str) -> Span:
    return _styled(text, "bold", "*")


def code(text: str) -> Span:
    """Only for what one can type or paste."""
    return _styled(text, "code", "`")


def user(user_id: str) -> Span:
    mention = f"<@{user_id}>"
    return Span({"type": "user", "user_id": user_id}, mention, mention)


def usergroup(group_id: str) -> Span:
    mention = f"<!subteam^{group_id}>"
    return Span({"type": "usergroup", "usergroup_id": group_id}, mention, mention)


def when(
    at: datetime, now: datetime, *, seconds: bool = False, begun: datetime | None = None
) -> Span:
    """The reader's local time; with the date from 12 h on: at 3 a.m., 10:55 reads as to come.

    `begun`: of both ends of a span its beginning, so that both have their date or neither.
    """
    if isinstance(at, FarTime):
        return plain(at.label)
    far = abs((now - (begun or at)).total_seconds()) > 43_200
    clock, written = ("{time_secs}", "%H:%M:%S") if seconds else ("{time}", "%H:%M")
    shown = f"{{date_short_pretty}} {clock}" if far else clock
    utc = at.astimezone(UTC)
    fallback = f"{utc:%-d %b {written}} UTC" if far else f"{utc:{written}} UTC"
    return _date(int(utc.timestamp()), shown, fallback)


WINDOW = timedelta(minutes=5)
"""The window of a digest that is as long ends half a minute before the minute it is named by."""
WITH_SECONDS = timedelta(minutes=10)
"""In a longer span a part of a minute does not matter."""


def tell_span(since: datetime, until: datetime, now: datetime) -> list[Span | str]:
    """Both ends; of a short span with seconds, of a day both with a date, or they read alike."""
    whole = all(at == at.replace(second=0, microsecond=0) for at in (since, until))
    exact = not whole and until - since <= WITH_SECONDS
    first, last = (when(at, now, seconds=exact, begun=since) for at in (since, until))
    return [first, " to ", last]


def tell_between(first: datetime, last: datetime, now: datetime) -> list[Span | str]:
    """When several happened: `at 11:58`, `from 11:20 to 11:58`."""
    if last - first < timedelta(seconds=1):
        return ["at ", when(last, now)]
    return ["from ", *tell_span(first, last, now)]


def tell_window(since: datetime, until: datetime, now: datetime) -> list[Span | str]:
    """Both ends of a span that was asked for, as the digest whose window it is names them."""
    is_window = until.second == 30 and not until.microsecond and until - since >= WINDOW
    if is_window or until - since > WITH_SECONDS:
        since, until = name_window(since, until)
    return tell_span(since, until, now)


def tell_later(until: datetime | None, now: datetime) -> Line:
    """Under what shows a span that has ended: it is no answer to what fails now."""
    if until is None or until >= now:
        return []
    return ["What failed after ", when(until, now, seconds=True), " is not shown here."]


def _date(stamp: int, shown: str, fallback: str) -> Span:
    rich = {"type": "date", "timestamp": stamp, "format": shown, "fallback": fallback}
    return Span(rich, f"<!date^{stamp}^{shown}|{fallback}>", fallback)


def channel(channel_id: str) -> Span:
    mention = f"<#{channel_id}>"
    return Span({"type": "channel", "channel_id": channel_id}, mention, mention)


def _spans(line: Line) -> list[Span]:
    """Slack writes "Yesterday" where it begins a date, so a word before it is made part of it."""
    spans: list[Span] = []
    for span in (plain(one) if isinstance(one, str) else one for one in line if one != ""):
        shown, before = span.rich.get("format", ""), spans[-1].rich if spans else {}
        before = before if "pretty" in shown and before.keys() == {"type", "text"} else {}
        if word := _LAST_WORD.search(before.get("text", "")):
            spans[-1:] = [plain(before["text"][: word.start()])] if word.start() else []
            spans.append(_date(span.rich["timestamp"], word[0] + shown, word[0] + span.text))
        else:
            spans.append(span)
    return spans


def _section(lines: Sequence[Line]) -> tuple[Block, str]:
    elements: list[Block] = []
    texts = []
    for i, line in enumerate(lines):
        if i:
            elements.append({"type": "text", "text": "\n"})
        spans = _spans(line)
        elements += [span.rich for span in spans]
        texts.append("".join(span.text for span in spans))
    return {"type": "rich_text_section", "elements": elements}, "\n".join(texts)


def paragraph(*lines: Line, pre: str = "") -> Part:
    """Lines of text, then perhaps preformatted text."""
    section, text = _section([line for line in lines if line])
    elements = [section]
    if pre:
        elements.append(_pre(pre))
        text = f"{text}\n{escape(pre)}"
    return Part(({"type": "rich_text", "elements": elements},), text)


def _pre(text: str) -> Block:
    shown = defuse(text) or " "
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": shown}]}


def preformatted(text: str) -> Part:
    return Part(({"type": "rich_text", "elements": [_pre(text)]},), escape(text))


def context(*lines: Line) -> Part:
    """Grey and small: one element a line. Our own words, times, ids and code, no foreign text."""
    shown = [_spans(line) for line in lines if line]
    elements = [
        {"type": "mrkdwn", "text": cut("".join(span.mrkdwn for span in line), 2_900)}
        for line in shown
    ]
    text = "\n".join("".join(span.text for span in line) for line in shown)
    return Part(({"type": "context", "elements": elements},), text)


def divider() -> Part:
    return Part(({"type": "divider"},), "")


@dataclass(frozen=True, slots=True)
class Button:
    """A click runs `words` as if they were typed; `refresh` puts the answer in place.

    `action`: another action id than that of running words; the words are then only its value.
    `sure`: what a dialog says before the click counts; its title and its button say the label.
    `link`: a web address that it opens, instead of running anything.
    """

    label: str
    words: str
    style: Literal["primary", "danger"] | None = None
    refresh: bool = False
    action: str | None = None
    sure: str | None = None
    link: str | None = None


def buttons(*there: Button) -> Part:
    """A row of buttons. One whose words Slack would refuse or change is left out."""
    elements = []
    for i, button in enumerate(there):
        if button.link is not None:
            label = {"type": "plain_text", "text": cut(button.label, 75), "emoji": False}
            action = f"link:{i}:{button.link}"[:255]
            elements.append(
                {"type": "button", "text": label, "action_id": action, "url": button.link}
            )
            continue
        if not 0 < len(button.words) <= 2_000 or defuse(button.words) != button.words:
            continue
        kind = "refresh" if button.refresh else "run"
        element: dict[str, Any] = {
            "type": "button",
            "text": {"type": "plain_text", "text": cut(defuse(button.label), 75), "emoji": False},
            "action_id": (button.action or f"jobs_{kind}:{button.words}")[:255],
            "value": button.words,
        }
        if button.sure:
            element["confirm"] = {
                "title": {"type": "plain_text", "text": cut(defuse(button.label), 100)},
                "text": {"type": "plain_text", "text": cut(defuse(button.sure), 300)},
                "confirm": {"type": "plain_text", "text": cut(defuse(button.label), 30)},
                "deny": {"type": "plain_text", "text": "Not now"},
            }
            if button.style == "danger":
                element["confirm"]["style"] = "danger"
        if button.style:
            element["style"] = button.style
        elements.append(element)
    blocks = ({"type": "actions", "elements": elements},) if elements else ()
    return Part(blocks, "")


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    sentences: Sequence[Line],
    bold_rows: int = 0,
    words: Collection[str] = (),
) -> Part:
    """Numbers right-aligned, the first column and those of `words` left; so many rows bold.

    `sentences` say the same to those who cannot see a table: columns that wrap say nothing.
    """
    cells = [[_cell(name) for name in header]]
    cells += [[_cell(value, strong=i < bold_rows) for value in row] for i, row in enumerate(rows)]
    right: list[Block] = [{"align": "left" if name in words else "right"} for name in header[1:]]
    block = {"type": "table", "column_settings": [{"is_wrapped": True}, *right], "rows": cells}
    told = paragraph(*sentences)
    return Part((block,), told.text, told.blocks)


def _cell(value: str, *, strong: bool = False) -> Block:
    text = defuse(value) or "–"
    if not strong:
        return {"type": "raw_text", "text": text}
    element = {"type": "text", "text": text, "style": {"bold": True}}
    section = {"type": "rich_text_section", "elements": [element]}
    return {"type": "rich_text", "elements": [section]}
