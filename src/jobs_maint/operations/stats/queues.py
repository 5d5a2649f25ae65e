"""The queues now: counts, how far behind, what ended lately, workers, maintenance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from jobs_maint.actions import ALL_QUEUES, QueueScope
from jobs_maint.actions.base import spell
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import QueueStats, RescueIdle, StatsReport, WorkerCounts, WorkerView
from jobs_maint.operations.following import fetch_workers, follow_workers
from jobs_maint.operations.hours import count_ended_lately
from jobs_maint.operations.jobs.lateness import is_late
from jobs_maint.operations.jobs.own import sum_own
from jobs_maint.operations.jobs.queue_names import require_queue
from jobs_maint.operations.jobs.serving import DEPLOYMENT, list_unserved
from jobs_maint.operations.rescue.outlook import find_outlook
from jobs_maint.operations.rescue.rules import RescueRules
from jobs_maint.operations.rescue.workers import count_stuck_jobs, list_workers
from jobs_maint.operations.session import get_time, switch_jit_off
from jobs_maint.operations.stats.counts import count_jobs
from jobs_maint.operations.stats.maintenance import list_maintenance
from jobs_maint.settings import MaintSettings
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS, PURGE, RESCUE

__all__ = ["count_workers", "get_stats"]

Found = defaultdict[str, dict[str, Any]]
"""By queue, the fields of its QueueStats."""


async def get_stats(
    conn: Conn,
    *,
    queue: str | None,
    settings: MaintSettings,
    scope: QueueScope = ALL_QUEUES,
    only_lately: bool = False,
    by_span: str = "errors",
    by_glob: str | None = None,
) -> StatsReport:
    """The queues that `scope` reaches; of one moment in a `transaction(conn, snapshot=True)`.

    `only_lately`: those with a job that is ready, runs, or ended in the last day; how many are
    scheduled ahead or ended before that is not counted. `by_span` and `by_glob`: the words
    to suggest where a span of time or a glob is given instead of a queue.
    """
    queries = load_queries("stats")
    if queue is not None:
        await require_queue(
            conn, queue, scope, by_span=lambda span: spell(by_span, since=span), by_glob=by_glob
        )
    await switch_jit_off(conn)
    params = {"queue": queue, "ours": OUR_TASKS}
    found: Found = defaultdict(dict)
    estimated: defaultdict[str, set[str]] = defaultdict(set)
    counts = await count_jobs(conn, queue, only_ready=only_lately)
    for (name, kind), jobs in counts.jobs.items():
        status = "doing" if kind == "aborting" else kind  # legacy: still running
        fields = found[name]
        fields[status] = fields.get(status, 0) + jobs
        if (name, kind) in counts.estimated:
            estimated[name].add(status)
    as_of = await get_time(conn)
    lately = await count_ended_lately(conn, queue, as_of)
    for (name, kind), ended in lately.items():
        field = {"succeeded": "done", "failed": "failed"}.get(kind, "retrying")
        found[name] |= {
            f"{field}_last_hour": ended.last_hour,
            f"{field}_last_day": ended.last_day,
        }
    for row in await fetch_all(conn, queries["count_put_back"], params):
        fields = found[row["queue_name"]]
        for span in ("last_hour", "last_day"):
            retried = fields.get(f"retrying_{span}", 0) - row[span]
            fields[f"retrying_{span}"] = max(retried, 0)
        fields["lost_last_day"] = row["last_day"]
        fields["lost_jobs_last_day"] = row["jobs"]
    ready = {"ids": counts.first_ready, "ours": OUR_TASKS}
    for row in await fetch_all(conn, queries["find_oldest_ready"], ready):
        found[row["queue_name"]]["oldest_ready_seconds"] = row["seconds"]
    workers = await count_workers(conn)
    settings = await follow_workers(conn, settings)
    runs, deferred = await list_maintenance(conn, settings.queue)
    if not only_lately:
        found = _without_gone(found, {name for name, _ in counts.jobs})
    visible = {name: fields for name, fields in found.items() if scope.covers(name)}
    waits = {
        name: fields.get("oldest_ready_seconds") or 0.0
        for name, fields in visible.items()
        if fields.get("ready")
    }
    unserved = await list_unserved(conn, waits, after=0.0)
    stuck, idle = await _count_stuck(conn, queue, settings, scope)
    silent: tuple[WorkerView, ...] = ()
    if workers.silent and not workers.live:
        silent = (await list_workers(conn, settings, scope)).workers
    return StatsReport(
        as_of=as_of,
        unserved_queues=tuple(name for name in unserved if waits[name] >= DEPLOYMENT),
        unheard_queues=tuple(name for name in unserved if waits[name] < DEPLOYMENT),
        stuck_jobs=stuck,
        rescue_idle=idle,
        queues=tuple(QueueStats(queue=name, **visible[name]) for name in sorted(visible)),
        workers=workers,
        silent_workers=silent,
        maintenance=runs,
        maintenance_deferred=deferred,
        maintenance_off=_list_off(
            settings, {*(run.task for run in runs), *(one.task for one in deferred)}
        ),
        hidden_queues=len(found) - len(visible),
        limited_to_queues=scope.globs if queue is None else None,
        queue=queue,
        deleted_since=sum(
            ended.deleted_last_hour for (name, _), ended in lately.items() if scope.covers(name)
        ),
        own_jobs=sum_own(
            {group: own for group, own in counts.own.items() if scope.covers(group[0])}, queue
        ),
        estimated={
            name: tuple(sorted(estimated[name])) for name in sorted(visible) if name in estimated
        },
    )


async def count_workers(conn: Conn) -> WorkerCounts:
    """All of them, whatever they listen to."""
    """As `workers` lists them."""
    (row,) = await fetch_workers(conn, load_queries("stats")["count_workers"])
    late = sum(is_late(silent, beat) for silent, beat in row["beats"])
    numbers = ("live", "silent", "deleting", "deleting_all", "stopping", "unregistered")
    return WorkerCounts(late=late, **{name: row[name] for name in numbers})


async def _count_stuck(
    conn: Conn, queue: str | None, settings: MaintSettings, scope: QueueScope
) -> tuple[int, RescueIdle | None]:
    """Running jobs in reach that nobody runs; and where there are some, why no rescue comes."""
    rules = RescueRules.of(settings)
    found = await count_stuck_jobs(conn, rules)
    jobs = sum(row["jobs"] for row in found if scope.covers(row["queue"])
               and queue in {None, row["queue"]})  # fmt: skip
    return jobs, (await find_outlook(conn, rules)).idle if jobs else None


def _list_off(settings: MaintSettings, known: Collection[str]) -> tuple[str, ...]:
    crons = {PURGE: settings.purge_cron, RESCUE: settings.rescue_cron}
    return tuple(task for task, cron in crons.items() if not cron and task not in known)


def _without_gone(found: Found, with_jobs: Collection[str]) -> Found:
    """A queue whose jobs are gone is no queue any more, unless some of them failed lately."""
    there = {
        name: fields
        for name, fields in found.items()
        if name in with_jobs or fields.get("failed_last_day")
    }
    return defaultdict(dict, there)
