"""What one pass of the rescue did: how many jobs went back, and what became of the others."""

from __future__ import annotations

from chatbot.replies.message import Message
from chatbot.replies.packer import pack
from chatbot.replies.parts import (
    Button,
    Line,
    Part,
    Span,
    bold,
    buttons,
    code,
    context,
    paragraph,
    user,
)
from chatbot.replies.words import count, cut, describe_loss, short_task
from jobs_maint.actions import GetJob, ListStuck
from jobs_maint.durations import format_age
from jobs_maint.models import ItemOutcome, ItemResult, RescueReport

__all__ = ["render_rescue"]

_BECAME = {"put_back": "put back", "aborted": "aborted", "failed": "given up: failed"}


def render_rescue(report: RescueReport, command: str, *, by: str) -> Message:
    items = report.items
    clicks = [Button("Show stuck jobs", ListStuck().words())] if report.suspects else []
    if len(items) == 1:
        clicks.insert(0, Button("Details", GetJob(items[0].job_id).words()))
    head: list[Part] = [paragraph(*_headline(report, by))]

    def more(left: int) -> Part:
        line: Line = [
            f"{count(left, 'more job')} not shown · ",
            code(f"{command} audit --since 1h"),
        ]
        return context(line)

    tail = [buttons(*clicks)] if clicks else []
    return pack(head, [[_item(item)] for item in items], more, tail)


def _headline(report: RescueReport, by: str) -> list[Line]:
    items = report.items
    left = report.suspects
    waits = ""
    if left:
        has = "has no living worker and is" if left == 1 else "have no living worker and are"
        other = "other job" if items else "job"
        waits = f"{count(left, other)} {has} not due yet."
    if not items:
        return [["🟢 ", bold("No job had to be rescued.")], [waits or "Each has a living worker."]]
    counts = report.counts
    broken = [item for item in items if item.outcome is not ItemOutcome.DONE]
    back = counts.get("put_back", 0)
    first: Line = ["🟡 " if broken else "✅ "]
    if back:
        what = f"Job {items[0].job_id}" if len(items) == 1 else count(back, "job")
        first = [*first, bold(f"{what} put back")]
    else:
        done = count(len(items) - len(broken), "job")
        first = [*first, bold(f"No job was put back; {done} ended" if done else "No job put back")]
    first = [*first, " by ", user(by), f" in {format_age(report.elapsed_seconds)}."]
    became = {"failed": "given up", "aborted": "aborted"}
    rest = [
        f"{count(counts[key], 'job')} {word}" for key, word in became.items() if counts.get(key)
    ]
    if broken:
        rest.append(f"{count(len(broken), 'job')} could not be changed")
    second = f"{', '.join(rest)}." if rest else ""
    return [first, [" ".join(part for part in (second, waits) if part)]]


def _item(item: ItemResult) -> Part:
    line: list[Span | str] = [
        bold(short_task(item.task or "a job")),
        "  job ",
        code(str(item.job_id)),
    ]
    if item.queue:
        line.append(f" · {cut(item.queue, 60)}")
    if item.code in _BECAME:
        line.append(f" · {_BECAME[item.code]}")
    reason = item.reason[:1_000]
    what, who = describe_loss(reason)
    about = f"{what} ({who})" if item.code in _BECAME and who and what else reason
    return paragraph(line, [cut(about or item.code, 300)])
