"""The errors of procrastinate-ops: one class per fact found.

Each message says what was asked, what was found and what to do. `code` is the stable name a
program may test for; `exit_code` is what the shell ends with.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AlreadyRunning",
    "DatabaseUnavailable",
    "InvalidRequest",
    "InvalidSettings",
    "JobNotFound",
    "JobsMaintError",
    "NotPermitted",
    "QueueingLockTaken",
    "SchemaMismatch",
    "SelectionExpired",
    "WrongJobStatus",
]

PARTLY_DONE = 5
"""Exit code of an act that skipped or failed some of its items."""


class JobsMaintError(Exception):
    """Base of all errors a user can meet."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1


class InvalidRequest(JobsMaintError):
    """The words, options or values asked for make no sense; nothing was changed."""

    code = "invalid_request"
    exit_code = 2

    def __init__(self, message: str, *, suggestion: str | None = None) -> None:
        """`suggestion` is the corrected command line (without the command's name), if any."""
        super().__init__(message)
        self.suggestion = suggestion


class JobNotFound(JobsMaintError):
    """No job has this id (any more)."""

    code = "job_not_found"
    exit_code = 3


class WrongJobStatus(JobsMaintError):
    """The job exists but its status does not allow what was asked."""

    code = "wrong_job_status"
    exit_code = 4


class QueueingLockTaken(JobsMaintError):
    """Another waiting job holds the queueing lock."""

    code = "queueing_lock_taken"
    exit_code = 4


class SelectionExpired(JobsMaintError):
    """The frozen set of a preview was used already, or its ten minutes are over.

    `why`: `unknown`, `not_yours`, `used`, `late`, or `ended` for a run that is to be stopped.
    """

    code = "selection_expired"
    exit_code = 4

    def __init__(self, message: str, *, why: str = "unknown") -> None:
        super().__init__(message)
        self.why = why


class AlreadyRunning(JobsMaintError):
    """Somebody else does the same now, and only one at a time may; nothing was changed."""

    code = "already_running"
    exit_code = 4


class DatabaseUnavailable(JobsMaintError):
    """The jobs database cannot be reached, or did not answer in time."""

    code = "database_unavailable"
    exit_code = 69


class NotPermitted(JobsMaintError):
    """The actor lacks the role, or the grant does not reach this queue or channel.

    `needs` is the role the request takes, `has` the highest role the actor holds here (None: no
    role at all).
    """

    code = "not_permitted"
    exit_code = 77

    def __init__(self, message: str, *, needs: str | None = None, has: str | None = None) -> None:
        super().__init__(message)
        self.needs = needs
        self.has = has


class SchemaMismatch(JobsMaintError):
    """The tables in the database are missing, or of another version."""

    code = "schema_mismatch"
    exit_code = 78


class InvalidSettings(JobsMaintError):
    """A setting is missing, unreadable or nonsensical."""

    code = "invalid_settings"
    exit_code = 78
