"""The doctor's checks on workers, their recorder, and the queue of our tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.durations import format_age
from jobs_maint.models import (
    Finding,
    WorkerCounts,
    say_restart,
    say_silent,
    say_unregistered,
    say_workers,
)
from jobs_maint.operations.doctor.findings import (
    Situation,
    count,
    error,
    few,
    few_jobs,
    note,
    ok,
    warning,
)
from jobs_maint.operations.following import fetch_workers
from jobs_maint.operations.jobs.lateness import is_late
from jobs_maint.operations.rescue.workers import list_workers
from jobs_maint.operations.stats.queues import count_workers
from jobs_maint.operations.unstored import find_unstored
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__: list[str] = []

NEWEST_EVENTS = 200_000
MOST_FAILURES = 1_000
MOST_READY = 1_000
LONG_WAIT = timedelta(minutes=15)
"""A job of ours that has waited this long missed several ticks of the rescue."""
_REGISTER = (
    "Call jobs_maint.register(app) on the app that the worker runs, and do not pass "
    "worker_middleware to run_worker: that replaces the recorder."
)
_IF_IT_BEATS = (
    "jobs_maint.recorder_failed and jobs_maint.failures_unrecorded in its worker's log say why the "
    f"database took none. Without such a line it has no recorder. {_REGISTER}"
)
_START = (
    "Call jobs_maint.register(app) on your app, then start a worker of it on this database: "
    "`python -m procrastinate --app=MODULE.app worker`."
)
_ONCE_MENDED = "Mend what the sentence names: what waits is stored then. The worker's log has more."


async def check_workers(conn: Conn, situation: Situation) -> Finding:
    counts = await count_workers(conn)
    live = counts.live
    if not live or (counts.stopping and not counts.listening):
        return await _no_worker(conn, counts, situation)
    silent = await _list_silent(conn)
    without = [row["worker_id"] for row in silent if row["ran"] and not row["beat_once"]]
    stopped = [row["worker_id"] for row in silent if row["goes_on"]]
    hushed = {row["worker_id"] for row in silent if row["beat_once"] and not row["goes_on"]}
    found = await fetch_workers(conn, load_queries("workers")["list_workers"])
    cut_off = [row["worker_id"] for row in found if _is_cut_off(row)]
    gone = [row for row in found if not row["live"]]
    quiet = gone + [
        row
        for row in found
        if row["live"]
        and (row["worker_id"] in hushed or is_late(row["seen_seconds"], row["beat_seconds"]))
    ]
    if without:
        judge = error if len(without) == live else warning
        return judge(
            "workers",
            f"{len(without)} of {live} live workers run jobs without a recorder (worker "
            f"{few(without)}): errors are not recorded, and dead workers are noticed late.",
            _REGISTER,
        )
    if cut_off:
        return (error if len(cut_off) == live else warning)(
            "workers",
            f"{live} live. {say_unregistered(cut_off)}" if live > 1 else say_unregistered(cut_off),
            f"{say_restart(len(cut_off))} If it happens again, look for a task that blocks the "
            "event loop.",
        )
    if stopped:
        return warning(
            "workers",
            f"The recorder of {len(stopped)} of {live} live workers no longer beats (worker "
            f"{few(stopped)}), although Procrastinate's heartbeat goes on: it cannot reach the "
            "database, or has stopped.",
            "The worker's log says why, in jobs_maint.recorder_… events. Where it cannot reach the "
            "database, mend that: it then goes on by itself and stores what it holds. Restart the "
            "worker only if its log says nothing.",
        )
    if quiet:
        told, fix = await _tell_quiet(conn, situation, {row["worker_id"] for row in quiet})
        others = _say_others(live + len(gone) - len(quiet))
        return warning("workers", f"{told} {others}".strip(), fix)
    idle = f", {len(silent)} with no job so far" if silent else ""
    return ok("workers", f"{count(live, 'worker')} live{idle}.")


def _is_cut_off(row: Mapping[str, Any]) -> bool:
    """It beats and was not told to stop, yet Procrastinate has no row of it."""
    late = is_late(row["seen_seconds"], row["beat_seconds"])
    return row["live"] and not row["registered"] and not late and row["queues"] != []


async def _tell_quiet(
    conn: Conn, situation: Situation, also: Collection[int] = frozenset()
) -> tuple[str, str]:
    """The silent workers, and `also` these, in a sentence with a blank before it; and what to do.

    The sentence is empty where they are back, or gone, since they were counted.
    """
    report = await list_workers(conn, situation.workers_settings)
    quiet = [one for one in report.workers if not one.live or one.worker_id in also]
    several = len(quiet) > 1
    fix = "Start another worker if nothing restarts it."
    if several:
        fix = "Start other workers if nothing restarts these."
    if any(one.jobs for one in quiet):
        its = "the jobs of those that are dead" if several else "its jobs"
        shows = f"`jobs-maint stuck` shows {its} and when the rescue acts on them."
        fix = f"{fix} {shows if several else f'If it is dead, {shows}'}"
    return f" {say_silent(quiet)}" if quiet else "", fix


def _say_others(live: int) -> str:
    others = "workers are" if live > 1 else "worker is"
    return f"{f'{live:,}' if live else 'No'} other {others} live."


async def _no_worker(conn: Conn, counts: WorkerCounts, situation: Situation) -> Finding:
    params = {"most": MOST_READY, "ours": OUR_TASKS}
    found = await fetch_one(conn, load_queries("doctor")["count_ready"], params)
    ready, own = found["jobs"], found["own"]
    said, fix = "No worker is live", "Start a worker; the log of the last one may say why."
    trace = load_queries("doctor")["is_there_a_trace"]
    quiet = ""
    if counts.silent:
        quiet, fix = await _tell_quiet(conn, situation)
    if counts.live:
        said, fix = say_workers(counts), "Start a worker; none that lives takes another job."
    elif not (
        # a worker told its settings, perhaps long ago
        situation.told or (await fetch_one(conn, trace, {"newest": NEWEST_EVENTS}))["there"]
    ):
        said, fix = "No worker is live, and none has ever reported to this database", _START
    if not ready:
        return warning("workers", f"{said}; no job is ready to run.{quiet}", fix)
    number = f"{ready:,}" if ready < MOST_READY else f"{MOST_READY:,} or more"
    whose = ""
    if own:
        whose = ", all of our own tasks" if own == ready else f", {own:,} of them of our own tasks"
    return error("workers", f"{said}; jobs ready to run: {number}{whose}.{quiet}", fix)


async def _list_silent(conn: Conn) -> list[dict[str, Any]]:
    return await fetch_all(conn, load_queries("doctor")["list_silent_recorders"])


async def check_recorder(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    if unstored := await find_unstored(conn):
        return warning("recorder", unstored, _ONCE_MENDED)
    params = {"newest": NEWEST_EVENTS, "most": MOST_FAILURES}
    found = await fetch_one(conn, load_queries("doctor")["count_recorded"], params)
    failed, fresh = found["failed"], found["fresh"]
    missing = failed - found["recorded"] - fresh
    span = f"the newest {NEWEST_EVENTS:,} events" if found["cut"] else "the last day"
    if not failed:
        return ok("recorder", f"No job failed in {span}.")
    newest = f"newest {failed:,}" if failed == MOST_FAILURES else f"{failed:,}"
    if not missing:
        but = f", {fresh:,} of the last 10 s not yet" if fresh else ""
        return ok("recorder", f"Failures in {span}: {newest}, each with its error recorded{but}.")
    sample = few_jobs(found["sample"], 3, total=found["unrecorded"])
    look = f"Look at one: `jobs-maint status {found['sample'][0]}`."
    if not found["recorded"] and not found["beating"]:
        none = f"None of the {newest} failures in {span} has its error recorded ({sample}), "
        if failed == 1:
            none = f"The one failure in {span} has no recorded error ({sample}), "
        return error(
            "recorder",
            f"{none}and no worker beats: the recorder is not running.",
            f"{look} {_REGISTER}",
        )
    lack = f"{missing:,} of the {newest} failures in {span} {'has' if missing == 1 else 'have'}"
    if failed == 1:
        lack = f"The one failure in {span} has"
    return warning(
        "recorder",
        f"{lack} no recorded error ({sample}).",
        f"{look} {_IF_IT_BEATS} A task unknown to the worker fails before the recorder sees it.",
    )


async def check_deleted_jobs(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    rows = await fetch_all(conn, load_queries("doctor")["list_deleting_workers"])
    if not rows:
        return ok("deleted_jobs", "No worker deletes the jobs it finished.")
    which = ", ".join(sorted({row["delete_jobs"] for row in rows}))
    return warning(
        "deleted_jobs",
        f"{count(len(rows), 'worker')} with delete_jobs={which} (worker "
        f"{few([row['worker_id'] for row in rows])}): counts of finished jobs are too low, and "
        "deleted jobs cannot be inspected or retried.",
        "Run these workers with delete_jobs='never'; the nightly purge deletes finished jobs.",
    )


async def check_maintenance_queue(conn: Conn, situation: Situation) -> Finding:
    settings, name = situation.workers_settings, "maintenance_queue"
    params = {"queue": settings.queue, "ours": OUR_TASKS}
    found = await fetch_one(conn, load_queries("doctor")["find_listeners"], params)
    waiting, seconds = found["waiting"], found["seconds"] or 0.0
    start = (
        f"start a worker that listens to {settings.queue!r}, or add it to the queues of one; or "
        "set JOBS_MAINT_QUEUE to a queue that one listens to, for workers and shell alike. "
        "`jobs-maint workers` shows them."
    )
    fix = f"{start[:1].upper()}{start[1:]}"
    if found["listening"]:
        if seconds > LONG_WAIT.total_seconds():
            return warning(
                name,
                f"{settings.queue!r} has {count(found['listening'], 'worker')}, yet one of "
                f"our jobs has been waiting there for {format_age(seconds)}.",
                "See `jobs-maint workers` for what keeps them busy; give the queue its own worker "
                "or more concurrency.",
            )
        return ok(name, f"{settings.queue!r} has {count(found['listening'], 'worker')}.")
    if waiting:
        return error(
            name,
            f"No known worker listens to {settings.queue!r}: {count(waiting, 'job')} of ours "
            f"waiting there, the oldest for {format_age(seconds)}.",
            fix,
        )
    if not (settings.purge_cron or settings.rescue_cron or found["digests"]):
        return ok(name, "No worker listens to our queue, and none of our tasks is scheduled.")
    if not found["live"]:
        return note(
            name,
            f"No worker is live, so it is not known which one listens to {settings.queue!r}.",
            f"Start a worker that listens to {settings.queue!r} or to all queues.",
        )
    if found["unknown"]:
        is_new = any(not row["ran"] for row in await _list_silent(conn))
        return note(
            name,
            f"No known worker listens to {settings.queue!r}; the queues of "
            f"{count(found['unknown'], 'live worker')} without a beat are not known.",
            f"{'Wait for their first job. ' * is_new}If none of them listens, {start}",
        )
    return warning(name, f"No worker listens to {settings.queue!r}, the queue of our tasks.", fix)
