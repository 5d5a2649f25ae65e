"""Acts on jobs that were named, and one pass of the rescue, for people."""

from __future__ import annotations

from collections import Counter

from jobs_maint.durations import format_age
from jobs_maint.models import (
    ActReport,
    ItemOutcome,
    ItemResult,
    RescueReport,
    say_acts,
    say_held,
)
from jobs_maint.render.page import Column, Page, Pages
from jobs_maint.render.safe import name_tasks, safe_line, safe_word, short_task
from jobs_maint.render.verdict import count_noun
from jobs_maint.verbs import RESCUED, VERBS

__all__ = ["PAGES"]

_NARROW = 100
"""On a page with fewer cells, the reason goes on a line of its own."""


def render_act(report: ActReport, page: Page) -> None:
    verb = VERBS[report.verb].done
    asked = [item for item in report.done if item.code == "abort_requested"]
    done = [item for item in report.done if item not in asked]
    if done:
        names = ", ".join(_job(item) for item in done)
        page.line(f"{count_noun(len(done), 'job')} {verb}: {names}.", "bold")
    elif not asked:
        page.line(f"No job was {verb}.", "bold")
    for item in asked:
        page.line(f"Job {_job(item)} runs; its worker was asked to abort it.", "bold")
    for item in done:
        if item.reason:
            page.line(f"{item.job_id}: {safe_line(item.reason)}", indent=2)
    for warning in report.warnings:
        page.line(safe_line(warning), "bold yellow")
    _refused(report, page)
    if report.elapsed_seconds >= 1:
        page.line(f"Took {format_age(report.elapsed_seconds)}.")
    if done and report.verb != "retry" and report.audit_id is not None:
        page.line(f"Undo: jobs-maint retry --request {report.audit_id}")


def _refused(report: ActReport, page: Page) -> None:
    for outcome, word in ((ItemOutcome.SKIPPED, "skipped"), (ItemOutcome.FAILED, "failed")):
        items = [item for item in report.items if item.outcome is outcome]
        if items:
            page.line(f"{count_noun(len(items), 'job')} {word}:", "bold yellow")
        for item in items:
            page.line(f"{item.job_id}: {safe_line(item.reason) or safe_word(item.code)}", indent=2)


def _job(item: ItemResult) -> str:
    about = [safe_word(part) for part in (item.queue, item.task and short_task(item.task)) if part]
    return f"{item.job_id} ({', '.join(about)})" if about else str(item.job_id)


def render_rescue(report: RescueReport, page: Page) -> None:
    items = report.items
    if not items:
        was = report.held or report.waits_for_beat
        page.line(f"No job {'was' if was else 'had to be'} rescued.", "bold")
    else:
        became = Counter(map(_became, items))
        counts = ", ".join(f"{count:,} {name}" for name, count in became.items())
        whole = all(item.outcome is ItemOutcome.DONE for item in items)
        lost = any(item.outcome is not ItemOutcome.SKIPPED for item in items)
        what = f"{count_noun(len(items), 'job')}{' without a worker' if lost else ''}"
        page.line(f"{what}: {counts}.", "bold green" if whole else "bold yellow")
        page.line()
        _rescue_table(items, page)
        page.line()
        for warning in report.warnings:
            page.line(safe_line(warning), "bold yellow")
    if report.held:
        page.line(f"{say_held(len(report.held))} What is left of them: jobs-maint stuck.")
    if report.suspects:
        jobs = count_noun(report.suspects, "running job")
        has = "has" if report.suspects == 1 else "have"
        if report.rescue_idle:
            due = "is not due yet" if report.suspects == 1 else "are not due yet"
            why = report.say_unacted()
            page.line(f"{jobs} {has} no live worker, but {due}: jobs-maint stuck. {why}")
            return
        page.line(f"{jobs} {has} no live worker, but {_when(report)}: jobs-maint stuck.")


def _when(report: RescueReport) -> str:
    if report.acts_in_seconds is None:
        return "the rescue does not act yet"
    acts = say_acts(report.acts_in_seconds, report.acts_on_jobs, report.suspects)
    return f"{acts}; ask again {'then' if report.acts_in_seconds > 0 else 'now'}"


def _became(item: ItemResult) -> str:
    if item.outcome is ItemOutcome.SKIPPED:
        return "unchanged"
    return RESCUED.get(item.code, safe_word(item.code))


def _rescue_table(items: tuple[ItemResult, ...], page: Page) -> None:
    reasons = [safe_line(item.reason) for item in items]
    columns = [
        Column("ID", [str(item.job_id) for item in items], right=True),
        Column("Queue", [safe_word(item.queue or "") for item in items], 1, may_shrink=True),
        Column("Task", name_tasks([item.task or "" for item in items]), may_shrink=True),
        Column("Became", [_became(item) for item in items]),
    ]
    if page.width >= _NARROW:
        page.table([*columns, Column("Why", reasons, may_shrink=True, is_text=True)])
    else:
        page.table(columns, below=reasons, below_indent=columns[0].width + 2)


PAGES: Pages = {ActReport: render_act, RescueReport: render_rescue}
