"""An incident as the parts of it that are shown make it: how often it came, from when to when."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime

from jobs_maint.models import Condition, HistoryEntry, Incident, IncidentKind
from jobs_maint.operations.incidents.cases import Key

__all__ = ["narrow"]

_BEGINS = {"opened", "back", "cause", "folded"}


def narrow(
    one: Incident, whole: Incident, is_shown: Callable[[Incident | Condition], bool]
) -> Incident:
    """`one`: the whole, led by a part that is shown."""
    folded, past = (tuple(filter(is_shown, parts)) for parts in (one.folded, one.past))
    one = replace(one, folded=folded, past=past)
    keys = {part.key for part in (one.lead, *folded, *past)}
    parts = (whole.lead, *whole.folded, *whole.past)
    if keys.issuperset(part.key for part in parts):
        return one
    one = replace(one, history=tuple(_list_told(one, keys)))
    begins = [entry for entry in one.history if entry.what in _BEGINS]
    since = [entry.began_at for entry in begins]
    since += [part.since for part in parts[1:] if part.key in keys and part.since is not None]
    if whole.kind.is_age and whole.key in keys and whole.lead.since is not None:
        since.append(whole.lead.since)
    one = replace(
        one,
        since=min(since, default=one.since),
        opened_at=min((entry.at for entry in begins), default=one.opened_at),
        times=_count(one, whole),
    )
    if one.resolved_at is None:
        return one
    ends = [one.ended_at, *(part.over_at for part in past)]
    return replace(one, resolved_at=max(at for at in ends if at is not None))


def _count(one: Incident, whole: Incident) -> int:
    """0 where it is not known: while it flaps, nothing tells which parts of it came again."""
    told, all_told = (
        sum(entry.what in {"opened", "back"} for entry in some.history) for some in (one, whole)
    )
    return 0 if whole.times > max(all_told, 1) else max(told, 1)


def _list_told(one: Incident, keys: Collection[Key]) -> Iterator[HistoryEntry]:
    """What people did with the whole is told of what leads it; its end, of what lasted till then.

    Where nothing that is shown did, that was over before.
    """
    there: dict[Key, datetime] = {}
    for entry in one.history:
        if entry.what == "resolved":
            if there:
                yield _end(entry, one, there)
            there = {}
        elif entry.key in keys:
            if entry.what in _BEGINS:
                there.setdefault(entry.key, entry.at)
            elif entry.what == "over":
                there.pop(entry.key, None)
            yield entry
        elif entry.by and entry.kind is not IncidentKind.GROUP:
            yield replace(entry, kind=one.kind, subject=one.subject, value=one.value)


def _end(entry: HistoryEntry, one: Incident, there: dict[Key, datetime]) -> HistoryEntry:
    past = {
        part.key: part for part in one.past
        if part.key in there and part.over_at and there[part.key] <= part.over_at <= entry.at
    }  # fmt: skip
    ends = {key: past[key].over_at or entry.at if key in past else entry.at for key in there}
    at = max(ends.values())
    if entry.key in there:
        return replace(entry, at=at)
    kind, subject = max(ends, key=lambda key: ends[key])
    why = past[kind, subject].why if (kind, subject) in past else None
    return replace(entry, at=at, kind=kind, subject=subject, why=why)
