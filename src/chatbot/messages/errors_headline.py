"""What `errors` says first: how many failed, for how many reasons, and whether that is more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from chatbot.messages.parts import Line, Span, bold, tell_span, when
from chatbot.messages.words import DOTS, count, name_queue, say_change, sentence
from jobs_maint.actions import ListErrors
from jobs_maint.models import ErrorGroup, ErrorsReport
from jobs_maint.render import Level, is_news, judge_failures, say_aside, say_coverage, say_reach

__all__ = ["tell_errors"]

LEAST = ListErrors().limit
"""Groups."""


def tell_errors(
    report: ErrorsReport, there: Sequence[ErrorGroup], span: str, before: str
) -> list[Line]:
    where = f" in {name_queue(report.queue)}" if report.queue is not None else ""
    where += say_coverage(report.queues, report.tasks) + say_reach(report.limited_to_queues)
    where += say_aside(report.own_jobs)
    lately = f"in the last {span}"
    if report.until is not None:
        lately = f"in {'one ' * (span in {'hour', 'minute'})}{span}"
    change = sentence(say_change(report.failed, report.failed_before, before))
    if not there:
        return [
            [f"{DOTS[_calm(report)]} ", bold(f"No job failed{where} {lately}.")],
            [change],
            _tell_span(report),
        ]
    # By as many as there are at least, so that a later page, whose list has more, says the same.
    head = there[:LEAST]
    known = [one for one in head if one.recorded]
    unknown = sum(one.count for one in head if not one.recorded)
    largest = (known or there)[0]
    level = judge_failures(report.failed, report.succeeded or 0, report, news=is_news(head))
    level = _calm(report) if level == "green" else level
    verdict = f"{count(report.failed, 'failure')}{where} {lately}"
    kind = "new reason" if largest.state == "new" else "reason"
    beyond = len(there) - len(head) + (report.groups_not_shown if report.failures_not_shown else 0)
    all_new = not beyond and all(one.state == "new" for one in known)
    groups = len(known) + beyond
    if not groups:
        verdict += ", without a recorded error"
    elif groups == 1 and not unknown:
        verdict += f", {'all ' * (report.failed > 1)}for one {kind}"
    elif 2 * largest.count >= report.failed:
        which = f"of {groups} new reasons" if all_new and groups > 1 else kind
        verdict += f", {largest.count:,} of them for one {which}"
    else:
        verdict += f", for {count(groups, 'new reason' if all_new else 'reason')}"
    if groups and unknown:
        verdict += f"; {unknown:,} without a recorded error"
    said = report.say_standing()
    lines: list[Line] = [[f"{DOTS[level]} ", bold(f"{verdict}."), *([f" {said}"] if said else [])]]
    second: list[Span | str] = [change]
    if largest.first_at is not None and largest.state in {"new", "regressed"}:
        came = "began" if largest.state == "new" else "came back"
        is_one = all(one.state not in {"new", "regressed"} for one in head[1:])
        which = "It" if is_one else "The largest"
        second += [f" {which} {came} at ", when(largest.first_at, report.as_of), "."]
    return [*lines, second, _tell_span(report)]


def _calm(report: ErrorsReport) -> Level:
    """Not green where jobs may have failed in queues out of reach."""
    return "yellow" if report.limited_to_queues is not None else "green"


def _tell_span(report: ErrorsReport) -> Line:
    """Of a past one; by the reader's clock, which bold text cannot show."""
    if (until := report.until) is None:
        return []
    since = until - timedelta(seconds=report.since_seconds)
    return ["From ", *tell_span(since, until, report.as_of), "."]
