"""What a retry did: how many went back, and why the others did not."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.replies.message import Message
from chatbot.replies.packer import pack
from chatbot.replies.parts import Button, Line, Part, bold, buttons, code, context, paragraph, user
from chatbot.replies.words import count, cut, short_task
from jobs_maint.actions import GetJob
from jobs_maint.durations import format_age
from jobs_maint.models import ItemResult, RetryReport

__all__ = ["render_retry"]

MOST_IDS = 20
MOST_REASONS = 10


def render_retry(report: RetryReport, command: str, *, by: str) -> Message:
    done, skipped = report.done, report.skipped
    if len(report.items) == 1 and skipped:
        return _render_one_skipped(skipped[0])
    lines: list[Line] = [_verdict(report, by)]
    if len(done) == 1 and done[0].task and done[0].queue:
        then = cut(done[0].reason.rstrip("."), 200) or "is ready to run"
        lines.append([f"{short_task(done[0].task)} in {cut(done[0].queue, 60)} {then}."])
    elif later := sum(bool(item.reason) for item in done):
        lines.append([f"{later:,} of them run later, as scheduled."])
    reasons = _by_reason(skipped)
    for reason, items in list(reasons.items())[:MOST_REASONS]:
        lines.append([f"{len(items):,} skipped: {reason} ({_ids(items)})."])
    if len(reasons) > MOST_REASONS:
        left = sum(len(items) for items in list(reasons.values())[MOST_REASONS:])
        lines.append([f"{left:,} more skipped for other reasons."])
    parts: list[Part] = [paragraph(*lines)]
    follow = f"{command} status {(done or skipped)[0].job_id}" if report.items else ""
    if len(report.items) == 1:
        words = GetJob(report.items[0].job_id).words()
        parts.append(buttons(Button("Details", words)))
    elif follow:
        parts.append(context([code(follow), " follows one of them"]))
    return pack(parts)


def _render_one_skipped(item: ItemResult) -> Message:
    line: Line = ["🟡 ", bold(f"Job {item.job_id} was not retried:"), f" {_reason(item)}."]
    return pack([paragraph(line), buttons(Button("Details", GetJob(item.job_id).words()))])


def _reason(item: ItemResult) -> str:
    return cut(item.reason.rstrip(".") or item.code or "no reason given", 300)


def _verdict(report: RetryReport, by: str) -> Line:
    done = report.done
    if not done:
        return ["🟡 ", bold("No job was retried.")]
    what = f"Job {done[0].job_id}" if len(done) == 1 else f"{len(done):,} jobs"
    took = f" in {format_age(report.elapsed_seconds)}" if len(done) > 1 else ""
    return ["✅ ", bold(f"{what} retried"), " by ", user(by), f"{took}."]


def _by_reason(items: Sequence[ItemResult]) -> dict[str, list[ItemResult]]:
    reasons: dict[str, list[ItemResult]] = {}
    for item in items:
        reasons.setdefault(_reason(item), []).append(item)
    return reasons


def _ids(items: Sequence[ItemResult]) -> str:
    shown = ", ".join(str(item.job_id) for item in items[:MOST_IDS])
    left = len(items) - MOST_IDS
    return shown + (f" and {count(left, 'more job')}" if left > 0 else "")
