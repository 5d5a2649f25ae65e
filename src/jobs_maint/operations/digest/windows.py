"""The failure summary of one window, and the state of the windows.

A window begins where the last one that Slack accepted ended, or where the first attempt began if
there is none. It is opened (`sending`), posted by
the caller, and closed; only `sent` and `quiet` advance it, so a Slack outage loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from jobs_maint.actions import ALL_QUEUES, QueueScope, escape_glob
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.errors import AlreadyRunning
from jobs_maint.models import DigestReport, StatsReport
from jobs_maint.operations.failures.grouping import Window, list_groups
from jobs_maint.operations.stats.queues import get_stats
from jobs_maint.redaction import DEFAULT, Rules
from jobs_maint.sql import load_queries

__all__ = [
    "close_window",
    "hold_window",
    "list_unsure_windows",
    "open_window",
    "summarise_now",
]

BEHIND = timedelta(seconds=30)
"""A window ends this far behind the database's clock."""
HELD = timedelta(minutes=10)
"""And so much further, where a worker waits to store how a job ended."""
LONGEST = timedelta(days=7)
MOST_GROUPS = 10
"""Groups shown when a person asks; the others are counted."""


async def open_window(
    conn: Conn,
    *,
    name: str,
    key: str,
    period: timedelta,
    queues: Sequence[str] | None,
    tasks: Sequence[str] | None,
    groups: int,
    maintenance_queue: str,
    rules: Rules = DEFAULT,
) -> DigestReport | None:
    """Take the window that is due and summarise it; None when none is due.

    Raises AlreadyRunning while another has it.

    `period` is one cron period: the first window covers it. Runs in the caller's transaction.
    """
    queries = load_queries("digest")
    await fetch_all(conn, queries["give_up_sending"], {"name": name})
    asked = {
        "name": name,
        "period_seconds": period.total_seconds(),
        "behind_seconds": min(BEHIND, period / 4).total_seconds(),
        "held_seconds": HELD.total_seconds(),
        "most_seconds": LONGEST.total_seconds(),
    }
    window = await fetch_one(conn, queries["find_window"], asked)
    if not window["due"]:
        return None
    since = window["earliest"] if window["too_long"] else window["since"]
    until = window["until"]
    params = {"name": name, "since": since, "until": until, "key": key}
    opened = await fetch_all(conn, queries["insert_window"], params)
    if not opened:
        raise AlreadyRunning(f"another worker is sending the digest {name}")
    if await fetch_one(conn, queries["find_window"], asked) != window:
        # Another sender closed it between the two statements: it was told.
        await fetch_all(conn, queries["drop_window"], {"window_id": opened[0]["id"]})
        return None
    unsure = await fetch_all(conn, queries["list_unsure_windows"], {"name": name})
    wanted = Window(since, until, queues, tasks)
    stats = await get_stats(
        conn, queue=None, maintenance_queue=maintenance_queue,
        scope=QueueScope(tuple(queues) if queues else None),
    )  # fmt: skip
    report = await _summarise(conn, wanted, name, groups, stats, rules)
    return replace(
        report,
        window_id=opened[0]["id"],
        only_queues=tuple(queues) if queues else None,
        only_tasks=tuple(tasks) if tasks else None,
        truncated_from=window["since"] if window["too_long"] else None,
        held_since=window["held_since"],
        maybe_told_until=max(
            (row["until"] for row in unsure if row["until"] > since), default=None
        ),
    )


async def hold_window(conn: Conn, window_id: int, channel: str) -> bool:
    """Right before a post: whether the window is still the caller's."""
    asked = {"window_id": window_id, "channel": channel}
    return bool(await fetch_all(conn, load_queries("digest")["hold_window"], asked))


async def list_unsure_windows(conn: Conn, name: str) -> dict[str, tuple[int, str]]:
    """Key → window and channel, for those whose message may have arrived; the newest first."""
    rows = await fetch_all(conn, load_queries("digest")["list_unsure_windows"], {"name": name})
    return {row["key"]: (row["id"], row["channel"]) for row in rows}


async def summarise_now(
    conn: Conn,
    *,
    queue: str | None,
    since: timedelta,
    maintenance_queue: str,
    scope: QueueScope = ALL_QUEUES,
    groups: int = MOST_GROUPS,
    rules: Rules = DEFAULT,
) -> DigestReport:
    """The same summary for the span that ends now; touches no window.

    Raises as `require_queue` does for a queue that is unknown or outside `scope`.
    """
    stats = await get_stats(conn, queue=queue, maintenance_queue=maintenance_queue, scope=scope)
    until = stats.as_of
    queues = [escape_glob(queue)] if queue is not None else scope.globs
    wanted = Window(until - since, until, queues)
    report = await _summarise(conn, wanted, "now", groups, stats, rules)
    return replace(report, queue=queue, limited_to_queues=scope.globs)


async def _summarise(
    conn: Conn, wanted: Window, name: str, groups: int, stats: StatsReport, rules: Rules
) -> DigestReport:
    queries, filters = load_queries("digest"), wanted.filters()
    found = await list_groups(conn, wanted, limit=groups, rules=rules)
    ends = {
        row["type"]: row["jobs"]
        for row in await fetch_all(conn, queries["count_other_ends"], filters)
    }
    put_back = (await fetch_one(conn, queries["count_put_back"], filters))["jobs"]
    purged = None
    if wanted.queues is None and wanted.tasks is None:  # the purge counts by status alone
        span = {"since": wanted.since, "until": wanted.until}
        purged = (await fetch_one(conn, queries["count_purged"], span))["jobs"]
    return DigestReport(
        window_id=0,
        name=name,
        since=wanted.since,
        until=wanted.until,
        failed=found.failed,
        failed_before=found.failed_before,
        succeeded=ends.get("succeeded", 0),
        retrying=max(ends.get("deferred_for_retry", 0) - put_back, 0),
        put_back=put_back,
        groups=found.shown,
        groups_not_shown=found.groups_not_shown,
        failures_not_shown=found.failures_not_shown,
        queues=stats.queues,
        estimated=stats.estimated,
        purged=purged,
        slots=found.slots,
    )


async def close_window(
    conn: Conn,
    window_id: int,
    state: str,
    *,
    channel: str | None = None,
    ts: str | None = None,
    error: str | None = None,
    posted_nothing: bool = False,
    noted: bool = False,
) -> bool:
    """Record the outcome of an opened window, unless another process already closed it.

    True, and nothing is recorded, where its message has to say first that it may be a repeat.
    """
    queries = load_queries("digest")
    if state == "sent" and not noted:
        found = await fetch_one(conn, queries["find_told_again"], {"window_id": window_id})
        if found["again"]:
            return True
    await fetch_all(
        conn,
        queries["close_window"],
        {
            "window_id": window_id,
            "state": state,
            "channel": channel,
            "ts": ts,
            "error": error[:1000] if error else None,
            "posted_nothing": posted_nothing,
        },
    )
    return False
