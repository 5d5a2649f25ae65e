"""What a request is, whether an actor may make it, and how it reads as words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

from jobs_maint.actions.actor import ALL_QUEUES, Actor, QueueScope, Role
from jobs_maint.durations import format_duration
from jobs_maint.errors import NotPermitted
from jobs_maint.quoting import quote_word, reads_as_option, spell_word

__all__ = ["EVERY_QUEUE", "Action", "permit", "quote_word", "require_role", "spell"]


R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Action(Generic[R_co]):
    """One request; `perform` returns an `R_co` for it.

    `role` None: anyone who may use the tool at all, even without a grant.

    `act`: changes something, so it is audited and needs up-to-date grants. `verb`: what it does,
    to follow "You may not …". `whole`: needs a grant that reaches every queue.
    """

    word: ClassVar[str]
    verb: ClassVar[str]
    role: ClassVar[Role | None] = Role.VIEWER
    act: ClassVar[bool] = False
    whole: ClassVar[bool] = False

    def words(self) -> str:
        """The request as one would type it; what the audit shows."""
        return self.word


EVERY_QUEUE = "*"
"""In `NotPermitted.queues`: only a grant on all queues is enough."""


def permit(actor: Actor, action: Action[Any]) -> QueueScope:
    """The queues the actor may reach with this action; raises NotPermitted."""
    if action.role is None:
        return ALL_QUEUES
    every = (EVERY_QUEUE,) if action.whole else ()
    scope = require_role(actor, action.role, action.verb, every)
    has = actor.role
    if action.whole and scope.globs is not None:
        raise NotPermitted(
            f"You may not {action.verb}: this requires the role {action.role} on every queue; "
            f"you have it on {', '.join(scope.globs)}.",
            needs=action.role,
            has=has,
            queues=every,
        )
    return scope


def require_role(actor: Actor, needs: Role, verb: str, queues: Sequence[str] = ()) -> QueueScope:
    """The queues on which the actor holds the role; raises NotPermitted if there are none.

    `queues`: those that it is about, where they are known.
    """
    scope = actor.scope(needs)
    if scope is None:
        held = f"your role is {actor.role}" if actor.role else "you have no role here"
        where = " on every queue" if EVERY_QUEUE in queues else ""
        raise NotPermitted(
            f"You may not {verb}: this requires the role {needs}{where}; {held}.",
            needs=needs,
            has=actor.role,
            queues=queues,
        )
    return scope


def spell(word: str, *places: object, flags: Sequence[str] = (), **options: object) -> str:
    """The words, which read back as the same request whatever text they hold.

    An option with a tuple is written once for each of its values. A time is written to the
    millisecond, and none before it. One with a part of a second keeps one: it is no time of a cron.
    """
    there = [str(place) for place in places if place is not None]
    parts = [word]
    # After `--` nothing is an option.
    guarded = any(map(reads_as_option, there))
    if not guarded:
        parts += map(spell_word, there)
    for name, given in options.items():
        for value in given if isinstance(given, tuple) else (given,):
            if value is not None:
                parts.append(f"--{name} {spell_word(_spell_value(value))}")
    parts += flags
    if guarded:
        parts += ["--", *map(spell_word, there)]
    return " ".join(parts)


def _spell_value(value: object) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, datetime):
        at = value.astimezone(UTC) + timedelta(microseconds=-value.microsecond % 1_000)
        if value.microsecond and not at.microsecond:
            at += timedelta(milliseconds=1)
        part = f".{at.microsecond // 1_000:03}" if at.microsecond else ""
        return f"{at:%Y-%m-%dT%H:%M:%S}{part}Z"
    return str(value)
