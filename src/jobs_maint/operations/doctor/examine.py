"""Is the set-up sound? Every check runs in a short read-only transaction of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import psycopg
import psycopg_pool
from psycopg import errors as pg

from jobs_maint.database import (
    Conn,
    Pool,
    fetch_one,
    find_elsewhere,
    find_place,
    map_error,
    note_why_not_connected,
    say_place,
    transaction,
)
from jobs_maint.models import DoctorReport, Finding
from jobs_maint.operations.doctor import (
    database,
    foreign_keys,
    incidents,
    listening,
    maintenance,
    schema,
    settings,
    triggers,
    waiting,
    workers,
)
from jobs_maint.operations.doctor.findings import Situation, warning
from jobs_maint.operations.following import Told, list_told
from jobs_maint.sql import load_queries
from jobs_maint.upstream import ask_params

__all__ = ["CHECKS", "Situation", "examine"]

CHECK_TIMEOUT = timedelta(seconds=5)
LOCK_TIMEOUT = timedelta(seconds=1)
"""A locked table must not delay each check that reads it by five seconds."""
_GONE = "it needs tables of {} that are not there"
_LEVELS = ("error", "warning", "note", "ok")


@dataclass(frozen=True, slots=True)
class Check:
    """`title`: what it looks at, for a person.

    `needs`: whose tables it reads, so that missing ones are not reported once per check.
    `names_place`: what it finds may be so since this is the wrong database.
    """

    name: str
    title: str
    run: Callable[[Conn, Situation], Awaitable[Finding]]
    needs: Literal["procrastinate", "ours"] | None = None
    names_place: bool = False


CHECKS = (
    Check("disk", "Disk of the database server", database.check_disk),
    Check("postgresql", "PostgreSQL version", database.check_postgresql),
    Check("read_only", "Changes to the database", database.check_read_only),
    Check("isolation", "Transaction isolation", database.check_isolation),
    Check("clock", "Clocks of machine and database", database.check_clock),
    Check("proxy", "Proxy", database.check_proxy),
    Check("bot_package", "The bot's package", database.check_bot_package),
    Check("procrastinate", "Procrastinate version", schema.check_procrastinate),
    Check(
        "procrastinate_schema",
        "Procrastinate's tables",
        schema.check_procrastinate_schema,
        names_place=True,
    ),
    Check("schema", "Tables of procrastinate-ops", schema.check_schema, names_place=True),
    Check(
        "privileges", "Privileges of the database user", schema.check_privileges, "procrastinate"
    ),
    Check("indexes", "Indexes", schema.check_indexes, "procrastinate"),
    Check("worker_rows", "Start and end of workers", database.check_worker_rows, "procrastinate"),
    Check(
        "foreign_keys",
        "Tables that refer to jobs",
        foreign_keys.check_foreign_keys,
        "procrastinate",
    ),
    Check("triggers", "Triggers on jobs", triggers.check_triggers, "procrastinate"),
    Check("workers", "Workers", workers.check_workers, "ours"),
    Check("listening", "Queues without a worker", listening.check_listening, "ours"),
    Check("recorder", "Recorded errors", workers.check_recorder, "ours"),
    Check("deleted_jobs", "Jobs deleted by workers", workers.check_deleted_jobs, "ours"),
    Check(
        "maintenance_queue",
        "Queue of the maintenance tasks",
        workers.check_maintenance_queue,
        "ours",
    ),
    Check("fetching", "Search of workers for jobs", waiting.check_fetching, "procrastinate"),
    Check("locks", "Locks that hold up jobs", waiting.check_locks, "ours"),
    Check("settings", "Settings of the workers", settings.check_settings, "ours"),
    Check("rescue", "Rescue of stuck jobs", maintenance.check_rescue, "ours"),
    Check("purge", "Nightly purge", maintenance.check_purge, "ours"),
    Check("digests", "Digests", maintenance.check_digests, "ours"),
    Check("watch", "Watch for incidents", incidents.check_watch, "ours"),
    Check("suspects", "Jobs without a living worker", maintenance.check_suspects, "ours"),
    Check("audit", "Acts that were cut off", maintenance.check_audit, "ours"),
)


async def examine(
    pool: Pool, situation: Situation, *, patience: timedelta = CHECK_TIMEOUT
) -> DoctorReport:
    """Run every check; returns one finding each, errors first. Changes nothing.

    A check that cannot run (no tables, no privilege, more than `patience` for a statement or for a
    connection) is a warning with the reason, and the others still run. Works without any table.
    Raises what the first check met if none could run.
    """
    as_of, missing, told = await _find_missing_tables(pool, situation, patience)
    situation = replace(situation, told=told)
    findings = []
    failed: list[Exception] = []
    unreachable: psycopg_pool.PoolTimeout | None = None
    for check in CHECKS:
        if check.needs is not None and check.needs in missing:
            findings.append(_needs_tables(check, missing[check.needs]))
            continue
        try:
            if unreachable is not None:
                raise unreachable  # noqa: TRY301  not waited for again
            async with _look(pool, patience) as conn:
                found = await check.run(conn, situation)
                if check.names_place and found.level != "ok":
                    said = say_place(await find_place(conn))
                    found = replace(found, sentence=f"{found.sentence} {said}")
                findings.append(found)
        except Exception as exc:  # noqa: BLE001  becomes a finding: the other checks still run
            if isinstance(exc, psycopg_pool.PoolTimeout) and unreachable is None:
                await note_why_not_connected(exc, *await ask_params(pool))
                unreachable = exc
            failed.append(exc)
            findings.append(_not_checked(check, exc, patience))
    if len(failed) == len(CHECKS):
        raise failed[0]
    titles = {check.name: check.title for check in CHECKS}
    if findings[0].level == "error":  # the disk is full
        findings[1:] = [_after_the_disk(finding) for finding in findings[1:]]
    findings.sort(key=lambda finding: _LEVELS.index(finding.level))
    titled = (replace(finding, title=titles[finding.check]) for finding in findings)
    return DoctorReport(as_of, tuple(titled))


async def _find_missing_tables(
    pool: Pool, situation: Situation, patience: timedelta
) -> tuple[datetime, dict[str, str], Sequence[Told]]:
    """The time, whose tables are missing and how, what the workers told.

    Nothing if it cannot be asked.
    """
    try:
        async with _look(pool, patience) as conn:
            server = await fetch_one(conn, load_queries("doctor")["get_server"])
            found = await fetch_one(conn, load_queries("schema")["find_tables"])
            told = await list_told(conn, situation.settings) if found["ours"] else ()
            lost = found["jobs_schema"] is None
            unseen = lost and await find_elsewhere(conn) is not None
    except (psycopg.Error, psycopg_pool.PoolTimeout):
        return situation.clock(), {}, ()  # each check reports what it finds
    why = "this user does not see the tables it reads" if unseen else _GONE.format("Procrastinate")
    missing = dict.fromkeys(("ours", "procrastinate"), why) if lost else {}
    if not found["ours"] and not unseen:
        missing["ours"] = _GONE.format("procrastinate-ops")
    return server["now"], missing, told


@asynccontextmanager
async def _look(pool: Pool, patience: timedelta) -> AsyncIterator[Conn]:
    async with (
        pool.connection(timeout=patience.total_seconds()) as conn,
        transaction(conn, lock_timeout=LOCK_TIMEOUT, statement_timeout=patience),
    ):
        await conn.execute(load_queries("doctor")["set_read_only"], prepare=False)
        yield conn


def _after_the_disk(finding: Finding) -> Finding:
    """As long as the disk is full no other fix works."""
    fix = finding.fix
    return replace(finding, fix=f"First free space on the disk. {fix}") if fix else finding


def _needs_tables(check: Check, why: str) -> Finding:
    return warning(
        check.name,
        f"This was not checked: {why}.",
        "Do what the findings about tables say, then run `jobs-maint doctor` again.",
    )


def _not_checked(check: Check, exc: Exception, patience: timedelta) -> Finding:
    fix = "Fix that, then run `jobs-maint doctor` again."
    if isinstance(exc, pg.QueryCanceled) and hasattr(exc, "__notes__"):  # by `note_timeout`
        why = f"it took longer than {patience.total_seconds():g} s and was stopped"
        fix = "Run `jobs-maint doctor` again when the database is less busy."
    elif isinstance(exc, pg.LockNotAvailable):
        why = "another session holds a lock on a table it reads"
        fix = (
            "Find that session in pg_stat_activity; run `jobs-maint doctor` again when it is gone."
        )
    elif isinstance(exc, psycopg.Error | psycopg_pool.PoolTimeout):
        why = str(map_error(exc)).rstrip(".")
        why = f"{why[:1].lower()}{why[1:]}"
    else:
        why = f"unexpected {type(exc).__name__}: {exc}"
        fix = "This is a bug in procrastinate-ops; please report it to its maintainers."
    return warning(check.name, f"This was not checked: {why}.", fix)
