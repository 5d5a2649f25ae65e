"""What the rescue writes of a job whose worker is gone, and how that is read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

__all__ = ["Loss"]

_THEN = "; "
_LAST_BEAT = " last beat at "
_STILL_BEATS = " still beats and no longer reports this job"


@dataclass(frozen=True, slots=True)
class Loss:
    """`who`: which worker it was, and how one knows; `then`: why the job was not put back.

    It is stored as one text, which a host or a person with any name does not confuse.
    """

    who: str
    then: str = ""

    @classmethod
    def of_silent(cls, worker: str, at: str, jobs: str) -> Self:
        return cls(f"{worker}{_LAST_BEAT}{at}{jobs}")

    @classmethod
    def of_alive(cls, worker: str) -> Self:
        """Its worker lives: the end of the job could not be stored, for example."""
        return cls(f"{worker}{_STILL_BEATS}, see its log")

    @classmethod
    def read(cls, text: str | None) -> Self:
        who, _, then = (text or "").partition(_THEN)
        return cls(who, then)

    def __str__(self) -> str:
        who = self.who.replace(_THEN, ", ")
        return f"{who}{_THEN}{self.then}" if self.then else who

    @property
    def what(self) -> str:
        """`its worker died; it was already put back 3 times`."""
        what = "its worker lost it" if _STILL_BEATS in self.who else "its worker died"
        return f"{what}{_THEN}{self.then}" if self.then else what

    def say_died(self) -> str:
        """`worker 13 (web-3 pid 90) died, last beat 11:44`, after why it was not put back."""
        died = self.who.replace(_LAST_BEAT, " died, last beat ")
        return f"{self.then}{_THEN}{died}" if self.then else died
