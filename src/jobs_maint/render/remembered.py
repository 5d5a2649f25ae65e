"""What is remembered of a group of errors, in a few words."""

from __future__ import annotations

from jobs_maint.models import Remembered, say_person

__all__ = ["say_person", "say_quiet", "say_state"]


def say_state(group: Remembered) -> str:
    """`new`, `back after 6 days`, `rising`; empty where it goes on as before."""
    if group.state == "regressed" and group.quiet_seconds is not None:
        return f"back after {say_quiet(group.quiet_seconds)}"
    return group.state if group.state in {"new", "rising"} else ""


def say_quiet(seconds: float) -> str:
    """`6 days`, `30 h`."""
    return f"{seconds / 86_400:.0f} days" if seconds >= 172_800 else f"{seconds / 3_600:.0f} h"
