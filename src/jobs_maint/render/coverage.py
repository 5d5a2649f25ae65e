"""What an answer covers: the filter of queues and tasks, and the queues in reach, in words."""

from __future__ import annotations

from collections.abc import Sequence

from jobs_maint.models import LARGEST_LIMIT, OwnJobs, WorkerCounts
from jobs_maint.quoting import in_quotes, plain_name, show_name
from jobs_maint.render.safe import safe_line, type_queue

__all__ = [
    "FATES_UNKNOWN",
    "UNTIL_IN_FUTURE",
    "safe_own",
    "safe_reach",
    "say_aside",
    "say_coverage",
    "say_deleting",
    "say_own",
    "say_reach",
    "say_rest",
    "say_task",
]

MOST = 3
"""Names of each kind; more are counted."""
FATES_UNKNOWN = "Too many jobs failed in that time to look at what became of each"
UNTIL_IN_FUTURE = "--until is in the future: shown up to now."


def say_coverage(
    queues: Sequence[str] | None, tasks: Sequence[str] | None, most: int = MOST
) -> str:
    """` of webhook and email*`, to follow `37 jobs`; empty for all. The names are foreign."""
    if not queues and not tasks:
        return ""
    which = f"of {_join(queues, 'queue', most)}" if queues else ""
    if tasks:
        noun = "task" if len(tasks) == 1 else "tasks"
        named = f"{noun} {_join(tasks, 'task', most)}"
        which = f"{which} ({named})" if which else f"of {named}"
    return f" {which}"


def say_task(task: str, most: int) -> str:
    """`with 'send' in the task's name`, or `of tasks like 'app.*'`. The text is foreign."""
    name = plain_name(task)
    shown = in_quotes(task if name is None else name, most)
    return f"of tasks like {shown}" if name is None else f"with {shown} in the task's name"


def say_reach(limited_to: Sequence[str] | None) -> str:
    """` in the queues you reach (email*)`; empty where that is all. The names are foreign."""
    return f" in the queues you reach ({_join(limited_to, 'queue', MOST)})" if limited_to else ""


def safe_reach(limited_to: Sequence[str] | None) -> str:
    """The same for a terminal."""
    reach = say_reach(limited_to)
    return f" {safe_line(reach)}" if reach else ""


def say_own(own: OwnJobs | None) -> tuple[str, list[str]]:
    """What is not counted of the queue that was asked for, and what to type to see it."""
    if own is None or own.queue is None:
        return "", []
    jobs = (
        "1 job of our own tasks is" if own.jobs == 1 else f"{own.jobs:,} jobs of our own tasks are"
    )
    failed = ""
    if own.failed:
        failed = ", failed" if own.failed == own.jobs == 1 else f", {own.failed:,} of them failed"
    look = ["doctor"]
    if own.failed:
        look.append(f"failed{type_queue(own.queue)}")
    return f"{jobs} there but not counted here{failed}: see", look


def say_aside(own: OwnJobs | None) -> str:
    """To follow a queue of which it is told how many of its jobs failed."""
    return " (our own tasks aside)" if own is not None and own.queue is not None else ""


def safe_own(own: OwnJobs | None) -> str:
    """The same for a terminal, as a line or nothing."""
    said, look = say_own(own)
    return (
        safe_line(f"{said} {' and '.join(f'jobs-maint {words}' for words in look)}.")
        if said
        else ""
    )


def _join(names: Sequence[str], noun: str, most: int) -> str:
    shown = [show_name(name if len(name) <= 60 else f"{name[:59]}…") for name in names[:most]]
    if left := len(names) - len(shown):
        shown.append(f"{left:,} more {noun}{'' if left == 1 else 's'}")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def say_rest(shown: int, total: int, narrower: str) -> str:
    """How to see what a list leaves out: `--limit 37`, or what narrows it at the largest one."""
    if shown < LARGEST_LIMIT:
        return f"--limit {min(total, LARGEST_LIMIT)}"
    return f"a list shows at most {LARGEST_LIMIT:,}: narrow it with {narrower}"


def say_deleting(workers: WorkerCounts | None) -> str:
    """`2 workers delete their jobs that succeed, which are not counted`; empty where none does."""
    if workers is None or not workers.deleting:
        return ""
    number, every = workers.deleting, workers.deleting_all
    who = "1 worker deletes its" if number == 1 else f"{number:,} workers delete their"
    if not every:
        return f"{who} jobs that succeed, which are not counted"
    what = "jobs that end"
    if every < number:
        what = f"jobs that succeed, {every:,} of them each job that ends"
    return f"{who} {what}; those that succeed are not counted"
