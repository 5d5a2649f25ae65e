"""Running jobs, their workers, and what a rescue did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from jobs_maint.durations import format_wait
from jobs_maint.models.base import Report
from jobs_maint.models.jobs import ItemResult
from jobs_maint.models.rescue_words import (
    UNSURE,
    RescueIdle,
    say_acts,
    say_idle,
    say_unheard,
)
from jobs_maint.models.worker_counts import WorkerCounts
from jobs_maint.quoting import few_jobs

__all__ = [
    "RescueReport",
    "StuckJob",
    "StuckReport",
    "WorkerView",
    "WorkersReport",
    "tell_by_hand",
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
    look_in_seconds: float | None = None
    """Until somebody has to look, with `stuck` or `rescue ID`: no worker is heard, and that begins
    the wait that `by_hand_in_seconds` ends. None: nobody has to."""
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
    rescue_unsure: bool = False
    """The rescue acts only if a worker that has run no job yet has it; what is foretold says so."""
    nothing_runs: bool = False
    """No job within reach is running."""
    no_worker: bool = False
    """No worker is live."""

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
        return f"{said[0].upper()}{said[1:]}{self._say_unsure()}."

    def say_silent_acts(self) -> str:
        """When the rescue acts on the first of the `silent` ones, if its worker stays so."""
        acts = [job.acts_in_seconds for job in self.silent if job.acts_in_seconds is not None]
        if acts:
            return f"the rescue acts {format_wait(min(acts))}{self._say_unsure()}"
        due_in = min(job.due_in_seconds or 0.0 for job in self.silent)
        return f"the rescue acts {format_wait(due_in)} at the earliest{self._say_unsure()}"

    def _say_unsure(self) -> str:
        return f", if {UNSURE}" if self.rescue_unsure else ""


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
    unstored: str | None = None
    """Failures that live recorders hold and cannot store, in sentences."""
    lost_jobs: int = 0
    """Running jobs without a live worker, as `stuck` lists them. No live worker has them among its
    `jobs`, also where it started them."""

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
    warnings: tuple[str, ...] = ()
    """What a person must know of the jobs that were put back, a sentence each."""

    @property
    def put_back(self) -> tuple[ItemResult, ...]:
        return tuple(item for item in self.items if item.code == "put_back")

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


def tell_by_hand(jobs: Sequence[StuckJob]) -> list[tuple[str, str]]:
    """What a person can do with them now: the words of a command, and what it does.

    `rescue ID`, `is refused for 19 s, then rescues a job, if its worker stays silent`; and
    `rescue --force ID` for those of which nothing shows whether a worker runs them.
    """
    known = [job for job in jobs if job.by_hand_in_seconds is not None]
    timed = [job for job in known if job.look_in_seconds is None]
    unseen = [job for job in known if job.look_in_seconds is not None]
    forced = [job for job in jobs if job.by_hand_in_seconds is None]
    told = []
    for some, force in ((timed, ""), (unseen, ""), (forced, "--force ")):
        ids = [job.job_id for job in some]
        which, what = (ids[0], "it") if len(ids) == 1 else ("ID", "a job")
        if 1 < len(ids) < len(jobs):
            what = f"one of {few_jobs(ids)}"
        does = f"rescues {what} now; nothing shows whether a worker runs it"
        if ids:
            told.append((f"rescue {force}{which}", does if force else _say_when(what, some)))
    return told


def _say_when(what: str, jobs: Sequence[StuckJob]) -> str:
    waits = [job.by_hand_in_seconds or 0.0 for job in jobs]
    first, last = min(waits), max(waits)
    looks = [job.look_in_seconds for job in jobs if job.look_in_seconds is not None]
    if looks:
        asked = max(looks)
        when = _say_span(asked) if asked > 0 else ""
        ask = f"Ask in {when}" if when else "Ask all the same"
        again = f"again {_say_span(last - asked)} later"
        then = f"that rescues {what}, if its worker stays silent"
        return f"is refused now. {ask}, and {again}: {then}"
    wait = _say_span(last)
    if last <= 0:
        return f"rescues {what} now"
    if first <= 0:
        return f"rescues {what} now, or in {wait} at the latest, if its worker stays silent"
    return f"is refused for {wait}, then rescues {what}, if its worker stays silent"


def _say_span(seconds: float) -> str:
    return format_wait(seconds).removeprefix("in ")
