"""Digests of quiet and bad nights, with their threads, as messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from chatbot.messages import Message, render_digest, render_thread
from chatbot.setup.sample_reports import GROUPS, NOW, ago, digest, group, stats
from jobs_maint.models import DigestReport, Expiring, Incident, IncidentKind

__all__ = ["messages_of_digests"]

BOOKS = {"*webhook*": "https://wiki.example.com/webhooks"}
BACK = replace(GROUPS[2], state="regressed", quiet_seconds=6 * 86_400.0, trend="new")
TAKEN = replace(GROUPS[1], taken_by="slack:U0ANA (ana)", taken_at=ago(12))
MUTED = replace(GROUPS[4], name="E-3b11", muted_until=NOW + timedelta(hours=5))
NO_WORKER = Incident(
    7, IncidentKind.NO_WORKER, "", "resolved", ago(590), ago(590), ago(549), 120.0, 2_400.0, 60.0,
    resolved_at=ago(549), facts={"waiting": 1_204},
)  # fmt: skip
KEPT = {"maintenance": stats().maintenance, "expiring": Expiring(41, 90 * 86_400.0, 3 * 86_400.0)}


def _night(**fields: object) -> DigestReport:
    groups = (GROUPS[0], GROUPS[3], BACK, TAKEN, MUTED, GROUPS[5])
    queues = tuple(replace(one, oldest_ready_seconds=8.0) for one in stats().queues)
    values = {"queues": queues, "groups": groups, "put_back": 3, **KEPT, **fields}
    return digest(window_id=1, name="ops", **values)


def _bad_night() -> DigestReport:
    groups = tuple(
        group(300 - i, 0 if i < 20 else 100, "new" if i < 20 else "rising", f"task_{i}",
              "ValueError", f"row {i} is broken", 4000 + i, name=f"E-{i:04x}")
        for i in range(30)
    )  # fmt: skip
    shown = sum(one.count for one in groups)
    slots = tuple(map(sum, zip(*(one.slots for one in groups), strict=True)))
    return _night(
        groups=groups, groups_not_shown=270, failures_not_shown=20_145, failed=shown + 20_145,
        failed_before=1_204, slots=slots, new_groups=137, incidents=(NO_WORKER,),
        queues=stats().queues,
    )  # fmt: skip


def messages_of_digests() -> Iterator[tuple[str, str, bool, Message]]:
    """Each by its title, with what was typed, and whether only one person sees it."""
    quiet = {"failed": 0, "failed_before": 4, "groups": (), "slots": ()}
    for title, report in (
        ("digest of a night", _night(incidents=(NO_WORKER,))),
        ("digest of a quiet night", _night(**quiet)),
        ("digest of a late queue", _night(**quiet, queues=stats().queues)),
        ("digest of a bad night", _bad_night()),
    ):
        yield title, "", False, render_digest(report, "/jobs", BOOKS, has_thread=True)
        for number, message in enumerate(render_thread(report, "/jobs", BOOKS), 1):
            yield f"{title}, in its thread {number}", "", False, message
