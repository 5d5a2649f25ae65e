"""How many worker processes there are, and how many of them still take jobs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WorkerCounts", "say_alive", "say_late", "say_leaving", "say_workers"]


@dataclass(frozen=True, slots=True)
class WorkerCounts:
    """Worker processes: fresh in either their beat or Procrastinate's heartbeat, or silent.

    `deleting`: live ones whose `delete_jobs` deletes each job that succeeds; `deleting_all`: those
    of them that delete each job that ends.
    `late`: live ones of which a beat is missing, so that they may be dead. `stopping`: live ones
    that were told to stop, and end the jobs that they run. `unregistered`: other live ones that
    Procrastinate took for dead.
    """

    live: int
    silent: int
    deleting: int = 0
    late: int = 0
    stopping: int = 0
    unregistered: int = 0
    deleting_all: int = 0

    @property
    def listening(self) -> int:
        """Live ones that take jobs."""
        return self.live - self.stopping - self.unregistered


def say_workers(workers: WorkerCounts, reach: str = "", *, told: bool = False) -> str:
    """`2 of 3 workers live`; `No worker listens, 1 is stopping`, where none of them takes jobs.

    `told`: that none listens was said before: `1 worker is stopping`.
    """
    every = workers.live + workers.silent
    number = f"{workers.live:,} of {every:,}" if workers.silent else f"{every:,}"
    if workers.listening or not workers.live:
        start = f"{number} worker{'' if every == 1 else 's'} live{reach}"
        leaving = say_leaving(workers, "of them ")
    else:
        start = "" if told else f"No worker listens{reach}"
        leaving = say_leaving(workers, noun=told)
        leaving += [f"{workers.silent:,} {_is(workers.silent)} silent"] * bool(workers.silent)
    return ", ".join(filter(None, [start, *leaving, say_late(workers)]))


def say_alive(workers: WorkerCounts) -> str:
    """`2 workers are alive`, `no worker listens, 1 is stopping`: in a sentence."""
    if workers.live and not workers.listening:
        said = say_workers(workers)
        return f"{said[0].lower()}{said[1:]}"
    live = workers.live
    return f"{f'{live:,}' if live else 'no'} worker{'s are' if live > 1 else ' is'} alive"


def say_leaving(workers: WorkerCounts, who: str = "", *, noun: bool = False) -> list[str]:
    """Those that live and take no more jobs: `1 is stopping`; `2 of them are stopping`."""
    told = []
    for number, one, more in (
        (workers.stopping, "is stopping", "are stopping"),
        (workers.unregistered, "takes no more jobs", "take no more jobs"),
    ):
        if number:
            which = f"worker{'' if number == 1 else 's'} " if noun else who
            told.append(f"{number:,} {which}{one if number == 1 else more}")
    return told


def say_late(workers: WorkerCounts) -> str:
    """To follow how many are live: `1 of them missed a beat and may be dead`."""
    if not workers.late:
        return ""
    which = "but it" if workers.live == 1 else f"{workers.late:,} of them"
    return f"{which} missed a beat and may be dead"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
