"""What is kept of a failed attempt: cut first, then made harmless, then grouped.

An exception's text can be anything: it may be a megabyte, contain NUL bytes or lone surrogates,
and its `__str__` may itself fail.
"""

from __future__ import annotations

import re
import time
import traceback
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from jobs_maint import upstream
from jobs_maint.fingerprint import build_fingerprint
from jobs_maint.redaction import DEFAULT, redact_text
from jobs_maint.redaction.inserts import find_end_of_rows

if TYPE_CHECKING:
    from procrastinate.jobs import Job

__all__ = [
    "Failure",
    "build_failure",
    "cut",
    "describe_traceback",
    "describe_type",
]

MESSAGE_BYTES = 4_096
STORM_MESSAGE_BYTES = 512
"""For the failures of a group beyond its first hundred in an hour."""
TRACEBACK_BYTES = 32_768
TYPE_BYTES = 200
LOOKED_AT = 500
"""Characters on either side of where a cut ends, for the name of what follows."""
ROWS_BEFORE = 50_000
"""Characters before it in which the columns of an INSERT are looked for whose rows it has."""
STEPS = (0, 1, 1, 1, 1, 1, 40, 160, 400)
"""From one blank to where the next is looked for, while a secret goes on."""
MOST_EXCEPTIONS = 500
"""In one exception group or chain; of more, only the outermost is described, as reading the rest
would block the event loop for seconds."""
_ROWS = re.compile("into|copy", re.IGNORECASE)
_BLANK = re.compile(r"[ \n]")

SLOW_TEXT = 0.1
"""Seconds: an exception whose text takes longer is asked for it once."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt, ready to be stored."""

    job_id: int
    attempt: int
    queue_name: str
    task_name: str
    kind: str
    exception_type: str
    message: str
    short_message: str
    """What is stored where the group has enough tracebacks."""
    fingerprint: str
    will_retry: bool
    traceback: str | None
    happened_at: float = field(default_factory=time.monotonic)
    """By the clock of `time.monotonic`; it may be stored much later."""


def build_failure(
    job: Job,
    exc: BaseException,
    *,
    aborted: bool,
    will_retry: bool,
    has_enough_of: Callable[[str], bool],
) -> Failure:
    """`has_enough_of`: whether a group of this fingerprint keeps no more tracebacks now."""
    begun = time.monotonic()
    text = _say(exc)
    slow = time.monotonic() - begun > SLOW_TEXT
    type_name = describe_type(exc)
    fingerprint = build_fingerprint(job.task_name, type_name, _tell_kind(text))
    has_enough, short = has_enough_of(fingerprint), cut(text, STORM_MESSAGE_BYTES)
    return Failure(
        job_id=job.id or 0,
        attempt=min(job.attempts + 1, upstream.MOST_ATTEMPTS),
        queue_name=job.queue,
        task_name=job.task_name,
        kind="aborted" if aborted else "error",
        exception_type=type_name,
        message=short if has_enough else cut(text, MESSAGE_BYTES),
        short_message=short,
        fingerprint=fingerprint,
        will_retry=will_retry,
        traceback=None if has_enough else describe_traceback(exc, text if slow else None),
        happened_at=begun,
    )


def _tell_kind(text: str) -> str:
    """What of it tells errors apart; never shown, so that nothing is looked for in it."""
    if len(text) > MESSAGE_BYTES:
        text = f"{text[: MESSAGE_BYTES * 3 // 5]}\n…\n{text[-MESSAGE_BYTES * 3 // 10 :]}"
    return _encode(text).decode()


