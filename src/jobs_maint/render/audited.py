"""How a request ended, as the audit tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from jobs_maint.models import AuditEntry, SkipGroup
from jobs_maint.verbs import FINAL_STATUSES, RESCUED, VERBS, find_verb, say_skipped

__all__ = ["say_counts", "tell_counts", "tell_outcome"]

MOST_REASONS = 3
NOT_DELETED = ("refused", "undated")


def tell_outcome(entry: AuditEntry) -> str:
    """`previewed` asked somebody; a dry run is only a look."""
    is_dry = entry.outcome == "previewed" and " --dry-run " in f"{entry.action} "
    return "dry run" if is_dry else entry.outcome


def tell_counts(entry: AuditEntry) -> str:
    """`3,491 cancelled, 27 asked to abort`, as the act's own outcome said it; raw text.

    Of a purge `deleted 2,000 succeeded, 37 cancelled; 268 not deleted`.
    """
    counts = {name: number for name, number in entry.counts.items() if number or name == "jobs"}
    if "jobs" in counts:
        jobs = counts.pop("jobs")
        return ", ".join([f"{jobs:,} {'job' if jobs == 1 else 'jobs'}", *_say(counts, {})])
    word = entry.action.partition(" ")[0]
    if "put_back" in entry.counts:  # a rescue, which ended the rest
        return ", ".join([*_say_rescued(entry.counts), *_say(_but_rescued(counts), {})])
    if word == "purge":  # by what the jobs were
        left = sum(counts.pop(name, 0) for name in NOT_DELETED)
        parts = [f"deleted {', '.join(_say(counts, {}))}"] if counts else []
        return "; ".join([*parts, f"{left:,} not deleted"] if left else parts)
    verb = VERBS.get(word)
    words = {"abort_requested": "asked to abort"} | ({"done": verb.done} if verb else {})
    return ", ".join(_say(counts, words))


def say_counts(
    word: str,
    counts: Mapping[str, int],
    *,
    done: str = "",
    skips: Mapping[str, int] = MappingProxyType({}),
    failures: Sequence[SkipGroup] = (),
) -> str:
    """What an act that broke off did: `488 cancelled, 3 asked to abort, 12 skipped`.

    `done`: another word for it. `skips`: those that were skipped by the code of their reason, which
    is then told, as are the `failures`: `; 2 failed: the constraint …`.
    """
    done = done or find_verb(word).done
    if word == "purge":  # by what the jobs were
        counts = {"done": sum(counts.get(status, 0) for status in FINAL_STATUSES)}
    words = {"done": done, "abort_requested": "asked to abort"}
    names = ("done", "abort_requested", "skipped", "failed")
    there = {name: counts[name] for name in names if counts.get(name)}
    if failures:
        there.pop("failed", None)
    parts = _say_skips(there, words, skips)
    if "put_back" in counts:
        parts = [*_say_rescued(counts), *_say_skips(_but_rescued(there), words, skips)]
    return "; ".join([*filter(None, [", ".join(parts)]), *_say_failures(failures)])


def _say_failures(failures: Sequence[SkipGroup]) -> list[str]:
    told = [f"{group.count:,} failed: {group.reason}" for group in failures[:MOST_REASONS]]
    if left := sum(group.count for group in failures[MOST_REASONS:]):
        told.append(f"{left:,} failed for other reasons")
    return told


def _say_skips(
    counts: Mapping[str, int], words: Mapping[str, str], skips: Mapping[str, int]
) -> list[str]:
    """As `_say`, with why where each is known."""
    if sum(skips.values()) != counts.get("skipped", 0):
        return _say(counts, words)
    rest = {name: number for name, number in counts.items() if name not in {"skipped", "failed"}}
    failed = {name: number for name, number in counts.items() if name == "failed"}
    skipped = [
        f"{number:,} skipped{': ' * bool(why)}{why}"
        for code, number in skips.items()
        for why in [say_skipped(code, number)]
    ]
    return [*_say(rest, words), *skipped, *_say(failed, words)]


def _say_rescued(counts: Mapping[str, int]) -> list[str]:
    """What became of those in `done`."""
    back, aborted = counts["put_back"], counts.get("aborted", 0)
    failed = counts.get("done", 0) - back - aborted
    became = {"put_back": back, "aborted": aborted, "failed": failed}
    return _say({name: number for name, number in became.items() if number}, RESCUED)


def _but_rescued(counts: Mapping[str, int]) -> dict[str, int]:
    names = {"done", "put_back", "aborted"}
    return {name: number for name, number in counts.items() if name not in names}


def _say(counts: Mapping[str, int], words: Mapping[str, str]) -> list[str]:
    return [
        f"{number:,} {words.get(name) or name.replace('_', ' ')}" for name, number in counts.items()
    ]
