"""Jobs that failed alike: what their error is called, and the buttons that act on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chatbot.messages.parts import Button, Span, code
from chatbot.messages.words import first_lines, short_task
from jobs_maint.actions import (
    BulkVerb,
    JobFilter,
    ListFailed,
    PreviewBulk,
    RetryJobs,
    escape_glob,
    plain_name,
)
from jobs_maint.models import ErrorGroup, FailedGroup, Loss, says_messages
from jobs_maint.redaction import HIDDEN
from jobs_maint.verbs import say_unrecorded

__all__ = [
    "LONGEST_LOOK",
    "describe_error",
    "filter_like",
    "is_exact",
    "list_ids",
    "list_like",
    "offer_retry",
    "say_inexact",
]

Group = ErrorGroup | FailedGroup
LONGEST_LOOK = 4_000
LONGEST_FILTER = 100
LONGEST_VALUE = 2_000
"""Characters that Slack keeps with a button."""
MOST_SHOWN = 5
_VARIES = re.compile(rf"[\d'\"`\n]|{re.escape(HIDDEN)}")
"""Where a message begins to differ from others of its group."""


def describe_error(group: Group) -> str:
    """Two lines at most, exact as far as it goes."""
    if not group.recorded:
        return say_unrecorded(awaited=group.awaited)
    name = (group.exception_type or "")[:LONGEST_LOOK].rpartition(".")[2]
    message = group.describe_message()[:LONGEST_LOOK]
    if group.lost:
        lost = Loss.read(message)
        message = f"{lost.what} ({lost.who})" if lost.who else lost.what
    elif name and not message.startswith(name):
        message = f"{name}: {message}" if message else name
    return first_lines(message) or "an error without text"


def list_ids(ids: Sequence[int], count: int) -> list[Span | str]:
    """`jobs 4748 4747 4746 4745 4744 and 32 more`."""
    spans: list[Span | str] = ["job" if count == 1 else "jobs"]
    for job_id in ids[:MOST_SHOWN]:
        spans += [" ", code(str(job_id))]
    more = count - len(ids[:MOST_SHOWN])
    return [*spans, f" and {more:,} more"] if more else spans


def filter_like(group: Group) -> JobFilter:
    """The failed jobs of the group: by its name, else of its task with errors that begin alike."""
    statuses = BulkVerb.RETRY.statuses[:1]
    if group.name is not None:
        return JobFilter(statuses=statuses, group=group.name)
    error = None
    if group.recorded:
        error = _find_error(group.exception_type or "", group.message)
    return JobFilter(statuses=statuses, task=escape_glob(group.task), error=error)


def list_like(group: Group) -> ListFailed:
    """The list of the same jobs as `filter_like`."""
    wanted = filter_like(group)
    return ListFailed(task=wanted.task, error=wanted.error, group=wanted.group)


def is_exact(wanted: JobFilter, group: Group, shown: Iterable[Group], *, all_shown: bool) -> bool:
    """Whether the filter finds the group's jobs and no others; `shown`: known groups."""
    if wanted.group is not None:
        return True
    others = (one for one in shown if one is not group and one.task == group.task)
    return all_shown and not any(_matches(other, wanted.error) for other in others)


def _find_error(exception_type: str, message: str) -> str | None:
    """What `--error` finds errors alike by: type and message, up to where these differ."""
    text = message[: 2 * LONGEST_FILTER]
    if says_messages(text):
        text = ""
    if found := _VARIES.search(text):
        # Back to the beginning of the word: all of it may vary.
        text = text[: found.start()]
        text = text[: len(text) - len(text.split(" ")[-1])]
    kind = exception_type[:LONGEST_LOOK]
    whole = f"{kind}: {text}" if kind else text
    return _cut_words(whole, LONGEST_FILTER) or None


def _cut_words(text: str, limit: int) -> str:
    """The beginning at whole words, without what a shell would read as more than text."""
    if len(text) > limit:
        text = text[:limit].rpartition(" ")[0] or text[:limit]
    return text.strip().rstrip(":,;.-(")


def _matches(other: Group, error: str | None) -> bool:
    parts = ((other.exception_type or "")[:LONGEST_LOOK], other.message[:LONGEST_LOOK])
    text = ": ".join(part for part in parts if part)
    return error is None or error.lower() in text.lower()


def offer_retry(
    ids: Sequence[int], failed: int, retriable: int | None, wanted: JobFilter, *, exact: bool
) -> list[Button]:
    """The button that retries the `failed` jobs of a group; none where none can be retried.

    It names the jobs where all of their `ids` are known and fit, else it finds them by `wanted`;
    `exact`: that finds no others. Of what was given up since, neither puts anything back.
    `retriable`: how many can be put back, which the button says; None: not known.
    """
    if retriable == 0:
        return []
    only = BulkVerb.RETRY.statuses[:1]
    if failed == 1 and ids:
        words = RetryJobs((ids[0],), statuses=only).words()
        return [Button(f"Retry job {ids[0]}", words)]
    label = f"Preview retry of {say_inexact(wanted) if retriable is None else f'{retriable:,}'}"
    if len(ids) == failed:
        named = JobFilter(statuses=only, job_ids=tuple(ids))
        words = PreviewBulk(BulkVerb.RETRY, named).words()
        if len(words) <= LONGEST_VALUE:
            return [Button(label, words)]
    words = PreviewBulk(BulkVerb.RETRY, wanted).words()
    return [Button(label if exact else f"Preview retry of {say_inexact(wanted)}", words)]


def say_inexact(wanted: JobFilter) -> str:
    """What a filter finds that may be more than is shown."""
    if wanted.group is not None:
        return f"all of {wanted.group}"
    if wanted.error is not None:
        return "these and any alike"
    return f"all of {short_task(plain_name(wanted.task or '') or '')}"
