"""What previews, progress and outcomes of acts share: their words, their reasons, their set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatbot.messages.parts import Button, Line, Part, Span, context
from chatbot.messages.times import spell_times
from chatbot.messages.words import count, cut, defuse, escape, name_queue
from jobs_maint.actions import (
    BulkVerb,
    CancelJobs,
    DiscardJobs,
    JobFilter,
    PreviewBulk,
    PreviewPurge,
    PreviewRescue,
    RescueJobs,
    RetryJobs,
    plain_name,
)
from jobs_maint.errors import JobsMaintError
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import SkipGroup
from jobs_maint.quoting import cut_ids
from jobs_maint.verbs import find_verb

__all__ = [
    "MOST_REASONS",
    "NEW_PREVIEW",
    "PREVIEW_REST",
    "Asked",
    "grey",
    "into_queues",
    "list_ids",
    "name_queues",
    "one_line",
    "read_asked",
    "say_changed",
    "tell_remain",
    "tell_skips",
    "tell_why",
    "typed",
    "undo_request",
]

MOST_REASONS = 5
NEW_PREVIEW = "New preview"
PREVIEW_REST = "Preview the rest"
_STATUS = {"todo": "waiting", "doing": "running"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the words of an act ask for; empty where they cannot be read."""

    queue: str | None = None
    statuses: tuple[str, ...] = ()
    job_ids: tuple[int, ...] = ()
    """Jobs that were named one by one."""
    force: bool = False

    @property
    def status(self) -> str:
        """The one status that is asked for, as an adjective; empty when there are several."""
        if len(self.statuses) != 1:
            return ""
        return _STATUS.get(self.statuses[0], self.statuses[0])

    @property
    def puts_back(self) -> bool:
        """Whether a retry only undoes cancels: its jobs have not run, so they go back."""
        return self.status == "cancelled"

    @property
    def running(self) -> bool:
        """Whether it reaches running jobs, which can only be asked to abort."""
        return "doing" in self.statuses


def read_asked(words: str) -> Asked:
    try:
        action = parse_words(split_text(words), "slack").action
    except JobsMaintError:
        return Asked()
    match action:
        case PreviewBulk(filter=wanted):
            queue = plain_name(wanted.queue or "") or wanted.queue
            return Asked(queue, wanted.statuses, wanted.job_ids or ())
        case PreviewPurge(queue=queue):
            return Asked(queue)
        case RetryJobs(job_ids=job_ids, statuses=statuses) if statuses:
            return Asked(statuses=statuses, job_ids=job_ids)
        case RetryJobs() | CancelJobs() | DiscardJobs():
            return Asked(statuses=BulkVerb(action.word).statuses, job_ids=action.job_ids)
        case RescueJobs(job_ids=job_ids):
            return Asked(job_ids=job_ids)
        case PreviewRescue(job_ids=job_ids, force=force):
            return Asked(job_ids=job_ids, force=force)
    return Asked()


def one_line(text: str, limit: int = 60) -> str:
    """Foreign text as one short line."""
    return cut(" ".join(defuse(text[: 20 * limit]).split()), limit) or "“”"


def name_queues(queues: Sequence[str], asked: Asked | None = None, word: str = "of") -> str:
    """` of webhook`, ` of 3 queues`, or nothing where no queue is known."""
    if len(queues) > 1:
        return f" {word} {len(queues)} queues"
    queue = queues[0] if queues else asked.queue if asked is not None else None
    return f" {word} {name_queue(queue)}" if queue is not None else ""


def into_queues(queues: Sequence[str], asked: Asked) -> str:
    """` into webhook`, ` into 3 queues`, or nothing where no queue is known."""
    return name_queues(queues, asked, "into")


def say_changed(
    verb: str,
    number: int,
    asked: Asked,
    queues: Sequence[str] = (),
    *,
    done: str = "",
    within: bool = False,
) -> str:
    """`35 jobs of webhook retried`, `35 jobs put back into webhook`; `done`: another word.

    `within` a sentence, of one queue: `35 webhook jobs retried`.
    """
    many, noun = f"{number:,}" if number else "no" if within else "No", "job"
    noun += "s" if number > 1 else ""
    if verb == "retry" and asked.puts_back:
        return f"{many} {noun} put back{into_queues(queues, asked)}"
    done = done or find_verb(verb).done
    if within and len(queues) == 1:
        return f"{many} {name_queue(queues[0])} {noun} {done}"
    return f"{many} {noun}{name_queues(queues, asked)} {done}"


def list_ids(skip: SkipGroup) -> str:
    """` (4713, 4720 and 7 more)`."""
    if not skip.sample:
        return ""
    ids = ", ".join(map(str, skip.sample))
    more = skip.count - len(skip.sample)
    return f" ({ids} and {more:,} more)" if more > 0 else f" ({ids})"


def tell_why(skip: SkipGroup, what: str, reason: str) -> str:
    """`2 skipped: the reason (4713, 4720).`; the id of one job comes before its reason."""
    if skip.count == 1 and skip.sample:
        return f"{what} (job {skip.sample[0]}): {reason}."
    return f"{what}: {reason}{list_ids(skip)}."


def tell_skips(skips: Sequence[SkipGroup], word: str) -> list[Line]:
    """`2 skipped: queueing lock taken (4713, 4720).`; one job's reason is shown in full."""
    lines: list[Line] = []
    for skip in skips[:MOST_REASONS]:
        why = skip.say_skipped() if word == "skipped" else skip.reason or skip.code
        reason = one_line(why, 300).rstrip(".")
        lines.append(spell_times(tell_why(skip, f"{skip.count:,} {word}", reason)))
    if rest := sum(skip.count for skip in skips[MOST_REASONS:]):
        lines.append([f"{rest:,} more {word} for other reasons."])
    return lines


def tell_remain(remain: int, largest: int) -> Line:
    more = "1 more remains" if remain == 1 else f"{remain:,} more remain"
    return [f"{more} beyond the largest set of {largest:,}; run the same command again for them."]


def grey(text: str) -> Part:
    """Grey and small, and nothing in it is parsed: for text that is not our own."""
    shown = cut(" ".join(defuse(text[:4_000]).split()), 500) or " "
    element = {"type": "plain_text", "text": shown, "emoji": False}
    return Part(({"type": "context", "elements": [element]},), escape(shown))


def typed(command: str, words: str, *before: Span | str) -> Part:
    """Grey: words of our own, then the command that asked for it, as one would type it."""
    asked = grey(cut(f"{command} {cut_ids(words)}".strip(), 400))
    if not before:
        return asked
    ours = context(before)
    elements = [*ours.blocks[0]["elements"], *asked.blocks[0]["elements"]]
    return Part(({"type": "context", "elements": elements},), f"{ours.text}\n{asked.text}")


def undo_request(audit_id: int, done: int | None) -> Button:
    """Puts back what a request cancelled or discarded; `done`: how many, where that is known."""
    wanted = JobFilter(request=audit_id, statuses=("cancelled",))
    words = PreviewBulk(BulkVerb.RETRY, wanted).words()
    return Button(f"Put {count(done, 'job') if done is not None else 'them'} back", words)
