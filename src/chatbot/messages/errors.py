"""An error as one sentence that says what to do."""

from __future__ import annotations

import re
from dataclasses import replace

from chatbot.messages.message import Message
from chatbot.messages.packer import pack
from chatbot.messages.parts import Button, Line, Span, bold, buttons, code, context, paragraph
from chatbot.messages.times import spell_times
from chatbot.messages.words import cut, sentence
from jobs_maint.errors import (
    DatabaseUnavailable,
    InvalidRequest,
    JobNotFound,
    JobsMaintError,
    QueueingLockTaken,
    SelectionExpired,
    WrongJobStatus,
)
from jobs_maint.models import ErrorsReport, Report, StatsReport, WorkersReport, say_standby

__all__ = [
    "add_note",
    "add_notes",
    "render_error",
    "render_note",
    "render_stopped",
    "render_unexpected",
]

_CHANGED_NOTHING = (
    InvalidRequest,
    JobNotFound,
    WrongJobStatus,
    QueueingLockTaken,
    SelectionExpired,
)
LONGEST = 1_500
_HEAD = re.compile(r"""(?:(?<!\w)(['"`]).*?\1(?!\w)|;(?! )|[^;])*""", re.DOTALL)
"""Up to the first semicolon of the sentence, not of a name that it quotes."""


def render_error(
    error: JobsMaintError,
    command: str,
    typed: str,
    *,
    suggestion: str | None = None,
    whom: Line | None = None,
) -> Message:
    """`typed`: the words as received; `suggestion`: words that a button offers to run instead.

    `whom`: to ask where what to do is not the asker's to do; empty: there is nobody.

    A button without words was not typed: there is nothing to quote.
    """
    text = sentence(cut(str(error), LONGEST))
    head = next(_HEAD.finditer(text))[0]
    rest = text[len(head) + 2 :]
    usual = isinstance(error, _CHANGED_NOTHING)
    line: list[Span | str] = ["🟡 " if usual else "🔴 "]
    told = spell_times(f"{head};" if rest else head)
    line += [bold(one) if isinstance(one, str) else one for one in told if one]
    if whom is not None:
        rest = rest if whom else ""
        line += ["" if rest else ".", *([" ask ", *whom, ":"] if whom else [])]
    parts = [paragraph([*line, " ", *spell_times(rest)] if rest else line)]
    if suggestion:
        label = cut(f"Run {command} {suggestion}", 75)
        parts.append(buttons(Button(label, suggestion)))
    note: list[Span | str] = [code(cut(f"{command} {typed}", 300))] if typed else []
    if isinstance(error, DatabaseUnavailable) and error.unbegun:
        note += [" · " if typed else "", "nothing was changed; try again once the database answers"]
    elif typed and usual and getattr(error, "why", "") != "used":  # then it tells what was
        note += [" · nothing was changed"]
    if note:
        parts.append(context(note))
    return pack(parts)


def render_unexpected(error_id: str, command: str, typed: str, *, act: bool) -> Message:
    """The cause is only in the log; `error_id` finds it there."""
    lines: list[Line] = [["🔴 ", bold("Something went wrong in the bot, not in what you typed.")]]
    if act:
        lines.append(["It may or may not have been done: check the job before you try again."])
    lines.append(["The bot's log has the reason under ", code(error_id), "."])
    return pack([paragraph(*lines), context([code(cut(f"{command} {typed}".strip(), 300))])])


def render_stopped(command: str, typed: str) -> Message:
    """The process ended before the work did."""
    return pack(
        [
            paragraph(
                ["🔴 ", bold("The bot was stopped before it could answer.")],
                ["If this was meant to change jobs, check them before you try again."],
            ),
            context([code(cut(f"{command} {typed}".strip(), 300))]),
        ]
    )


def render_note(text: str) -> Message:
    """A sentence of our own."""
    return pack([paragraph([sentence(text)])])


def add_note(message: Message, *line: Span | str) -> Message:
    """The same message with one grey line after it; the packer leaves room for that."""
    note = context(line)
    # A table is drawn at the bottom wherever it stands.
    text, blocks = f"{message.text}\n{note.text}", [*message.blocks, *note.blocks]
    return replace(message, text=text, blocks=blocks)


def add_notes(message: Message, report: Report) -> Message:
    """What was read on a standby says how old it is; errors that wait in workers are told."""
    if isinstance(report, ErrorsReport | StatsReport | WorkersReport) and report.unstored:
        message = add_note(message, sentence(cut(report.unstored, 600)))
    lag = report.standby_lag_seconds
    return message if lag is None else add_note(message, say_standby(lag))
