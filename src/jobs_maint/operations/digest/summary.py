"""The failure summary of a span."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from jobs_maint.actions import ALL_QUEUES, QueueScope, escape_glob
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.models import (
    DigestReport,
    ErrorGroup,
    Expiring,
    Incident,
    StatsReport,
)
from jobs_maint.operations.failures.ends import count_ends
from jobs_maint.operations.failures.grouping import MOST_SORTED, Groups, Window, list_groups
from jobs_maint.operations.failures.groups import add_failed_now, count_standing
from jobs_maint.operations.following import follow_workers
from jobs_maint.operations.incidents.anew import look_anew
from jobs_maint.operations.incidents.marks import add_standing
from jobs_maint.operations.incidents.reach import limit_to, limit_to_tasks
from jobs_maint.operations.incidents.stored import read_incident, redact
from jobs_maint.operations.jobs.own import name_one_queue
from jobs_maint.operations.stats.queues import get_stats
from jobs_maint.redaction import Rules
from jobs_maint.settings import MaintSettings
from jobs_maint.sql import load_queries

__all__ = ["Summing", "sort_by_news", "summarise", "summarise_now"]

MOST_GROUPS = 10
"""Groups shown when a person asks; the others are counted."""
SOON = timedelta(days=3)
MOST_EXPIRING = 500
"""Counted one by one."""
NEWS = ("new", "regressed", "rising")


@dataclass(frozen=True, slots=True)
class Summing:
    """How any span is summed up: by the settings, without what its reader must not see."""

    settings: MaintSettings
    rules: Rules
    groups: int = MOST_GROUPS


async def summarise_now(
    conn: Conn,
    how: Summing,
    *,
    queue: str | None,
    since: timedelta,
    scope: QueueScope = ALL_QUEUES,
) -> DigestReport:
    """The span that ends now; touches no window.

    Raises as `require_queue` does for a queue that is unknown or outside `scope`.
    """
    stats = await get_stats(
        conn, queue=queue, settings=how.settings, scope=scope, by_span="digest", by_glob="errors"
    )
    until = stats.as_of
    queues = [escape_glob(queue)] if queue is not None else scope.globs
    report = await _summarise(conn, how, Window(until - since, until, queues), stats, queue)
    return replace(
        report,
        queue=queue,
        limited_to_queues=scope.globs if queue is None else None,
        own_jobs=stats.own_jobs if queue is not None else None,
    )


async def summarise(conn: Conn, how: Summing, window: Window) -> DigestReport:
    """For a message that shows the queues as they are and were lately."""
    scope = QueueScope(tuple(window.queues) if window.queues else None)
    stats = await get_stats(conn, queue=None, settings=how.settings, scope=scope, only_lately=True)
    report = await _summarise(conn, how, window, stats)
    one, own = name_one_queue(None, window.queues), stats.own_jobs
    return replace(
        report,
        own_jobs=replace(own, queue=one) if one is not None and own is not None else None,
        only_queues=tuple(window.queues) if window.queues else None,
        only_tasks=tuple(window.tasks) if window.tasks else None,
    )


async def _summarise(
    conn: Conn, how: Summing, wanted: Window, stats: StatsReport, queue: str | None = None
) -> DigestReport:
    queries, filters = load_queries("digest"), wanted.filters()
    limit = max(MOST_SORTED, how.groups)
    found = await list_groups(conn, wanted, limit=limit, rules=how.rules)
    standing: dict[str, Any] = {}
    if found.failed:
        now = await add_failed_now(conn, found, wanted, stats.as_of, queue, how.rules)
        found = replace(found, shown=now)
        standing = await count_standing(conn, wanted, stats.as_of)
    groups = sort_by_news(found.shown)
    shown, left = groups[: how.groups], groups[how.groups :]
    ends = await count_ends(conn, wanted)
    put_back = await fetch_one(conn, queries["count_put_back"], filters)
    running = (await fetch_one(conn, queries["count_running"], filters))["jobs"]
    purged = None
    if wanted.queues is None and wanted.tasks is None:  # the purge counts by status alone
        span = {"since": wanted.since, "until": wanted.until}
        purged = (await fetch_one(conn, queries["count_purged"], span))["jobs"]
    return DigestReport(
        window_id=0,
        name="now",
        since=wanted.since,
        until=wanted.until,
        failed=found.failed,
        failed_before=found.failed_before,
        succeeded=ends.get("succeeded", 0),
        retrying=max(ends.get("deferred_for_retry", 0) - put_back["times"], 0),
        put_back=put_back["times"],
        put_back_jobs=put_back["jobs"],
        groups=shown,
        groups_not_shown=sum(1 for group in left if group.count)
        + (found.groups_not_shown if found.failures_not_shown else 0),
        failures_not_shown=found.failed - sum(group.count for group in shown),
        gone_not_shown=sum(1 for group in left if not group.count)
        + (0 if found.failures_not_shown else found.groups_not_shown),
        queues=stats.queues,
        estimated=stats.estimated,
        # Of which tasks they are is not counted.
        stuck_jobs=stats.stuck_jobs if stats.rescue_idle and wanted.tasks is None else 0,
        rescue_idle=stats.rescue_idle if wanted.tasks is None else None,
        purged=purged,
        slots=found.slots,
        maintenance=stats.maintenance,
        expiring=await _count_expiring(conn, how, filters, stats),
        new_groups=found.reasons.new,
        incidents=await _list_incidents(conn, how, wanted),
        last_failed_at=_find_last(found),
        workers=stats.workers,
        running=running,
        **standing,
    )


def _find_last(found: Groups) -> datetime | None:
    if found.groups_not_shown:
        return None
    ends = [group.last_at for group in found.shown if group.count and group.last_at is not None]
    return max(ends, default=None)


def sort_by_news(groups: tuple[ErrorGroup, ...]) -> tuple[ErrorGroup, ...]:
    """New, back, rising, the rest; then what somebody muted, and what is gone; each by size."""

    def place(group: ErrorGroup) -> tuple[bool, bool, int, int]:
        rank = NEWS.index(group.state) if group.state in NEWS else len(NEWS)
        muted = group.muted_until is not None or group.muted_above is not None
        return not group.count, muted, rank, -group.count

    return tuple(sorted(groups, key=place))


async def _count_expiring(
    conn: Conn, how: Summing, filters: dict[str, Any], stats: StatsReport
) -> Expiring | None:
    settings = await follow_workers(conn, how.settings)
    keep = settings.keep_failed
    if keep is None or not settings.purge_cron:
        return None
    due = stats.as_of - keep
    params = {**filters, "due": due, "soon": due + min(SOON, keep), "most": MOST_EXPIRING}
    row = await fetch_one(conn, load_queries("digest")["count_expiring"], params)
    at_most = row["ended"] > MOST_EXPIRING
    if at_most and (filters["queues"] or filters["tasks"]):
        return None
    return Expiring(
        jobs=row["ended"] if at_most else row["jobs"],
        at_most=at_most,
        keep_seconds=keep.total_seconds(),
        within_seconds=min(SOON, keep).total_seconds(),
    )


async def _list_incidents(conn: Conn, how: Summing, wanted: Window) -> tuple[Incident, ...]:
    """Those of the span, the first first; none where the table is missing or not ours to read."""
    queries = load_queries("incidents")
    if not (await fetch_one(conn, queries["find_access"]))["readable"]:
        return ()
    rows = await fetch_all(conn, queries["list_open"])
    rows += await fetch_all(conn, queries["list_resolved"], {"since": wanted.since})
    there = [read_incident(row) for row in rows if row["since"] < wanted.until]
    there = await look_anew(conn, there, how.settings.queue)
    there = [redact(one, how.rules) for one in there]
    scope = QueueScope(tuple(wanted.queues) if wanted.queues else None)
    there = [one for one in limit_to(scope, there) if not one.is_merged]
    there = await add_standing(conn, there, scope.like_patterns)
    if wanted.tasks:
        there = limit_to_tasks(QueueScope(tuple(wanted.tasks)), there)
    there = [
        one
        for one in there
        if one.since < wanted.until
        and (one.is_open or (one.resolved_at or wanted.since) >= wanted.since)
    ]
    return tuple(sorted(there, key=lambda one: one.since))
