"""`failed`: how many and with what error, then each group of jobs that failed alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chatbot.messages.alike import (
    describe_error,
    filter_like,
    is_exact,
    list_ids,
    offer_retry,
)
from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import pack, pack_pages
from chatbot.messages.parts import (
    Button,
    Line,
    Part,
    Span,
    bold,
    buttons,
    code,
    context,
    divider,
    paragraph,
    tell_between,
    tell_later,
    tell_window,
    when,
)
from chatbot.messages.remembered import tell_memory
from chatbot.messages.runbooks import NO_RUNBOOKS, Runbooks, offer_runbook
from chatbot.messages.words import (
    ago,
    all_well,
    count,
    larger_limit,
    name_queue,
    say_lately,
    short_task,
)
from jobs_maint.actions import GetJob, ListFailed, escape_glob
from jobs_maint.models import LARGEST_LIMIT, FailedGroup, FailedJobsReport
from jobs_maint.quoting import in_quotes
from jobs_maint.render import (
    FATES_UNKNOWN,
    UNTIL_IN_FUTURE,
    say_coverage,
    say_reach,
    say_state,
    say_task,
)

__all__ = ["MESSAGES", "render_failed"]

PER_PAGE = 10
LONGEST_WORDS = 1_500
"""Names longer than this do not fit into a button's value."""


def render_failed(
    report: FailedJobsReport, command: str, *, page: int = 1, runbooks: Runbooks = NO_RUNBOOKS
) -> Message:
    groups = report.groups or ()
    verdict = bold(f"{_verdict(report, groups)}.")
    notes = _notes(report)
    later = tell_later(report.until, report.as_of)
    as_of: Line = ["as of ", when(report.as_of, report.as_of)]  # who is on a group may change
    if not groups:
        unsure = report.at_least or report.fates_unknown
        is_open = unsure or (report.settled and not report.all_succeeded)
        dot = all_well(report.limited_to_queues, sure=not is_open)
        head = paragraph([dot, verdict], _tell_span(report), _tell_unknown(report), later)
        return pack([head, *(context(note) for note in (as_of, *notes))])
    lines: list[Line] = [["🔴 ", verdict], _tell_span(report)]
    newest = report.last_failed_at
    if newest is not None and report.total > 1:
        which = "The newest of these" if later else "The newest"
        lines.append([f"{which} failed {ago(report.as_of - newest)}."])
    if report.settled:
        failed = count(report.settled, "more job")
        lines.append([f"{failed} failed in that time, {report.say_others()}."])
    lines += [_tell_unknown(report), later]
    # A page that is asked for later is still of what is shown here.
    asked = ListFailed(
        report.queue, report.task, report.error, _since(report), report.limit, report.queues,
        report.tasks, group=report.group, until=report.until or report.as_of,
    )  # fmt: skip

    def more(needed: int) -> str | None:
        if len(groups) > needed:
            return asked.words()
        larger = larger_limit(report.limit)
        return replace(asked, limit=larger).words() if larger > report.limit else None

    if report.groups_not_shown and report.limit >= LARGEST_LIMIT:
        example = f"{command} failed --task NAME"
        notes.append(
            [f"a list shows at most {LARGEST_LIMIT:,} groups: narrow it with ", code(example)]
        )
    parts = [paragraph(*lines)]
    if later:
        parts.append(buttons(Button("Show up to now", replace(asked, until=None).words())))
    return pack_pages(
        parts,
        # No page holds more than PER_PAGE of them, so groups after this page are not rendered.
        [_item(group, report, runbooks) for group in groups[: max(page, 1) * PER_PAGE + 1]],
        page=page,
        total=len(groups) + report.groups_not_shown,
        noun="groups",
        more=more,
        tail=[context(note) for note in (*notes, as_of)],
        per_page=PER_PAGE,
    )


def _since(report: FailedJobsReport) -> timedelta | None:
    return None if report.since_seconds is None else timedelta(seconds=report.since_seconds)


def _tell_span(report: FailedJobsReport) -> Line:
    """Of one that has ended; by the reader's clock, which bold text cannot show."""
    if (until := report.until) is None:
        return []
    if (span := _since(report)) is None:
        return ["Until ", when(until, report.as_of), "."]
    return ["From ", *tell_window(until - span, until, report.as_of), "."]


def _tell_unknown(report: FailedJobsReport) -> Line:
    if report.at_least and not report.total:
        return ["Too many jobs may be meant to look at each."]
    return [f"{FATES_UNKNOWN}."] if report.fates_unknown else []


