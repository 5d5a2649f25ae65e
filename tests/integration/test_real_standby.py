"""A standby that really follows a primary: what it reads, how old that is, what it refuses."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from tests.conftest import Server
from tests.support.debian import replicated_postgresql
from tests.support.history import JobFactory, minutes
from tests.support.shell import run_shell
from tests.support.waiting import until

from jobs_maint.actions import (
    Actor,
    ApplySchema,
    BulkVerb,
    CancelJobs,
    CheckSchema,
    DiscardJobs,
    GetJob,
    JobFilter,
    ListErrors,
    ListFailed,
    ListIncidents,
    ListStuck,
    ListWorkers,
    MuteGroup,
    PreviewBulk,
    PreviewPurge,
    PurgeFinished,
    RescueJobs,
    RescueStalled,
    RetryJobs,
    RunDoctor,
    ShowAudit,
    ShowDigest,
    ShowStats,
    TakeGroup,
)
from jobs_maint.database import open_pool
from jobs_maint.errors import DatabaseUnavailable, JobNotFound
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

pytestmark = pytest.mark.environments

ANA = Actor.shell("ana", "here")
READ_ONLY = (
    "The database is a read-only standby: nothing can be retried, purged or recorded here. "
    "Set JOB_QUEUE_DATABASE_URL to the primary."
)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    with replicated_postgresql() as both:
        both[0].make_templates()
        yield both


@pytest.fixture
def urls(servers: tuple[Server, Server]) -> Iterator[tuple[str, str]]:
    """One database, by the primary and by its standby, which replays."""
    primary, standby = servers
    name = primary.create("ours_template")
    yield primary.url(name), standby.url(name)
    standby.execute("SELECT pg_wal_replay_resume()")
    primary.drop(name)


@pytest.fixture
async def primary(urls) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(urls[0], autocommit=True) as conn:
        yield conn


async def catch_up(primary, standby: Server) -> None:
    """All that the primary has written is replayed."""
    [written] = await (await primary.execute("SELECT pg_current_wal_lsn()::text")).fetchone()

    def replayed() -> bool:
        with psycopg.connect(standby.url("postgres")) as conn:
            found = conn.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (written,))
            return found.fetchone() == (True,)

    await until(replayed, "the standby to follow")


async def ask(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


async def test_every_word_reads_and_says_how_old_that_is(primary, servers, urls):
    make_job = JobFactory(primary)
    job = await make_job(status="failed", error="no", finished_ago=minutes(3))
    await catch_up(primary, servers[1])
    async with open_pool(urls[1]) as pool:
        for action in (
            ShowStats(errors=True), ListErrors(), ListFailed(), ListFailed(grouped=True),
            GetJob(job), ListStuck(), ListWorkers(), ListIncidents(), ShowDigest(), ShowAudit(),
            CheckSchema(),
        ):  # fmt: skip
            report = await ask(pool, action)
            assert 0 <= report.standby_lag_seconds < 300, action
        assert (await ask(pool, ListFailed())).total == 1


async def test_a_standby_that_falls_behind_says_by_how_much(primary, servers, urls):
    make_job = JobFactory(primary)
    await make_job(status="failed")
    last_change = datetime.now(UTC)
    await catch_up(primary, servers[1])
    servers[1].execute("SELECT pg_wal_replay_pause()")
    unseen = await make_job(status="failed")
    async with open_pool(urls[1]) as pool:
        before = datetime.now(UTC)
        report = await ask(pool, ListFailed())
        assert report.total == 1
        lag = timedelta(seconds=report.standby_lag_seconds)
        assert before - last_change <= lag
        with pytest.raises(JobNotFound, match="This is a standby: the last change that it has"):
            await ask(pool, GetJob(unseen))
        begun = time.monotonic()
        again = await ask(pool, ListFailed())
        assert again.standby_lag_seconds > report.standby_lag_seconds
        servers[1].execute("SELECT pg_wal_replay_resume()")
        await catch_up(primary, servers[1])
        followed = await ask(pool, ListFailed())
        assert followed.total == 2
        grown = again.standby_lag_seconds + time.monotonic() - begun
        assert followed.standby_lag_seconds < grown, "the last change is a younger one"


async def test_what_changes_something_is_refused_with_what_to_do(primary, servers, urls):
    make_job = JobFactory(primary)
    job = await make_job(status="failed", error="no")
    waiting = await make_job()
    running = await make_job(status="doing")
    [group] = [one for one in await list_groups(urls[0]) if one.name]
    await catch_up(primary, servers[1])
    async with open_pool(urls[1]) as pool:
        for action in (
            RetryJobs((job,)), CancelJobs((waiting,)), DiscardJobs((job,)), RescueJobs((running,)),
            RescueStalled(), PurgeFinished(), PreviewPurge(), TakeGroup(group.name),
            MuteGroup(group.name, timedelta(hours=1)),
            PreviewBulk(BulkVerb.RETRY, JobFilter(statuses=("failed",))),
        ):  # fmt: skip
            with pytest.raises(DatabaseUnavailable) as refused:
                await ask(pool, action)
            assert str(refused.value) == READ_ONLY, action
    assert await make_job.status(job) == "failed"


async def list_groups(url: str):
    async with open_pool(url) as pool:
        return (await ask(pool, ListErrors())).groups


async def test_the_doctor_calls_it_an_error_and_goes_on(primary, servers, urls):
    await catch_up(primary, servers[1])
    async with open_pool(urls[1]) as pool:
        report = await ask(pool, RunDoctor())
    assert report.standby_lag_seconds is not None
    [finding] = [one for one in report.findings if one.check == "read_only"]
    assert (finding.level, finding.sentence, finding.fix) == (
        "error",
        "The database is a read-only standby: nothing can be retried, purged or recorded here.",
        "Set JOB_QUEUE_DATABASE_URL to the primary.",
    )
    assert not [one for one in report.findings if "not checked" in one.sentence]


async def test_the_shell_ends_with_69_and_one_sentence(primary, servers, urls):
    job = await JobFactory(primary)(status="failed")
    await catch_up(primary, servers[1])
    refused = run_shell(urls[1], "retry", job)
    assert (refused.returncode, refused.stdout) == (69, "")
    assert refused.stderr == f"jobs-maint: {READ_ONLY}\n"
    shown = run_shell(urls[1], "stats", "--json")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert json.loads(shown.stdout)["standby_lag_seconds"] >= 0


async def test_the_schema_is_applied_to_the_primary_only(primary, servers, urls):
    await primary.execute("DROP INDEX jobs_maint_counts_idx")
    await catch_up(primary, servers[1])
    async with open_pool(urls[1]) as pool:
        with pytest.raises(DatabaseUnavailable, match="read-only"):
            await ask(pool, ApplySchema())
