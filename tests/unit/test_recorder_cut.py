"""What the recorder stores of a long message: both ends, and no half of a secret."""

import re

import pytest
from procrastinate.jobs import Job

from jobs_maint.recorder.failure import build_failure, cut
from jobs_maint.redaction import redact_text

SECRET = "postgres://app:Tr0ub4dorAndMoreWordsThatAreLong@db.example.com/x"


@pytest.mark.parametrize("limit", [512, 4096])
def test_no_half_of_a_secret_is_left_where_a_message_is_cut(limit):
    for before in range(0, limit, 7):
        text = f"{'1' * before} {SECRET} {'y' * before} {SECRET} {'z ' * limit}"
        stored = cut(text, limit)
        assert len(stored.encode()) <= limit + 40
        assert "cut …" in stored
        assert "Tr0ub" not in redact_text(stored)


@pytest.mark.parametrize("limit", [512, 4_096, 32_768])
@pytest.mark.parametrize(
    "text", ["wörd <&> " * 15_000, "é" * 40_000, "\0 " * 40_000, "🔥" * 20_000, "a b\n" * 40_000]
)
def test_a_cut_counts_all_the_characters_that_are_missing(text, limit):
    stored = cut(text, limit)
    head, missing, tail = re.split(r"\n… ([\d,]+) characters cut …\n", stored)
    assert missing == f"{len(text) - len(head) - len(tail):,}"
    assert len(stored.encode()) <= limit


def test_the_short_message_of_a_failure_counts_from_the_whole_message():
    job = Job(id=1, queue="q", lock=None, queueing_lock=None, task_name="t")
    text = "wörd <&> " * 5_000
    failure = build_failure(
        job, ValueError(text), aborted=False, will_retry=False, has_enough_of=lambda _: True
    )
    for stored in (failure.message, failure.short_message):
        head, missing, tail = re.split(r"\n… ([\d,]+) characters cut …\n", stored)
        assert missing == f"{len(text) - len(head) - len(tail):,}"
    assert len(failure.short_message) < 512


def test_one_long_word_is_cut_all_the_same():
    stored = cut("x" * 5_000, 512)
    assert stored.startswith("xxx")
    assert stored.endswith("xxx")
    assert "characters cut" in stored


@pytest.mark.parametrize("limit", [512, 4_096])
@pytest.mark.parametrize("behind", ["", " done" * 100, "\nRETURNING id" + " done" * 30])
def test_no_row_is_kept_whose_columns_were_cut_out(limit, behind):
    rows = ", ".join(f"('user{i}', 'Pa55w{i}rd!')" for i in range(300))
    text = "it failed " * 300 + "INSERT INTO users (name, password) VALUES " + rows + behind
    kept = cut(text, limit)
    assert "Pa55w" not in kept
    assert "characters cut" in kept
