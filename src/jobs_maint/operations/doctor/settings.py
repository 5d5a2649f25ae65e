"""The doctor's check on settings: do the workers, and whoever asks, go by the same?"""

from __future__ import annotations

from jobs_maint.database import Conn
from jobs_maint.models import Finding
from jobs_maint.operations.doctor.findings import Situation, count, few, note, ok, warning
from jobs_maint.operations.following import Told, set_here
from jobs_maint.settings import MaintSettings
from jobs_maint.told_settings import list_differing, spell_value

__all__: list[str] = []


async def check_settings(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    """Compares what was read before all checks, which others go by."""
    if not situation.told:
        return ok("settings", "No worker has told by which settings it rescues and purges.")
    unread = [f"{_name(field)} of {_who(one)}" for one in situation.told for field in one.unread]
    if unread:
        return warning(
            "settings",
            f"Settings that workers stored cannot be read: {few(unread, 3)}. In their place, what "
            f"is foretold goes by those of this {situation.asker}.",
            "Restart these workers; each stores its settings anew.",
        )
    first, others = situation.told[0], situation.told[1:]
    asker, mine = f"this {situation.asker}", set_here(situation.settings, first.settings)
    workers = _who(first) if others else "the workers"
    here = [
        f"{_name(field)} is {spell_value(mine, field)} for {asker} and "
        f"{spell_value(first.settings, field)} for {workers}"
        for field in list_differing(mine, first.settings)
    ]
    among = [
        f"{_name(field)} is {spell_value(first.settings, field)} for {_who(first)} and "
        f"{spell_value(other.settings, field)} for {_who(other)}"
        for other in others
        for field in list_differing(first.settings, other.settings)
    ]
    if among:
        policies = any(
            "rescue_policy" in list_differing(first.settings, other.settings) for other in others
        )
        return warning(
            "settings",
            f"The workers rescue and purge by different settings: {few(among, 3)}. What is "
            f"foretold goes by those of worker {first.sample[0]}"
            + (", but a task fails if any of the policies says so." if policies else ".")
            + (f" And {few(here, 3)}." if here else ""),
            "Give all of them the same environment, and restart those with the old one.",
        )
    if here:
        return note(
            "settings",
            f"{asker[0].upper()}{asker[1:]} and the workers have different settings: "
            f"{few(here, 3)}.",
            "What is foretold goes by the workers' settings; what somebody starts by hand "
            f"(`jobs-maint rescue`, `jobs-maint purge`) goes by those of {asker}. Set them here "
            "as for the workers, or leave them unset here.",
        )
    return ok("settings", f"The workers and {asker} rescue and purge by the same settings.")


def _name(field: str) -> str:
    return MaintSettings.env_name(field)


def _who(told: Told) -> str:
    others = told.workers - 1
    more = f" and {count(others, 'other')}" if others else ""
    return f"worker {told.sample[0]}{more}"
