"""What became of the jobs that failed in a span."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["Followed", "Settled", "Standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How many of them are not failed now, and why; zeros where nobody looked."""

    retried_since: int = 0
    """How many were put back since."""
    succeeded_since: int = 0
    """Of those that were put back."""
    discarded_since: int = 0
    deleted_since: int = 0

    @property
    def settled(self) -> int:
        return self.retried_since + self.discarded_since + self.deleted_since

    @property
    def all_succeeded(self) -> bool:
        """Whether no other of them is not failed now."""
        return 0 < self.succeeded_since == self.settled

    @property
    def settled_how(self) -> str:
        """`retried or cancelled since, 2 have succeeded`; a discarded job is cancelled, too."""
        known = (
            ("retried", self.retried_since),
            ("cancelled", self.discarded_since),
            ("deleted", self.deleted_since),
        )
        how = " or ".join(", ".join(how for how, jobs in known if jobs).rsplit(", ", 1))
        return f"{how} since{self.say_succeeded()}{self.say_again()}"

    @property
    def others_how(self) -> str:
        """`retried`: how those were settled that were not deleted."""
        if self.all_succeeded:
            return "succeeded"
        if bool(self.retried_since) == bool(self.discarded_since):
            return "retried or cancelled"
        return "retried" if self.retried_since else "cancelled"

    def say_succeeded(self) -> str:
        """`, 2 have succeeded`; empty where none has."""
        jobs = self.succeeded_since
        return f", {jobs:,} {'has' if jobs == 1 else 'have'} succeeded" if jobs else ""

    def say_again(self) -> str:
        """`, 4 failed again with another error`; empty where nobody looked, or none did."""
        return ""

    def say_whole(self, *, several: bool) -> str:
        """To follow a number of jobs and a comma, where none of them is failed now."""
        if self.all_succeeded:
            return "all have succeeded since" if several else "and has succeeded since"
        return f"{'all ' * several}{self.settled_how}"

    def say_others(self) -> str:
        """To follow their number and a comma, beside others that are failed now."""
        if self.all_succeeded:
            return f"and {'has' if self.settled == 1 else 'have'} succeeded since"
        return self.settled_how

    def say_part(self, which: str) -> str:
        """`9 of the failed have been retried since, 2 have succeeded.`"""
        one = self.settled == 1
        if self.all_succeeded:
            return f"{which} {'has' if one else 'have'} succeeded since."
        return f"{which} {'has' if one else 'have'} been {self.settled_how}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing(Settled):
    failed_now: int | None = None
    """How many of them are failed now; None: not known."""

    @property
    def none_failed(self) -> bool:
        """Whether it is known that all of them are settled."""
        return self.failed_now == 0 and self.settled > 0

    @property
    def all_done(self) -> bool:
        """Whether it is known that all of them have succeeded."""
        return self.none_failed and self.all_succeeded

    @property
    def is_dealt_with(self) -> bool:
        """Whether it is known that none is failed now.

        Where all were deleted, nobody dealt with them: a worker that deletes each job does that.
        """
        return self.none_failed and self.deleted_since < self.settled

    def say_standing(self) -> str:
        """`All jobs have succeeded since.`; empty where none is settled, or nobody knows."""
        if self.failed_now is None or not self.settled:
            return ""
        if self.failed_now:
            return self.say_part(f"{self.settled:,} of the jobs")
        return self.say_part("Its job" if self.settled == 1 else "All jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed(Standing):
    """Of the jobs of an incident, which may fail again with an error that is not its own."""

    failed_otherwise: int = 0
    """How many of those that were put back did."""

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Followed:
        """As it is stored, maybe by another release, which counts more."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in facts.items() if name in known})

    @property
    def is_failed(self) -> bool:
        """Whether some of them are known to be failed now, with whatever error."""
        return bool(self.failed_now or self.failed_otherwise)

    def say_again(self) -> str:
        jobs = self.failed_otherwise
        return f", {jobs:,} failed again with another error" if jobs else ""
