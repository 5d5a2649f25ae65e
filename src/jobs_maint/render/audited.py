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
    """`3,491 cancelled`, `27 asked to abort`, as the act's own outcome said it; raw text.

    Of a purge `deleted 2,000 succeeded`, `37 cancelled`.
    """
    word = entry.action.partition(" ")[0]
    verb = VERBS.get(word)
    words = {"abort_requested": "asked to abort"} | ({"done": verb.done} if verb else {})
    told = [
        f"{number:,} {'job' if number == 1 else 'jobs'}"
        if name == "jobs"
        else f"{number:,} {words.get(name) or name.replace('_', ' ')}"
        for name, number in entry.counts.items()
        if number or name == "jobs"
    ]
    if word == "purge" and told and "jobs" not in entry.counts:  # by what the jobs were
        told[0] = f"deleted {told[0]}"
    return told
