"""A long act in progress, and the message when it breaks off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from chatbot.messages.act_words import (
    PREVIEW_REST,
    Asked,
    into_queues,
    name_queues,
    one_line,
    read_asked,
    typed,
    undo_request,
)
from chatbot.messages.message import Message
from chatbot.messages.packer import pack
from chatbot.messages.parts import (
    Button,
    Line,
    Part,
    Span,
    bold,
    buttons,
    code,
    paragraph,
    plain,
)
from chatbot.messages.people import name_actor
from chatbot.messages.words import count, sentence
from jobs_maint.durations import format_age
from jobs_maint.models import SkipGroup
from jobs_maint.render import format_rate, say_counts
from jobs_maint.verbs import find_verb

__all__ = ["KEPT", "Progress", "render_broken", "render_progress", "tell_break", "tell_counts"]

CELLS = 10
KEPT = "Completed work is kept; nothing runs twice"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an act has got: `done` jobs were looked at so far.

    Not `certain`: the act broke off with a database that does not answer, so the last batch may be
    stored or not.
    """

    verb: str
    words: str
    by: str
    done: int
    total: int | None
    elapsed_seconds: float
    audit_id: int | None
    stopping: bool = False
    certain: bool = True
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was done to them, as the audit counts it."""
    skips: Mapping[str, int] = field(default_factory=dict)
    """Those that were skipped, by the code of their reason."""
    failures: Sequence[SkipGroup] = ()
    """Those that failed, by reason."""


def render_progress(progress: Progress, command: str) -> Message:
    asked = read_asked(progress.words)
    total = "jobs" if progress.total is None else count(progress.total, "job")
    what = f"{find_verb(progress.verb).doing} {total}{name_queues((), asked)}"
    if progress.verb == "retry" and asked.puts_back:
        what = f"Putting {total} back{into_queues((), asked)}"
    title = f"{what}: {progress.done:,} done"
    parts: list[Part] = [paragraph([bold(title)], _bar(progress))]
    if progress.stopping:
        parts.append(paragraph(["Stopping after this batch."]))
    elif progress.audit_id is not None:
        there = str(progress.audit_id)
        parts.append(buttons(Button("Stop", there, action=f"jobs_stop:{there}")))
    parts.append(typed(command, progress.words, "confirmed by ", name_actor(progress.by)))
    return pack(parts)


def _bar(progress: Progress) -> Line:
    figures = []
    spans: list[Span | str] = []
    done, total = progress.done, progress.total
    if total is not None:
        part = min(done / total, 1.0) if total else 1.0
        full = int(part * CELLS)
        bar = code("█" * full + "░" * (CELLS - full))
        # Nobody wants to hear ten cells read aloud.
        spans = [replace(bar, text=""), replace(plain("  "), text="")]
        figures.append(f"{int(part * 100)} %")
    rate = done / progress.elapsed_seconds if progress.elapsed_seconds > 0 else 0.0
    if rate:
        figures.append(format_rate(rate))
        if total is not None and done < total and not progress.stopping:
            figures.append(f"about {format_age(max((total - done) / rate, 1.0))} left")
    return [*spans, " · ".join(figures) or "just started"]


def render_broken(progress: Progress, command: str, *, reason: str) -> Message:
    """The act failed halfway. `reason`: what broke it, a phrase or a sentence."""
    how = "Stopped by an error"
    far = tell_break(how, progress.done, progress.total, certain=progress.certain)
    asked = read_asked(progress.words)
    counted = (progress.verb, progress.counts, asked, progress.skips)
    if did := tell_counts(*counted, progress.failures):
        did = f"{did}. " if progress.certain else f"About {did}. "
    lines: list[Line] = [
        ["🔴 ", bold(f"{far}.")],
        [sentence(one_line(reason, 600))],
        [f"{did}{KEPT}. Once that is fixed, preview the rest."],
    ]
    who: list[Span | str] = ["confirmed by ", name_actor(progress.by)]
    if progress.audit_id is not None:
        who.append(f" · request {progress.audit_id}")
    there = [Button(PREVIEW_REST, progress.words, "primary")]
    done = progress.counts.get("done", 0)
    if done and progress.audit_id is not None and find_verb(progress.verb).can_undo:
        there.append(undo_request(progress.audit_id, done if progress.certain else None))
    return pack([paragraph(*lines), buttons(*there), typed(command, progress.words, *who)])


def tell_counts(
    word: str,
    counts: Mapping[str, int],
    asked: Asked,
    skips: Mapping[str, int],
    failures: Sequence[SkipGroup] = (),
) -> str:
    """`488 cancelled, 3 asked to abort, 12 skipped: queueing lock taken`."""
    done = "put back" if word == "retry" and asked.puts_back else ""
    said = say_counts(word, counts, done=done, skips=skips, failures=failures)
    return one_line(said, 1000) if said else ""


def tell_break(how: str, done: int, total: int | None, *, certain: bool = True) -> str:
    """`Interrupted after 500 of 1,200 jobs`."""
    about = "" if certain else "about "
    if total is None:
        return f"{how} after {about}{count(done, 'job')}"
    if not done:
        where = "before the first" if certain else "in the first batch"
        return f"{how} {where} of {count(total, 'job')}"
    return f"{how} after {about}{done:,} of {count(total, 'job')}"
