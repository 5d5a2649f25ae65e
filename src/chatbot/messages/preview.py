"""What a confirmation would do: the question, what will not happen, who may say yes until when."""

from __future__ import annotations

from typing import Literal

from chatbot.messages.act_words import (
    MOST_REASONS,
    Asked,
    into_queues,
    name_queues,
    one_line,
    read_asked,
    tell_remain,
    tell_skips,
    tell_why,
    typed,
)
from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import pack
from chatbot.messages.parts import (
    Button,
    Line,
    Part,
    bold,
    buttons,
    code,
    context,
    paragraph,
    tell_between,
    when,
)
from chatbot.messages.people import name_actor
from chatbot.messages.times import spell_times
from chatbot.messages.words import all_well, count, defuse, first_lines, name_queue, short_task
from jobs_maint.actions import BulkVerb
from jobs_maint.models import Preview
from jobs_maint.render import (
    UNTIL_IN_FUTURE,
    name_alike,
    say_reach,
    tell_becomes,
    tell_statuses,
    tell_survey,
    tell_times,
)
from jobs_maint.verbs import FINAL_STATUSES, STARTED_MEANWHILE, find_verb, say_unrecorded

__all__ = ["MESSAGES", "render_preview"]

MOST_GROUPS = 5
MOST_WARNINGS = 10
LONGEST_VALUE = 2_000
NOTHING_CHANGED = "nothing was changed"


def render_preview(preview: Preview, command: str, *, by: str, dry_run: bool = False) -> Message:
    """`by`: the Slack user who asked, the only one who can confirm."""
    asked = read_asked(preview.words)
    if preview.key is None:
        return _render_nothing(preview, command, asked)
    if not preview.expected:
        return _render_impossible(preview, command, asked)
    lines: list[Line] = [[bold(_title(preview, asked, dry_run=dry_run))]]
    if told := tell_statuses(preview):
        lines.append([told])
    if preview.until_in_future:
        lines.append([UNTIL_IN_FUTURE])
    lines += _stays(preview, asked)
    now = preview.expires_at
    lines += [
        spell_times(one_line(warning, 400), now) for warning in preview.warnings[:MOST_WARNINGS]
    ]
    if left := len(preview.warnings[MOST_WARNINGS:]):
        lines.append([f"{count(left, 'more warning')} not shown."])
    if then := _then(preview, asked):
        lines.append([then])
    lines += [[one_line(line, 400)] for line in tell_becomes(preview)]
    if preview.remain:
        lines.append(tell_remain(preview.remain, preview.count))
    parts: list[Part] = [paragraph(*lines), *_groups(preview), *_errors(preview), *_ages(preview)]
    if dry_run:
        at_once = len(asked.job_ids) == 1 and preview.verb in set(BulkVerb)
        then = "Without --dry-run it is done at once" if at_once else (
            "Leave out --dry-run to confirm it"
        )  # fmt: skip
        look = f"Dry run: nothing was changed. {then}."
        return pack([*parts, typed(command, preview.words, look)])
    return pack([*parts, *_ask(preview, asked, by), typed(command, preview.words)])


def _title(preview: Preview, asked: Asked, *, dry_run: bool) -> str:
    where = name_queues(_queues(preview), asked) + say_reach(preview.limited_to_queues)
    jobs = _jobs(preview, asked, preview.expected)
    if not dry_run and _puts_back(preview, asked):
        into = into_queues(_queues(preview), asked)
        return f"Put {jobs}{say_reach(preview.limited_to_queues)} back{into}?"
    if not dry_run:
        return f"{_verb(preview)} {jobs}{where}{' by force' if asked.force else ''}?"
    would = f"would be {find_verb(preview.verb).done}."
    if preview.expected == preview.count:
        return f"{jobs[:1].upper()}{jobs[1:]}{where} {would}"
    return f"{preview.expected:,} of {_jobs(preview, asked, preview.count)}{where} {would}"


def _puts_back(preview: Preview, asked: Asked) -> bool:
    return preview.verb == "retry" and asked.puts_back


def _verb(preview: Preview) -> str:
    """Running jobs are not cancelled; they can only be asked to abort."""
    if preview.verb == "cancel" and preview.running:
        return "Cancel or abort" if preview.running < preview.expected else "Abort"
    return find_verb(preview.verb).ask


def _jobs(preview: Preview, asked: Asked, number: int, *, short: bool = False) -> str:
    """`job 12` where one was named, else `35 failed jobs`, or `35 jobs`."""
    if number == 1 and len(asked.job_ids) == 1:
        return f"job {asked.job_ids[0]}"
    status = "finished" if preview.verb == "purge" else asked.status
    return count(number, f"{status} job" if status and not short else "job")


