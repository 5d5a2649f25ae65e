"""What an answer covers: the filter of queues and tasks, and the queues in reach, in words."""

from __future__ import annotations

from collections.abc import Sequence

from jobs_maint.render.safe import safe_line

__all__ = ["UNTIL_IN_FUTURE", "safe_reach", "say_coverage", "say_reach"]

MOST = 3
"""Names of each kind; more are counted."""
UNTIL_IN_FUTURE = "--until is in the future: shown up to now."


def say_coverage(
    queues: Sequence[str] | None, tasks: Sequence[str] | None, most: int = MOST
) -> str:
    """` of webhook and email*`, to follow `37 jobs`; empty for all. The names are foreign."""
    if not queues and not tasks:
        return ""
    which = f"of {_join(queues, 'queue', most)}" if queues else ""
    if tasks:
        noun = "task" if len(tasks) == 1 else "tasks"
        named = f"{noun} {_join([_short(task) for task in tasks], 'task', most)}"
        which = f"{which} ({named})" if which else f"of {named}"
    return f" {which}"


def say_reach(limited_to: Sequence[str] | None) -> str:
    """` in the queues you reach (email*)`; empty where that is all. The names are foreign."""
    return f" in the queues you reach ({_join(limited_to, 'queue', MOST)})" if limited_to else ""


def safe_reach(limited_to: Sequence[str] | None) -> str:
    """The same for a terminal."""
    reach = say_reach(limited_to)
    return f" {safe_line(reach)}" if reach else ""


def _join(names: Sequence[str], noun: str, most: int) -> str:
    shown = [name if len(name) <= 60 else f"{name[:59]}…" for name in names[:most]]
    if left := len(names) - len(shown):
        shown.append(f"{left:,} more {noun}{'' if left == 1 else 's'}")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _short(task: str) -> str:
    """`team.tasks.deliver` → `deliver`; a pattern as it is."""
    has_wildcard = "*" in task or "?" in task
    return task if has_wildcard else task.rpartition(".")[2] or task
