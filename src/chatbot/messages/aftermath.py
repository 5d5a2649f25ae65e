"""What became of jobs that were put back, told in the message of the act once it is known."""

from __future__ import annotations

from chatbot.messages.act_words import one_line
from chatbot.messages.message import Message
from chatbot.messages.packer import pack
from chatbot.messages.parts import Button, Line, bold, buttons, paragraph, when
from chatbot.messages.people import name_actor
from chatbot.messages.words import name_queue, short_task
from jobs_maint.actions import BulkVerb, GetJob, JobFilter, PreviewBulk, RetryJobs
from jobs_maint.models import Aftermath, ItemResult

__all__ = ["judge_aftermath", "offer_again", "render_job_after", "tell_aftermath"]


def judge_aftermath(after: Aftermath) -> str:
    """The dot: green only when none failed again and none is still to end."""
    if after.failed:
        return "🔴 "
    return "🟡 " if after.pending or after.ended else "✅ "


def tell_aftermath(after: Aftermath) -> str:
    """`31 succeeded, 4 failed again (ConnectTimeout)`."""
    if after.total == after.succeeded:
        return "all succeeded" if after.total > 1 else "it succeeded"
    parts = []
    if after.succeeded:
        parts.append(f"{after.succeeded:,} succeeded")
    if after.failed:
        parts.append(f"{after.failed:,} failed again{_why(after)}")
    if after.ended:
        parts.append(f"{after.ended:,} cancelled or aborted")
    if after.gone:
        parts.append(f"{after.gone:,} deleted since")
    if after.pending:
        parts.append(f"{after.pending:,} still to end")
    return ", ".join(parts)


def _why(after: Aftermath) -> str:
    if after.error is None:
        return ""
    name = one_line(after.error.rpartition(".")[2])
    return f" (mostly {name})" if after.errors > 1 else f" ({name})"


def offer_again(after: Aftermath, request: int) -> list[Button]:
    """For those of a request that failed again."""
    if not after.failed:
        return []
    details = Button("Details", GetJob(after.failed_ids[0]).words())
    if not after.retriable:
        return [details]
    if after.failed == 1:
        one = after.failed_ids[0]
        words = RetryJobs((one,), statuses=("failed",)).words()
        return [Button(f"Retry job {one}", words), details]
    wanted = JobFilter(request=request, statuses=("failed",))
    words = PreviewBulk(BulkVerb.RETRY, wanted).words()
    return [Button(f"Preview retry of {after.retriable:,}", words), details]


def render_job_after(
    item: ItemResult, after: Aftermath, *, by: str, back: str = "retried"
) -> Message:
    """What became of the one job that was retried, or by a rescue `put back`."""
    job = f"Job {item.job_id}"
    if after.failed:
        verdict = f"{job} failed again{_why(after)}."
    elif after.succeeded:
        verdict = f"{job} was {back} and succeeded."
    elif after.gone:
        verdict = f"{job} was {back} and deleted since."
    else:
        verdict = f"{job} was {back} and {'has not ended yet' if after.pending else 'stopped'}."
    what = f"{back.capitalize()} by "
    if item.task and item.queue:
        what = f"{short_task(item.task)} in {name_queue(item.queue)}, {back} by "
    line: Line = [what, name_actor(by), ", as of ", when(after.as_of, after.as_of), "."]
    again = []
    if after.retriable:
        words = RetryJobs((item.job_id,), statuses=("failed",)).words()
        again.append(Button(f"Retry job {item.job_id}", words))
    again.append(Button("Details", GetJob(item.job_id).words()))
    return pack([paragraph([judge_aftermath(after), bold(verdict)], line), buttons(*again)])
