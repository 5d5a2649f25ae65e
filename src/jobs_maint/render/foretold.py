"""What a preview foretells: the ends of a rescue's jobs; and with what its jobs failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from jobs_maint.models import Preview, SetErrors, SkipGroup
from jobs_maint.quoting import few
from jobs_maint.render.safe import name_tasks

__all__ = ["name_alike", "tell_becomes"]

LONGEST_NAME = 200
_ENDS = {"failed": ("is marked as failed", "are marked as failed"),
         "aborted": ("is aborted", "are aborted")}  # fmt: skip
_AGAIN = ("starts again as its next attempt", "start again as their next attempt")


def tell_becomes(preview: Preview) -> list[str]:
    """Raw text: the reasons hold names of the team. Empty but for a rescue."""
    groups = preview.becomes
    alone = len(groups) == 1
    return [_tell(group, alone=alone) for group in groups]


def _tell(group: SkipGroup, *, alone: bool) -> str:
    several = group.count > 1
    who = f"{group.count:,}"
    if alone:
        who = "They" if several else "It"
    does = _ENDS.get(group.code, _AGAIN)[several]
    which = "" if alone else f" ({few(group.sample, len(group.sample), total=group.count)})"
    return f"{who} {does}{f': {group.reason}' if group.reason else ''}{which}."


def name_alike(errors: SetErrors, said: Sequence[str]) -> list[str]:
    """The texts of its groups; those that are the same begin with their task."""
    times, names = Counter(said), name_tasks([one.task or "" for one in errors.groups])
    return [
        f"{name[:LONGEST_NAME]}: {text}" if times[text] > 1 and one.task else text
        for one, name, text in zip(errors.groups, names, said, strict=True)
    ]
