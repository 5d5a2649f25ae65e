"""A failure of which the record is not stored yet, beside one of which none will be."""

from __future__ import annotations

import pytest
from tests.support.fleet import Fleet
from tests.support.history import minutes

from chatbot.messages import render_digest
from chatbot.messages.details import render_details
from chatbot.messages.failed import render_failed
from chatbot.messages.groups import render_errors
from chatbot.messages.preview import render_preview
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    GetJob,
    JobFilter,
    ListErrors,
    ListFailed,
    PreviewBulk,
    ShowDigest,
)
from jobs_maint.perform import perform
from jobs_maint.render import render_text

ANA = Actor.shell("ana", "host")
YET, NEVER = "error not stored yet", "error not recorded"
SINCE = minutes(60)


async def tell(pool):
    """What shell and Slack say of the failed jobs, whose error nobody has."""
    wanted = JobFilter(statuses=("failed",), task="app.mail")
    failed = await perform(pool, ANA, ListFailed())
    grouped = await perform(pool, ANA, ListFailed(grouped=True))
    errors = await perform(pool, ANA, ListErrors(since=SINCE))
    digest = await perform(pool, ANA, ShowDigest(since=SINCE))
    preview = await perform(pool, ANA, PreviewBulk(BulkVerb.RETRY, wanted))
    return [
        render_text(failed, width=200),
        render_failed(grouped, "/jobs").text,
        render_text(errors, width=200),
        render_errors(errors).text,
        render_text(digest, width=200),
        render_digest(digest, "/jobs").text,
        render_text(preview, width=200),
        render_preview(preview, "/jobs", by="U0ANA").text,
    ]


async def tell_job(pool, job):
    details = await perform(pool, ANA, GetJob(job))
    return [render_text(details, width=200), render_details(details).text]


@pytest.mark.parametrize("alive", [True, False])
async def test_an_error_is_not_stored_yet_only_where_a_live_recorder_may_still_do_that(
    pool, conn, make_job, alive
):
    fleet = Fleet(pool, conn, make_job)
    if alive:
        await fleet.start_worker()
    for _ in range(2):
        job = await make_job(
            status="failed", task="app.mail", recorded=False, finished_ago=minutes(0)
        )
    said, other = (YET, NEVER) if alive else (NEVER, YET)
    for text in await tell(pool):
        assert said in text
        assert other not in text
    for text in await tell_job(pool, job):
        assert ("The error is not stored yet" in text) is alive
    for typed in (YET, NEVER):
        assert (await perform(pool, ANA, ListFailed(error=typed))).total == 2


async def test_after_the_time_that_a_recorder_needs_the_error_counts_as_not_recorded(
    pool, conn, make_job
):
    fleet = Fleet(pool, conn, make_job)
    await fleet.start_worker()
    old = await make_job(
        status="failed", task="app.mail", recorded=False, finished_ago=minutes(0.2)
    )
    await make_job(status="failed", task="app.mail", recorded=False, finished_ago=minutes(0))
    for text in await tell(pool):  # the group has both
        assert NEVER in text
    assert YET in render_text(await perform(pool, ANA, ListFailed()), width=200)
    for text in await tell_job(pool, old):
        assert "The error is not recorded" in text


@pytest.mark.parametrize("seconds_ago", [1, 900])
async def test_the_error_of_an_earlier_attempt_is_not_told_as_why_the_job_failed(
    pool, conn, make_job, seconds_ago
):
    await Fleet(pool, conn, make_job).start_worker()
    job = await make_job(status="failed", error="of an earlier attempt", finished_ago=minutes(60))
    text = (await tell_job(pool, job))[0]
    assert ": ValueError: of an earlier attempt" in text.splitlines()[0]
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at)"
        " SELECT %s, type::procrastinate_job_event_type, now() - make_interval(secs => %s)"
        " FROM unnest(ARRAY['started', 'failed']) AS type",
        (job, seconds_ago),
    )
    for said in await tell_job(pool, job):
        first, *rest = said.splitlines()
        assert first.removeprefix("🔴 ").strip("*") == f"Job {job} failed."
        when = "stored yet" if seconds_ago == 1 else "recorded"
        assert f"The error of its last attempt is not {when}" in "\n".join(rest)
        assert "of an earlier attempt" in "\n".join(rest)
