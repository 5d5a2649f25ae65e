"""What a confirmation would do: the question, what will not happen, who may say yes until when."""

from __future__ import annotations

from chatbot.replies.acts import (
    Asked,
    grey,
    list_ids,
    name_queues,
    one_line,
    read_asked,
    say_ask,
    say_done,
    tell_remain,
    tell_skips,
    typed,
)
from chatbot.replies.message import Message
from chatbot.replies.packer import pack
from chatbot.replies.parts import Button, Line, Part, bold, buttons, context, paragraph, user, when
from chatbot.replies.words import count, defuse, short_task
from jobs_maint.models import Preview, SkipGroup

__all__ = ["render_preview"]

MOST_GROUPS = 5
LONGEST_VALUE = 2_000

_FINAL = ("succeeded", "failed", "cancelled", "aborted")
_FOR_GOOD = {"purge", "force"}
_THEN = {
    "cancel": "Running jobs go on. A retry puts back what is cancelled.",
    "discard": "They are kept as cancelled until the purge; a retry puts them back.",
    "purge": "This cannot be undone.",
}


def render_preview(preview: Preview, command: str, *, by: str, dry_run: bool = False) -> Message:
    """`by`: the Slack user who asked, the only one who can confirm."""
    asked = read_asked(preview.words)
    if preview.key is None:
        return _render_nothing(preview, command, asked)
    if not preview.expected:
        return _render_impossible(preview, command, asked)
    lines: list[Line] = [[bold(_title(preview, asked, dry_run=dry_run))], *_stays(preview, asked)]
    if then := _then(preview.verb, asked):
        lines.append([then])
    if preview.remain:
        lines.append(tell_remain(preview.remain, preview.count))
    parts: list[Part] = [paragraph(*lines), *_groups(preview), *_ages(preview)]
    if dry_run:
        parts.append(
            grey("Only a look: nothing is changed. Without --dry-run it can be confirmed.")
        )
    else:
        parts += _ask(preview, by)
    return pack([*parts, typed(command, preview.words)])


def _title(preview: Preview, asked: Asked, *, dry_run: bool) -> str:
    verb, expected = preview.verb, preview.expected
    status = "finished" if verb == "purge" else asked.status
    noun = f"{status} job" if status else "job"
    where = name_queues(list(dict.fromkeys(group.queue for group in preview.groups)), asked)
    if not dry_run:
        return f"{say_ask(verb)} {count(expected, noun)}{where}?"
    would = f"would be {say_done(verb, asked)}."
    if expected == preview.count:
        return f"{count(expected, noun)}{where} {would}"
    return f"{expected:,} of {count(preview.count, noun)}{where} {would}"


def _stays(preview: Preview, asked: Asked) -> list[Line]:
    """What will not happen."""
    state = asked.status if preview.verb != "cancel" and asked.status else "as it is"
    lines: list[Line] = []
    for skip in preview.skips:
        if skip in preview.left_out:
            continue
        stays = "stays" if skip.count == 1 else "stay"
        there = "as they are" if state == "as it is" and skip.count > 1 else state
        reason = one_line(skip.reason or skip.code, 300).rstrip(".")
        lines.append(
            [f"{skip.count:,} of the {preview.count:,} {stays} {there}: {reason}{list_ids(skip)}."]
        )
    return [*lines, *tell_skips(preview.left_out, "left out")]


def _then(verb: str, asked: Asked) -> str:
    if verb == "cancel" and asked.running:
        return "Running jobs are only asked to abort. A retry puts back what is cancelled."
    if verb == "retry" and "cancelled" in asked.statuses:
        return "A cancelled job that was scheduled for later keeps its time."
    return _THEN.get(verb, "")


def _groups(preview: Preview) -> list[Part]:
    """A few queues and tasks with their numbers, the rest counted."""
    if not preview.groups:
        return []
    queues = {group.queue for group in preview.groups}
    if len(preview.groups) == 1:
        return [paragraph(["Task: ", short_task(preview.groups[0].task) or "“”"])]
    lines: list[Line] = []
    for group in preview.groups[:MOST_GROUPS]:
        where = f"  in {one_line(group.queue)}" if len(queues) > 1 else ""
        lines.append([bold(f"{group.count:,}"), f"  {short_task(group.task)}{where}"])
    if rest := preview.groups[MOST_GROUPS:]:
        jobs = count(sum(group.count for group in rest), "job")
        lines.append([f"and {count(len(rest), 'more group')}, {jobs}"])
    return [paragraph(*lines)]


