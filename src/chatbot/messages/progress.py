"""A long act in progress, and the message when it breaks off."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from chatbot.messages.act_words import (
    PREVIEW_REST,
    Asked,
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
    user,
    when,
)
from chatbot.messages.words import count, sentence
from jobs_maint.durations import format_age
from jobs_maint.models import LostRun
from jobs_maint.render import format_rate
from jobs_maint.verbs import find_verb

__all__ = ["Progress", "render_broken", "render_lost", "render_progress"]

CELLS = 10
KEPT = "Completed work is kept; nothing runs twice"
LOOKED_AT = {"done", "skipped", "failed", "succeeded", "cancelled", "aborted"}
"""Counts of a run that are jobs; a purge also counts rows of our own tables."""


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


def render_progress(progress: Progress, command: str) -> Message:
    where = name_queues((), read_asked(progress.words))
    total = "jobs" if progress.total is None else count(progress.total, "job")
    title = f"{find_verb(progress.verb).doing} {total}{where}: {progress.done:,} done"
    parts: list[Part] = [paragraph([bold(title)], _bar(progress))]
    if progress.stopping:
        parts.append(paragraph(["Stopping after this batch."]))
    elif progress.audit_id is not None:
        there = str(progress.audit_id)
        parts.append(buttons(Button("Stop", there, action=f"jobs_stop:{there}")))
    parts.append(typed(command, progress.words, "confirmed by ", user(progress.by)))
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
    far = _broke_off(how, progress.done, progress.total, certain=progress.certain)
    lines: list[Line] = [
        ["🔴 ", bold(f"{far}.")],
        [sentence(one_line(reason, 600))],
        [f"{KEPT}. Once that is fixed, preview the rest."],
    ]
    who: list[Span | str] = ["confirmed by ", user(progress.by)]
    if progress.audit_id is not None:
        who.append(f" · request {progress.audit_id}")
    rest = buttons(Button(PREVIEW_REST, progress.words, "primary"))
    return pack([paragraph(*lines), rest, typed(command, progress.words, *who)])


def render_lost(run: LostRun, command: str) -> Message:
    """The process that ran it is gone: how far it got, and a button for the rest."""
    done = sum(value for name, value in run.counts.items() if name in LOOKED_AT)
    asked = read_asked(run.words)
    doing = f"{find_verb(run.word).doing.lower()} jobs{name_queues((), asked)}"
    lines: list[Line] = [
        ["🟡 ", bold(f"{_broke_off('Interrupted', done, run.total)}.")],
        [f"The bot stopped while {doing}{_tell_counts(run, asked)}. {KEPT}."],
    ]
    there = [Button(PREVIEW_REST, run.words, "primary")]
    changed = run.counts.get("done", 0)
    if changed and run.word in {"cancel", "discard"}:
        there.append(undo_request(run.audit_id, None if asked.running else changed))
    is_user = re.fullmatch(r"[UW][A-Z0-9]+", run.actor_id)
    who = user(run.actor_id) if is_user else one_line(run.actor_id)
    about = ["confirmed by ", who, " at ", when(run.started_at, run.started_at)]
    about.append(f" · request {run.audit_id}")
    return pack([paragraph(*lines), buttons(*there), typed(command, run.words, *about)])


def _tell_counts(run: LostRun, asked: Asked) -> str:
    """`: 488 cancelled, 12 skipped`; nothing for a purge, which counts no single jobs."""
    changed = "changed" if asked.running else find_verb(run.word).done
    names = (("done", changed), ("skipped", "skipped"), ("failed", "failed"))
    there = [f"{run.counts[name]:,} {word}" for name, word in names if run.counts.get(name)]
    return f": {', '.join(there)}" if run.word != "purge" and there else ""


def _broke_off(how: str, done: int, total: int | None, *, certain: bool = True) -> str:
    about = "" if certain else "about "
    if total is None:
        return f"{how} after {about}{count(done, 'job')}"
    if not done:
        where = "before the first" if certain else "in the first batch"
        return f"{how} {where} of {count(total, 'job')}"
    return f"{how} after {about}{done:,} of {count(total, 'job')}"
