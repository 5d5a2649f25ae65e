"""Running jobs, their workers, and what a rescue did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from jobs_maint.durations import format_wait
from jobs_maint.models.base import Report
from jobs_maint.models.jobs import ItemResult
from jobs_maint.models.worker_counts import WorkerCounts
from jobs_maint.quoting import few, few_jobs

MOST_UNREGISTERED = 5
"""Workers that a sentence names."""

RescueIdle = Literal["off", "no_worker", "late", "no_run", "busy", "overdue"]
"""Why the rescue does not run: it has no cron, no worker listens to its queue or each that does
missed a beat, none is known to have it, none takes its job, or it should have run by now."""

__all__ = [
    "RescueIdle",
    "RescueReport",
    "StuckJob",
    "StuckReport",
    "WorkerView",
    "WorkersReport",
    "say_abandoned",
    "say_acts",
    "say_held",
    "say_idle",
    "say_not_shown",
    "say_restart",
    "say_silent_acts",
    "say_stuck",
    "say_unregistered",
    "tell_by_hand",
    "why_idle",
]


@dataclass(frozen=True, slots=True)
class StuckJob:
    """A running job. `named`: a live worker's fresh beat names it (it only runs long)."""

    job_id: int
    queue: str
    task: str
    attempts: int
    started_at: datetime | None
    running_seconds: float | None
    named: bool
    worker: str | None
    noticed_seconds: float | None
    """Since the rescue first noticed it; None: not noticed yet."""
    due_in_seconds: float | None
    """Until a rescue may act on it; 0 or less: it may. Of a `silent` one: at the earliest, if its
    worker stays so."""
    silent_seconds: float | None = None
    """Since the last sign of life of its worker, where a beat of it is late."""
    acts_in_seconds: float | None = None
    """Until the pass of the rescue that acts on it, of a `silent` one if its worker stays so; None:
    no pass comes."""
    by_hand_in_seconds: float | None = None
    """Until `rescue ID` acts on it, if its worker stays silent; None: only a force does."""
    waits_for_beat: bool = False
    """It may be due sooner: no worker beats, and its silence counts only while one does."""


@dataclass(frozen=True, slots=True)
class StuckReport(Report):
    kind: ClassVar[str] = "stuck"

    as_of: datetime
    stuck: tuple[StuckJob, ...]
    long_running: tuple[StuckJob, ...]
    hidden_jobs: int = 0
    silent: tuple[StuckJob, ...] = ()
    """Their worker missed a beat and may be dead; it counts as live until it missed three."""
    rescue_idle: RescueIdle | None = None
    """Why the rescue does not act by itself."""
    limited_to_queues: tuple[str, ...] | None = None
    """The queues (globs) in reach, where they are less than what was asked for."""
    jobs_not_shown: int = 0
    """Running jobs within reach that were not looked at: there are too many."""

    def say_next(self) -> str:
        """What the rescue does next with those that are stuck; empty where no pass comes."""
        acts = [job.acts_in_seconds for job in self.stuck if job.acts_in_seconds is not None]
        if not acts:
            idle = say_idle(self.rescue_idle) if self.rescue_idle else ""
            waits = [job.due_in_seconds or 0.0 for job in self.stuck if job.waits_for_beat]
            if waits:
                idle = f"{idle} {say_unheard(len(waits), len(self.stuck), min(waits))}"
            return idle
        said = say_acts(min(acts), acts.count(min(acts)), len(self.stuck))
        return f"{said[0].upper()}{said[1:]}."


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker process. `live`: fresh in its beat or in Procrastinate's heartbeat."""

    worker_id: int
    live: bool
    host: str | None
    pid: int | None
    queues: tuple[str, ...] | None
    recorder: bool
    seen_seconds: float
    jobs: tuple[StuckJob, ...]
    ran: bool = True
    """It has run a job. A recorder begins with the first, so before that nothing is known of it."""
    late: bool = False
    """It is live still, but a beat of it is missing."""
    registered: bool = True
    """Procrastinate has its row; without it the worker takes no job, see `say_unregistered`."""

    @property
    def state(self) -> str:
        if not self.live or self.late:
            return "late" if self.live else "silent"
        if not self.registered and self.queues != ():
            return "unregistered"
        return "stopping" if self.queues == () else "live"