def _verdict(report: FailedJobsReport, groups: tuple[FailedGroup, ...]) -> str:
    total = report.total or report.settled
    one_task = report.only_task is not None and not report.at_least
    only = short_task(report.only_task or "") if one_task else ""
    which = say_coverage(report.queues, report.tasks) + say_reach(report.limited_to_queues)
    if report.since_seconds is None:
        what = count(total, f"failed {only} job" if only else "failed job")
        parts = [f"{what if total else 'No failed job'}{which}"]
    else:
        jobs = count(total, f"{only} job" if only else "job") if total else "No job"
        still = " is still failed that" if report.fates_unknown and not total else ""
        parts = [f"{jobs}{which}{still} failed"]
    if report.at_least and report.total:
        parts.insert(0, "At least")
    if report.queue:
        parts.append(f"in {name_queue(report.queue)}")
    if report.task and not only:
        parts.append(say_task(report.task, 60))
    if report.error:
        parts.append(f"with {in_quotes(report.error)} in the error")
    if report.group:
        parts.append(f"with the error {report.group}")
    if report.since_seconds is not None:
        parts.append(say_lately(report.since_seconds, report.until, report.as_of))
    if report.settled and not report.total:
        parts[-1] += f", {report.say_whole(several=report.settled > 1)}"
    return " ".join(parts) + _errors(report, groups)


def _errors(report: FailedJobsReport, groups: tuple[FailedGroup, ...]) -> str:
    """`, all with one error`; of one job, when it failed."""
    if report.at_least and not report.total:
        return ", as far as was looked"
    number = len(groups) + report.groups_not_shown
    if report.at_least and groups:
        newest = f", the newest {report.total:,}"
        if number == 1:
            return f"{newest} with one error"
        return f"{newest} with {number:,} different errors"
    if number > 1:
        largest = groups[0].count
        return f", {largest:,} of them with one error" if 2 * largest >= report.total else (
            f", with {number:,} different errors"
        )  # fmt: skip
    if report.total == 1 and groups and groups[0].last_at is not None:
        return f", {ago(report.as_of - groups[0].last_at)}"
    if report.total > 1 and groups and report.group is None:
        return ", all with one error" if groups[0].recorded else ", no error recorded"
    return ""


def _notes(report: FailedJobsReport) -> list[Line]:
    notes: list[Line] = [[UNTIL_IN_FUTURE]] if report.until_in_future else []
    if report.hidden_jobs:
        jobs = count(report.hidden_jobs, "more job")
        notes.append([f"{jobs} in queues that your role does not reach"])
    return notes


def _item(group: FailedGroup, report: FailedJobsReport, runbooks: Runbooks) -> list[Part]:
    one = group.count == 1
    line: list[Span | str] = [
        bold(f"{'' if one else f'{group.count:,} × '}{short_task(group.task)}")
    ]
    if not report.queue:
        line.append(
            f"  in {name_queue(group.queue) if group.queue is not None else 'several queues'}"
        )
    if said := say_state(group):
        line.append(f"  {said}")
    facts = [*list_ids(group.job_ids, group.count)]
    if one and group.last_at is not None:
        facts += [" · ", ago(report.as_of - group.last_at)]
    elif group.first_at is not None and group.last_at is not None:
        # A job that was retried and failed again is here since it did: this is no first occurrence.
        facts += [" · failed ", *tell_between(group.first_at, group.last_at, report.as_of)]
    if known := tell_memory(group, report.as_of):
        facts = [*known, " · ", *facts]
    parts = [divider(), paragraph(line, pre=describe_error(group)), context(facts)]
    if why := _tell_not_retriable(group):
        parts.append(context([why]))
    read = offer_runbook(runbooks, group.task, group.queue)
    return [*parts, buttons(*_clicks(group, report), *read)]


def _tell_not_retriable(group: FailedGroup) -> str:
    left = group.count - group.retriable
    if not left:
        return ""
    if group.own:
        return "not retried: the next tick does its work"
    if group.count == 1:
        return "cannot be retried now: a job with its queueing lock is already waiting"
    if not group.retriable:
        return "none can be retried now: jobs with the same queueing lock are already waiting"
    return (
        f"{group.retriable:,} can be retried now, {left:,} cannot: only one job per queueing lock "
        "can wait"
    )


def _clicks(group: FailedGroup, report: FailedJobsReport) -> list[Button]:
    details = Button("Details", GetJob(group.job_ids[0]).words())
    filters = (*(report.queues or ()), *(report.tasks or ()), report.queue, report.error)
    if len(group.task) + sum(len(one) + 10 for one in filters if one) > LONGEST_WORDS:
        return [details]
    alike = filter_like(group)
    exact = not report.at_least and is_exact(
        alike, group, report.groups or (), all_shown=not report.groups_not_shown
    )
    wanted = replace(
        alike,
        queue=None if report.queue is None else escape_glob(report.queue),
        # With its name, too: of the group only those whose error has this text.
        error=alike.error if alike.error is not None else report.error,
        since=_since(report),
        # When it is pressed later, too, it finds what is shown here.
        until=report.until or report.as_of,
        queues=report.queues,
        tasks=report.tasks,
    )
    retry = offer_retry(group.job_ids, group.count, group.retriable, wanted, exact=exact)
    if report.groups is not None and len(report.groups) == 1 and not report.groups_not_shown:
        retry = [replace(button, style="primary") for button in retry]
    return [*retry, details]


MESSAGES: Messages = {
    FailedJobsReport: lambda report, wanted: render_failed(
        report, wanted.command, page=wanted.page, runbooks=wanted.runbooks
    )
}
