"""Why jobs are left alone, as it is told of one and of several."""

from collections import defaultdict
from datetime import UTC, datetime

import pytest

from jobs_maint.operations.rescue.reasons import refuse_job
from jobs_maint.operations.rescue.speaking import ONE, SEVERAL

AT = datetime(2026, 11, 23, 2, 10, tzinfo=UTC)
ALIVE = {"beats": True, "beat_at": AT}
NAMED = {"named": True, "beat_at": AT, "quiet_seconds": 30.0, "silent_seconds": 4.0}
SILENT = {
    "had_recorder": True,
    "heartbeat_in": 20.0,
    "last_heartbeat": AT,
    "quiet_seconds": 9.0,
    "noticed_for": 1.0,
}
DUE = {"suspected": True, "due_in": 60.0}


def say(who, **facts):
    row = defaultdict(lambda: None, {"id": 7, "status": "doing", "worker_id": 3, **facts})
    return refuse_job(7, row, who).reason


@pytest.mark.parametrize(
    ("facts", "one", "several"),
    [
        (NAMED, "worker 3 is running it (", "worker 3 is running them ("),
        (NAMED, "; if it was killed since, ask again in 26 s", "if it was killed since, ask again"),
        (ALIVE, "so it may yet start the job", "so it may yet start the jobs"),
        ({}, "it; the job has just started", "them; the jobs have just started"),
        (ALIVE | DUE, "has it and is alive", "has them and is alive"),
        (ALIVE | DUE, "but does not report it; it is due", "not report them; they are due"),
        (ALIVE | DUE | {"started_at": AT}, "has had it since", "has had them since"),
        (DUE, "still running the job; it is due", "still running the jobs; they are due"),
        (DUE | {"worker_id": None}, "named it: its worker died", "named them: their worker died"),
        (
            DUE | SILENT,
            "no longer reports it, but may be alive until its heartbeat",
            "no longer reports them, but may be alive until its heartbeat",
        ),
    ],
)
def test_a_reason_is_told_of_one_and_of_several(facts, one, several):
    assert one in say(ONE, **facts)
    assert several in say(SEVERAL, **facts)
