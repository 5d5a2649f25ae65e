"""The doctor's checks on the server and on this machine."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from psycopg import errors as pg

from jobs_maint.database import Conn, fetch_one, find_read_only
from jobs_maint.durations import format_age
from jobs_maint.launcher import describe_hidden_bot
from jobs_maint.models import Finding
from jobs_maint.operations.doctor.findings import Situation, error, note, ok, warning
from jobs_maint.sql import load_queries

__all__: list[str] = []

OLDEST_POSTGRESQL, NEWEST_POSTGRESQL = 13, 18
"""Procrastinate 3 needs 13; the newest one is what the tests run on."""
SKEW_WARNING, SKEW_ERROR = timedelta(seconds=5), timedelta(seconds=60)
MANY_JOBS = 1_000_000
"""Reading this many rows each time a worker ends takes seconds."""
SAMPLE_PAGES = 2_000
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
"""Where Slack's SDK looks for a proxy, in its order."""


async def check_postgresql(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    server = await _get_server(conn)
    return judge_postgresql(server["version_number"] // 10_000, server["version"])


def judge_postgresql(major: int, version: str) -> Finding:
    """The finding for a server of this version."""
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
            f"The server is PostgreSQL {version}, newer than any version that this release of "
            "procrastinate-ops was tested with.",
            "Check for a newer release of procrastinate-ops.",
        )
    return ok("postgresql", f"The server is PostgreSQL {version}.")


async def check_read_only(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    if (found := await find_read_only(conn)) is not None:
        return error("read_only", *found)
    return ok("read_only", "The database accepts changes.")


async def check_disk(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    queries = load_queries("doctor")
    await fetch_one(conn, queries["set_small_memory"])
    try:
        async with conn.transaction():
            await fetch_one(conn, queries["write_to_disk"])
    except pg.DiskFull:
        return error(
            "disk",
            "The disk of the database server is full: nothing can be stored. Workers cannot start, "
            "and no command can change anything; a purge needs some space, too.",
            "Free some space there by other means, such as old logs, or enlarge the disk; then "
            "delete jobs with `jobs-maint purge`.",
        )
    except pg.ConfigurationLimitExceeded:
        return ok("disk", "The disk was not tried: temp_file_limit does not allow it.")
    return ok("disk", "The disk of the database server takes more data.")


async def check_isolation(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    server = await _get_server(conn)
    if server["isolation"] == "read committed":
        return ok("isolation", "Transactions are READ COMMITTED by default.")
    return warning(
        "isolation",
        f"Transactions of {server['login']} are {server['isolation'].upper()} by default. "
        "procrastinate-ops sets its own level, but workers with this default can fail when two "
        "fetch a job at once.",
        "Run ALTER ROLE … or ALTER DATABASE … RESET default_transaction_isolation, also for the "
        "workers' user.",
    )


async def check_clock(conn: Conn, situation: Situation) -> Finding:
    """Half of the round trip is uncertain, so it is subtracted."""
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
        f"This machine's clock is {format_age(size)} {'ahead of' if skew > half else 'behind'}"
        " the database's; log times and jobs scheduled from here are off by that much.",
        "Synchronise both machines with NTP.",
    )


async def check_proxy(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    name = next((name for name in PROXIES if situation.environ.get(name, "").strip()), None)
    if name is None:
        return ok("proxy", "No proxy is set here.")
    return note(
        "proxy",
        f"{name} is set: in this environment the bot sends its requests to Slack through "
        f"{_without_login(situation, name)}, and it ignores NO_PROXY.",
        f"Unset {name} for the bot if it can reach Slack directly; otherwise no action is needed. "
        "A Slack API on 127.0.0.1 is never reached through a proxy.",
    )


async def check_bot_package(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    hidden = describe_hidden_bot()
    if hidden is None:
        return ok("bot_package", "Nothing hides the bot's package chatbot.")
    return note(
        "bot_package",
        f"The bot cannot be started here: {hidden[0]}.",
        "Nothing is to do where neither bot nor digests are wanted; else rename the other package, "
        "or take it off Python's path.",
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
    """Deleting a worker's row sets `worker_id` to NULL in all its jobs: a scan of the table."""
    queries = load_queries("doctor")
    measured = await fetch_one(conn, queries["measure_jobs"])
    percent = min(100.0, 100.0 * SAMPLE_PAGES / max(measured["pages"], 1))
    sample = await fetch_one(conn, queries["sample_worker_ids"], {"percent": percent})
    jobs, carrying = (round(sample[name] * 100 / percent) for name in ("jobs", "carrying"))
    if jobs < many or measured["indexed"]:
        return ok("worker_rows", "Starting or stopping a worker does not read many jobs.")
    about = "≈ " if percent < 100 else ""
    return warning(
        "worker_rows",
        f"Whenever a worker starts or stops, the database may read all {about}{jobs:,} jobs, of "
        f"which {about}{carrying:,} finished ones still carry a worker id (Procrastinate issue "
        "1454).",
        "CREATE INDEX CONCURRENTLY ON procrastinate_jobs (worker_id) WHERE worker_id IS NOT NULL; "
        "or keep finished jobs for a shorter time.",
    )


async def _get_server(conn: Conn) -> dict[str, Any]:
    return await fetch_one(conn, load_queries("doctor")["get_server"])