def _queues(preview: Preview) -> list[str]:
    return list(dict.fromkeys(group.queue for group in preview.groups))


def _stays(preview: Preview, asked: Asked) -> list[Line]:
    """What will not happen."""
    stay = [skip for skip in preview.skips if skip not in preview.left_out]
    lines: list[Line] = []
    for skip in stay[:MOST_REASONS]:
        one = skip.count == 1
        state = asked.status if preview.verb != "cancel" else ""
        state = state or ("as it is" if one else "as they are")
        whose = f"{skip.count:,} of the {preview.count:,} {'stays' if one else 'stay'} {state}"
        reason = one_line(skip.reason or skip.code, 300).rstrip(".")
        line = tell_why(skip, whose, reason)
        if preview.count == 1:
            line = f"It stays {state}: {reason}."
        lines.append(spell_times(line, preview.expires_at))
    if rest := sum(skip.count for skip in stay[MOST_REASONS:]):
        stay_so = "stays as it is" if rest == 1 else "stay as they are"
        lines.append([f"{rest:,} more {stay_so} for other reasons."])
    return [*lines, *tell_skips(preview.left_out, "left out")]


def _then(preview: Preview, asked: Asked) -> str:
    verb = find_verb(preview.verb)
    then = verb.then_one if preview.expected == 1 and verb.then_one else verb.then
    if preview.verb == "cancel" and preview.running:
        return _tell_running(preview, then)
    if preview.verb == "cancel" and not asked.running:
        return f"Jobs that run now go on. {STARTED_MEANWHILE} {then}"
    if preview.verb == "retry":  # that they run now is said beside the button
        return tell_times(preview)
    return then


def _tell_running(preview: Preview, then: str) -> str:
    running, waiting = preview.running, preview.expected - preview.running
    is_are = "is" if running == 1 else "are"
    asked = f"{running:,} {is_are} running and will be asked to abort"
    if waiting <= 0:
        return f"{asked}; jobs that abort can be retried."
    is_are = "is" if waiting == 1 else "are"
    return f"{waiting:,} {is_are} waiting and will be cancelled; {asked}. {then}"


def _groups(preview: Preview) -> list[Part]:
    """A few queues and tasks with their numbers, the rest counted; then their one error."""
    if not preview.groups:
        return []
    queues = {group.queue for group in preview.groups}
    error = first_lines(preview.error or "")
    if len(preview.groups) == 1:
        return [paragraph(["Task: ", short_task(preview.groups[0].task) or "“”"], pre=error)]
    lines: list[Line] = []
    for group in preview.groups[:MOST_GROUPS]:
        where = f"  in {name_queue(group.queue)}" if len(queues) > 1 else ""
        lines.append([bold(f"{group.count:,}"), f"  {short_task(group.task)}{where}"])
    if rest := preview.groups[MOST_GROUPS:]:
        jobs = count(sum(group.count for group in rest), "job")
        lines.append([f"and {count(len(rest), 'more group')}, {jobs}"])
    return [paragraph(*lines, pre=error)]


def _errors(preview: Preview) -> list[Part]:
    """What the failed jobs of the set failed with, and when."""
    errors = preview.errors
    if errors is None:
        return []
    lines: list[Line] = []
    said = [
        first_lines(one.error, lines=1) if one.error else say_unrecorded(awaited=one.awaited)
        for one in errors.groups
    ]
    told = zip(errors.groups, name_alike(errors, said), strict=True)
    for one, text in told if preview.error is None else ():
        line: Line = [bold(f"{one.count:,}"), f" × {text}"]
        lines.append([*line, "  ", code(one.name)] if one.name else line)
    if errors.groups_not_shown:
        more = count(errors.groups_not_shown, "more error")
        lines.append([f"and {more}, {count(errors.jobs_not_shown, 'job')}"])
    if errors.jobs_not_read:
        lines.append(
            [f"and {count(errors.jobs_not_read, 'older job')}, whose errors were not read"]
        )
    first, last, now = errors.first_at, errors.last_at, preview.expires_at
    if first is not None and last is not None:
        lines.append([f"{errors.say_which()} ", *tell_between(first, last, now or last), "."])
    return [paragraph(*lines)] if lines else []


def _ages(preview: Preview) -> list[Part]:
    """For a purge: how many of each status, and how old they are at least."""
    if preview.verb != "purge":
        return []
    lines: list[Line] = []
    for status in FINAL_STATUSES:
        if (before := preview.cutoffs.get(status)) is not None:
            line: Line = [bold(f"{preview.by_status.get(status, 0):,}"), f"  {status}"]
            now = preview.expires_at or before
            lines.append([*line, "  ended before ", when(before, now)])
    kept = [status for status in FINAL_STATUSES if status not in preview.cutoffs]
    if kept:
        lines.append([f"Kept regardless of age: {', '.join(kept)} jobs."])
    if told := tell_survey(preview):
        lines.append(spell_times(told, preview.expires_at))
    return [paragraph(*lines)] if lines else []


