"""The failure summary of a span for people: the groups, the queues, what maintenance did."""

from __future__ import annotations

from jobs_maint.durations import format_duration, format_span
from jobs_maint.models import DigestReport, say_abandoned, say_alive
from jobs_maint.render.conditions import say_incident
from jobs_maint.render.coverage import safe_own, safe_reach, say_aside, say_deleting
from jobs_maint.render.failures import groups_table, point_to_job
from jobs_maint.render.levels import is_news, judge_failures, judge_incident, sort_incidents
from jobs_maint.render.page import Column, Page, Pages, clock
from jobs_maint.render.queues import ESTIMATES, counts_of, say_oldest
from jobs_maint.render.safe import safe_line, safe_word
from jobs_maint.render.verdict import count_noun, say_expiring, say_rescued, sort_queues

__all__ = ["PAGES"]


def render_digest(report: DigestReport, page: Page) -> None:
    where = f" in queue {safe_word(report.queue)}" if report.queue is not None else ""
    where += safe_reach(report.limited_to_queues) + say_aside(report.own_jobs)
    span = format_span((report.until - report.since).total_seconds())
    there, until = sort_incidents(report.incidents), report.until
    now = [one for one in there if one.is_open]
    for incident in now:
        level = judge_incident(incident)
        page.line(f"Incident {safe_line(say_incident(incident, until))}.", f"bold {level}")
    if report.rescue_idle:
        page.line(say_abandoned(report.stuck_jobs, report.rescue_idle), "bold red")
    level = judge_failures(report.failed, report.succeeded, report, news=is_news(report.groups))
    page.line(
        f"{_capital(count_noun(report.failed, 'failure'))}{where} in the last {span}, "
        f"{report.failed_before:,} in the {span} before.{_stop(report)}{_then(report)}",
        "bold" if level == "green" else f"bold {level}",
    )
    page.line(_ends(report))
    if own := safe_own(report.own_jobs):
        page.line(own)
    for incident in there:
        if incident not in now:
            page.line(f"Incident {safe_line(say_incident(incident, until))}.", "bold yellow")
    if report.groups:
        page.line()
        groups_table(report.groups, report.until, page)
        page.line()
    _not_shown(report, span, page)
    point_to_job(report.groups, page)
    if report.queues:
        page.line()
        _queues_table(report, page)
    for line in _list_maintenance(report):
        page.line(line)


def _not_shown(report: DigestReport, span: str, page: Page) -> None:
    if report.groups_not_shown:
        groups = count_noun(report.groups_not_shown, "more group")
        failures = count_noun(report.failures_not_shown, "failure")
        since = format_duration(report.until - report.since)
        page.line(f"{groups}, {failures}, not shown: jobs-maint errors --since {since}")
    if report.gone_not_shown:
        gone = count_noun(report.gone_not_shown, "more group")
        page.line(f"{gone} of the {span} before, gone since, not shown.")


def _stop(report: DigestReport) -> str:
    last = report.last_failed_at
    if not report.failed or last is None or not report.has_stopped(last):
        return ""
    return f" None since {clock(last, report.until)} UTC."


def _then(report: DigestReport) -> str:
    return f" {said}" if (said := report.say_standing()) else ""


def _ends(report: DigestReport) -> str:
    done = count_noun(report.succeeded, "job")
    if deleting := say_deleting(report.workers):
        parts = [*([f"At least {done} succeeded"] if report.succeeded else []), deleting]
    else:
        parts = [f"{_capital(done)} succeeded" if report.ran else "No job ran"]
    if not report.failed and report.workers is not None:
        parts.append(say_alive(report.workers))
    if report.retrying:
        were = "was" if report.retrying == 1 else "were"
        parts.append(f"{count_noun(report.retrying, 'attempt')} failed and {were} retried")
    if report.put_back:
        parts.append(say_rescued(report.put_back_jobs, report.put_back))
    if report.purged:
        parts.append(f"{count_noun(report.purged, 'finished job')} purged")
    return f"{'; '.join(parts)}."


def _list_maintenance(report: DigestReport) -> list[str]:
    lines = []
    if report.maintenance:
        ran = [
            f"last {safe_word(run.word)} {clock(run.finished_at, report.until)}"
            f"{'' if run.succeeded else ' (failed)'}"
            for run in report.maintenance
        ]
        lines.append(f"{_capital(', '.join(ran))}.")
    if report.expiring is not None and report.expiring.jobs:
        lines.append(say_expiring(report.expiring))
    return ["", *lines] if lines else []


def _queues_table(report: DigestReport, page: Page) -> None:
    queues = sort_queues(report.queues)

    def counts(header: str, field: str, keep: int) -> Column:
        return counts_of(header, queues, field, report.estimated, keep)

    oldest = [say_oldest(queue) for queue in queues]
    page.table(
        [
            Column("Queue", [safe_word(queue.queue) for queue in queues], may_shrink=True),
            counts("Ready", "ready", 1),
            counts("Scheduled", "scheduled", 3),
            counts("Doing", "doing", 2),
            counts("Failed", "failed", 0),
            Column("Oldest", oldest, 0, right=True),
        ]
    )
    shown = {"ready", "scheduled", "doing", "failed"}
    if any(shown.intersection(fields) for fields in report.estimated.values()):
        page.line()
        page.line(ESTIMATES)


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


PAGES: Pages = {DigestReport: render_digest}