def cut(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8 that PostgreSQL can store; both ends are kept.

    NUL is shown as ␀, a lone surrogate as its escape; a cut says how many characters are missing.
    A text is cut once, from the whole: a second cut would not count what the first one took.
    """
    if len(text) <= limit and len(_encode(text)) <= limit:
        return _encode(text).decode()
    head_size, tail_size = limit * 3 // 5, limit * 3 // 10
    # Characters first: encoding a megabyte to keep 4 KB of it would be wasteful.
    head = _fit(text[:head_size], head_size)
    head = head[: max(head.rfind(" "), head.rfind("\n")) + 1 or None]
    tail = _begin_apart(text, len(_fit(text[: -tail_size - 1 : -1], tail_size)))
    dropped = len(text) - len(head) - len(tail)
    return _encode(f"{head}\n… {dropped:,} characters cut …\n{tail}").decode()


def _encode(text: str) -> bytes:
    return text.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "backslashreplace")


def _fit(text: str, size: int) -> str:
    """As much of its beginning as takes `size` bytes."""
    ends = range(1, len(text) + 1)
    return text[: bisect_right(ends, size, key=lambda end: len(_encode(text[:end])))]


def _begin_apart(text: str, size: int) -> str:
    """At most that much of its end, without the rest of a word, or of a secret, that was cut.

    Half a secret is not known for one any more, nor is one without its name; where it goes on and
    on nothing is kept. One long word, as of encoded data, is cut all the same.
    """
    begin = len(text) - size
    before = text[max(0, begin - ROWS_BEFORE) : begin]
    if _ROWS.search(before):
        begin += find_end_of_rows(before, text[begin:], DEFAULT) or 0
    end, tail = begin + LOOKED_AT, text[begin:]
    shown = redact_text(text[max(0, begin - LOOKED_AT) : end])
    for step in STEPS:
        blank = _BLANK.search(text, begin + step)
        if blank is None:
            break
        begin, tail = blank.start(), ""
        if shown.endswith(redact_text(text[begin:end])):
            return text[begin:]
    return tail


def _say(exc: BaseException) -> str:
    try:
        return str(exc)
    except BaseException as broken:  # noqa: BLE001  a broken __str__ must not hide the failure
        return f"(no message: str() raised {type(broken).__name__})"


def describe_type(exc: BaseException) -> str:
    return cut(str(type(exc).__qualname__), TYPE_BYTES)


def describe_traceback(exc: BaseException, slow_text: str | None = None) -> str:
    """The traceback without the worker's own frames; some text even when formatting fails.

    `slow_text`: what it says, where that is not to be asked for once more.
    """
    frames = _skip_worker_frames(exc.__traceback__)
    try:
        if slow_text is not None:
            why = "its str() was slow, so its causes are not shown"
            text = _describe_alone(exc, frames, slow_text, why)
        elif _is_too_wide(exc):
            why = f"one of more than {MOST_EXCEPTIONS} exceptions; the others are not shown"
            text = _describe_alone(exc, frames, _say(exc), why)
        else:
            formatted = traceback.TracebackException(type(exc), exc, frames, compact=True)
            text = "".join(formatted.format())
    except BaseException as broken:  # noqa: BLE001
        text = f"{describe_type(exc)} (no traceback: formatting raised {type(broken).__name__})"
    return cut(text, TRACEBACK_BYTES)


def _describe_alone(exc: BaseException, frames: TracebackType | None, said: str, why: str) -> str:
    """Without its causes, and `why` that is so."""
    told = f"{describe_type(exc)}: {cut(said, MESSAGE_BYTES)}"
    return f"{''.join(traceback.format_tb(frames))}{told}\n({why})\n"


def _is_too_wide(exc: BaseException) -> bool:
    """Whether the group or chain holds more than MOST_EXCEPTIONS."""
    seen: set[int] = set()
    waiting: list[BaseException] = [exc]
    while waiting and len(seen) <= MOST_EXCEPTIONS:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [other for other in (one.__cause__, one.__context__) if other is not None]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions[: MOST_EXCEPTIONS + 1]
    return len(seen) > MOST_EXCEPTIONS


_WORKER_PACKAGES = {"procrastinate", "jobs_maint", "asyncio", "asgiref", "concurrent", "threading"}
"""Frames between the worker and the task; asgiref runs sync tasks in a thread."""


def _skip_worker_frames(tb: TracebackType | None) -> TracebackType | None:
    first = tb
    while tb is not None:
        module = str(tb.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in _WORKER_PACKAGES:
            return tb
        tb = tb.tb_next
    return first
