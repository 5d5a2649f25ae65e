"""Why rows were refused, counted over many batches."""

from jobs_maint.operations.refusals import MOST_REASONS, Refusals


def test_reasons_that_differ_in_ids_alone_are_one():
    refusals = Refusals()
    for job_id in range(10_000, 10_200):
        refusals.add(f"the database function keep() refuses it (keep {job_id} for audit)", [job_id])
    [one] = refusals.list_groups()
    assert (one.count, one.sample) == (200, (10_000, 10_001, 10_002, 10_003, 10_004))
    assert one.reason == "the database function keep() refuses it (keep 10000 for audit)"


def test_beyond_ten_reasons_the_rest_is_one():
    refusals = Refusals()
    names = [f"the key {'abcdefghijklmnopqrst'[n] * 3} refuses it" for n in range(20)]
    for job_id, reason in enumerate([*names, *names]):
        refusals.add(reason, [job_id])
    first, *others = refusals.list_groups()
    assert (first.reason, first.count) == ("the database refused, for other reasons", 20)
    assert [one.reason for one in others] == names[:MOST_REASONS]
