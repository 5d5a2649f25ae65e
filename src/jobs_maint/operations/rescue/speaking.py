"""How a reason speaks of the jobs that it is told of: several may have the same one."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ONE", "SEVERAL", "Who"]


@dataclass(frozen=True, slots=True)
class Who:
    """`them`: `a worker runs them`; `they`: `they cannot be put back`; `the`: `the jobs`."""

    them: str
    they: str
    their: str
    the: str
    are: str
    were: str
    have: str


ONE = Who("it", "it", "its", "the job", "is", "was", "has")
SEVERAL = Who("them", "they", "their", "the jobs", "are", "were", "have")
