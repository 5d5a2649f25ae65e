"""CHATBOT_INCIDENTS, as the core wants it."""

from __future__ import annotations

from typing import Any

from chatbot.settings.bot import ChatbotSettings
from chatbot.settings.incidents import IncidentsSetting
from jobs_maint.actions import DigestPlan, Limits, Pause
from jobs_maint.models import IncidentKind

__all__ = ["build_limits"]


def build_limits(incidents: IncidentsSetting | None, settings: ChatbotSettings) -> Limits:
    """None: nothing is watched."""
    if incidents is None:
        return Limits(kinds=frozenset())
    asked: dict[IncidentKind, Any] = {
        IncidentKind.NO_WORKER: incidents.no_worker,
        IncidentKind.QUEUE_BEHIND: any(incidents.queue_behind.values()),
        IncidentKind.FAILURES_HIGH: incidents.failures,
        IncidentKind.GROUP: incidents.group,
        IncidentKind.JOBS_STUCK: incidents.jobs_stuck,
        IncidentKind.TICK_MISSED: incidents.tick_missed,
        IncidentKind.MAINTENANCE_OVERDUE: incidents.maintenance_overdue,
        IncidentKind.DIGEST_OVERDUE: incidents.digest_overdue,
        IncidentKind.RECORDER_SILENT: incidents.recorder_silent,
    }
    given: dict[str, Any] = {
        "no_worker": incidents.no_worker and incidents.no_worker.total_seconds(),
        "failures": incidents.failures,
        "group": incidents.group,
        "jobs_stuck": incidents.jobs_stuck and incidents.jobs_stuck.total_seconds(),
        "recorder_silent": incidents.recorder_silent and incidents.recorder_silent.total_seconds(),
    }
    usual = settings.find_incident_channel() or ""
    places = [(glob, place or usual) for glob, place in incidents.channel.items()]
    return Limits(
        kinds=frozenset(kind for kind, limit in asked.items() if limit),
        # A queue whose limit is off must not fall to the next glob.
        queue_behind=tuple(
            (glob, span.total_seconds() if span else float("inf"))
            for glob, span in incidents.queue_behind.items()
        ),
        quiet=incidents.quiet.total_seconds(),
        digests=tuple(DigestPlan(one.name, one.cron, one.timezone) for one in settings.digests),
        pauses=tuple(
            Pause(one.cron, one.span.total_seconds(), one.timezone) for one in incidents.pauses
        ),
        places=tuple(places) if len({place for _, place in places}) > 1 else (),
        **{name: limit for name, limit in given.items() if limit is not None},
    )
