"""An act of which nobody was told when it ended: its bot died, or Slack did not answer."""

from __future__ import annotations

from typing import Any

from chatbot.messages.act_words import (
    PREVIEW_REST,
    Asked,
    into_queues,
    name_queues,
    one_line,
    read_asked,
    say_changed,
    typed,
    undo_request,
)
from chatbot.messages.group import say_mute
from chatbot.messages.message import Message
from chatbot.messages.packer import pack
from chatbot.messages.parts import Button, Line, Span, bold, buttons, paragraph, when
from chatbot.messages.people import name_actor
from chatbot.messages.progress import KEPT, tell_break, tell_counts
from chatbot.messages.words import sentence
from jobs_maint.actions import Action, MuteGroup, MuteIncident, TakeGroup, TakeIncident
from jobs_maint.errors import JobsMaintError
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import LostRun
from jobs_maint.render import say_counts
from jobs_maint.verbs import FINAL_STATUSES, VERBS, find_verb

__all__ = ["render_lost"]

Noted = TakeGroup | TakeIncident | MuteGroup | MuteIncident

LATE = "The bot could not say so before."
_CHANGED = ("done", "abort_requested")
_LOOKED_AT = (*_CHANGED, "skipped", "failed")
"""Counts of an act that are its jobs; a purge counts what it deleted by status."""


def render_lost(run: LostRun, command: str) -> Message:
    """What the act did or how far it came, and buttons for the rest and for undoing it."""
    asked = read_asked(run.words)
    purge = run.word == "purge"
    names = FINAL_STATUSES if purge else _LOOKED_AT
    looked = sum(run.counts.get(name, 0) for name in names)
    changed = looked if purge else sum(run.counts.get(name, 0) for name in _CHANGED)
    about: list[Span | str] = [
        "confirmed by " if run.total is not None else "asked by ",
        name_actor(run.actor_id),
    ]
    about += [" at ", when(run.started_at, run.started_at), f" · request {run.audit_id}"]
    broke_off = run.outcome in {"interrupted", "failed"}
    if broke_off:
        lines = _broke_off(run, asked, looked)
    elif run.counts or run.word in VERBS:
        lines = _ended(run, asked, changed)
    else:
        lines = [_tell_mark(run), [LATE]]
    lines += [[one_line(warning, 400)] for warning in run.warnings]
    there = []
    if broke_off or (run.outcome == "partly" and looked < (run.total or 0)):
        there.append(Button(PREVIEW_REST, run.words, "primary"))
    if changed and find_verb(run.word).can_undo:
        # Some of a set may have been put back meanwhile; the preview counts those that are left.
        is_sure = run.total is None and not run.counts.get("abort_requested")
        there.append(undo_request(run.audit_id, changed if is_sure else None))
    return pack([paragraph(*lines), buttons(*there), typed(command, run.words, *about)])


def _broke_off(run: LostRun, asked: Asked, looked: int) -> list[Line]:
    did = tell_counts(run.word, run.counts, asked, run.skips)
    if run.outcome == "failed":
        return [
            ["🔴 ", bold(f"{tell_break('Stopped by an error', looked, run.total)}.")],
            [sentence(one_line(run.error, 600))],
            [f"{did}. {KEPT}. {LATE}" if did else f"{KEPT}. {LATE}"],
        ]
    doing = f"{find_verb(run.word).doing.lower()} jobs{name_queues((), asked)}"
    if run.word == "retry" and asked.puts_back:
        doing = f"putting jobs back{into_queues((), asked)}"
    return [
        ["🟡 ", bold(f"{tell_break('Interrupted', looked, run.total)}.")],
        [f"The bot stopped while {doing}{': ' * bool(did)}{did}. {KEPT}."],
    ]


def _ended(run: LostRun, asked: Asked, changed: int) -> list[Line]:
    aborting = run.counts.get("abort_requested", 0)
    done = find_verb(run.word).done
    if aborting and aborting == changed:
        aborting, done = 0, "asked to abort"
    if len(run.changed) == changed == 1:
        what = f"Job {run.changed[0][0]} {done}"
    else:
        what = say_changed(run.word, changed - aborting, asked, done=done)
    rest = [f"{aborting:,} more asked to abort"] if aborting else []
    skipped = say_counts(run.word, {"skipped": run.counts.get("skipped", 0)}, skips=run.skips)
    rest += [skipped] if skipped and run.word != "purge" else []
    rest += [
        f"{run.counts[name]:,} {name if name != 'refused' else 'not deleted'}"
        for name in ("failed", "refused")
        if run.counts.get(name) and not (run.word == "purge" and name == "failed")
    ]
    dot = "✅ " if changed and run.outcome == "done" else "🟡 "
    notes = f"{', '.join(rest)}. {LATE}" if rest else LATE
    return [[dot, bold(f"{what}.")], [notes]]


def _tell_mark(run: LostRun) -> Line:
    """What was not done to jobs; it was so then, and others may have changed it since."""
    what, then = "Done", list[Span | str]()
    match _read_action(run.words):
        case (TakeGroup() | TakeIncident()) as take:
            what = f"{_name_subject(take)} was {'given back' if take.drop else 'taken'}"
        case MuteGroup(span=None, above=None) | MuteIncident(span=None) as mute:
            what = f"The mute of {_name_subject(mute)} was ended"
        case (MuteGroup() | MuteIncident()) as mute:
            what = f"{_name_subject(mute)} was muted"
            until = run.started_at + mute.span if mute.span is not None else None
            above = mute.above if isinstance(mute, MuteGroup) else None
            then = say_mute(until, above, run.started_at)
    return ["✅ ", bold(what), " by ", name_actor(run.actor_id), *then, "."]


def _read_action(words: str) -> Action[Any] | None:
    try:
        return parse_words(split_text(words), "slack").action
    except JobsMaintError:
        return None


def _name_subject(action: Noted) -> str:
    if isinstance(action, TakeIncident | MuteIncident):
        return f"I-{action.incident_id}"
    name = action.target if isinstance(action, TakeGroup) else action.group
    return name if isinstance(name, str) else f"The error of job {name}"