def _ages(preview: Preview) -> list[Part]:
    """For a purge: how many of each status, and how old they are at least."""
    if preview.verb != "purge":
        return []
    lines: list[Line] = []
    for status in _FINAL:
        if (before := preview.cutoffs.get(status)) is not None:
            line: Line = [bold(f"{preview.by_status.get(status, 0):,}"), f"  {status}"]
            now = preview.expires_at or before
            lines.append([*line, "  ended before ", when(before, now)])
    kept = [status for status in _FINAL if status not in preview.cutoffs]
    if kept:
        lines.append([f"Kept, however old: {', '.join(kept)} jobs."])
    return [paragraph(*lines)] if lines else []


def _ask(preview: Preview, by: str) -> list[Part]:
    key, words = preview.key or "", preview.words
    label = f"{say_ask(preview.verb)} {count(preview.expected, 'job')}"
    value = _carry(key, words)
    sure = _sure(preview)
    yes = Button(
        label, value, "danger" if sure else "primary", action=f"jobs_confirm:{key}", sure=sure
    )
    no = Button("Not now", value, action=f"jobs_dismiss:{key}")
    line: Line = [user(by), " can confirm"]
    if preview.expires_at is not None:
        line = [*line, " until ", when(preview.expires_at, preview.expires_at)]
    return [buttons(yes, no), context([*line, f". {_exactly(preview)}"])]


def _carry(key: str, words: str) -> str:
    """The key with the words, or alone where Slack would refuse or change them."""
    value = f"{key} {words}"
    return value if len(value) <= LONGEST_VALUE and defuse(value) == value else key


def _sure(preview: Preview) -> str | None:
    if preview.verb == "purge":
        jobs = count(preview.expected, "finished job")
        is_gone = "is" if preview.expected == 1 else "are"
        return f"{jobs} {is_gone} deleted for good. Nothing brings them back."
    if preview.verb in _FOR_GOOD:
        return "A living worker may still run it; then it runs twice. That cannot be undone."
    return None


def _exactly(preview: Preview) -> str:
    if preview.verb == "purge":
        return "No job that ended later is deleted."
    if preview.expected < preview.count:
        return f"Nothing beyond these {preview.count:,} is touched."
    these = (
        "This one and no other" if preview.count == 1 else f"These {preview.count:,} and no others"
    )
    if preview.verb == "retry":
        return f"{these} will run."
    return f"{these} {'is' if preview.count == 1 else 'are'} touched."


def _render_nothing(preview: Preview, command: str, asked: Asked) -> Message:
    verb, left_out = preview.verb, preview.left_out
    if verb == "purge":
        where = name_queues((), asked)
        head: Line = ["🟢 ", bold("Nothing to delete."), f" No finished job{where} is old enough."]
    elif left_out:
        head = ["🟡 ", bold(f"None of these jobs can be {say_done(verb)}.")]
    else:
        noun = f"{asked.status} job" if asked.status else "job"
        head = ["🟢 ", bold(f"Nothing to {verb}."), f" No {noun}{name_queues((), asked)} matches."]
    lines = [
        head,
        *tell_skips(_but_left_out(preview), "skipped"),
        *tell_skips(left_out, "left out"),
    ]
    return pack([paragraph(*lines), typed(command, preview.words, "nothing was changed")])


def _render_impossible(preview: Preview, command: str, asked: Asked) -> Message:
    where = name_queues(list(dict.fromkeys(group.queue for group in preview.groups)), asked)
    done = say_done(preview.verb)
    head = f"None of the {count(preview.count, 'job')}{where} can be {done} now."
    if preview.count == 1:
        head = f"The 1 job{where} cannot be {done} now."
    lines: list[Line] = [["🟡 ", bold(head)], *_stays(preview, asked)]
    if preview.remain:
        lines.append(tell_remain(preview.remain, preview.count))
    return pack([paragraph(*lines), typed(command, preview.words, "nothing was changed")])


def _but_left_out(preview: Preview) -> tuple[SkipGroup, ...]:
    return tuple(skip for skip in preview.skips if skip not in preview.left_out)
