"""The errors of procrastinate-ops: one class per fact found.

Each message says what was asked, what was found and what to do. `code` is the stable name a
program may test for; `exit_code` is what the shell ends with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "AlreadyRunning",
    "ChangeRefused",
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
"""Exit code when some items were skipped or failed."""


class JobsMaintError(Exception):
    """Base class of every error that a user may see."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1


class InvalidRequest(JobsMaintError):
    """The command, an option or a value is not valid; nothing was changed."""

    code = "invalid_request"
    exit_code = 2

    def __init__(
        self,
        found: str,
        ending: str = "",
        *,
        suggestion: str | None = None,
        leads_to: str | None = None,
    ) -> None:
        """`suggestion` is the corrected command line (without the command's name), if any.

        `ending`: what to type instead, as the end of the message: it goes where something better
        is known. `leads_to`: the word that tells more, where the message names one.
        """
        super().__init__(found + ending)
        self.found = found
        self.ending = ending
        self.suggestion = suggestion
        self.leads_to = leads_to


class JobNotFound(JobsMaintError):
    """No job has this id; it may have been purged."""

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
    """The preview was already used, or is older than ten minutes.

    `why`: `unknown`, `not_yours`, `used`, `late`, `replaced`, `dismissed`, or `ended` when
    the run to stop is already over.
    """

    code = "selection_expired"
    exit_code = 4

    def __init__(self, message: str, *, why: str = "unknown") -> None:
        super().__init__(message)
        self.why = why


class ChangeRefused(JobsMaintError):
    """The database refused to change the job: a constraint, a foreign key, a trigger, a lock."""

    code = "change_refused"
    exit_code = 4


class AlreadyRunning(JobsMaintError):
    """The same work is already running, and only one may run at a time; nothing was changed."""

    code = "already_running"
    exit_code = 4


class DatabaseUnavailable(JobsMaintError):
    """The jobs database cannot be reached, or did not answer in time."""

    code = "database_unavailable"
    exit_code = 69

    def __init__(
        self, message: str, *, maybe_elsewhere: bool = False, unbegun: bool = False
    ) -> None:
        """`maybe_elsewhere`: the tables may be in another database than the one that answered.

        `unbegun`: what was asked certainly has not begun, as it never got a connection.
        """
        super().__init__(message)
        self.maybe_elsewhere = maybe_elsewhere
        self.unbegun = unbegun


class NotPermitted(JobsMaintError):
    """The actor lacks the role, or the grant does not reach this queue or channel.

    `needs` is the role the request requires, `has` the highest role the actor holds here (None:
    no role at all). `queues`: what a grant must reach to be enough, as far as it is known.
    `unseen`: it is about something that the actor may not see, so nobody tells where it is.
    """

    code = "not_permitted"
    exit_code = 77

    def __init__(
        self,
        message: str,
        *,
        needs: str | None = None,
        has: str | None = None,
        queues: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.needs = needs
        self.has = has
        self.queues = tuple(queues)
        self.unseen = False


class SchemaMismatch(JobsMaintError):
    """The tables in the database are missing or belong to another version."""

    code = "schema_mismatch"
    exit_code = 78


class InvalidSettings(JobsMaintError):
    """A setting is missing, unreadable or invalid."""

    code = "invalid_settings"
    exit_code = 78
