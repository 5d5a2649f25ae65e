"""Which job keeps another one waiting by their lock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs_maint.durations import format_time

__all__ = ["LockHolder"]


@dataclass(frozen=True, slots=True)
class LockHolder:
    """The job that goes first by Procrastinate's rule: one that runs, else by priority and id.

    Of a job in a queue that the asker does not reach, `job_id`, `queue`, `task` and `worker` are
    None.
    """

    job_id: int | None
    queue: str | None
    task: str | None
    status: str
    started_at: datetime | None = None
    scheduled_at: datetime | None = None
    """Set where that time is still to come."""
    worker: str | None = None
    """Who runs it, or had it where it is `unreported`."""
    unreported: bool = False
    """It is running by its status, but nobody can be said to run it."""

    @property
    def is_in_trouble(self) -> bool:
        return self.unreported or self.scheduled_at is not None

    def say(self) -> str:
        """Raw text: who holds it, and what to do."""
        job, see = "a job in a queue that your role does not reach", ""
        if self.job_id is not None:
            job, see = f"job {self.job_id}", f"; see status {self.job_id}"
        on = f" on {self.worker}" if self.worker else ""
        if self.unreported:
            see = "; stuck says whether the rescue acts, and when" if see else ""
            had = f" (it was{on})" if on else ""
            return f"Its lock is held by {job}{had}, which no live worker reports{see}."
        if self.status == "doing":
            since = f" since {format_time(self.started_at)}" if self.started_at else ""
            return f"Its lock is held by {job}, which is running{on}{since}: it starts after that."
        first = f"{job[:1].upper()}{job[1:]} has the same lock and comes first"
        if self.scheduled_at is None:
            return f"{first}, and waits for a worker{see}."
        then = f" If this one must not wait, an operator can cancel {job}." if see else ""
        return f"{first}, and waits until {format_time(self.scheduled_at)}.{then}"
