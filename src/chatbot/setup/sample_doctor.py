"""Findings of the doctor as they come, with the words of the shell that the core gives them."""

from __future__ import annotations

from chatbot.setup.sample_reports import NOW
from jobs_maint.models import DoctorReport, Finding

__all__ = ["doctor", "sound"]


def doctor() -> DoctorReport:
    return DoctorReport(
        NOW,
        (
            Finding("rescue", "error", "The rescue last succeeded 40 min ago; it should have run "
                    "at 2026-11-23 11:50 UTC (*/5 * * * *).", "Its last run failed; see "
                    "`jobs-maint status 4650`.", "Rescue of stuck jobs"),
            Finding("recorder", "warning", "3 of the 41 failures in the last day have no recorded "
                    "error (job 4711, 4690, 4688).", "Look at one: `jobs-maint status 4711`.",
                    "Recorded errors"),
            Finding("indexes", "warning", "Indexes are missing: jobs_maint_events_at_idx. "
                    "Everything works without them, but more slowly.", "Run `jobs-maint schema "
                    "apply`; it builds them without blocking other sessions.", "Indexes"),
            Finding("slack_delivery", "note", "C0OPS at 2026-11-22 18:04 UTC: Slack refused "
                    "chat.postMessage (is_archived). Later messages have arrived there.", None,
                    "Messages that did not arrive"),
            *(Finding(f"check_{i}", "ok", "fine") for i in range(17)),
        ),
    )  # fmt: skip


def sound() -> DoctorReport:
    return DoctorReport(NOW, tuple(Finding(f"check_{i}", "ok", "fine") for i in range(20)))
