"""A Procrastinate worker of this process, as the recorder knows it."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

__all__ = ["RunningWorker"]


@dataclass(slots=True)
class RunningWorker:
    """One Procrastinate worker of this process. `jobs`: id → start (monotonic seconds)."""

    worker_id: int
    queues: list[str] | None
    delete_jobs: str
    ref: weakref.ReferenceType[Any]
    jobs: dict[int, float] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        worker = self.ref()
        return not self.jobs and (worker is None or worker.worker_id != self.worker_id)
