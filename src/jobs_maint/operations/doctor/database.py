"""The doctor's checks on the server, and on this machine beside it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from jobs_maint.database import Conn, fetch_one
from jobs_maint.durations import format_age
from jobs_maint.models import Finding
from jobs_maint.operations.doctor.findings import Situation, error, note, ok, warning
from jobs_maint.sql import load_queries

__all__: list[str] = []

OLDEST_POSTGRESQL, NEWEST_POSTGRESQL = 13, 18
"""Procrastinate 3 asks for 13; the newest one that the tests run on."""
SKEW_WARNING, SKEW_ERROR = timedelta(seconds=5), timedelta(seconds=60)
MANY_JOBS = 1_000_000
"""Reading so many rows at each end of a worker takes seconds."""
SAMPLE_PAGES = 2_000
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
"""Where Slack's SDK looks for a proxy, in its order."""


async def check_postgresql(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    server = await _get_server(conn)
    return judge_postgresql(server["version_number"] // 10_000, server["version"])


def judge_postgresql(major: int, version: str) -> Finding:
    """What is to be said of a server of this version."""
    if major < OLDEST_POSTGRESQL:
        return error(
            "postgresql",
            f"The server is PostgreSQL {version}; Procrastinate needs "
            f"{OLDEST_POSTGRESQL} or newer.",
            "Upgrade the server.",
        )
    if major > NEWEST_POSTGRESQL:
        return note(
            "postgresql",
            f"The server is PostgreSQL {version}, newer than this release of procrastinate-ops was "
            "tested with.",
            "Look for a newer release of procrastinate-ops.",
        )
    return ok("postgresql", f"The server is PostgreSQL {version}.")


async def check_read_only(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    server = await _get_server(conn)
    if server["standby"]:
        return error(
            "read_only",
            "The database is a read-only standby: nothing can be retried, purged or recorded here.",
            "Let JOB_QUEUE_DATABASE_URL name the primary.",
        )
    if server["read_only"]:
        return error(
            "read_only",
            f"Transactions of {server['login']} are read only by default "
            "(default_transaction_read_only is on).",
            "Turn it off: ALTER ROLE … or ALTER DATABASE … RESET default_transaction_read_only, "
            "or the option in JOB_QUEUE_DATABASE_URL.",
        )
    return ok("read_only", "The database accepts changes.")


async def check_isolation(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    server = await _get_server(conn)
    if server["isolation"] == "read committed":
        return ok("isolation", "Transactions are READ COMMITTED by default.")
    return warning(
        "isolation",
        f"Transactions of {server['login']} are {server['isolation'].upper()} by default; ours set "
        "their level themselves, but a worker with this default can fail when two fetch at once.",
        "ALTER ROLE … or ALTER DATABASE … RESET default_transaction_isolation, for the workers' "
        "user too.",
    )


async def check_clock(conn: Conn, situation: Situation) -> Finding:
    """Half of the round trip is not known, so it is taken off."""
    before = situation.clock()
    there = (await fetch_one(conn, load_queries("doctor")["get_clock"]))["now"]
    after = situation.clock()
    half = (after - before) / 2
    skew = before + half - there
    size = max(abs(skew) - half, timedelta())
    if size <= SKEW_WARNING:
        return ok("clock", "The clocks of this machine and of the database agree.")
    judge = error if size > SKEW_ERROR else warning
    return judge(
        "clock",
        f"The clock of this machine is {format_age(size)} {'ahead of' if skew > half else 'behind'}"
        " the database's; times in logs and jobs scheduled from here are off by as much.",
        "Let both machines keep their time by NTP.",
    )


async def check_proxy(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    name = next((name for name in PROXIES if situation.environ.get(name, "").strip()), None)
    if name is None:
        return ok("proxy", "No proxy is set here.")
    return note(
        "proxy",
        f"{name} sends the bot's requests to Slack through {_without_login(situation, name)} when "
        "it is started with this environment; NO_PROXY is not heeded for them.",
        f"Unset {name} for the bot if Slack can be reached without; otherwise nothing is to do. A "
        "Slack API on 127.0.0.1 is never asked through a proxy.",
    )


def _without_login(situation: Situation, name: str) -> str:
    try:
        parts = urlsplit(situation.environ[name].strip())
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "a proxy"
    return f"{parts.hostname}{port}" if parts.hostname else "a proxy"


async def check_worker_rows(
    conn: Conn,
    situation: Situation,  # noqa: ARG001
    *,
    many: int = MANY_JOBS,
) -> Finding:
    """Deleting a worker's row sets `worker_id` to NULL in every job of its: a scan of the table."""
    queries = load_queries("doctor")
    measured = await fetch_one(conn, queries["measure_jobs"])
    percent = min(100.0, 100.0 * SAMPLE_PAGES / max(measured["pages"], 1))
    sample = await fetch_one(conn, queries["sample_worker_ids"], {"percent": percent})
    jobs, carrying = (round(sample[name] * 100 / percent) for name in ("jobs", "carrying"))
    if jobs < many or measured["indexed"]:
        return ok("worker_rows", "The end of a worker does not read many jobs.")
    about = "≈ " if percent < 100 else ""
    return warning(
        "worker_rows",
        f"Each end or start of a worker may read all {about}{jobs:,} jobs, of which "
        f"{about}{carrying:,} finished ones still carry the id of their worker (Procrastinate's "
        "issue 1454).",
        "CREATE INDEX CONCURRENTLY ON procrastinate_jobs (worker_id) WHERE worker_id IS NOT NULL; "
        "or keep finished jobs for a shorter time.",
    )


async def _get_server(conn: Conn) -> dict[str, Any]:
    return await fetch_one(conn, load_queries("doctor")["get_server"])
