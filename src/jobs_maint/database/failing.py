"""The one map from database errors to ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg_pool
from psycopg import errors as pg

from jobs_maint.database.limits import LOCK_TIMEOUT, POOL_TIMEOUT
from jobs_maint.database.raised import RACES, find_function, is_stopped
from jobs_maint.database.standby import met_none
from jobs_maint.errors import ChangeRefused, DatabaseUnavailable, JobsMaintError, SchemaMismatch
from jobs_maint.redaction import redact_text

__all__ = ["APPLY", "is_connection_lost", "is_timeout", "map_error", "mapped_errors"]

APPLY = "run `jobs-maint schema apply`"
_LOST = ("08", "57P", "25P03", "25P04")
"""Codes: connection, shutdown, and the time limits that end a session in its transaction."""
_LACKING = (pg.UndefinedTable, pg.UndefinedColumn, pg.UndefinedFunction, pg.InsufficientPrivilege)
_UNDONE = "this step changed nothing"


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn psycopg's errors into ours, once for all front ends."""
    try:
        yield
    except JobsMaintError:
        raise
    except (psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed) as exc:
        raise map_error(exc) from exc


_PLAIN: tuple[tuple[type[Exception], type[JobsMaintError], str], ...] = (
    (
        pg.DeadlockDetected, DatabaseUnavailable,
        ("Another session changed the same rows at the same time; "
        f"{_UNDONE}. Try again in a moment."),
    ),
    (
        pg.SerializationFailure, DatabaseUnavailable,
        ("Another session changed the same rows at the same time; "
        f"{_UNDONE}. Try again in a moment."),
    ),
    (
        pg.InvalidSchemaName, SchemaMismatch,
        ("No schema on the search path of this connection exists; create one, or correct "
        "search_path in the options of JOB_QUEUE_DATABASE_URL or of the role."),
    ),
    (
        pg.TooManyConnections, DatabaseUnavailable,
        ("All connection slots of the database server are taken. Close some sessions, raise the "
        "limit of the server, the database or the role, or try again in a moment."),
    ),
    (
        pg.ReadOnlySqlTransaction, DatabaseUnavailable,
        ("The database takes no changes: it is a standby, or default_transaction_read_only is on; "
        "`jobs-maint doctor` says which and what to do."),
    ),
    (
        pg.CharacterNotInRepertoire, DatabaseUnavailable,
        ("The database holds text that is not valid UTF-8 (its encoding is SQL_ASCII, which takes "
        f"any bytes); {_UNDONE}. Correct that text, or move the jobs to a UTF-8 database."),
    ),
    (
        psycopg_pool.TooManyRequests, DatabaseUnavailable,
        ("No connection to the jobs database is free, and too many others wait for one. Try again "
        "in a moment."),
    ),
    (
        pg.DiskFull, DatabaseUnavailable,
        (f"The disk of the jobs database is full; {_UNDONE}. Free some space on its server, "
        "then try again; a purge needs some, too."),
    ),
)  # fmt: skip


def map_error(exc: Exception) -> JobsMaintError:
    """Our error for one of psycopg's; never shows the connection string."""
    if _is_raised(exc):
        return _map_raised(exc)
    for kind, ours, sentence in _PLAIN:
        if isinstance(exc, kind):
            return ours(_with_place(sentence, exc))
    if isinstance(exc, pg.LockNotAvailable):
        who = "".join(f": {note}" for note in getattr(exc, "__notes__", ()))
        return DatabaseUnavailable(
            f"Another session has held these rows or tables for more than "
            f"{LOCK_TIMEOUT.total_seconds():.0f} s{who}; {_UNDONE}. "
            f"{'End that transaction or try' if who else 'Try'} again in a moment."
        )
    if isinstance(exc, _LACKING):
        return _map_lacking(exc)
    if _is_of_our_keys(exc):
        return SchemaMismatch(
            "A table of procrastinate-ops has lost its primary key, or its numbers begin anew "
            f"below those that are there, as after a restore of a part; {APPLY}, which mends that "
            "or names what to restore."
        )
    if isinstance(exc, pg.QueryCanceled):
        return _map_cancelled(exc)
    if isinstance(exc, psycopg_pool.PoolTimeout):
        return _map_no_connection(exc)
    return _map_other(exc)


