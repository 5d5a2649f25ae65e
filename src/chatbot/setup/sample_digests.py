"""Digests of quiet and bad nights, with their threads, as messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from chatbot.messages import Message, render_digest, render_thread
from chatbot.setup.sample_reports import GROUPS, NOW, ago, digest, group, stats
from jobs_maint.models import (
    DigestReport,
    Expiring,
    Incident,
    IncidentKind,
    QueueStats,
    WorkerCounts,
)

__all__ = ["messages_of_digests"]

BOOKS = {"*webhook*": "https://wiki.example.com/webhooks"}
NEW = replace(GROUPS[0], slots=(0,) * 11 + (37,))
TAKEN = replace(GROUPS[1], taken_by="slack:U0ANA (ana)", taken_at=ago(12), last_at=ago(70))
BACK = replace(
    GROUPS[2], state="regressed", quiet_seconds=6 * 86_400.0, trend="new",
    first_at=ago(1_400), last_at=ago(1_020),
)  # fmt: skip
ONCE = replace(GROUPS[3], first_at=ago(1_390), last_at=ago(1_390))
MUTED = replace(
    GROUPS[4], name="E-3b11", muted_until=NOW + timedelta(hours=5),
    first_at=ago(1_380), last_at=ago(1_380),
)  # fmt: skip
NO_WORKER = Incident(
    7, IncidentKind.NO_WORKER, "", "resolved", ago(590), ago(590), ago(549), 120.0, 2_400.0, 60.0,
    resolved_at=ago(549), facts={"waiting": 1_204},
)  # fmt: skip
GONE = replace(NO_WORKER, id=8, state="open", resolved_at=None, since=ago(800))
KEPT = {"maintenance": stats().maintenance, "expiring": Expiring(41, 90 * 86_400.0, 3 * 86_400.0)}


FAILED = {"webhook": (37, 52), "email": (0, 4), "reports": (0, 1)}
"""In the last hour and the last day."""


def _queues(failed: Mapping[str, tuple[int, int]], **fields: Any) -> tuple[QueueStats, ...]:
    """As many failures as the digest tells of."""
    return tuple(
        replace(one, failed_last_hour=hour, failed_last_day=day, **fields)
        for one in stats().queues
        for hour, day in [failed.get(one.queue, (0, 0))]
    )


def _night(**fields: Any) -> DigestReport:
    groups = (NEW, ONCE, BACK, TAKEN, MUTED, GROUPS[5])
    slots = tuple(map(sum, zip(*(one.slots for one in groups), strict=True)))
    values = {
        "queues": _queues(FAILED, oldest_ready_seconds=8.0), "groups": groups, "slots": slots,
        "put_back": 3, "put_back_jobs": 3, "workers": WorkerCounts(2, 0),
        "last_failed_at": ago(1), **KEPT, **fields,
    }  # fmt: skip
    return digest(window_id=1, name="ops", **values)


def _bad_night() -> DigestReport:
    groups = tuple(
        group(300 - i, 0 if i < 20 else 100, "new" if i < 20 else "rising", f"task_{i}",
              "ValueError", f"row {i} is broken", 4000 + i, name=f"E-{i:04x}")
        for i in range(30)
    )  # fmt: skip
    shown = sum(one.count for one in groups)
    there = tuple(map(sum, zip(*(one.slots for one in groups), strict=True)))
    slots = tuple(one + 20_145 * (i == 11) for i, one in enumerate(there))
    failed = {"webhook": (12_204, 24_310), "email": (0, 4_000), "reports": (0, 400)}
    return _night(
        groups=groups, groups_not_shown=270, failures_not_shown=20_145, failed=shown + 20_145,
        failed_before=1_204, slots=slots, new_groups=137, incidents=(NO_WORKER,),
        queues=_queues(failed),
    )  # fmt: skip


def _idle(**fields: Any) -> DigestReport:
    values: dict[str, Any] = {
        "failed": 0, "failed_before": 0, "groups": (), "slots": (), "last_failed_at": None,
        "queues": (), "succeeded": 0, "retrying": 0, "put_back": 0, "purged": 0,
        "since": NOW - timedelta(hours=1), "workers": WorkerCounts(1, 0), **fields,
    }  # fmt: skip
    return _night(**values)


def messages_of_digests() -> Iterator[tuple[str, str, bool, Message]]:
    """Each by its title, with what was typed, and whether only one person sees it."""
    quiet: dict[str, Any] = {
        "failed": 0, "failed_before": 4, "groups": (), "slots": (), "last_failed_at": None,
        "queues": _queues({}, oldest_ready_seconds=8.0),
    }  # fmt: skip
    for title, report in (
        ("digest of a night", _night(incidents=(NO_WORKER,))),
        ("digest of a quiet night", _night(**quiet)),
        ("digest of a late queue", _night(**{**quiet, "queues": _queues({})})),
        ("digest of an hour without a job", _idle()),
        ("digest without a worker", _idle(incidents=(GONE,), workers=WorkerCounts(0, 1))),
        ("digest of a bad night", _bad_night()),
    ):
        yield title, "", False, render_digest(report, "/jobs", BOOKS, has_thread=True)
        for number, message in enumerate(render_thread(report, "/jobs", BOOKS), 1):
            yield f"{title}, in its thread {number}", "", False, message
