"""Sets of jobs for people: what a confirmation would do, and what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from jobs_maint.durations import format_age, format_time
from jobs_maint.models import BulkReport, Preview, SkipGroup
from jobs_maint.quoting import cut_ids, requote
from jobs_maint.render.coverage import UNTIL_IN_FUTURE, safe_reach
from jobs_maint.render.foretold import name_alike, tell_becomes
from jobs_maint.render.page import Column, Page, Pages, number
from jobs_maint.render.safe import cut, name_tasks, safe_line, safe_word, type_queue
from jobs_maint.render.verdict import count_noun, tell_statuses, tell_survey, tell_times
from jobs_maint.verbs import FINAL_STATUSES, RESCUED, STARTED_MEANWHILE, VERBS, say_unrecorded

__all__ = ["PAGES", "ask_for"]

LONGEST_ERROR = 400
LONGEST_LINE = 120
"""Of one error of several."""
MOST_GROUPS = 20
"""Queues and tasks listed in a preview; the rest is counted."""


def ask_for(preview: Preview) -> str:
    """The question of the prompt: verb, number, noun; the number is what is expected to change."""
    expected = preview.expected
    if preview.running:
        waiting = max(expected - preview.running, 0)
        start = f"Cancel {count_noun(waiting, 'job')} and ask" if waiting else "Ask"
        return f"{start} {count_noun(preview.running, 'running job')} to abort?"
    force = " by force" if preview.words.startswith("rescue --force ") else ""
    return f"{VERBS[preview.verb].ask} {count_noun(expected, 'job')}{force}?"


def render_preview(preview: Preview, page: Page) -> None:
    if preview.key is None:
        page.line(_nothing(preview), "bold")
        _warnings(preview, page)
        _skips(preview.left_out, page, "Left out")
        if told := tell_survey(preview):
            page.line(told)
        return
    page.line(_headline(preview), "bold" if preview.expected else "bold yellow")
    if preview.error is not None:
        page.line(f"Error: {cut(safe_line(preview.error), LONGEST_ERROR)}")
    if told := tell_statuses(preview):
        page.line(told, "yellow")
    _warnings(preview, page)
    for skip in (one for one in preview.skips if one not in preview.left_out):
        stay = "stays as it is" if skip.count == 1 else "stay as they are"
        line = f"{skip.count:,} {stay}: {safe_line(skip.reason)} {_ids(skip)}."
        page.line(line, "yellow")
    _skips(preview.left_out, page, "Left out")
    if preview.expected and (then := _what_then(preview)):
        page.line(then)
    for line in tell_becomes(preview):
        page.line(safe_line(line))
    _errors(preview, page)
    page.line()
    if preview.verb == "purge":
        _purge_table(preview, page)
    else:
        _groups_table(preview, page)
    page.line()
    if preview.remain:
        page.line(_remain(preview.remain, preview.count), "yellow")
    page.line(f"Asked: {safe_line(cut_ids(requote(preview.words)))}")


def _warnings(preview: Preview, page: Page) -> None:
    if preview.until_in_future:
        page.line(UNTIL_IN_FUTURE, "yellow")
    for warning in preview.warnings:
        page.line(safe_line(warning), "bold yellow")


def _nothing(preview: Preview) -> str:
    if preview.verb == "purge":
        if tell_survey(preview):  # which says of which jobs nobody looked
            return "Found nothing to purge."
        return "Nothing to purge: no finished job is old enough."
    words = safe_line(requote(preview.words))
    if preview.left_out:
        return f"Nothing to do: {words} found no job that it can change."
    reach = safe_reach(preview.limited_to_queues)
    return f"Nothing to do: no job{reach} matches {words}."


def _headline(preview: Preview) -> str:
    done = VERBS[preview.verb].done
    jobs = count_noun(preview.count, "finished job" if preview.verb == "purge" else "job")
    queues = sorted({group.queue for group in preview.groups})
    where = _of(queues) + safe_reach(preview.limited_to_queues)
    if preview.running:
        run = "runs" if preview.running == 1 else "run"
        ask = f"{preview.running:,} {run} and would be asked to abort"
        waiting = preview.count - preview.running
        start = f"{count_noun(preview.count, 'job')}{where}: "
        return f"{start}{f'{waiting:,} would be cancelled, ' if waiting else ''}{ask}."
    if preview.expected == preview.count:
        return f"{jobs}{where} would be {done}."
    if not preview.expected:
        if preview.count == 1:
            ids = [job_id for skip in preview.skips for job_id in skip.sample]
            return f"{f'Job {ids[0]}' if ids else '1 job'}{where} cannot be {done} now."
        return f"None of the {jobs}{where} can be {done} now."
    return f"{preview.expected:,} of {jobs}{where} would be {done}."


def _asks_running(words: str) -> bool:
    """Named ids and `--running` reach running jobs too."""
    return words.endswith(" --running") or words[len("cancel ") :][:1].isdigit()


def _what_then(preview: Preview) -> str:
    verb = VERBS[preview.verb]
    then = verb.then_one if preview.expected == 1 and verb.then_one else verb.then
    if preview.verb == "retry" and preview.warnings:
        then = ""  # they do not run now
    if preview.running and preview.running >= preview.expected:
        then = ""  # all are asked to abort, which has no undo
    if preview.verb != "cancel" or _asks_running(preview.words):
        return tell_times(preview) or then
    go_on = "Jobs that run now go on (--running asks them to abort)."
    return f"{go_on} {STARTED_MEANWHILE} {then}"


def _groups_table(preview: Preview, page: Page) -> None:
    shown = preview.groups[:MOST_GROUPS]
    columns = [
        Column("Jobs", [f"{group.count:,}" for group in shown], right=True),
        Column("Queue", [safe_word(group.queue) for group in shown], may_shrink=True),
        Column("Task", [safe_word(group.task) for group in shown], may_shrink=True),
    ]
    if not page.fits(columns):
        columns[-1] = replace(columns[-1], cells=name_tasks([group.task for group in shown]))
    page.table(columns)
    rest = preview.groups[MOST_GROUPS:]
    if rest:
        jobs = count_noun(sum(group.count for group in rest), "job")
        page.line(f"{count_noun(len(rest), 'more group')}, {jobs}, not shown. --json has them.")


def _errors(preview: Preview, page: Page) -> None:
    """What the failed jobs of the set failed with, and when."""
    errors = preview.errors
    if errors is None:
        return
    said = [
        cut(safe_line(one.error or ""), LONGEST_LINE) or say_unrecorded(awaited=one.awaited)
        for one in errors.groups
    ]
    told = zip(errors.groups, name_alike(errors, said), strict=True)
    for one, text in told if preview.error is None else ():
        page.line(f"{one.count:,} × {text}{f' ({safe_word(one.name)})' if one.name else ''}")
    if errors.groups_not_shown:
        more = count_noun(errors.groups_not_shown, "more error")
        page.line(f"and {more}, {count_noun(errors.jobs_not_shown, 'job')}")
    if errors.jobs_not_read:
        older = count_noun(errors.jobs_not_read, "older job")
        page.line(f"and {older}, whose errors were not read")
    if errors.first_at is not None and errors.last_at is not None:
        first, last = format_time(errors.first_at), format_time(errors.last_at)
        when = f"at {first}" if first == last else f"from {first} to {last}"
        page.line(f"{errors.say_which()} {when}.")


def _purge_table(preview: Preview, page: Page) -> None:
    statuses = [status for status in FINAL_STATUSES if status in preview.cutoffs]
    page.table(
        [
            Column("Status", statuses),
            Column("Jobs", [number(preview.by_status.get(s, 0)) for s in statuses], right=True),
            Column("Ended before (UTC)", [_time(preview.cutoffs[s]) for s in statuses]),
        ]
    )
    kept = [status for status in FINAL_STATUSES if status not in preview.cutoffs]
    if kept:
        page.line(f"Kept regardless of age: {', '.join(kept)} jobs.")
    if told := tell_survey(preview):
        page.line(told)


def render_bulk(report: BulkReport, page: Page) -> None:
    whole = report.done == report.requested and not (report.remain or report.left_out)
    took = format_age(report.elapsed_seconds)
    where = _of(report.queues)
    asked = sum(group.count for group in report.became if group.code == "abort_requested")
    if asked:
        cancelled = report.done - asked
        start = f"{count_noun(cancelled, 'job')}{where} cancelled and " if cancelled else ""
        noun = "running job"
        line = f"{start}{count_noun(asked, noun)} asked to abort in {took}."
    elif report.done:
        line = f"{count_noun(report.done, 'job')}{where} {VERBS[report.verb].done} in {took}."
    else:
        line = f"No job{where} was {VERBS[report.verb].done}."
    page.line(line, "bold green" if whole else "bold yellow")
    if report.verb == "rescue":
        for group in report.became:
            became = RESCUED.get(group.code, safe_word(group.code))
            why = f": {safe_line(group.reason)}" if group.count == 1 else ""
            page.line(f"{group.count:,} {became}{why} {_ids(group)}.")
    _skips(report.skips, page, "skipped")
    _skips(report.failures, page, "failed")
    _skips(report.left_out, page, "Left out")
    if report.stopped:
        left = count_noun(report.left, "job")
        by = f" by {safe_line(report.stopped_by)}" if report.stopped_by else ""
        again = "" if report.remain else " Run the same command again for them."
        page.line(f"Stopped{by}: {left} not processed.{again}", "yellow")
    if report.remain:
        page.line(_remain(report.remain, report.requested, report.left * report.stopped), "yellow")
    if not report.done:
        return
    _tell_next(report, page, undo=report.done > asked)


def _tell_next(report: BulkReport, page: Page, *, undo: bool) -> None:
    for warning in report.warnings:
        page.line(safe_line(warning), "bold yellow")
    if report.newer:
        again = f"jobs-maint {safe_line(requote(report.words))}"
        page.line(f"{report.newer:,} more failed since the preview: {again}", "yellow")
    if report.verb in {"retry", "rescue"}:
        queue = report.queues[0] if len(report.queues) == 1 else None
        page.line(f"Follow: jobs-maint stats{type_queue(queue)}")
    elif undo:
        page.line(f"Undo: jobs-maint retry --request {report.audit_id}")


def _remain(remain: int, largest: int, left: int = 0) -> str:
    """`left`: how many of the set were not processed."""
    more = "1 more remains" if remain == 1 else f"{remain:,} more remain"
    them = "all of them" if left else "it" if remain == 1 else "them"
    return f"{more} beyond the largest set of {largest:,}. Run the same command again for {them}."


def _skips(groups: Sequence[SkipGroup], page: Page, word: str) -> None:
    for group in groups:
        why = group.say_skipped() if word == "skipped" else group.reason or group.code
        start = f"{word} {group.count:,}" if word == "Left out" else f"{group.count:,} {word}"
        page.line(f"{start}: {safe_line(why)} {_ids(group)}.", "yellow")


def _ids(group: SkipGroup) -> str:
    ids = ", ".join(map(str, group.sample))
    more = group.count - len(group.sample)
    return f"({ids} and {more:,} more)" if more > 0 else f"({ids})"


def _of(queues: Sequence[str]) -> str:
    if not queues:
        return ""
    return (
        f" of {cut(safe_word(queues[0]), 60)}" if len(queues) == 1 else f" of {len(queues)} queues"
    )


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


PAGES: Pages = {Preview: render_preview, BulkReport: render_bulk}
