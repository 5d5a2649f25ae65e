"""What is said of running jobs without a worker, and of the rescue that acts on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jobs_maint.durations import format_wait
from jobs_maint.quoting import few

__all__ = [
    "UNSURE",
    "RescueIdle",
    "say_abandoned",
    "say_acts",
    "say_held",
    "say_idle",
    "say_not_shown",
    "say_restart",
    "say_stuck",
    "say_unheard",
    "say_unregistered",
    "why_idle",
]

MOST_UNREGISTERED = 5
"""Workers that a sentence names."""

RescueIdle = Literal["off", "no_worker", "late", "no_run", "busy", "overdue"]
"""Why the rescue does not run: it has no cron, no worker listens to its queue or each that does
missed a beat, none is known to have it, none takes its job, or it should have run by now."""

UNSURE = "a worker that has run no job yet has the rescue (jobs_maint.register)"


def say_unregistered(worker_ids: Sequence[int]) -> str:
    """Of workers that live, and that Procrastinate took for dead."""
    one = len(worker_ids) == 1
    some = few(worker_ids, MOST_UNREGISTERED)
    who, them = (f"Worker {some} takes", "it") if one else (f"Workers {some} take", "them")
    return (
        f"{who} no more jobs: Procrastinate took {them} for dead and deleted "
        f"{'its row' if one else 'their rows'} in procrastinate_workers, as it does where an event "
        "loop was blocked for over 30 s."
    )


def say_restart(number: int) -> str:
    which = "that worker: its" if number == 1 else "those workers: their"
    return f"Restart {which} running jobs end first."


def say_not_shown(jobs: int) -> str:
    """Of running jobs, where there are too many to look at all."""
    which = "job, which began last, is" if jobs == 1 else "jobs, which began last, are"
    return f"{jobs:,} more running {which} neither listed nor counted here."


def say_held(number: int) -> str:
    jobs = "a job that is" if number == 1 else f"{number:,} jobs that are"
    return f"Another session, such as another rescue, is changing {jobs} due."


def say_stuck(jobs: int) -> str:
    """`3 running jobs have no live worker`."""
    return f"{jobs:,} running job{' has' if jobs == 1 else 's have'} no live worker"


def say_acts(seconds: float, on: int, of: int) -> str:
    """`the rescue acts on 2 of them in 24 s, later on the rest`: its first pass that does."""
    which = "it" if of == 1 else "all of them" if on >= of else f"{on:,} of them"
    then = "" if on >= of else ", later on the rest"
    return f"the rescue acts on {which} {format_wait(seconds)}{then}"


def say_abandoned(jobs: int, idle: RescueIdle) -> str:
    return f"{say_stuck(jobs)}. {say_idle(idle)}"


def say_idle(idle: RescueIdle) -> str:
    """Why no pass of the rescue comes, and what that means."""
    why = why_idle(idle)
    runs = "it runs, or "
    until = {"off": "", "late": "one is back, or ", "busy": runs, "overdue": runs}.get(
        idle, "one does, or "
    )
    return f"{why[0].upper()}{why[1:]}: stuck jobs stay so until {until}somebody rescues them."


def say_unheard(jobs: int, of: int, due_in: float) -> str:
    """What such jobs wait for where no worker beats, and what to do."""
    some = f"{jobs:,} of them {'is' if jobs == 1 else 'are'}"
    which = "it is" if of == 1 else "they are" if jobs == of else some
    wait, them = format_wait(due_in).removeprefix("in "), "it" if of == 1 else "them"
    return (
        f"While no worker reports, {which} not due for {wait} (an outage of the database looks the "
        f"same): start a worker, or rescue {them} by id."
    )


def why_idle(idle: RescueIdle) -> str:
    return {
        "off": "the rescue is switched off (JOBS_MAINT_RESCUE_CRON)",
        "no_worker": "no worker listens to the queue of the rescue",
        "late": "the workers that listen to the queue of the rescue missed a beat and may be dead",
        "no_run": "no live worker is known to run the rescue (is jobs_maint.register(app) called?)",
        "busy": "the workers that listen to the queue of the rescue have not taken its job for "
        "over 30 s (they are busy, or their search for jobs hangs: doctor, for admins, says which)",
        "overdue": "the rescue is overdue; doctor (for admins) says what keeps it",
    }[idle]
