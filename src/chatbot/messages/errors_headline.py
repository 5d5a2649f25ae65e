"""What `errors` says first: how many failed, for how many reasons, and whether that is more."""

from __future__ import annotations

from datetime import timedelta

from chatbot.messages.parts import Line, Span, bold, tell_later, tell_window, when
from chatbot.messages.words import DOTS, count, name_queue, say_change, say_lately, sentence
from jobs_maint.models import ErrorsReport
from jobs_maint.render import Level, judge_failures, say_aside, say_coverage, say_reach

__all__ = ["tell_errors"]


def tell_errors(report: ErrorsReport, before: str) -> list[Line]:
    """The same on each page."""
    where = f" in {name_queue(report.queue)}" if report.queue is not None else ""
    where += say_coverage(report.queues, report.tasks) + say_reach(report.limited_to_queues)
    where += say_aside(report.own_jobs)
    lately = say_lately(report.since_seconds, report.until, report.as_of)
    change = sentence(say_change(report.failed, report.failed_before, before))
    if not report.failed:
        return [
            [f"{DOTS[_calm(report)]} ", bold(f"No job failed{where} {lately}.")],
            [change],
            _tell_span(report),
            tell_later(report.until, report.as_of),
        ]
    reasons, groups = report.reasons, report.reasons.groups
    level = judge_failures(report.failed, report.succeeded or 0, report, news=reasons.news > 0)
    level = _calm(report) if level == "green" else level
    verdict = f"{count(report.failed, 'failure')}{where} {lately}"
    kind = "new reason" if reasons.largest_state == "new" else "reason"
    all_new = reasons.new == groups
    unknown = reasons.failures_not_recorded
    if not groups:
        verdict += ", without a recorded error"
    elif groups == 1 and not unknown:
        verdict += f", {'all ' * (report.failed > 1)}for one {kind}"
    elif 2 * reasons.largest >= report.failed:
        which = f"of {groups:,} new reasons" if all_new and groups > 1 else kind
        verdict += f", {reasons.largest:,} of them for one {which}"
    else:
        verdict += f", for {count(groups, 'new reason' if all_new else 'reason')}"
    if groups and unknown:
        verdict += f"; {unknown:,} without a recorded error"
    said = report.say_standing()
    lines: list[Line] = [[f"{DOTS[level]} ", bold(f"{verdict}."), *([f" {said}"] if said else [])]]
    second: list[Span | str] = [change]
    if reasons.largest_first_at is not None and reasons.largest_state in {"new", "regressed"}:
        came = "began" if reasons.largest_state == "new" else "came back"
        which = "The largest" if reasons.news > 1 else "It"
        second += [f" {which} {came} at ", when(reasons.largest_first_at, report.as_of), "."]
    return [*lines, second, _tell_span(report), tell_later(report.until, report.as_of)]


def _calm(report: ErrorsReport) -> Level:
    """Not green where jobs may have failed in queues out of reach."""
    return "yellow" if report.limited_to_queues is not None else "green"


def _tell_span(report: ErrorsReport) -> Line:
    """Of a past one; by the reader's clock, which bold text cannot show."""
    if (until := report.until) is None:
        return []
    since = until - timedelta(seconds=report.since_seconds)
    return ["From ", *tell_window(since, until, report.as_of), "."]
