"""`errors` for people: failures alike are one row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from jobs_maint.durations import format_span, format_time
from jobs_maint.models import ErrorGroup, ErrorsReport
from jobs_maint.render.coverage import (
    UNTIL_IN_FUTURE,
    safe_own,
    safe_reach,
    say_aside,
    say_coverage,
    say_rest,
)
from jobs_maint.render.levels import judge_failures
from jobs_maint.render.page import Column, Page, Pages, clock, number, table_with_text
from jobs_maint.render.remembered import say_person, say_state
from jobs_maint.render.safe import name_tasks, safe_line, safe_word, short_task
from jobs_maint.render.verdict import count_noun
from jobs_maint.verbs import say_unrecorded

__all__ = ["PAGES", "groups_table", "point_to_job", "render_errors"]


def render_errors(report: ErrorsReport, page: Page) -> None:
    where = f" in queue {safe_word(report.queue)}" if report.queue is not None else ""
    if covered := say_coverage(report.queues, report.tasks):
        where += f" {safe_line(covered)}"
    where += safe_reach(report.limited_to_queues) + say_aside(report.own_jobs)
    span = format_span(report.since_seconds)
    lately = f"in the last {span}"
    if report.until is not None:
        lately = f"in the {span} to {format_time(report.until)}"
    failed = count_noun(report.failed, "failure")
    said = report.say_standing()
    level = judge_failures(
        report.failed, report.succeeded or 0, report, news=report.reasons.news > 0
    )
    page.line(
        f"{failed[:1].upper()}{failed[1:]}{where} {lately}, "
        f"{report.failed_before:,} in the {span} before.{f' {said}' if said else ''}",
        "bold" if level == "green" else f"bold {level}",
    )
    if own := safe_own(report.own_jobs):
        page.line(own)
    if report.until_in_future:
        page.line(UNTIL_IN_FUTURE, "yellow")
    if report.groups:
        page.line()
        groups_table(report.groups, report.as_of, page)
        page.line()
    if report.groups_not_shown:
        groups = count_noun(report.groups_not_shown, "more group")
        failures = count_noun(report.failures_not_shown, "failure")
        shown = len(report.groups)
        rest = say_rest(shown, shown + report.groups_not_shown, "a queue, --tasks or --since")
        page.line(f"{groups}, {failures}, not shown; {rest}")
    point_to_job(report.groups, page)


def point_to_job(groups: Sequence[ErrorGroup], page: Page) -> None:
    """The next step: a job that is still there."""
    there = [one for one in groups if one.sample_job_id and one.deleted < one.count]
    if there:
        which = "the first group" if there[0] is groups[0] else "a group"
        page.line(f"A job of {which}: jobs-maint status {there[0].sample_job_id}")


def groups_table(groups: Sequence[ErrorGroup], as_of: datetime, page: Page) -> None:
    def times(attribute: str) -> list[str]:
        found = [getattr(group, attribute) for group in groups]
        return ["–" if at is None else clock(at, as_of) for at in found]

    columns = [
        Column("Count", [number(group.count) for group in groups], right=True),
        Column("Before", [number(group.count_before) for group in groups], 4, right=True),
        Column("Trend", [say_state(group) or _trend(group) for group in groups], 1),
        Column("Task", name_tasks([group.task for group in groups]), may_shrink=True),
        Column("First (UTC)", times("first_at"), 5),
        Column("Last (UTC)", times("last_at"), 2),
        Column("Sample", [str(group.sample_job_id or "–") for group in groups], right=True),
    ]
    if any(group.failed_now not in {None, group.count} for group in groups):
        left = ["?" if one.failed_now is None else number(one.failed_now) for one in groups]
        columns.insert(1, Column("Failed\nnow", left, 3, right=True))
    if any(group.name for group in groups):
        columns.insert(1, Column("Group", [safe_word(group.name or "–") for group in groups]))
    if any(map(_who, groups)):
        owners = [_who(group, as_of) or "–" for group in groups]
        columns.append(Column("Who", owners, 3, may_shrink=True))
    table_with_text(page, columns, Column("Error", [_error(group) for group in groups]))


def _trend(group: ErrorGroup) -> str:
    """A group that is known is not new, though the span before has none of it."""
    if not group.recorded and group.trend == "new":
        return "–"  # nobody knows
    known = group.trend == "new" and group.state == "ongoing"
    return "ongoing" if known else safe_word(group.trend)


def _who(group: ErrorGroup, as_of: datetime | None = None) -> str:
    parts = [safe_word(say_person(group.taken_by))] if group.taken_by else []
    if group.muted_until is not None and as_of is not None:
        parts.append(f"muted until {clock(group.muted_until, as_of)}")
    elif group.muted_until is not None or group.muted_above is not None:
        parts.append(f"muted to {group.muted_above}/h")
    return ", ".join(parts)


def _error(group: ErrorGroup) -> str:
    if not group.recorded:
        return say_unrecorded(awaited=group.awaited)
    kind = safe_word(short_task(group.exception_type)) if group.exception_type else ""
    kind = "worker lost" if group.lost else kind
    text = safe_line(group.describe_message())
    return ": ".join(part for part in (kind, text) if part) or "error without a message"


PAGES: Pages = {ErrorsReport: render_errors}
