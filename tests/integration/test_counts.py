"""How many jobs a large table has: small groups exactly, large ones as an estimate that says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from tests.support.server import Server

from jobs_maint.database import open_pool, transaction
from jobs_maint.operations.digest.summary import Summing, summarise_now
from jobs_maint.operations.stats import counts
from jobs_maint.operations.stats.queues import get_stats
from jobs_maint.redaction import DEFAULT
from jobs_maint.render import build_data, render_text
from jobs_maint.settings import MaintSettings

GROUPS = {
    ("big", "succeeded"): 50_000,
    ("mid", "succeeded"): 20_000,
    ("big", "failed"): 14_000,
    ("mid", "cancelled"): 11_000,
    ("big", "aborted"): 9_999,
    ("small", "failed"): 3,
    ("small", "ready"): 7,
    ("small", "scheduled"): 3_000,
    ("mid", "ready"): 4_000,
    ("mid", "scheduled"): 900,
    ("big", "doing"): 2,
}
READY_BUT_DUE = {("small", "ready"): 5, ("mid", "ready"): 1_500}
FILL = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, status, scheduled_at, args)
    SELECT g.queue, 'app.task',
           CASE WHEN g.status IN ('ready', 'scheduled') THEN 'todo' ELSE g.status END
               ::procrastinate_job_status,
           CASE g.status WHEN 'ready' THEN CASE WHEN i <= g.due THEN now() - interval '1 hour' END
               WHEN 'scheduled' THEN now() + interval '1 day'
               ELSE CASE WHEN i %% 2 = 0 THEN now() - interval '2 hours' END END,
           jsonb_build_object('note', repeat('x', 20))
    FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])
         AS g (queue, status, jobs, due)
    CROSS JOIN LATERAL generate_series(1, g.jobs) AS i
    ORDER BY g.status <> 'failed', hashint8extended(i, length(g.queue || g.status))"""
