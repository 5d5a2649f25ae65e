"""What an incident says of jobs that failed with more unlike errors than it lists."""

from __future__ import annotations

from jobs_maint.models import Unlike
from jobs_maint.render.safe import safe_word, short_task
from jobs_maint.render.verdict import count_noun

__all__ = ["say_tasks", "say_unlike"]

MOST_TASKS = 3


def say_unlike(unlike: Unlike) -> str:
    """`8,000 webhook jobs failed in the last hour, with 400 different errors`, as `failed` does."""
    tasks, jobs = list(unlike.jobs), sum(unlike.jobs.values())
    what = count_noun(jobs, "job")
    if len(tasks) == 1:
        what = count_noun(jobs, f"{safe_word(short_task(tasks[0]))} job")
    else:
        what = f"{what} of {'at least ' * unlike.more_tasks}{len(tasks)} tasks"
    errors = "all with one error"
    if unlike.errors > 1:
        errors = f"with {unlike.errors:,} different errors"
    if unlike.groups > unlike.errors:
        errors += f" in {unlike.groups:,} different messages"
    return f"{'At least ' * unlike.at_least}{what} failed in the last hour, {errors}"


def say_tasks(unlike: Unlike) -> str:
    """`8,000 of webhook, 1,000 of mail.`; empty where it is one task."""
    some = list(unlike.jobs.items())[:MOST_TASKS]
    told = [f"{jobs:,} of {safe_word(short_task(task))}" for task, jobs in some]
    if left := list(unlike.jobs.values())[MOST_TASKS:]:
        told.append(f"{sum(left):,} of {count_noun(len(left), 'other task')}")
    return f"{', '.join(told)}." if len(unlike.jobs) > 1 else ""
