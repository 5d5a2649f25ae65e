"""Functions and policies of the team that refuse rows: by whatever code, in whatever number."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg
import pytest
from tests.support.history import days

from jobs_maint import actions
from jobs_maint.actions import Actor, BulkVerb, JobFilter
from jobs_maint.database import open_pool
from jobs_maint.errors import ChangeRefused, DatabaseUnavailable
from jobs_maint.operations import bad_rows
from jobs_maint.operations.purge import batches as purges
from jobs_maint.operations.sets import batches as sets
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

NIGHT = Actor.task("jobs_maint:purge_finished_jobs")
ANA = Actor.shell("ana", "host")
VERBS = {BulkVerb.RETRY: "failed", BulkVerb.CANCEL: "todo", BulkVerb.DISCARD: "failed"}


async def do(pool, action, actor=ANA):
    return await perform(pool, actor, action, settings=MaintSettings())


async def fail(conn, event, code, which="true", first=""):
    """A trigger that raises this code for these rows, as a function does that asks elsewhere."""
    await conn.execute(
        "CREATE OR REPLACE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" {first} RAISE 'the archive is down' USING ERRCODE = '{code}'; END $$;"
        f"CREATE TRIGGER copy_{event} AFTER {event} ON procrastinate_jobs"
        f" FOR EACH ROW WHEN ({which}) EXECUTE FUNCTION copy()"
    )


@pytest.mark.parametrize("code", ["08001", "57014", "57P01", "53100", "25006", "25P02", "40003"])
async def test_what_a_function_raises_stops_its_row_only(pool, make_job, conn, code):
    old = [await make_job(status="succeeded", finished_ago=days(60)) for _ in range(9)]
    await fail(conn, "DELETE", code, f"OLD.id = {old[4]}")
    report = await do(pool, actions.PurgeFinished(), NIGHT)
    [group] = report.refused
    assert (report.total, group.count, group.sample) == (8, 1, (old[4],))
    assert "the database function copy() refuses it (the archive is down);" in group.reason
    await conn.execute("DROP TRIGGER copy_delete ON procrastinate_jobs")
    for verb, status in VERBS.items():
        jobs = [await make_job(status=status, queue=verb) for _ in range(3)]
        await fail(conn, "UPDATE", code, f"OLD.id = {jobs[1]}")
        filters = JobFilter(queue=verb, statuses=(status,))
        shown = await do(pool, actions.PreviewBulk(verb, filters))
        done = await do(pool, actions.ConfirmSelection(shown.key))
        assert (done.done, [group.sample for group in done.failures]) == (2, [(jobs[1],)])
        assert "copy()" in done.failures[0].reason
        await conn.execute("DROP TRIGGER copy_update ON procrastinate_jobs")


async def test_where_all_fail_the_function_is_named_and_not_our_connection(pool, make_job, conn):
    await make_job(status="succeeded", finished_ago=days(60))
    job = await make_job(status="failed")
    for event in ("DELETE", "UPDATE"):
        await fail(conn, event, "08001")
    report = await do(pool, actions.PurgeFinished(), NIGHT)
    assert (report.total, report.kept) == (0, 1)
    assert "copy()" in report.refused[0].reason
    retried = await do(pool, actions.RetryJobs((job,)))
    assert "copy()" in retried.items[0].reason
    await conn.execute(
        "CREATE TRIGGER copy BEFORE INSERT ON jobs_maint_audit FOR EACH ROW EXECUTE FUNCTION copy()"
    )
    with pytest.raises(ChangeRefused, match=r"function copy\(\) refuses it \(the archive is down"):
        await do(pool, actions.RetryJobs((job,)))
    await conn.execute(
        "CREATE OR REPLACE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE 'no answer from postgresql://app:hunter22@archive/jobs'; END $$"
    )
    with pytest.raises(
        ChangeRefused, match=r"\(no answer from postgresql://\[redacted\]@archive/jobs\)"
    ):
        await do(pool, actions.RetryJobs((job,)))


async def test_failures_that_each_take_long_are_tried_for_a_bounded_time(
    pool, make_job, conn, monkeypatch
):
    monkeypatch.setattr(bad_rows, "MOST_SECONDS", 1.0)
    for _ in range(64):
        await make_job(status="succeeded", finished_ago=days(60))
    await fail(conn, "DELETE", "08001", "OLD.id % 4 = 0", "PERFORM pg_sleep(0.2);")
    report = await do(pool, actions.PurgeFinished(), NIGHT)
    assert report.total + report.kept == 64
    assert report.kept >= 16
    assert any("some of them were not tried" in group.reason for group in report.refused)


async def test_a_failure_that_takes_long_leaves_no_other_row_untried(
    pool, make_job, conn, monkeypatch
):
    monkeypatch.setattr(bad_rows, "MOST_SECONDS", 2.0)
    old = [await make_job(status="succeeded", finished_ago=days(60)) for _ in range(64)]
    # Halves would wait for it seven times.
    await fail(conn, "DELETE", "08001", f"OLD.id = {old[40]}", "PERFORM pg_sleep(0.4);")
    report = await do(pool, actions.PurgeFinished(), NIGHT)
    [group] = report.refused
    assert (report.total, group.sample) == (63, (old[40],))
    assert "not tried" not in group.reason


async def test_a_function_that_does_not_end_for_one_row_stops_that_row_only(
    pool, make_job, conn, monkeypatch
):
    for module in (sets, purges):
        monkeypatch.setattr(module, "SLOW_BATCH", timedelta(seconds=1))
        monkeypatch.setattr(module, "STATEMENT_TIMEOUT", timedelta(seconds=1))
    old = [await make_job(status="succeeded", finished_ago=days(60)) for _ in range(30)]
    jobs = [await make_job(status="failed") for _ in range(30)]
    for event, job in (("DELETE", old[17]), ("UPDATE", jobs[17])):
        await fail(conn, event, "08001", f"OLD.id = {job}", "PERFORM pg_sleep(600);")
    slow = "the database function copy() did not end within 1 s; see to what it waits for"
    report = await do(pool, actions.PurgeFinished(), NIGHT)
    [group] = report.refused
    assert (report.total, group.sample, group.reason.startswith(slow)) == (29, (old[17],), True)
    shown = await do(pool, actions.PreviewBulk(BulkVerb.RETRY, JobFilter(statuses=("failed",))))
    done = await do(pool, actions.ConfirmSelection(shown.key))
    [group] = done.failures
    assert (done.done, group.sample, group.reason.startswith(slow)) == (29, (jobs[17],), True)
    kept = await conn.execute("SELECT job_ids FROM jobs_maint_audit_items WHERE outcome = 'failed'")
    assert await kept.fetchall() == [([jobs[17]],)]


async def test_where_no_row_ends_in_time_the_set_ends(pool, make_job, conn, monkeypatch):
    monkeypatch.setattr(sets, "SLOW_BATCH", timedelta(seconds=1))
    monkeypatch.setattr(sets, "STATEMENT_TIMEOUT", timedelta(seconds=1))
    for _ in range(6):
        await make_job(status="failed")
    await fail(conn, "UPDATE", "08001", first="PERFORM pg_sleep(600);")
    shown = await do(pool, actions.PreviewBulk(BulkVerb.RETRY, JobFilter(statuses=("failed",))))
    with pytest.raises(DatabaseUnavailable, match="took longer than 1 s"):
        await do(pool, actions.ConfirmSelection(shown.key))


async def test_keys_that_differ_in_a_number_are_told_apart(pool, make_job, conn):
    held = {}
    for number in range(1, 13):
        await conn.execute(
            f"CREATE TABLE t{number} (job_id bigint CONSTRAINT k{number} REFERENCES"
            " procrastinate_jobs)"
        )
        held[number] = [await make_job(status="succeeded", finished_ago=days(60))] * (number > 0)
        await conn.execute(f"INSERT INTO t{number} VALUES (%s)", held[number])
    report = await do(pool, actions.PurgeFinished(), NIGHT)
    assert report.kept == 12
    told = {group.sample[0]: group.reason for group in report.refused if group.count == 1}
    assert len(told) == 10
    for number, [job] in held.items():
        assert job not in told or f"key k{number} of table public.t{number} " in told[job]
    [rest] = [group for group in report.refused if group.count == 2]
    assert rest.reason == "the database refused, for other reasons"


async def test_of_many_kinds_that_triggers_raise_the_further_ones_are_a_group_of_their_own(
    pool, make_job, conn
):
    jobs = [await make_job(status="succeeded", finished_ago=days(60)) for _ in range(26)]
    for job, kind in zip(jobs, "abcdefghijklmnopqrstuvwxyz", strict=True):
        await conn.execute(
            f"CREATE FUNCTION keep_{kind}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE 'kept'; END $$;"
            f"CREATE TRIGGER keep_{kind} BEFORE DELETE ON procrastinate_jobs"
            f" FOR EACH ROW WHEN (OLD.id = {job}) EXECUTE FUNCTION keep_{kind}()"
        )
    report = await do(pool, actions.PurgeFinished(), NIGHT)
    counts = sorted(group.count for group in report.refused)
    assert (report.kept, counts) == (26, [1] * 10 + [16])
    for group in report.refused:
        kind = "abcdefghijklmnopqrstuvwxyz"[jobs.index(group.sample[0])]
        assert group.count == 16 or f"keep_{kind}()" in group.reason


@asynccontextmanager
async def guarded_by(conn, database_url, policies):
    """A pool of a role that sees all jobs, and changes those that the policies let it."""
    role = f"guarded_{os.getpid()}"
    await conn.execute(
        f"CREATE ROLE {role} LOGIN;"
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};"
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role};"
        "ALTER TABLE procrastinate_jobs ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY look ON procrastinate_jobs FOR SELECT USING (true); {policies}"
    )
    try:
        async with open_pool(database_url.replace("postgres@", f"{role}@")) as guarded:
            yield guarded
    finally:
        await conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_what_row_level_security_keeps_is_told(make_job, conn, database_url):
    old = [await make_job(status="succeeded", finished_ago=days(60)) for _ in range(6)]
    jobs = {verb: await make_job(status=status) for verb, status in VERBS.items()}
    policy = f"CREATE POLICY let_go ON procrastinate_jobs FOR DELETE USING (id <> {old[2]})"
    async with guarded_by(conn, database_url, policy) as guarded:
        report = await do(guarded, actions.PurgeFinished(), NIGHT)
        [group] = report.refused
        assert (report.total, group.count, group.sample) == (5, 1, (old[2],))
        assert group.reason.startswith("a row-level security policy or a trigger of")
        named = (actions.RetryJobs, actions.CancelJobs, actions.DiscardJobs)
        for (verb, job), act in zip(jobs.items(), named, strict=True):
            [item] = (await do(guarded, act((job,)))).items
            assert (item.code, item.reason) == ("error", group.reason), verb
            filters = JobFilter(statuses=(VERBS[verb],))
            shown = await do(guarded, actions.PreviewBulk(verb, filters))
            done = await do(guarded, actions.ConfirmSelection(shown.key))
            assert (done.done, done.skips) == (0, ())
            assert done.failures[0].reason == group.reason
        # Where what would be written is forbidden, the server refuses the whole statement.
        await conn.execute(
            "CREATE POLICY change ON procrastinate_jobs FOR UPDATE USING (true)"
            " WITH CHECK (status <> 'todo')"
        )
        [item] = (await do(guarded, actions.RetryJobs((jobs[BulkVerb.RETRY],)))).items
        forbidden = 'new row violates row-level security policy for table "procrastinate_jobs"'
        assert (item.code, forbidden in item.reason) == ("error", True)
        filters = JobFilter(statuses=("failed",))
        shown = await do(guarded, actions.PreviewBulk(BulkVerb.RETRY, filters))
        done = await do(guarded, actions.ConfirmSelection(shown.key))
        assert (done.done, forbidden in done.failures[0].reason) == (0, True)
        await conn.execute("DROP POLICY change ON procrastinate_jobs")
        # A trigger of the team makes each batch look at its rows one by one.
        await conn.execute(
            "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN OLD; END';"
            "CREATE TRIGGER pass BEFORE DELETE ON procrastinate_jobs"
            " FOR EACH ROW EXECUTE FUNCTION pass()"
        )
        report = await do(guarded, actions.PurgeFinished(), NIGHT)
        assert [one.reason for one in report.refused] == [group.reason]


async def test_a_row_that_others_hold_is_not_told_as_one_that_a_policy_keeps(
    make_job, conn, database_url
):
    """Several share its lock, or one took it in a savepoint: no view knows what is on the row."""
    kinds = (
        ("failed", {}),
        ("succeeded", {"finished_ago": days(60)}),
        ("doing", {"deferred_ago": days(1)}),
    )
    made = [[await make_job(status=status, **more) for _ in range(4)] for status, more in kinds]
    free, kept, shared, saved = zip(*made, strict=True)
    held = [[shared[n], saved[n]] for n in range(3)]
    kept_ids = ", ".join(map(str, kept))
    policies = "".join(
        f"CREATE POLICY p_{event} ON procrastinate_jobs FOR {event} USING (id NOT IN ({kept_ids}));"
        for event in ("UPDATE", "DELETE")
    )
    lock = "SELECT FROM procrastinate_jobs WHERE id = ANY (%s) FOR"
    async with (
        guarded_by(conn, database_url, policies) as guarded,
        await psycopg.AsyncConnection.connect(database_url) as one,
        await psycopg.AsyncConnection.connect(database_url) as other,
    ):
        await do(guarded, actions.RescueStalled())
        await conn.execute(
            "UPDATE jobs_maint_suspects SET first_noticed_at = now() - interval '1 d'"
        )
        await one.execute(f"{lock} KEY SHARE", (list(shared),))
        await other.execute(f"{lock} SHARE", (list(shared),))
        await one.execute("SAVEPOINT a")
        await one.execute(f"{lock} UPDATE", (list(saved),))
        await one.execute("RELEASE a")
        shown = await do(
            guarded, actions.PreviewBulk(BulkVerb.RETRY, JobFilter(statuses=("failed",)))
        )
        done = await do(guarded, actions.ConfirmSelection(shown.key))
        purged = await do(guarded, actions.PurgeFinished(), NIGHT)
        rescued = await do(guarded, actions.RescueStalled())
    policy = "a row-level security policy or a trigger of"
    assert done.done == 1
    assert [(group.code, group.sample) for group in done.skips] == [("held", tuple(held[0]))]
    assert [group.sample for group in done.failures] == [(kept[0],)]
    assert done.failures[0].reason.startswith(policy)
    assert purged.total == 1
    reasons = {group.sample: group.reason for group in purged.refused}
    assert reasons.keys() == {(kept[1],), tuple(held[1])}
    assert reasons[(kept[1],)].startswith(policy)
    assert reasons[tuple(held[1])].startswith("another session holds their rows")
    codes = {item.job_id: item.code for item in rescued.items}
    assert (codes, rescued.held) == ({free[2]: "put_back", kept[2]: "error"}, tuple(held[2]))


async def test_a_job_that_a_policy_keeps_is_told_as_ended_where_it_has(
    make_job, conn, database_url
):
    ended = await make_job(status="succeeded")
    policy = "CREATE POLICY none ON procrastinate_jobs FOR UPDATE USING (false)"
    async with guarded_by(conn, database_url, policy) as guarded:
        for act in (actions.RetryJobs, actions.CancelJobs, actions.DiscardJobs):
            [item] = (await do(guarded, act((ended,)))).items
            assert (item.code, "succeeded" in item.reason) == ("wrong_status", True)
