"""What a purge deleted, for people."""

from __future__ import annotations

from jobs_maint.durations import format_age
from jobs_maint.models import PurgeReport
from jobs_maint.render.page import Column, Page, Pages, number
from jobs_maint.render.safe import safe_line, safe_word
from jobs_maint.render.verdict import count_noun, tell_survey

__all__ = ["PAGES"]


def render_purge(report: PurgeReport, page: Page) -> None:
    total = count_noun(report.total, "job")
    if report.dry_run:
        page.line(f"{total[:1].upper()}{total[1:]} would be deleted.", "bold")
    elif report.total:
        took, batches = format_age(report.elapsed_seconds), _batches(report.batches)
        style = "bold green" if report.finished and not report.kept else "bold yellow"
        page.line(f"{total} deleted in {took}, {batches}.", style)
    else:
        page.line("No job was deleted.", "bold")
    if not report.finished:
        by = f" by {safe_line(report.stopped_by)}" if report.stopped_by else ""
        page.line(f"Stopped{by} before the end. Run the same command again for the rest.", "yellow")
    for group in (*report.refused, *report.undated):
        ids = ", ".join(map(str, group.sample))
        more = f" and {group.count - len(group.sample):,} more" * (group.count > len(group.sample))
        page.line(
            f"{group.count:,} not deleted: {safe_line(group.reason)} ({ids}{more}).", "yellow"
        )
    for warning in report.warnings:
        page.line(safe_line(warning), "yellow")
    if told := tell_survey(report):
        page.line(told)
    if report.deleted:
        page.line()
        page.table(
            [
                Column("Status", [safe_word(status) for status in report.deleted]),
                Column("Deleted", [number(n) for n in report.deleted.values()], right=True),
            ]
        )
        page.line()
    for table, rows in report.trimmed.items():
        page.line(f"{count_noun(rows, 'row')} of {safe_word(table)} deleted.")


def _batches(count: int) -> str:
    return count_noun(count, "batch", "batches")


PAGES: Pages = {PurgeReport: render_purge}
