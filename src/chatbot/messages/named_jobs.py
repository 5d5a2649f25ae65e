"""What an act on named jobs did: how many it changed, and why not the others."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.messages.act_words import one_line, undo_request
from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import pack
from chatbot.messages.parts import Button, Line, Part, bold, buttons, code, context, paragraph
from chatbot.messages.people import name_actor
from chatbot.messages.words import count, cut, name_queue, sentence, short_task
from jobs_maint.actions import GetJob, RetryJobs
from jobs_maint.durations import format_age
from jobs_maint.models import ActReport, ItemOutcome, ItemResult, Loss, RescueReport
from jobs_maint.verbs import find_verb

__all__ = ["MESSAGES", "render_acts"]

MOST_IDS = 20
MOST_REASONS = 10

_ENDED = {"failed", "aborted"}
_RESCUED = {
    "put_back": ("put back", "✅ ", "is ready to run"),
    "failed": ("failed for good", "🟡 ", "was not put back"),
    "aborted": ("aborted", "🟡 ", "was not put back"),
}
_THEN = {
    "retry": "is ready to run",
    "cancel": "will not run",
    "discard": "was given up; it is kept until the purge",
}


def render_acts(report: ActReport | RescueReport, command: str, *, by: str) -> Message:
    """Retry, cancel, discard or rescue of jobs that were named."""
    if isinstance(report, RescueReport):
        told = report.warnings
        report = ActReport(report.items, report.elapsed_seconds, "rescue", warnings=told)
    done = report.done
    asked = tuple(item for item in done if item.code == "abort_requested")
    if len(report.items) == 1:
        return _render_one(report, by, running=bool(asked))
    lines: list[Line] = [_verdict(report, by)]
    if asked:
        runs = "1 of them is running; its worker was asked to abort it."
        if len(asked) > 1:
            runs = f"{len(asked):,} of them are running; their workers were asked to abort them."
        lines.append([runs])
    if later := sum(bool(item.reason) for item in done if item not in asked):
        lines.append([f"{later:,} of them will run later, as scheduled."])
    lines += [[one_line(warning, 400)] for warning in report.warnings]
    lines += _refused(report)
    parts: list[Part] = [paragraph(*lines)]
    if undo := _undo(report, len(done) - len(asked)):
        parts.append(buttons(*undo))
    if there := [item for item in done or report.skipped if item.code != "not_found"]:
        first = there[0].job_id
        parts.append(context([code(f"{command} {GetJob(first).words()}"), " shows one of them"]))
    return pack(parts)


def _undo(report: ActReport, jobs: int) -> list[Button]:
    """By the request: what somebody did to the jobs since stays as it is."""
    if not jobs or report.audit_id is None or not find_verb(report.verb).can_undo:
        return []
    return [undo_request(report.audit_id, jobs)]


def _render_one(report: ActReport, by: str, *, running: bool) -> Message:
    item, verb = report.items[0], report.verb
    details = Button("Details", GetJob(item.job_id).words())
    if item.outcome is not ItemOutcome.DONE:
        head = bold(f"Job {item.job_id} was not {find_verb(verb).done}:")
        dot = "🔴 " if item.outcome is ItemOutcome.FAILED else "🟡 "
        warned: list[Line] = [[one_line(warning, 400)] for warning in report.warnings]
        there = [] if item.code == "not_found" else [details]
        return pack([paragraph([dot, head, f" {_reason(item)}."], *warned), buttons(*there)])
    if verb == "rescue":
        return _render_rescued(item, by, details, report.warnings)
    if running:
        head = bold(f"Job {item.job_id} is running; its worker was asked to abort it")
        lines: list[Line] = [["🟡 ", head, " by ", name_actor(by), "."]]
        warned = [[one_line(warning, 400)] for warning in report.warnings]
        lines += warned or [[f"{_what(item)} continues until its task notices."]]
        return pack([paragraph(*lines), buttons(details)])
    lines = [
        ["✅ ", bold(f"Job {item.job_id} {find_verb(verb).done}"), " by ", name_actor(by), "."]
    ]
    then = cut(item.reason.rstrip("."), 200) or _THEN.get(verb, "")
    if item.task and item.queue and then:
        lines.append([f"{_what(item)} {then}."])
    lines += [[one_line(warning, 400)] for warning in report.warnings]
    return pack([paragraph(*lines), buttons(*_undo(report, 1), details)])


def _render_rescued(item: ItemResult, by: str, details: Button, warnings: Sequence[str]) -> Message:
    """What became of a job whose worker is gone, and which worker that was."""
    became, dot, then = _RESCUED.get(item.code, ("rescued", "✅ ", ""))
    lost = Loss.read(one_line(item.reason, 400))
    asked: Line = [" by ", name_actor(by), "."]
    if item.code in _ENDED:
        asked = [". Rescue requested by ", name_actor(by), "."]
    lines: list[Line] = [[dot, bold(f"Job {item.job_id} {became}"), *asked]]
    why = f": {lost.then}" if lost.then else ""
    lines.append([f"{_what(item)} {then or 'has no worker'}{why}."])
    if lost.who:
        lines.append([sentence(lost.who)])
    lines += [[one_line(warning, 400)] for warning in warnings]
    again = []
    if item.code in _ENDED:
        again.append(Button(f"Retry job {item.job_id}", RetryJobs((item.job_id,)).words()))
    return pack([paragraph(*lines), buttons(*again, details)])


def _what(item: ItemResult) -> str:
    if not item.task or not item.queue:
        return "It"
    return f"{short_task(item.task)} in {name_queue(item.queue)}"


def _refused(report: ActReport) -> list[Line]:
    lines: list[Line] = []
    for outcome, word in ((ItemOutcome.SKIPPED, "skipped"), (ItemOutcome.FAILED, "failed")):
        reasons = _by_reason([item for item in report.items if item.outcome is outcome])
        for reason, items in list(reasons.items())[:MOST_REASONS]:
            lines.append([f"{len(items):,} {word}: {reason} ({_ids(items)})."])
        if left := sum(map(len, list(reasons.values())[MOST_REASONS:])):
            lines.append([f"{left:,} more {word} for other reasons."])
    return lines


def _reason(item: ItemResult) -> str:
    return one_line(item.reason.rstrip(".") or item.code or "no reason given", 300)


def _verdict(report: ActReport, by: str) -> Line:
    done, verb = report.done, find_verb(report.verb).done
    if not done:
        return ["🟡 ", bold(f"No job was {verb}.")]
    what = f"Job {done[0].job_id}" if len(done) == 1 else count(len(done), "job")
    took = f" in {format_age(report.elapsed_seconds)}" if len(done) > 1 else ""
    return ["✅ ", bold(f"{what} {verb}"), " by ", name_actor(by), f"{took}."]


def _by_reason(items: Sequence[ItemResult]) -> dict[str, list[ItemResult]]:
    reasons: dict[str, list[ItemResult]] = {}
    for item in items:
        reasons.setdefault(_reason(item), []).append(item)
    return reasons


def _ids(items: Sequence[ItemResult]) -> str:
    shown = ", ".join(str(item.job_id) for item in items[:MOST_IDS])
    left = len(items) - MOST_IDS
    return shown + (f" and {count(left, 'more job')}" if left > 0 else "")


MESSAGES: Messages = {
    ActReport: lambda report, wanted: render_acts(report, wanted.command, by=wanted.by)
}
