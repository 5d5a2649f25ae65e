"""`take` and `mute`: who is on a group of errors now, and until when it is muted."""

from __future__ import annotations

from datetime import datetime

from chatbot.messages.alike import describe_error
from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import pack
from chatbot.messages.parts import Button, Line, Span, bold, buttons, paragraph, when
from chatbot.messages.people import name_actor, tell_given_back
from chatbot.messages.remembered import GIVE_BACK, TAKE
from chatbot.messages.words import count, short_task
from jobs_maint.actions import MuteGroup, TakeGroup
from jobs_maint.models import ErrorGroup, GroupReport

__all__ = ["MESSAGES", "render_group", "say_done", "say_mute"]


def render_group(report: GroupReport, *, by: str) -> Message:
    name = report.name or ""
    task = f"{name}, {short_task(report.task)}"
    head: list[Span | str]
    undo: Button | None = None
    match report.done:
        case "taken":
            had = report.had_since
            since: Line = [] if had is None else [" since ", when(had, report.as_of)]
            taken = "is taken" if had is None else "has been taken"
            head = ["✅ ", bold(f"{task}, {taken}"), " by ", name_actor(by), *since, "."]
            undo = Button(GIVE_BACK, TakeGroup(name, drop=True).words())
        case "dropped":
            head = ["✅ ", bold(f"{task}, was given back"), *tell_given_back(by, report.before)]
            if report.whole and report.taken_by:
                still = [" is still on ", _say_whole(report)]
                head += ["; ", name_actor(report.taken_by), *still]
            head.append(".")
            undo = Button(TAKE, TakeGroup(name).words())
        case "unmuted" if report.whole:
            head = [
                "✅ ",
                bold(f"{task}, the mute of it alone was ended"),
                " by ",
                name_actor(by),
            ]
            head += ["; ", _say_whole(report), " are still muted", *_say_mute(report), "."]
        case "unmuted":
            head = ["✅ ", bold(f"{task}, is not muted any more"), ": "]
            head += [name_actor(by), " ended the mute."]
        case _:
            head = [
                "✅ ",
                bold(f"{task}, is muted"),
                " by ",
                name_actor(by),
                *_say_mute(report),
                ".",
            ]
            undo = Button("End the mute", MuteGroup(name).words())
    lines: list[Line] = [head]
    if (
        report.before
        and report.done != "dropped"
        and report.before != report.taken_by
        and name_actor(report.before) != name_actor(by)
    ):
        lines.append(["Before that, ", name_actor(report.before), " was on it."])
    shown = ErrorGroup(
        report.task, report.exception_type, report.message, report.failures, 0, "steady", True
    )
    parts = [paragraph(*lines, pre=describe_error(shown))]
    return pack([*parts, buttons(undo)] if undo is not None else parts)


def _say_whole(report: GroupReport) -> str:
    return f"all errors of this kind ({report.whole})"


def _say_mute(report: GroupReport) -> list[Span | str]:
    return say_mute(report.muted_until, report.muted_above, report.as_of)


def say_mute(at: datetime | None, above: int | None, as_of: datetime) -> list[Span | str]:
    until: list[Span | str] = []
    if at is not None:
        until = [" until ", when(at, as_of)]
    if above is not None:
        rate = f"it fails more than {count(above, 'time')} an hour"
        until.append(f", or until {rate}" if until else f" until {rate}")
    return until


def say_done(report: GroupReport, by: str, at: datetime) -> Line | None:
    """What stands in the place of the button that did it."""
    if report.done == "taken":
        return [name_actor(by), " is on it, ", when(at, at)]
    if report.done == "muted":
        return ["Muted by ", name_actor(by), *_say_mute(report)]
    return None


MESSAGES: Messages = {GroupReport: lambda report, wanted: render_group(report, by=wanted.by)}
