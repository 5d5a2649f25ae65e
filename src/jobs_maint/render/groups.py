"""`take` and `mute`: what became of a group of errors, for people."""

from __future__ import annotations

from jobs_maint.durations import format_time
from jobs_maint.models import GroupReport
from jobs_maint.render.page import Page, Pages
from jobs_maint.render.remembered import say_person
from jobs_maint.render.safe import safe_line, safe_word, short_task
from jobs_maint.render.verdict import count_noun

__all__ = ["PAGES"]


def render_group(report: GroupReport, page: Page) -> None:
    name = safe_word(report.name or "")
    others = report.before if report.before != report.taken_by else None
    before = safe_word(say_person(others)) if others else ""
    match report.done:
        case "taken":
            line = f"You are on {name}{f'; {before} was before' if before else ''}."
            if report.had_since is not None:
                line = f"You have been on {name} since {format_time(report.had_since)}."
        case "dropped" if report.whole:
            was = f"; {before} was on it" if before else ""
            who = safe_word(say_person(report.taken_by or ""))
            line = f"{name} was given back{was}. {who} is still on {_say_whole(report)}."
        case "unmuted" if report.whole:
            still = f"{_say_whole(report)} are still muted {_say_mute(report)}"
            line = f"The mute of {name} alone is ended; {still}."
        case "dropped":
            line = f"Nobody is on {name} any more{f'; {before} was' if before else ''}."
        case "unmuted":
            line = f"{name} is not muted any more."
        case _:
            line = f"{name} is muted {_say_mute(report)}."
    page.line(line, "bold green")
    kind = safe_word(short_task(report.exception_type)) if report.exception_type else ""
    text = safe_line(report.message[:300])
    task = safe_word(short_task(report.task))
    page.line(f"{task}: {': '.join(part for part in (kind, text) if part)}")
    if report.done == "taken":
        page.line(f"Undo: jobs-maint take {name} --drop")


def _say_whole(report: GroupReport) -> str:
    return f"all errors of this kind ({safe_word(report.whole or '')})"


def _say_mute(report: GroupReport) -> str:
    above = report.muted_above
    rate = f"it fails more than {count_noun(above, 'time')} an hour" if above else ""
    if report.muted_until is None:
        return f"until {rate}"
    until = f"until {format_time(report.muted_until)}"
    return f"{until}, or until {rate}" if rate else until


PAGES: Pages = {GroupReport: render_group}
