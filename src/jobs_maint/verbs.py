"""Retry, cancel, discard, rescue, purge: how each is asked for, told and undone.

The one table for shell, Slack and the audit; and the words for what an act may meet: the states of
a job, the reasons why one was skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = [
    "FINAL_STATUSES",
    "NO_TRACEBACK",
    "RESCUED",
    "SKIPPED",
    "STARTED_MEANWHILE",
    "VERBS",
    "Verb",
    "describe_state",
    "find_verb",
    "say_missing_error",
    "say_skipped",
    "say_unrecorded",
]


@dataclass(frozen=True, slots=True)
class Verb:
    """`ask`: as a button says it; `doing`: while it runs; `done`: what a job was then.

    `then` follows the preview of several jobs, `then_one` of one. `can_undo`: `retry` puts back
    what it did.
    """

    ask: str
    doing: str
    done: str
    then: str = ""
    then_one: str = ""
    can_undo: bool = False


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "retry": Verb("Retry", "Retrying", "retried", "They run at once.", "It runs at once."),
        "cancel": Verb(
            "Cancel",
            "Cancelling",
            "cancelled",
            "The outcome says how to undo this.",
            "The outcome says how to undo this.",
            can_undo=True,
        ),
        "discard": Verb(
            "Discard",
            "Discarding",
            "discarded",
            "They become cancelled and stay until the purge. The outcome says how to undo this.",
            "It becomes cancelled and stays until the purge. The outcome says how to undo this.",
            can_undo=True,
        ),
        "rescue": Verb(
            "Rescue",
            "Rescuing",
            "rescued",
        ),
        "purge": Verb("Delete", "Deleting", "deleted", "This cannot be undone."),
    }
)


STARTED_MEANWHILE = "Those that start before they are cancelled are asked to abort."
"""Of a cancel that leaves running jobs alone."""


def find_verb(name: str) -> Verb:
    """Also for a verb of another version of the tool, as the audit may hold one."""
    return VERBS.get(name) or Verb(name[:20].capitalize(), "Working on", "changed")


FINAL_STATUSES = ("succeeded", "failed", "cancelled", "aborted")

RESCUED: Mapping[str, str] = MappingProxyType(
    {"put_back": "put back", "aborted": "aborted", "failed": "failed for good"}
)
"""What a rescue made of a job, by the code of its outcome."""

SKIPPED: Mapping[str, str] = MappingProxyType(
    {
        "queueing_lock_taken": "queueing lock taken",
        "not_found": "no longer there",
        "wrong_status": "the status changed since the preview",
        "abort_requested_before": "already asked to abort",
        "worker_alive": "a live worker runs them",
        "too_soon": "their worker may be alive still",
        "worker_unknown": "their worker died at once, or has no recorder and may run them still; "
        "`rescue --force ID` (for admins) acts on one",
        "not_permitted": "their queue is outside your grant",
        "ended_otherwise": "they were cancelled, given up or failed since the preview",
        "ran_again": "they ran again since the preview",
        "another_job": "other jobs, deferred after the preview, have their ids now",
        "started_again": "they were started again since the preview",
    }
)
"""Why several jobs were skipped, by code; the reason of a single job is more exact."""

_OF_ONE = {"they were": "it was", "they ran": "it ran", "their": "its", "them": "it"}


def say_skipped(code: str, number: int) -> str:
    """Why so many were, where only the code is known; empty where that says nothing."""
    why = "another session held their rows" if code == "held" else SKIPPED.get(code, "")
    if number == 1:
        why = "another job has its id now" if code == "another_job" else why
        for plural, single in _OF_ONE.items():
            why = why.replace(plural, single)
    return why


_STATES = {
    "todo": "is waiting",
    "doing": "is running",
    "failed": "failed",
    "succeeded": "succeeded",
    "cancelled": "was cancelled",
    "aborted": "was aborted",
}


_LEFT_OUT = {
    "todo": "already waiting",
    "doing": "running",
    "cancelled": "cancelled or given up",
    "own": "a task of this tool, whose next run does its work",
}


def find_state(state: str) -> str:
    """As what a job is left out of a set, or is one of it: a discarded job is cancelled, too."""
    return _LEFT_OUT.get(state, state)


def describe_state(status: str) -> str:
    """A job's status as what follows "Job 12"; raw text where the status is not known."""
    return _STATES.get(status) or f"is {status}"


_UNRECORDED = (
    "is not recorded, or not stored yet: its worker has no recorder, does not know this task, or "
    "could not store it (its log says why)."
)
_AWAITED = "is not stored yet: the job failed a moment ago. Ask again in a few seconds."
NO_TRACEBACK = "No traceback was kept: of failures alike, the first 100 in an hour keep theirs."


def say_missing_error(*, awaited: bool, earlier: bool) -> str:
    """Of a job that failed; `earlier`: the error of an attempt before is recorded."""
    which = "The error of its last attempt" if earlier else "The error"
    return f"{which} {_AWAITED if awaited else _UNRECORDED}"


def say_unrecorded(*, awaited: bool) -> str:
    """In the place of an error; `awaited`: a live recorder may still store it."""
    return "error not stored yet" if awaited else "error not recorded"
