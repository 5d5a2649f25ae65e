"""Requests for a group of errors: who is on it, and that it is muted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from jobs_maint.actions.actor import Role
from jobs_maint.actions.base import Action, spell
from jobs_maint.models import GroupReport

__all__ = ["MuteGroup", "TakeGroup", "read_group_name"]


_NAME = re.compile(
    r"#?[eE](?:[-\u2010-\u2015](?P<typed>[0-9a-zA-Z]{1,16})|(?P<bare>[0-9a-fA-F]{4,16}))"
)


def read_group_name(text: str) -> str | None:
    """`E-4f2a`, however it was typed; None where the text is meant for no name of a group.

    A mistyped one is a name too: whoever looks for it can say which is meant.
    """
    found = _NAME.fullmatch(text)
    return f"E-{(found['typed'] or found['bare']).lower()}" if found else None


@dataclass(frozen=True, slots=True)
class TakeGroup(Action[GroupReport]):
    """Say that the actor is on it, or (`drop`) that nobody is any more.

    `target`: a group's name, or the id of a job, which means the group of its error.
    """

    target: str | int
    drop: bool = False

    word: ClassVar[str] = "take"
    verb: ClassVar[str] = "take errors"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True

    def words(self) -> str:
        return spell("take", self.target, flags=("--drop",) if self.drop else ())


@dataclass(frozen=True, slots=True)
class MuteGroup(Action[GroupReport]):
    """Say nothing of it for a span, or until it fails more often than `above` an hour.

    With both, whichever comes first; with neither, the mute ends now. `group`: its name; the id of
    a job is refused with the name of the group of its error.
    """

    group: str | int
    span: timedelta | None = None
    above: int | None = None

    word: ClassVar[str] = "mute"
    verb: ClassVar[str] = "mute errors"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True

    def words(self) -> str:
        if self.span is None and self.above is None:
            return spell("mute", self.group, flags=("--off",))
        options = {"for": self.span, "above": f"{self.above}/h" if self.above else None}
        return spell("mute", self.group, flags=(), **options)
