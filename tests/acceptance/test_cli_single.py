"""One job by the shell: done at once, with its undo; a refusal is an error."""

import pytest
from tests.support.shell import data

NO_JOB = 9223372036854775807


async def test_one_job_is_cancelled_at_once_with_its_undo(jobs_maint, make_job):
    job = await make_job(queue="email", task="a.send")
    done = jobs_maint("cancel", job)
    assert (done.returncode, done.stderr) == (0, "")
    told, undo = done.stdout.splitlines()
    assert told == f"1 job cancelled: {job} (email, send)."
    assert undo.startswith("Undo: jobs-maint retry --request ")
    # By its number, so that it puts nothing back that somebody cancelled again.
    jobs_maint("retry", job)
    jobs_maint("cancel", job)
    again = jobs_maint(*undo.split()[2:], "--yes")
    assert "cancelled since by request" in again.stdout
    assert await make_job.status(job) == "cancelled"
    assert data(jobs_maint("discard", await make_job(status="failed"), "--json"))["kind"] == (
        "discard"
    )


async def test_a_running_job_is_asked_to_abort_and_once_is_enough(jobs_maint, make_job):
    job = await make_job(status="doing", queue="email", task="a.send")
    done = jobs_maint("cancel", job)
    assert done.returncode == 0
    asked, *nobody = done.stdout.splitlines()
    assert asked == f"Job {job} (email, send) runs; its worker was asked to abort it."
    assert " ".join(nobody) == (
        f"No live worker reports job {job}, so nobody stops it: the rescue marks it as aborted"
        " when it is due; stuck says when."
    )
    again = jobs_maint("cancel", job)
    assert (again.returncode, again.stdout) == (4, "")
    assert again.stderr == (
        f"jobs-maint: Job {job} was not cancelled: its worker was already asked to abort it.\n"
    )


@pytest.mark.parametrize(
    ("verb", "status", "says"),
    [
        (
            "cancel",
            "succeeded",
            "was not cancelled: its status is succeeded; only waiting or running",
        ),
        ("discard", "todo", "was not discarded: its status is todo; only failed or aborted"),
        ("cancel", "failed", "only waiting or running jobs can be cancelled; discard gives it up"),
        ("discard", "todo", "aborted jobs can be discarded; cancel keeps it from running"),
    ],
)
async def test_a_single_refusal_is_an_error_with_its_code(jobs_maint, make_job, verb, status, says):
    job = await make_job(status=status)
    done = jobs_maint(verb, job)
    assert (done.returncode, done.stdout) == (4, "")
    assert says in done.stderr
    gone = jobs_maint(verb, NO_JOB)
    assert (gone.returncode, gone.stdout) == (3, "")