OWN = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, status)
    SELECT 'big', 'jobs_maint:rescue_stalled_jobs', status::procrastinate_job_status
    FROM unnest(ARRAY['succeeded', 'todo', 'doing']) AS status, generate_series(1, 500)"""


@pytest.fixture(scope="module")
def large_url(server: Server):
    """The failed jobs lie together, as those that are kept when all around them are purged."""
    name = server.create("ours_template")
    with psycopg.connect(server.url(name), autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        queues, statuses = zip(*GROUPS, strict=True)
        due = [READY_BUT_DUE.get(group, 0) for group in GROUPS]
        conn.execute(FILL, (list(queues), list(statuses), list(GROUPS.values()), due))
        conn.execute(OWN)
        conn.execute("SELECT pg_stat_force_next_flush()")  # else they count as changed afterwards
        conn.execute("VACUUM ANALYZE procrastinate_jobs")
    yield server.url(name)
    server.drop(name)


@pytest.fixture
async def large(large_url):
    async with (
        open_pool(large_url, max_size=1) as pool,
        pool.connection() as conn,
        transaction(conn),
    ):
        yield conn


@pytest.fixture
def any_table_is_large(monkeypatch):
    monkeypatch.setattr(counts, "SMALL_TABLE", 0)
    monkeypatch.setattr(counts, "LARGE_TABLE", 0)
    monkeypatch.setattr(counts, "SAMPLES", (60_000, 6_000))


async def ask(conn, queue=None):
    report = await get_stats(conn, queue=queue, settings=MaintSettings())
    found = {
        (queue.queue, status): getattr(queue, status)
        for queue in report.queues
        for name, status in GROUPS
        if name == queue.queue
    }
    return report, found


async def test_a_table_of_this_size_is_counted_exactly(large):
    report, found = await ask(large)
    assert found == GROUPS
    assert report.estimated == {}


async def test_for_a_message_what_is_ready_and_runs_is_counted_and_nothing_else(large, monkeypatch):
    async def ask_lately():
        report = await get_stats(large, queue=None, settings=MaintSettings(), only_lately=True)
        shown = ("ready", "doing", "scheduled", "failed", "succeeded", "cancelled", "aborted")
        found = {(q.queue, field): getattr(q, field) for q in report.queues for field in shown}
        return report, {group: jobs for group, jobs in found.items() if jobs}

    report, found = await ask_lately()
    assert found == {group: n for group, n in GROUPS.items() if group[1] in ("ready", "doing")}
    assert report.estimated == {}
    for name in ("FROM_INDEX", "LOOKED_UP"):
        monkeypatch.setattr(counts, name, replace(getattr(counts, name), ready=1_000))
    report, same = await ask_lately()
    assert (report.estimated, same) == ({}, found)  # a table of this size needs no estimate
    monkeypatch.setattr(counts, "SMALL_TABLE", 0)
    monkeypatch.setattr(counts, "LARGE_TABLE", 0)
    report, estimated = await ask_lately()
    assert report.estimated == {"mid": ("ready",)}
    assert estimated.pop(("mid", "ready")) == pytest.approx(found.pop(("mid", "ready")), rel=0.1)
    assert estimated == found


async def test_large_groups_are_estimated_within_five_percent_and_marked(large, any_table_is_large):
    report, found = await ask(large)
    assert report.estimated == {
        "big": ("failed", "succeeded"),
        "mid": ("cancelled", "succeeded"),
    }
    for (queue, status), jobs in GROUPS.items():
        if status in report.estimated.get(queue, ()):
            assert found[queue, status] == pytest.approx(jobs, rel=0.05)
            assert len(str(found[queue, status]).rstrip("0")) <= 3  # more would look like a count
        else:
            assert found[queue, status] == jobs


async def test_the_sample_is_a_part_of_the_table(large, any_table_is_large):
    query = "SELECT pg_stat_get_xact_tuples_returned('procrastinate_jobs'::regclass)"
    before = (await (await large.execute(query)).fetchone())[0]
    await counts.count_jobs(large, None)
    read = (await (await large.execute(query)).fetchone())[0] - before
    assert read == pytest.approx(60_000, rel=0.1)


async def test_a_sample_as_large_as_the_table_is_the_count(large, any_table_is_large, monkeypatch):
    monkeypatch.setattr(counts, "SAMPLES", (1_000_000, 1_000_000))
    monkeypatch.setattr(counts, "DIGITS", 9)
    report, found = await ask(large)
    assert report.estimated
    assert found == GROUPS


async def test_pages_that_a_purge_emptied_count_for_nothing(large_url, any_table_is_large):
    """Half of the table is free space, and what is left of it lies together."""
    async with open_pool(large_url, max_size=1) as pool, pool.connection() as conn:
        await conn.execute("SET session_replication_role = replica")
        await conn.execute(
            "DELETE FROM procrastinate_jobs WHERE queue_name = 'big' AND status = 'succeeded'"
            " AND id % 5 > 0"
        )
        report, found = await ask(conn)
        await conn.rollback()
    assert found["big", "failed"] == pytest.approx(GROUPS["big", "failed"], rel=0.05)
    assert found["mid", "succeeded"] == pytest.approx(GROUPS["mid", "succeeded"], rel=0.05)
    assert "succeeded" in report.estimated["big"]
    assert found["big", "succeeded"] == pytest.approx(GROUPS["big", "succeeded"] / 5, rel=0.05)


async def test_one_queue_is_estimated_as_all_of_them(large, any_table_is_large):
    report, found = await ask(large, "mid")
    assert report.estimated == {"mid": ("cancelled", "succeeded")}
    assert found["mid", "succeeded"] == pytest.approx(GROUPS["mid", "succeeded"], rel=0.05)


async def test_a_count_that_takes_too_long_is_given_up_for_an_estimate(large, monkeypatch):
    monkeypatch.setattr(counts, "EXACT_LIMIT", "1ms")
    monkeypatch.setattr(counts, "SAMPLE_LIMIT", "1ms")
    before = await (await large.execute("SHOW statement_timeout")).fetchone()
    report, found = await ask(large)
    assert await (await large.execute("SHOW statement_timeout")).fetchone() == before
    assert set(report.estimated["big"]) >= {"failed", "succeeded"}
    assert found["small", "ready"] == GROUPS["small", "ready"]
    assert found["big", "doing"] == GROUPS["big", "doing"]
    assert found["big", "succeeded"] == pytest.approx(GROUPS["big", "succeeded"], rel=0.3)


async def test_a_backlog_that_takes_too_long_to_count_is_estimated(server, monkeypatch):
    """No row was changed, as far as the server knows, yet each one has to be looked up."""
    monkeypatch.setattr(counts, "EXACT_LIMIT", "2ms")
    name = server.create("ours_template")
    try:
        with psycopg.connect(server.url(name), autocommit=True) as conn:
            conn.execute("ALTER TABLE procrastinate_jobs SET (autovacuum_enabled = off)")
            conn.execute("SET session_replication_role = replica")
            conn.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name)"
                " SELECT 'big', 'app.task' FROM generate_series(1, 60000)"
            )
            conn.execute("ANALYZE procrastinate_jobs")
        async with (
            open_pool(server.url(name), max_size=1) as pool,
            pool.connection() as conn,
            transaction(conn),
        ):
            report, _ = await ask(conn)
            (queue,) = report.queues
    finally:
        server.drop(name)
    assert report.estimated == {"big": ("ready",)}
    assert queue.ready == pytest.approx(60_000, rel=0.05)


async def test_rows_changed_since_the_last_vacuum_make_an_exact_count_dear(large_url, monkeypatch):
    monkeypatch.setattr(counts, "SMALL_TABLE", 0)
    async with open_pool(large_url, max_size=1) as pool:
        async with pool.connection() as conn, transaction(conn):
            assert (await ask(conn))[0].estimated == {}
        async with pool.connection() as conn:
            await conn.execute("UPDATE procrastinate_jobs SET attempts = 1 WHERE id % 20 = 0")
            await conn.commit()
            await conn.execute("SELECT pg_stat_force_next_flush()")
            await conn.commit()
        async with pool.connection() as conn, transaction(conn):
            estimated = (await ask(conn))[0].estimated
        assert estimated == {
            "big": ("aborted", "failed", "succeeded"),
            "mid": ("cancelled", "succeeded"),
            "small": ("scheduled",),
        }
        async with pool.connection() as conn:
            await conn.set_autocommit(True)
            await conn.execute("VACUUM procrastinate_jobs")


async def test_a_backlog_too_large_to_count_is_estimated_and_marked(
    large, any_table_is_large, monkeypatch
):
    monkeypatch.setattr(counts, "FROM_INDEX", counts.Limits(10_000, ready=3_000, ahead=2_000))
    report, found = await ask(large)
    assert report.estimated["small"] == ("scheduled",)
    assert report.estimated["mid"] == ("cancelled", "ready", "succeeded")
    assert found["small", "scheduled"] == pytest.approx(GROUPS["small", "scheduled"], rel=0.1)
    assert found["mid", "ready"] == pytest.approx(GROUPS["mid", "ready"], rel=0.1)
    assert found["small", "ready"] == GROUPS["small", "ready"]
    assert found["mid", "scheduled"] == GROUPS["mid", "scheduled"]
    assert found["big", "doing"] == GROUPS["big", "doing"]
    page = render_text(report, width=200)
    both = found["mid", "ready"] + GROUPS["small", "ready"]
    assert f"≈{round(both, -1):,} jobs wait" in page

    how = Summing(MaintSettings(), DEFAULT)
    digest = await summarise_now(large, how, queue=None, since=timedelta(days=1))
    assert digest.estimated == report.estimated
    page = render_text(digest, width=200)
    assert page.count("≈") == 4  # mid's ready, small's scheduled, big's failed, and what it means


async def test_without_the_index_on_what_waits_each_waiting_job_is_read(large_url, monkeypatch):
    monkeypatch.setattr(counts, "SMALL_TABLE", 0)
    monkeypatch.setattr(counts, "LARGE_TABLE", 0)
    monkeypatch.setattr(counts, "FROM_INDEX", counts.Limits(10_000, ready=0, ahead=0))
    async with open_pool(large_url, max_size=1) as pool, pool.connection() as conn:
        with_index = await ask(conn)
        await conn.execute("DROP INDEX jobs_maint_waiting_idx")
        report, found = await ask(conn)
        await conn.rollback()
    assert "ready" in with_index[0].estimated["mid"]
    assert report.estimated["mid"] == ("cancelled", "succeeded")
    assert "small" not in report.estimated
    for queue, kind in GROUPS:
        if kind in counts.WAITING:
            assert found[queue, kind] == GROUPS[queue, kind]


async def test_a_reader_sees_which_numbers_are_estimates(large, any_table_is_large):
    report, found = await ask(large)
    page = render_text(report, width=200)
    assert f"≈{found['big', 'succeeded']:,}" in page
    assert "9,999" in page
    assert "≈9,999" not in page
    assert build_data(report)["estimated"] == {
        "big": ["failed", "succeeded"],
        "mid": ["cancelled", "succeeded"],
    }
