"""The life of each kind of incident, as its message shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from chatbot.messages import Message
from chatbot.messages.incident import render_incident
from chatbot.messages.incident_thread import render_entries
from chatbot.messages.result import render_result
from chatbot.setup.sample_reports import NOW, TIMEOUT, ago
from jobs_maint.models import (
    Condition,
    HistoryEntry,
    Incident,
    IncidentKind,
    IncidentReport,
    IncidentsReport,
)

__all__ = ["ENTRIES", "KINDS", "life", "list_incidents", "messages_of_incidents", "tell_story"]

ANA = "slack:U0ANA (ana)"
BOOKS = {"*webhook*": "https://wiki.example.com/webhooks"}
WEBHOOK = "team.tasks.deliver_webhook"


def _one(
    number: int, kind: IncidentKind, subject: str, value: float, limit: float, **more: Any
) -> Incident:
    since, opened_at, first = more.pop("since", ago(14)), ago(13), value
    if kind.is_age:
        since, first = NOW - timedelta(seconds=value), limit
        opened_at = since + timedelta(seconds=limit)
    opened = HistoryEntry(opened_at, "opened", kind, subject, first, since=since)
    return Incident(
        number, kind, subject, "open", since, opened_at, NOW, value, more.pop("worst", value),
        limit, history=(opened,), **more,
    )  # fmt: skip


BEHIND = Condition(
    IncidentKind.QUEUE_BEHIND, "email", 780.0, 300.0, ago(13), ("email",), {"waiting": 214}
)
KINDS: tuple[Incident, ...] = (
    _one(12, IncidentKind.NO_WORKER, "", 840.0, 60.0, queues=("email", "webhook"),
         facts={"waiting": 214, "heard_at": ago(14).isoformat()}, folded=(BEHIND,)),
    _one(13, IncidentKind.NO_WORKER, "reports", 840.0, 60.0, queues=("reports",),
         facts={"waiting": 3, "job_id": 4690, "task": "team.tasks.build_report",
                "heard_at": ago(14).isoformat()}),
    _one(14, IncidentKind.QUEUE_BEHIND, "webhook", 1380.0, 900.0, since=ago(23), worst=1500.0,
         queues=("webhook",), facts={"waiting": 1_000, "job_id": 4711, "task": WEBHOOK}),
    _one(15, IncidentKind.FAILURES_HIGH, "webhook", 240.0, 60.0, queues=("webhook",),
         facts={"usual": 12.0, "ended": 900}),
    _one(16, IncidentKind.GROUP, "E-4f2a", 37.0, 20.0, queues=("webhook",), since=ago(58),
         facts={"task": WEBHOOK, "queue": "webhook", "exception_type": "httpx.ConnectTimeout",
                "message": TIMEOUT, "state": "new", "job_id": 4748, "last_at": ago(2).isoformat()}),
    _one(17, IncidentKind.JOBS_STUCK, "", 900.0, 600.0, queues=("email",),
         facts={"jobs": 3, "job_ids": [4701, 4702, 4703], "task": "team.tasks.send_email"}),
    _one(18, IncidentKind.TICK_MISSED, "team.tasks.send_report", 1800.0, 900.0, since=ago(30),
         facts={"task": "team.tasks.send_report", "cron": "0 * * * *", "missed": 3}),
    _one(19, IncidentKind.MAINTENANCE_OVERDUE, "purge", 7200.0, 3600.0, since=ago(120),
         facts={"cron": "0 3 * * *"}),
    _one(20, IncidentKind.DIGEST_OVERDUE, "daily", 1200.0, 600.0, since=ago(20),
         facts={"cron": "0 8 * * *",
                "error": "Slack refused chat.postMessage (not_in_channel): the bot is not in the "
                         "channel; invite it there with /invite"}),
    _one(21, IncidentKind.RECORDER_SILENT, "worker-7f9c pid 41", 420.0, 300.0, since=ago(7),
         facts={"worker_id": 7}),
)  # fmt: skip


def over(one: Incident) -> Incident:
    facts = dict(one.facts)
    if one.kind is IncidentKind.FAILURES_HIGH:
        facts["left"] = 9
    if one.kind is IncidentKind.GROUP:
        facts |= {"left": 12, "last_at": ago(49).isoformat()}
    return replace(one, state="resolved", resolved_at=NOW, folded=(), facts=facts)


def life(one: Incident) -> Iterator[tuple[str, Incident]]:
    """From open to over."""
    yield "open", one
    taken = replace(one, taken_by=ANA, taken_at=ago(5))
    yield "taken", replace(taken, worst=2 * one.worst)
    yield "muted", replace(taken, muted_until=NOW + timedelta(hours=24))
    yield "flapping", replace(one, times=4, flapping=True)
    yield "calm", replace(one, times=4, flapping=True, calm_since=ago(4))
    yield "over", over(taken)


def tell_story() -> tuple[Incident, Incident]:
    """Of two queues the one that it is named after has caught up; then the other one has, too."""
    kind, worst = IncidentKind.QUEUE_BEHIND, 1620.0
    mail = Condition(kind, "email", 780.0, 300.0, ago(13), ("email",), worst=worst, over_at=ago(4))
    web = replace(KINDS[2], worst=1500.0)
    opened = HistoryEntry(ago(13), "opened", kind, "email", 780.0, since=mail.since)
    over = HistoryEntry(ago(4), "over", kind, "email", worst, why="cancelled")
    open_ = replace(web, past=(mail,), history=(opened, over))
    ended = HistoryEntry(NOW, "resolved", kind, "email", 780.0, why="cancelled")
    done = replace(
        open_, state="resolved", resolved_at=NOW, subject="email", worst=worst, queues=("email",),
        past=(replace(web.lead, over_at=NOW),), history=(opened, over, ended),
    )  # fmt: skip
    return open_, done


ENTRIES = (
    HistoryEntry(ago(12), "folded", IncidentKind.QUEUE_BEHIND, "email", 300.0),
    HistoryEntry(ago(9), "worse", IncidentKind.NO_WORKER, "", 300.0),
    HistoryEntry(ago(5), "taken", IncidentKind.NO_WORKER, "", 540.0, ANA),
    HistoryEntry(ago(4), "muted", IncidentKind.NO_WORKER, "", 540.0, ANA),
    HistoryEntry(ago(3), "back", IncidentKind.NO_WORKER, "", 660.0),
    HistoryEntry(ago(2), "cause", IncidentKind.NO_WORKER, "reports", 660.0),
    HistoryEntry(ago(1), "over", IncidentKind.NO_WORKER, "reports", 660.0, why="cancelled"),
    HistoryEntry(ago(1), "remains", IncidentKind.QUEUE_BEHIND, "email", 720.0),
    HistoryEntry(ago(1), "unwatched", IncidentKind.QUEUE_BEHIND, "email", 1_260.0),
    HistoryEntry(NOW, "resolved", IncidentKind.NO_WORKER, "", 840.0),
)


def list_incidents(*there: Incident, **more: Any) -> IncidentsReport:
    values: dict[str, Any] = {"recent": (), "watched_at": NOW, **more}
    return IncidentsReport(NOW, there, since_seconds=86_400.0, **values)


def messages_of_incidents() -> Iterator[tuple[str, str, bool, Message]]:
    for one in KINDS[1:]:
        yield f"incident {one.kind}: open", "", False, render_incident(one, NOW, BOOKS)
        yield f"incident {one.kind}: over", "", False, render_incident(over(one), NOW, BOOKS)
    for state, one in life(KINDS[0]):
        yield f"incident: {state}", "", False, render_incident(one, NOW, BOOKS)
    merged = HistoryEntry(NOW, "merged", IncidentKind.QUEUE_BEHIND, "webhook", 1380.0, "I-12")
    facts = {**KINDS[2].facts, "cause": ["no_worker", ""]}
    part = replace(over(KINDS[2]), facts=facts, history=(*KINDS[2].history, merged))
    yield "incident: part of another", "", False, render_incident(part, NOW)
    for title, one in zip(("one part is over", "all parts are over"), tell_story(), strict=True):
        yield f"incident: {title}", "", False, render_incident(one, NOW, BOOKS)
    yield "incident: thread", "", False, render_entries(KINDS[0], ENTRIES, NOW)

    def shown(title: str, typed: str, result: Any) -> tuple[str, str, bool, Message]:
        return title, typed, False, render_result(result, "/jobs", by="U0ANA", runbooks=BOOKS)

    taken = replace(KINDS[2], taken_by=ANA, taken_at=ago(5))
    listed = list_incidents(KINDS[0], taken, recent=tuple(over(one) for one in KINDS[4:7]))
    yield shown("incidents", "/jobs incidents", listed)
    yield shown("incidents: none", "/jobs incidents", list_incidents())
    yield shown("incidents: never watched", "/jobs incidents", list_incidents(watched_at=None))
    there = IncidentReport(NOW, replace(KINDS[0], history=ENTRIES), "shown")
    yield (
        "incidents I-12",
        "/jobs incidents I-12",
        True,
        render_result(there, "/jobs", by="U0ANA", runbooks=BOOKS),
    )
    ended = IncidentReport(NOW, over(KINDS[4]), "shown")
    yield shown("incidents I-16", "/jobs incidents I-16", ended)
    yield shown("take incident", "/jobs take I-14", IncidentReport(NOW, taken, "taken"))
    muted = replace(taken, muted_until=NOW + timedelta(hours=24))
    yield shown("mute incident", "/jobs mute I-14", IncidentReport(NOW, muted, "muted"))
