"""Results → exit codes; a refusal of the only job asked for becomes its error."""

from __future__ import annotations

from collections.abc import Sequence

from jobs_maint.errors import (
    PARTLY_DONE,
    ChangeRefused,
    JobNotFound,
    JobsMaintError,
    QueueingLockTaken,
    WrongJobStatus,
)
from jobs_maint.models import (
    ActReport,
    BulkReport,
    DoctorReport,
    ItemOutcome,
    ItemResult,
    PurgeReport,
    RescueReport,
    SchemaDropReport,
)
from jobs_maint.verbs import VERBS

__all__ = ["NONE_DONE", "find_exit_code"]

NONE_DONE = 4
"""Exit code of a set of which no job was changed."""

REFUSED: dict[str, type[JobsMaintError]] = {
    "not_found": JobNotFound,
    "queueing_lock_taken": QueueingLockTaken,
}
"""Why a job was not changed → the error it is when it was the only one asked for, where that is
not WrongJobStatus."""


def find_exit_code(result: object) -> int:
    """0 for all done, 5 for partly; raises when the only job asked for was refused."""
    if isinstance(result, ActReport):
        return _of_items(result.items, result.verb)
    if isinstance(result, RescueReport):
        return _of_items(result.items, "rescue")
    if isinstance(result, BulkReport):
        if result.done == result.requested and not result.remain and not result.left_out:
            return 0
        return PARTLY_DONE if result.done else NONE_DONE
    if isinstance(result, PurgeReport):
        if result.finished and not result.kept:
            return 0
        return PARTLY_DONE if result.total or not result.finished else NONE_DONE
    if isinstance(result, SchemaDropReport):
        return PARTLY_DONE if result.problems else 0
    return result.exit_code if isinstance(result, DoctorReport) else 0


def _of_items(items: Sequence[ItemResult], verb: str) -> int:
    if all(item.outcome is ItemOutcome.DONE for item in items):
        return 0
    if len(items) == 1:
        failed = items[0].outcome is ItemOutcome.FAILED
        refused = ChangeRefused if failed else REFUSED.get(items[0].code, WrongJobStatus)
        raise refused(_refusal(items[0], verb))
    return PARTLY_DONE


def _refusal(item: ItemResult, verb: str) -> str:
    reason = (item.reason or item.code).rstrip(".")
    return f"Job {item.job_id} was not {VERBS[verb].done}: {reason}."
