"""Our own tasks, in a queue that somebody asked for."""

from __future__ import annotations

from chatbot.messages.parts import Line, Span, code
from jobs_maint.models import OwnJobs
from jobs_maint.render import say_own

__all__ = ["tell_own"]


def tell_own(own: OwnJobs | None, command: str) -> Line:
    """That they are not counted, and where to look; empty where there are none."""
    said, look = say_own(own)
    if not said:
        return []
    line: list[Span | str] = [said, " "]
    for number, words in enumerate(look):
        line += [" and "] * bool(number) + [code(f"{command} {words}")]
        line += [" (for admins)"] * (words == "doctor")
    return [*line, "."]
