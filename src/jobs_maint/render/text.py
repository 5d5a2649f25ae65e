"""One result for people: which page it is, and the pages that are only sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobs_maint import models
from jobs_maint.render.acts import render_rescue, render_retry
from jobs_maint.render.digest import render_digest
from jobs_maint.render.doctor import render_doctor
from jobs_maint.render.job import render_job
from jobs_maint.render.lists import render_audit, render_errors, render_stuck, render_workers
from jobs_maint.render.page import Column, Page
from jobs_maint.render.purge import render_purge
from jobs_maint.render.safe import safe_block, safe_line, safe_word
from jobs_maint.render.sets import render_bulk, render_preview
from jobs_maint.render.tables import render_failed, render_stats

__all__ = ["render_result"]


def render_result(result: object, *, width: int, styled: bool) -> str:
    if isinstance(result, models.SchemaReport) and result.sql is not None:
        return result.sql.rstrip("\n")
    render = _RENDERERS.get(type(result))
    if render is None:
        raise TypeError(f"no page is made of {type(result).__name__}")
    page = Page(width, styled=styled)
    render(result, page)
    return page.text()


def render_schema(report: models.SchemaReport, page: Page) -> None:
    if report.pending:
        page.line("The schema is not complete. Missing:", "bold yellow")
        for step in report.pending:
            page.line(safe_line(step), indent=2)
        page.line("jobs-maint schema apply makes it; jobs-maint schema sql shows how.")
    else:
        page.line(f"The schema is complete, version {safe_word(report.version)}.", "bold green")
    if report.applied:
        page.line(f"Applied: {', '.join(map(safe_line, report.applied))}.")
    elif not report.pending:
        page.line("Nothing had to be applied.")
    if report.problems:
        page.line("Not done; everything works without, more slowly:", "bold yellow")
        for problem in report.problems:
            page.line(safe_line(problem), indent=2)


def render_help(report: models.HelpReport, page: Page) -> None:
    if report.text is not None:
        usage, *rest = safe_block(report.text).split("\n")
        page.line(f"jobs-maint {usage}", "bold")
        for line in rest:
            indent = len(line) - len(line.lstrip())
            page.line(line.lstrip(), indent=indent)
        return
    page.line("jobs-maint WORDS: operate a Procrastinate job queue.", "bold")
    page.line()
    for word in report.words:
        page.line(f"jobs-maint {word.usage}", "bold")
        role = "" if word.role is None else f" Role: {word.role}."
        refused = "" if word.allowed else " Not yours."
        page.line(f"{word.summary}{role}{refused}", indent=4)
    page.line()
    page.table(
        [
            Column("Also", ["jobs-maint help WORD", "WORDS --json", "jobs-maint --version"]),
            Column("", ["one word and its options", "JSON for programs", "the version"]),
        ]
    )


_RENDERERS: dict[type, Callable[[Any, Page], None]] = {
    models.StatsReport: render_stats,
    models.FailedJobsReport: render_failed,
    models.JobDetails: render_job,
    models.ActReport: render_retry,
    models.Preview: render_preview,
    models.BulkReport: render_bulk,
    models.PurgeReport: render_purge,
    models.RescueReport: render_rescue,
    models.ErrorsReport: render_errors,
    models.DigestReport: render_digest,
    models.StuckReport: render_stuck,
    models.WorkersReport: render_workers,
    models.AuditReport: render_audit,
    models.DoctorReport: render_doctor,
    models.SchemaReport: render_schema,
    models.HelpReport: render_help,
}
