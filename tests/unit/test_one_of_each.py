"""What is said of one is said in the singular, and a slow act has a rate: in all that is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace

import pytest

from chatbot.messages.late import render_lost
from chatbot.messages.progress import render_broken, render_progress
from chatbot.messages.result import render_result
from chatbot.messages.words import count
from chatbot.setup import sample_acts as acts
from chatbot.setup import sample_reports as samples
from jobs_maint.models import PurgeReport, SkipGroup
from jobs_maint.operations.doctor import findings
from jobs_maint.render import count_noun, format_rate, render_question, render_text

NOUNS = (
    "job|step|row|worker|queue|attempt|failure|group|batch|error|digest|line|task|second|minute|hour|day"
    "|character|act|question|message|turn|lock|reason|entry|entrie|finding|warning|note"
)
MANY_OF_ONE = re.compile(
    rf"(?<![\d,.:/-])1 (?:[a-z]+ ){{0,2}}(?:(?:{NOUNS})e?s\b|(?:are|were|have|wait|stay|remain)\b)"
)
REASONS = tuple(SkipGroup(f"code_{n}", f"reason {n}", 1, (n,)) for n in range(12))
PURGED = PurgeReport({"succeeded": 1}, 1, 1.0, finished=False, refused=REASONS, undated=REASONS)
REPORTS = [
    samples.stats(), samples.failed(), samples.errors(), samples.many_errors(), samples.stuck(),
    samples.workers(), samples.audit(), samples.digest(), samples.details(), samples.rescue(),
    acts.PURGE, acts.FORCE, PURGED, replace(PURGED, dry_run=True, finished=True),
    *(replace(acts.RETRY, verb=verb, words=f"{verb} --all webhook", skips=skips, running=running)
      for verb in ("retry", "cancel", "discard") for skips in ((), REASONS) for running in (0, 1)),
    *(replace(acts.DONE, verb=verb, skips=REASONS, failures=REASONS, left_out=REASONS, remain=1,
              became=became, stopped=stopped)
      for verb in ("retry", "cancel", "discard", "rescue") for stopped in (True, False)
      for became in ((), (SkipGroup("cancelled", "", 1), SkipGroup("abort_requested", "", 1)))),
]  # fmt: skip


def ones(value):
    """The same with each number 1."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return type(value)(1)
    if is_dataclass(value):
        return replace(
            value, **{one.name: ones(getattr(value, one.name)) for one in fields(value) if one.init}
        )
    if isinstance(value, Mapping):
        return {key: ones(one) for key, one in value.items()}
    return tuple(map(ones, value)) if isinstance(value, tuple) else value


def number_of_each(text):
    return MANY_OF_ONE.findall(" ".join(text.split()))


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_one_of_each_is_said_in_the_singular(report):
    one = ones(report)
    for text in (render_result(one, "/jobs", by="U0ANA").text, render_text(one, width=240)):
        assert number_of_each(text) == []


def test_the_sentences_of_acts_at_work_and_of_questions_do_so_too():
    work = replace(ones(acts.AT_WORK), elapsed_seconds=1.0)
    shown = [render_progress(replace(work, total=total), "/jobs").text for total in (1, 2, None)]
    shown.append(render_broken(work, "/jobs", reason="the disk is full").text)
    shown.append(render_lost(ones(acts.LOST), "/jobs").text)
    shown.append(render_question(ones(acts.RETRY)))
    assert [number_of_each(text) for text in shown] == [[]] * len(shown)


@pytest.mark.parametrize("number", [0, 1, 2, 999, 1_000, 1_204])
def test_every_way_to_count_agrees_with_its_number(number):
    for text in (count(number, "job"), count_noun(number, "job"), findings.count(number, "job")):
        assert text.endswith(" job") == (number == 1)
        assert text.partition(" ")[0] in {f"{number:,}", "no" if number == 0 else f"{number:,}"}


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.04, "25 jobs/s"), (0.9, "1 job/s"), (1.0, "1 job/s"), (1.4, "43 jobs/min"),
     (2, "30 jobs/min"), (60, "1 job/min"), (119, "1 job/min"), (7_200, "less than 1 job/min")],
)  # fmt: skip
def test_a_rate_is_never_none_and_never_one_jobs(seconds, told):
    """One job in so many seconds."""
    assert format_rate(1 / seconds) == told
    work = replace(acts.AT_WORK, done=1, total=9, elapsed_seconds=seconds)
    assert told in render_progress(work, "/jobs").text