def _ask(preview: Preview, asked: Asked, by: str) -> list[Part]:
    key, words = preview.key or "", preview.words
    jobs = _jobs(preview, asked, preview.expected, short=True)
    label = f"Put {jobs} back" if _puts_back(preview, asked) else f"{_verb(preview)} {jobs}"
    value = _carry(key, words)
    sure = _sure(preview)
    style: Literal["primary", "danger"] = "danger" if sure else "primary"
    label += " by force" if asked.force else ""
    yes = Button(label, value, style, action=f"jobs_confirm:{key}", sure=sure)
    no = Button("Not now", value, action=f"jobs_dismiss:{key}")
    line: Line = ["Only ", name_actor(by), " can confirm"]
    if preview.expires_at is not None:
        line = [*line, ", until ", when(preview.expires_at, preview.expires_at)]
    return [buttons(yes, no), context([*line, f". {_exactly(preview)}"])]


def _carry(key: str, words: str) -> str:
    """The key with the words, or alone if Slack would refuse or change them."""
    value = f"{key} {words}"
    return value if len(value) <= LONGEST_VALUE and defuse(value) == value else key


def _sure(preview: Preview) -> str | None:
    """What a dialog says before something that cannot be undone; None otherwise."""
    if preview.verb == "purge":
        jobs = count(preview.expected, "finished job")
        return f"{jobs} will be deleted for good. This cannot be undone."
    if preview.risk:
        return one_line(preview.warnings[-1], 300)
    return None


def _exactly(preview: Preview) -> str:
    if preview.verb == "purge":
        return "Jobs that ended later are kept."
    number = f"{preview.count:,}"
    if preview.expected < preview.count:
        return f"Nothing beyond these {number} is touched."
    one = preview.count == 1
    these = "This one and no other" if one else f"These {number} and no others"
    if preview.verb == "retry" and not (preview.later or preview.warnings):
        return f"{these} will run."
    return f"{these} {'is' if one else 'are'} touched."


def _render_nothing(preview: Preview, command: str, asked: Asked) -> Message:
    done, left_out = find_verb(preview.verb).done, preview.left_out
    where = name_queues((), asked) + say_reach(preview.limited_to_queues)
    nothing = f"Nothing to {find_verb(preview.verb).ask.lower()}."
    head: Line
    if preview.verb == "purge":
        old = f" No finished job{where} is old enough."
        dot = all_well(preview.limited_to_queues)
        head = [dot, bold(nothing), old]
        if tell_survey(preview):  # which says of which jobs nobody looked
            head = [dot, bold(f"Found nothing to delete{where}.")]
    elif asked.job_ids or left_out:
        none = f"Job {asked.job_ids[0]} cannot" if len(asked.job_ids) == 1 else (
            "None of these jobs can"
        )  # fmt: skip
        head = ["🟡 ", bold(f"{none} be {done} now.")]
    else:
        status = f"{asked.status} job" if asked.status else "job"
        head = [all_well(preview.limited_to_queues), bold(nothing), f" No {status}{where} matches."]
    stay = [skip for skip in preview.skips if skip not in left_out]
    lines = [head, *tell_skips(stay, "skipped"), *tell_skips(left_out, "left out")]
    lines += [[UNTIL_IN_FUTURE]] if preview.until_in_future else []
    lines += [[one_line(warning, 400)] for warning in preview.warnings]
    if told := tell_survey(preview):
        lines.append(spell_times(told))
    return pack([paragraph(*lines), typed(command, preview.words, NOTHING_CHANGED)])


def _render_impossible(preview: Preview, command: str, asked: Asked) -> Message:
    where = name_queues(_queues(preview), asked) + say_reach(preview.limited_to_queues)
    done = find_verb(preview.verb).done
    head = f"None of the {count(preview.count, 'job')}{where} can be {done} now."
    if preview.count == 1:
        ids = [*asked.job_ids, *(job_id for skip in preview.skips for job_id in skip.sample)]
        head = f"{f'Job {ids[0]}' if ids else '1 job'}{where} cannot be {done} now."
    lines: list[Line] = [["🟡 ", bold(head)], *_stays(preview, asked)]
    if preview.remain:
        lines.append(tell_remain(preview.remain, preview.count))
    return pack([paragraph(*lines), typed(command, preview.words, NOTHING_CHANGED)])


MESSAGES: Messages = {
    Preview: lambda preview, wanted: render_preview(
        preview, wanted.command, by=wanted.by, dry_run=wanted.dry_run
    )
}
