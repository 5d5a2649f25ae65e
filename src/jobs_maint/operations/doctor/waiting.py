"""The doctor's checks on what keeps ready jobs waiting beside live workers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from jobs_maint.database import Conn, fetch_all
from jobs_maint.durations import format_age, format_time
from jobs_maint.models import Finding
from jobs_maint.operations.doctor.findings import Situation, count, error, few_jobs, ok, warning
from jobs_maint.quoting import in_quotes
from jobs_maint.sql import load_queries

__all__: list[str] = []

MOST_LOCKED = 50_000
LEFT_BEHIND = 300.0
"""Seconds after which whoever prepared a transaction has probably forgotten it."""
SLOW_FETCH = timedelta(seconds=10)


async def check_fetching(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    """Planned for a small table, one search compares all waiting jobs with each other."""
    params = {"slow_seconds": SLOW_FETCH.total_seconds()}
    rows = await fetch_all(conn, load_queries("doctor")["list_slow_fetches"], params)
    if not rows:
        return ok("fetching", "No worker searches long for its next job.")
    worst = rows[0]
    who = f"{count(len(rows), 'worker')} {'has' if len(rows) == 1 else 'have'}"
    lasts = format_age(worst["seconds"])
    told = f"{who} been searching for the next job for {lasts} without starting one"
    if worst["blockers"]:
        pid = worst["blockers"][0]
        return error(
            "fetching",
            f"{told}: the process {pid} of the server holds a lock on the table.",
            f"See what it does in pg_stat_activity; `SELECT pg_terminate_backend({pid});` ends it.",
        )
    pids = ", ".join(str(row["pid"]) for row in rows)
    roles = " and ".join(dict.fromkeys(str(row["role"]) for row in rows))
    return error(
        "fetching",
        f"{told}. Nothing blocks it, so the server probably plans it with old statistics of the "
        "jobs table, as after many jobs were deferred at once.",
        "Run `ANALYZE procrastinate_jobs;` as the owner of that table. After that end these "
        f"searches as {roles}, or as a superuser, with `SELECT "
        f"pg_terminate_backend(pid) FROM unnest(ARRAY[{pids}]) AS pid;`, and restart the workers "
        "that end with them.",
    )


async def check_locks(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    found = [await _find_blocking(conn), await _find_prepared(conn)]
    told = [finding for finding in found if finding is not None]
    if not told:
        return ok("locks", "No lock holds up ready jobs.")
    return replace(
        told[0],  # only this one may be an error
        sentence=" ".join(finding.sentence for finding in told),
        fix=" ".join(finding.fix for finding in told if finding.fix),
    )


async def _find_prepared(conn: Conn) -> Finding | None:
    left = await fetch_all(conn, load_queries("doctor")["list_prepared"], {"seconds": LEFT_BEHIND})
    if not left:
        return None
    gid = left[0]["gid"].replace("'", "''")
    which = f"The prepared transaction {in_quotes(left[0]['gid'], 200)} of {left[0]['owner']}"
    others = f" In total there are {len(left)} such transactions." if len(left) > 1 else ""
    return warning(
        "locks",
        f"{which} has been open for {format_age(left[0]['seconds'])} and holds rows or tables "
        f"that acts on jobs need; it does not end by itself.{others}",
        f"Whoever prepared it knows what it did: COMMIT PREPARED '{gid}'; or ROLLBACK PREPARED "
        f"'{gid}'; in this database.",
    )


async def _find_blocking(conn: Conn) -> Finding | None:
    params = {"most": MOST_LOCKED}
    rows = await fetch_all(conn, load_queries("doctor")["list_blocking_jobs"], params)
    if not rows:
        return None
    worst = rows[0]
    job = worst["job_id"]
    scope = f" Only the oldest {MOST_LOCKED:,} jobs were checked." * (
        worst["looked_at"] >= MOST_LOCKED
    )
    which = few_jobs([row["job_id"] for row in rows], total=worst["locks"])
    others = "" if worst["locks"] == 1 else (
        f" In total, {worst['locks']:,} locks, of {which}, hold up {worst['all_waiting']:,} jobs."
    )  # fmt: skip
    lock, jobs = in_quotes(worst["lock"], 200), count(worst["waiting"], "ready job")
    held = f"The lock {lock} holds up {jobs}: job {job}"
    later = [row["job_id"] for row in rows if not row["stuck"]]
    they, waits = "those jobs", "only wait for their time"
    if len(later) == 1:
        they, waits = "that job", "only waits for its time"
    again = (
        f"must not wait, run `jobs-maint cancel {' '.join(map(str, later))}` and defer {they} "
        "again without the lock (Procrastinate issue 1599)."
    )
    if worst["stuck"]:
        fix = "See `jobs-maint stuck`; `jobs-maint rescue` puts the job back when it is due."
        if later:
            fix += (
                f" It does nothing about {few_jobs(later)}, which {waits}: if those behind {again}"
            )
        return error(
            "locks", f"{held} has it, but no live worker reports that job.{others}{scope}", fix
        )
    return warning(
        "locks",
        f"{held} comes first and waits until {format_time(worst['scheduled_at'])}.{others}{scope}",
        f"If they {again}",
    )
