"""How a request ended, as the audit tells it."""

from __future__ import annotations

from jobs_maint.models import AuditEntry
from jobs_maint.verbs import VERBS

__all__ = ["list_counts", "tell_outcome"]


def tell_outcome(entry: AuditEntry) -> str:
    """`previewed` asked somebody; a dry run is only a look."""
    is_dry = entry.outcome == "previewed" and " --dry-run " in f"{entry.action} "
    return "dry run" if is_dry else entry.outcome


def list_counts(entry: AuditEntry) -> list[str]:
    """`3,491 cancelled`, `27 asked to abort`, as the act's own outcome said it; raw text."""
    verb = VERBS.get(entry.action.partition(" ")[0])
    asked = entry.counts.get("abort_requested", 0)
    told = []
    for name, number in entry.counts.items():
        if name == "jobs":
            told.append(f"{number:,} {'job' if number == 1 else 'jobs'}")
        elif name == "done" and verb is not None:
            told.append(f"{number - asked:,} {verb.done}" if number > asked else "")
        elif name == "abort_requested":
            told.append(f"{number:,} asked to abort" if number else "")
        elif number:
            told.append(f"{number:,} {name.replace('_', ' ')}")
    return [one for one in told if one]