@dataclass(frozen=True, slots=True)
class WorkersReport(Report):
    kind: ClassVar[str] = "workers"

    as_of: datetime
    workers: tuple[WorkerView, ...]
    hidden_workers: int = 0
    """Those that listen to no queue within the actor's reach."""
    limited_to_queues: tuple[str, ...] | None = None
    """The queues (globs) in reach, where they are less than what was asked for."""
    jobs_not_shown: int = 0
    """As in `StuckReport`."""

    @property
    def counts(self) -> WorkerCounts:
        live = [worker for worker in self.workers if worker.live]
        return WorkerCounts(
            len(live),
            len(self.workers) - len(live),
            late=sum(worker.late for worker in live),
            stopping=sum(worker.queues == () for worker in live),
            unregistered=sum(not worker.registered and worker.queues != () for worker in live),
        )

    @property
    def unregistered(self) -> list[int]:
        return [worker.worker_id for worker in self.workers if worker.state == "unregistered"]


@dataclass(frozen=True, slots=True)
class RescueReport(Report):
    """One pass. `items`: jobs acted on (code `put_back`, `aborted`, `failed`) or left (`error`)."""

    kind: ClassVar[str] = "rescue"

    items: tuple[ItemResult, ...]
    suspects: int
    """Other jobs seen without a live worker: they are not due yet, or there are too many."""
    elapsed_seconds: float
    acts_in_seconds: float | None = None
    """Until the pass that acts on the first of the `suspects`; None: no pass comes."""
    acts_on_jobs: int = 0
    """On how many of them that pass acts."""
    rescue_idle: RescueIdle | None = None
    """Why none comes."""
    waits_for_beat: int = 0
    """How many of the `suspects` may be due sooner, once a worker beats."""
    due_in_seconds: float | None = None
    """Until the first of the `suspects` is due, as things are now."""
    held: tuple[int, ...] = ()
    """Jobs that are due and that another session is changing, such as another rescue."""

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(item.code for item in self.items))

    def computed(self) -> dict[str, Any]:
        return {"counts": self.counts}

    def say_unacted(self) -> str:
        """Why no pass acts on the `suspects`, and what they wait for; empty where one does."""
        if not self.rescue_idle:
            return ""
        said = say_idle(self.rescue_idle)
        if self.waits_for_beat:
            unheard = say_unheard(self.waits_for_beat, self.suspects, self.due_in_seconds or 0.0)
            return f"{said} {unheard}"
        return said


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


def tell_by_hand(jobs: Sequence[StuckJob]) -> list[tuple[str, str]]:
    """What a person can do with them now: the words of a command, and what it does.

    `rescue ID`, `rescues a job in 19 s, if its worker stays silent`; and `rescue --force ID` for
    those, each by its id, of which nothing shows whether a worker runs them.
    """
    waits = {job.job_id: job.by_hand_in_seconds for job in jobs}
    known = {job_id: wait for job_id, wait in waits.items() if wait is not None}
    forced = [job_id for job_id in waits if job_id not in known]
    told = []
    for ids, force, does in (
        (list(known), "", _say_wait(known.values())),
        (forced, "--force ", "now; nothing shows whether a worker runs it"),
    ):
        which, what = (ids[0], "it") if len(ids) == 1 else ("ID", "a job")
        if 1 < len(ids) < len(waits):
            what = f"one of {few_jobs(ids)}"
        if ids:
            told.append((f"rescue {force}{which}", f"rescues {what} {does}"))
    return told


def _say_wait(known: Collection[float]) -> str:
    """`now`, `now, or in 19 s at the latest, if its worker stays silent`."""
    last = max(known, default=0.0)
    if last <= 0:
        return "now"
    first = "now, or " if min(known) <= 0 else ""
    return f"{first}{format_wait(last)}{' at the latest' * bool(first)}, if its worker stays silent"


def say_silent_acts(jobs: Sequence[StuckJob]) -> str:
    """When the rescue acts on the first of these `silent` ones, if its worker stays so."""
    acts = [job.acts_in_seconds for job in jobs if job.acts_in_seconds is not None]
    if acts:
        return f"the rescue acts {format_wait(min(acts))}"
    due_in = min(job.due_in_seconds or 0.0 for job in jobs)
    return f"the rescue acts {format_wait(due_in)} at the earliest"


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
        "busy": "the workers that listen to the queue of the rescue seem busy and have not taken "
        "its job for over 30 s",
        "overdue": "the rescue is overdue; doctor says what keeps it",
    }[idle]
