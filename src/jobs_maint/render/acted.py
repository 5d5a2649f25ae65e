"""Which errors somebody who takes or mutes an incident takes or mutes with it."""

from __future__ import annotations

from collections.abc import Sequence

from jobs_maint.models import IncidentKind, IncidentReport
from jobs_maint.render.safe import safe_word
from jobs_maint.render.verdict import count_noun

__all__ = ["say_acted", "say_names"]

MOST_NAMES = 5


def say_acted(report: IncidentReport) -> str:
    """`It mutes 2 errors: E-4f2a and E-61c0.`; empty where it is about one error alone."""
    one, done = report.incident, report.done
    parts = [part for part in (one.lead, *one.folded) if part.kind is IncidentKind.GROUP]
    if done == "taken":
        parts = [part for part in parts if part.facts.get("taken_by") == one.taken_by]
    else:
        parts = [part for part in parts if part.is_muted == (done == "muted")]
    names = [part.subject for part in parts]
    does = {"taken": "takes", "muted": "mutes", "unmuted": "ends the mute of"}.get(done)
    if does is None or not names or names == [one.subject] or report.had_since:
        return ""
    return f"It {does} {say_names(names)}."


def say_names(names: Sequence[str]) -> str:
    """`2 errors: E-4f2a and E-61c0`."""
    shown = [safe_word(name) for name in names[:MOST_NAMES]]
    if more := len(names) - len(shown):
        shown.append(f"{more:,} more")
    listed = " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
    return f"{count_noun(len(names), 'error')}: {listed}"