def _map_other(exc: Exception) -> JobsMaintError:
    if is_connection_lost(exc):
        return DatabaseUnavailable(
            "The connection to the jobs database was lost; only committed changes were kept. "
            "Try again in a moment."
        )
    reason = f"The jobs database reported: {_say(exc)}"
    if isinstance(exc, psycopg.OperationalError):  # of its resources, not of what was asked
        return DatabaseUnavailable(f"{reason}; {_UNDONE}. Try again in a moment.")
    return JobsMaintError(reason)


def _is_raised(exc: Exception) -> bool:
    """By a function of the team, whatever the code."""
    of_ours = isinstance(exc, RACES) or is_stopped(exc) or is_connection_lost(exc)
    return not of_ours and find_function(exc) is not None


def _map_raised(exc: Exception) -> JobsMaintError:
    return ChangeRefused(
        f"The database function {find_function(exc)} refuses it ({_say(exc)}); {_UNDONE}. Change "
        "that function, or see to what it needs."
    )


def _say(exc: Exception) -> str:
    """Its first line, without the secrets that a function of the team may have put into it."""
    lines = str(exc).strip().splitlines()
    return redact_text(lines[0]) if lines else type(exc).__name__


def _is_of_our_keys(exc: Exception) -> bool:
    """What our own statements meet only where a table is not as the migrations made it."""
    if isinstance(exc, pg.InvalidColumnReference):
        return "ON CONFLICT" in str(exc)
    name = getattr(getattr(exc, "diag", None), "constraint_name", None) or ""
    is_ours = name.startswith("jobs_maint_") and "_pkey" in name
    return isinstance(exc, pg.UniqueViolation) and is_ours


def _map_lacking(exc: psycopg.Error) -> JobsMaintError:
    """A table, a column or a right that is not there; `explain_lack` knows more where it can."""
    words = str(exc).strip().splitlines()[0]
    if isinstance(exc, pg.InsufficientPrivilege):
        return DatabaseUnavailable(
            f"The database user lacks a privilege: {words}; grant it, or use a user that has it."
        )
    if isinstance(exc, pg.UndefinedColumn):
        said = (
            f"A table of the jobs database lacks a column ({words}); {APPLY}, which adds what a "
            "newer release needs and names what else is missing."
        )
        return SchemaMismatch(_with_place(said, exc))
    missing = re.search(r'"?((?:jobs_maint|procrastinate)_\w+)"?', str(exc))
    said = f"The jobs database has no {missing[1] if missing else 'such table'}; {APPLY}."
    return SchemaMismatch(_with_place(said, exc))


def _with_place(said: str, exc: Exception) -> str:
    return " ".join([said, *getattr(exc, "__notes__", ())])  # by `name_place`


def _map_cancelled(exc: pg.QueryCanceled) -> DatabaseUnavailable:
    limits = getattr(exc, "__notes__", ())  # by `note_timeout`
    if not limits:
        return DatabaseUnavailable(
            f"The query was cancelled on the database server; {_UNDONE}. Try again."
        )
    advice = limits[1] if len(limits) > 1 else "Ask for less: one queue, or a shorter span."
    return DatabaseUnavailable(
        f"The query took longer than {limits[0]} and was stopped; {_UNDONE}. {advice}"
    )


def _map_no_connection(exc: psycopg_pool.PoolTimeout) -> DatabaseUnavailable:
    unbegun = met_none()
    if reasons := getattr(exc, "__notes__", ()):  # by `note_why_not_connected`
        return DatabaseUnavailable(reasons[0], unbegun=unbegun)
    waited = re.search(r"[\d.]+(?= sec)", str(exc))  # the team's pool has its own time limit
    seconds = float(waited[0]) if waited else POOL_TIMEOUT
    return DatabaseUnavailable(
        f"No connection to the jobs database was free within {seconds:.0f} s; it is down, or all "
        "its connections are in use.",
        unbegun=unbegun,
    )


def is_timeout(exc: pg.QueryCanceled) -> bool:
    """Whether the statement ran into the limit of its transaction; else somebody cancelled it."""
    return bool(getattr(exc, "__notes__", ()))  # by `note_timeout`


def is_connection_lost(exc: Exception) -> bool:
    """Whether nobody answers any more, as opposed to a statement that was refused."""
    if not isinstance(exc, psycopg.Error):
        return True  # the network, the resolver
    if exc.sqlstate is None:  # libpq's own
        return isinstance(exc, psycopg.OperationalError | psycopg.InterfaceError)
    # A function that asks another server raises that server's code, and this connection lives on.
    ends = exc.diag.severity_nonlocalized in {None, "FATAL", "PANIC"}
    return ends and exc.sqlstate.startswith(_LOST)
