"""`help` and `schema` for people: pages that are mostly sentences."""

from __future__ import annotations

from jobs_maint.durations import format_wait
from jobs_maint.models import HelpReport, SchemaDropReport, SchemaReport, say_stuck
from jobs_maint.render.page import Page, Pages
from jobs_maint.render.safe import safe_block, safe_line, safe_word
from jobs_maint.render.verdict import count_noun

__all__ = ["PAGES"]

_ALSO = {
    "jobs-maint help WORD": "one word and its options",
    "WORDS --json": "JSON for programs",
    "jobs-maint --version": "the version",
}


def render_schema(report: SchemaReport, page: Page) -> None:
    for told in (report.elsewhere, report.trouble):
        if told:
            page.line(safe_line(told), "bold yellow")
    _tell_pending(report, page)
    if report.applied:
        page.line(f"Applied: {', '.join(map(safe_line, report.applied))}.")
    elif not (report.pending or report.trouble):
        page.line("There was nothing to apply.")
    if report.problems:
        page.line("Not done. Everything works without these, but more slowly:", "bold yellow")
        for problem in report.problems:
            page.line(safe_line(problem), indent=2)
    if report.database:
        page.line(f"This is {safe_line(report.database)}.")


def _tell_pending(report: SchemaReport, page: Page) -> None:
    if not (report.pending or report.trouble):
        page.line(f"The schema is complete, version {safe_word(report.version)}.", "bold green")
    if not report.pending:
        return
    page.line("The schema is not complete. Missing:", "bold yellow")
    for step in report.pending:
        page.line(safe_line(step), indent=2)
    if not report.trouble:
        page.line(
            "Run jobs-maint schema apply to complete it; jobs-maint schema sql shows the SQL."
        )


def render_schema_drop(report: SchemaDropReport, page: Page) -> None:
    if report.empty:
        where = "on the search path" if report.elsewhere else "in this database"
        page.line(f"There is nothing of ours {where}.", "bold green")
        _say_elsewhere(report, page)
        return
    size = sum(table.size_bytes for table in report.tables) / 2**20
    parts = [
        f"{count_noun(len(report.tables), 'table')} ({size:,.1f} MB)",
        f"{count_noun(len(report.indexes), 'index', 'indexes')} on Procrastinate's tables",
        f"{count_noun(report.jobs, 'job')} of our own tasks",
        f"{count_noun(report.periodic, 'record')} of when these tasks were deferred",
    ]
    page.line("Removed:" if report.dropped else "This would be removed:", "bold")
    for part in parts:
        page.line(part, indent=2)
    page.line(
        "Procrastinate's tables and the team's jobs stay as they are."
        if report.dropped
        else "The recorded errors, the audit and the digests' history are lost. Procrastinate's "
        "tables and the team's jobs stay as they are."
    )
    if report.stuck_jobs:
        page.line(_say_left(report), "bold yellow")
    if report.unknown_workers:
        page.line(_say_unknown(report.unknown_workers), "bold yellow")
    if report.in_use_by:
        page.line(f"Nothing can be removed yet: {safe_line(report.say_users())}", "bold yellow")
    if report.dependents:
        page.line(
            "Nothing can be removed yet. These depend on our tables; drop them first:",
            "bold yellow",
        )
        for dependent in report.dependents:
            page.line(safe_line(dependent), indent=2)
    if report.problems:
        page.line("Not removed:", "bold yellow")
        for problem in report.problems:
            page.line(safe_line(problem), indent=2)

    _say_elsewhere(report, page)


def _say_left(report: SchemaDropReport) -> str:
    one = report.stuck_jobs == 1
    if report.dropped:
        return f"{say_stuck(report.stuck_jobs)} and stay{'s' if one else ''} in doing."
    them, ids = ("it", "ID") if one else ("them", "IDS")
    first = f"`jobs-maint rescue {ids}` for {them} first"
    if report.rescue_in_seconds is None:
        first = f"`jobs-maint rescue --force ID` for {'it' if one else 'each'} first"
    elif report.rescue_in_seconds > 0:
        first += f"; it acts {format_wait(report.rescue_in_seconds)}"
    return (
        f"{say_stuck(report.stuck_jobs)}. Without our tables nobody knows that, and nobody puts "
        f"{them} back: see `jobs-maint stuck`, and run {first}."
    )


def _say_unknown(workers: int) -> str:
    have, they = ("has", "it has") if workers == 1 else ("have", "they have")
    return (
        f"{count_noun(workers, 'live worker')} {have} run no job yet, so nothing shows whether "
        f"{they} our recorder. One that was started with jobs_maint.register(app) has to be "
        "restarted with the new code, or its next maintenance job fails."
    )


def _say_elsewhere(report: SchemaDropReport, page: Page) -> None:
    if report.elsewhere:
        page.line(
            f"Tables of ours in the schema {', '.join(map(safe_word, report.elsewhere))} stay: the "
            "search path does not lead there, or other jobs of Procrastinate are beside them. To "
            "remove them, put that schema first on the search path."
        )


def render_help(report: HelpReport, page: Page) -> None:
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
        where = ", on every queue" if word.every_queue and not word.allowed else ""
        role = "" if word.role is None else f" Role: {word.role}{where}."
        refused = "" if word.allowed else " You do not have it."
        note = f" {word.note[:1].upper()}{word.note[1:]}." if word.note else ""
        page.line(f"{word.summary}{role}{refused}{note}", indent=4)
    page.line()
    page.line("Also", "bold")
    for words, what in _ALSO.items():
        page.line(f"{words:<20}  {what}")


PAGES: Pages = {
    SchemaReport: render_schema,
    SchemaDropReport: render_schema_drop,
    HelpReport: render_help,
}
