"""How many workers live, and whether one of them takes another job, in words."""

from __future__ import annotations

import pytest

from jobs_maint.models import WorkerCounts, say_alive, say_workers


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"live": 1, "silent": 0}, "1 worker live"),
        ({"live": 2, "silent": 1}, "2 of 3 workers live"),
        ({"live": 0, "silent": 1}, "0 of 1 worker live"),
        ({"live": 3, "silent": 0, "stopping": 1}, "3 workers live, 1 of them is stopping"),
        ({"live": 3, "silent": 1, "stopping": 2, "late": 1},
         "3 of 4 workers live, 2 of them are stopping, 1 of them missed a beat and may be dead"),
        ({"live": 1, "silent": 0, "stopping": 1, "late": 1},
         "No worker listens, 1 is stopping, but it missed a beat and may be dead"),
        ({"live": 3, "silent": 2, "stopping": 1, "unregistered": 2},
         "No worker listens, 1 is stopping, 2 take no more jobs, 2 are silent"),
        ({"live": 1, "silent": 0, "unregistered": 1},
         "No worker listens, 1 takes no more jobs"),
    ],
)  # fmt: skip
def test_workers_are_told_by_whether_they_take_jobs(counts, said):
    assert say_workers(WorkerCounts(**counts)) == said


def test_in_a_digest_nobody_listens_or_so_many_are_alive():
    assert say_alive(WorkerCounts(0, 1)) == "no worker is alive"
    assert say_alive(WorkerCounts(2, 0, stopping=1)) == "2 workers are alive"
    assert say_alive(WorkerCounts(2, 0, stopping=2)) == "no worker listens, 2 are stopping"
