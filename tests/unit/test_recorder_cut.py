"""What the recorder stores of a long message: both ends, and no half of a secret."""

import pytest

from jobs_maint.recorder.failure import cut
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


def test_one_long_word_is_cut_all_the_same():
    stored = cut("x" * 5_000, 512)
    assert stored.startswith("xxx")
    assert stored.endswith("xxx")
    assert "characters cut" in stored
