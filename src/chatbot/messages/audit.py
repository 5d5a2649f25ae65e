"""`audit`: how many requests and how they ended, then each: who, what, with what outcome."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from chatbot.messages.act_words import one_line
from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import pack, pack_pages
from chatbot.messages.parts import Line, Part, Span, bold, code, context, paragraph, when
from chatbot.messages.people import list_actor
from chatbot.messages.words import count, cut, larger_limit, say_span, sentence
from jobs_maint.actions import ShowAudit
from jobs_maint.durations import format_age
from jobs_maint.models import LARGEST_LIMIT, AuditEntry, AuditReport
from jobs_maint.quoting import cut_ids, in_quotes
from jobs_maint.render import tell_counts, tell_outcome
from jobs_maint.verbs import find_verb

__all__ = ["MESSAGES", "render_audit"]

LONG = 2.0
"""Requests that took at least this many seconds say how long."""


def render_audit(report: AuditReport, command: str, *, page: int = 1) -> Message:
    span, _ = say_span(report.since_seconds)
    by = f" by {in_quotes(report.actor)}" if report.actor is not None else ""
    asked = ShowAudit(
        report.actor, timedelta(seconds=report.since_seconds), max(len(report.entries), 1)
    )
    if not report.entries:
        line: Line = [bold(f"No requests{by} in the last {span}.")]
        return pack([paragraph(line), _as_of(report)])
    requests = count(report.total, "request")
    head = paragraph([bold(f"{requests}{by} in the last {span}.")], [_outcomes(report)])
    items = [[_entry(entry, report)] for entry in report.entries]

    def more(needed: int) -> str | None:
        if len(items) > needed:
            return asked.words()
        larger = larger_limit(len(items))
        return replace(asked, limit=larger).words() if larger > len(items) else None

    notes: list[Line] = [["as of ", when(report.as_of, report.as_of)]]
    undone = next((entry for entry in report.entries if _can_undo(entry)), None)
    if undone is not None:
        undo = f"{command} retry --request {undone.audit_id}"
        notes.append(["to undo a request and let its jobs run: ", code(undo)])
    if report.total > len(report.entries) >= LARGEST_LIMIT:
        notes.append([f"a list shows at most {LARGEST_LIMIT:,}: narrow it with --since or --actor"])
    return pack_pages(
        [head],
        items,
        page=page,
        total=report.total,
        noun="requests",
        more=more,
        tail=[context(note) for note in notes],
    )


def _as_of(report: AuditReport) -> Part:
    return context(["as of ", when(report.as_of, report.as_of)])


def _outcomes(report: AuditReport) -> str:
    """How they ended, what went wrong first; only where all of them are known."""
    if report.total > len(report.entries):
        return "Newest first."
    ends = Counter(tell_outcome(entry) for entry in report.entries)
    order = ("failed", "interrupted", "partly", "refused", "expired", "started", "done")
    known = [name for name in order if ends[name]]
    others = [name for name in ends if name not in order]
    named = [f"{ends[name]:,} {cut(name, 30)}" for name in [*known, *others]]
    return f"{', '.join(named)}. Newest first." if len(report.entries) > 1 else f"{named[0]}."


def _entry(entry: AuditEntry, report: AuditReport) -> Part:
    line: list[Span | str] = [
        when(entry.started_at, report.as_of),
        "  ",
        list_actor(entry.actor),
        "  ",
    ]
    line.append(code(one_line(cut_ids(entry.action), 200)))
    outcome = tell_outcome(entry)
    told = [] if outcome in entry.counts and outcome != "refused" else [outcome]
    end = ", ".join(filter(None, [*told, cut(tell_counts(entry), 300)])).replace("_", " ")
    line += ["  ", bold(end) if outcome not in {"done", "previewed", "dry run"} else end]
    if entry.elapsed_seconds is not None and entry.elapsed_seconds >= LONG:
        line.append(f" in {format_age(entry.elapsed_seconds)}")
    line.append(f" · request {entry.audit_id}")
    lines: list[Line] = [line]
    if entry.error:
        lines.append([sentence(one_line(entry.error, 200))])
    return paragraph(*lines)


def _can_undo(entry: AuditEntry) -> bool:
    return (
        entry.outcome in {"done", "partly"} and find_verb(entry.action.partition(" ")[0]).can_undo
    )


MESSAGES: Messages = {
    AuditReport: lambda report, wanted: render_audit(report, wanted.command, page=wanted.page)
}
