"""How incidents open, change and end: what one pass makes of those that are known.

Nothing here reads a clock or a database, so that whole nights can be played through.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from jobs_maint.models import Condition, IncidentKind, Why
from jobs_maint.operations.incidents import joining, steps
from jobs_maint.operations.incidents.cases import Case, Key
from jobs_maint.operations.incidents.causes import absorbs, rank

__all__ = ["Known", "Look", "advance"]

TOGETHER = timedelta(minutes=5)
"""What of one kind begins so soon after another has one cause with it, as far as anybody knows."""
MOST_OF_A_KIND = 3
"""More incidents of one kind are not told apart: the others are folded into the newest. Those whose
jobs were all dealt with do not count.
"""
MOST_OPEN = 10
"""Of one kind, with those that do not count."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one pass saw.

    `end`: why what is not there any more is over; None: it goes on. `update`: it with what is known
    of it at its end. `place`: where incidents of these queues are told.
    """

    now: datetime
    conditions: Sequence[Condition]
    end: Callable[[Condition], Why | None] = lambda _: "good"
    update: Callable[[Condition], Condition] = lambda one: one
    place: Callable[[Sequence[str]], str] = lambda _: ""
    unwatched: timedelta = timedelta()
    """For how long until now nobody looked, where that was long."""
    paused: bool = False
    """A planned pause: nothing opens, what is open may end."""
    unsettled: Collection[IncidentKind] = ()
    """So it is with these kinds, as after nobody looked."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the passes before left.

    `recent`: resolved within the quiet time. `pending`: seen in the last pass for the first time.
    `muted`: until when, of what was muted when it was an incident.
    """

    open: tuple[Case, ...] = ()
    recent: tuple[Case, ...] = ()
    pending: frozenset[Key] = frozenset()
    muted: Mapping[Key, datetime] = field(default_factory=dict)


def advance(known: Known, look: Look, quiet: timedelta) -> tuple[list[Case], frozenset[Key]]:
    """The cases that are or were open, new ones with the id 0, and what is pending now."""
    found = {condition.key: condition for condition in look.conditions}
    found |= _hold(known, look, found)
    cases = [
        steps.refresh(case, found, look.end, look.now, quiet, look.update) for case in known.open
    ]
    if look.unwatched:
        cases = [
            steps.miss(case, look.unwatched, look.now) if case.is_open else case for case in cases
        ]
    owned = {key for case in cases if case.is_open for key in case.keys}
    free = {
        key: condition for key, condition in found.items()
        if key not in owned and condition.kind not in look.unsettled
    }  # fmt: skip
    if look.paused:
        return cases, frozenset()
    twice = [free[key] for key in free.keys() & known.pending]
    once = [free[key] for key in free.keys() - known.pending]
    # What it leads to was seen twice: then the cause need not be.
    causes = [one for one in once if any(absorbs(one, other) for other in twice)]
    recent = list(known.recent)
    for condition in sorted([*twice, *causes], key=rank):
        _place(condition, cases, recent, known.muted, look, quiet)
    return cases, frozenset({one.key for one in once if one not in causes})


def _hold(known: Known, look: Look, found: Mapping[Key, Condition]) -> dict[Key, Condition]:
    """Stuck jobs, as they were known: so soon, jobs of workers on their way back look stuck too."""
    return {
        one.key: replace(found[one.key], facts=one.facts, queues=one.queues)
        for case in known.open
        for one in case.conditions
        if one.kind is IncidentKind.JOBS_STUCK and one.kind in look.unsettled and one.key in found
    }


def _place(
    condition: Condition,
    cases: list[Case],
    recent: list[Case],
    muted: Mapping[Key, datetime],
    look: Look,
    quiet: timedelta,
) -> None:
    """Make it part of an incident: of an open one, of one that is back, or of a new one.

    Only of one that is told where it is. Whoever muted an incident has not muted a cause that
    shows later, nor what happens to come at the same time; and one that comes and goes, and is gone
    just now, is no cause of what comes meanwhile and does not follow from it.
    """
    now = look.now
    is_open = [
        case for case in cases
        if case.is_open and look.place(case.incident.queues) == look.place(condition.queues)
    ]  # fmt: skip
    is_on = [case for case in is_open if case.incident.calm_since is None]
    is_heard = [case for case in is_on if not case.is_muted(now)]
    for case in is_on:
        if any(absorbs(one, condition) for one in case.conditions):
            _swap(cases, case, joining.fold(case, condition, now, look.update))
            return
    follow = [case for case in is_heard if any(absorbs(condition, one) for one in case.conditions)]
    if follow:
        first, *others = sorted(follow, key=lambda case: case.incident.id or 2**63)
        for other in others:
            _swap(cases, other, joining.merge(other, first.incident.name, condition, now))
        also = [part for other in others for part in other.conditions]
        _swap(cases, first, joining.promote(first, condition, also, now, look.update))
        return
    for case in is_open:
        if condition.key in {one.key for one in case.incident.past}:
            _swap(cases, case, joining.fold(case, condition, now, look.update))
            return
    if alike := _find_alike(condition, is_heard, now):
        _swap(cases, alike, joining.fold(alike, condition, now, look.update))
        return
    for case in recent:
        ended = case.incident.resolved_at or case.incident.seen_at
        if condition.key in case.has_been and now - ended < quiet:
            recent.remove(case)
            cases.append(joining.reopen(case, condition, now))
            return
    cases.append(steps.start(condition, now, muted.get(condition.key)))


def _find_alike(condition: Condition, is_heard: Iterable[Case], now: datetime) -> Case | None:
    """What is of one kind only: one of those that came at the same time, or one too many.

    An edit of a green message is news to nobody: what is live is not folded into one.
    """
    alike = [case for case in is_heard if case.incident.kind is condition.kind]
    there = [case for case in alike if case.is_live] if condition.is_live else alike
    newest = max(there or alike, key=lambda case: case.began, default=None)
    if newest is None or len(alike) >= MOST_OPEN or len(there) >= MOST_OF_A_KIND:
        return newest
    return newest if newest in there and now - newest.began < TOGETHER else None


def _swap(cases: list[Case], old: Case, new: Case) -> None:
    cases[cases.index(old)] = new
