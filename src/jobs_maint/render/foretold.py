"""What a rescue will make of its jobs, a sentence for each end."""

from __future__ import annotations

from jobs_maint.models import Preview, SkipGroup
from jobs_maint.quoting import few

__all__ = ["tell_becomes"]

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
