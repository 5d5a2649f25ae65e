"""A row that the database refuses to change: it is named, and all others are changed."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from tests.support.history import days

from jobs_maint import actions
from jobs_maint.actions import Actor, BulkVerb, JobFilter
from jobs_maint.database import fetch_one, transaction
from jobs_maint.errors import DatabaseUnavailable, SchemaMismatch
from jobs_maint.operations.bad_rows import change_rows
from jobs_maint.operations.purge import batches as purge_batches
from jobs_maint.operations.sets import batches as set_batches
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

NIGHT = Actor.task("jobs_maint:purge_finished_jobs")
ANA = Actor.shell("ana", "host")

KEYS = {
    "a foreign key": "REFERENCES procrastinate_jobs",
    "a foreign key that restricts": "REFERENCES procrastinate_jobs ON DELETE RESTRICT",
    "a deferred foreign key": "REFERENCES procrastinate_jobs DEFERRABLE INITIALLY DEFERRED",
    "a column that may not be empty": "NOT NULL REFERENCES procrastinate_jobs ON DELETE SET NULL",
}
RAISES = """
    CREATE FUNCTION keep_paid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF {row}.args ->> 'paid' = 'yes' {old} THEN
            RAISE EXCEPTION 'job % is paid, password=hunter22', {row}.id {code};
        END IF;
        RETURN {row};
    END $$;
    CREATE {kind}TRIGGER keep_paid {when} ON procrastinate_jobs {deferred}
        FOR EACH ROW EXECUTE FUNCTION keep_paid()"""


def trigger(event, *, deferred=False, old="", code=""):
    return RAISES.format(
        row="OLD" if event == "DELETE" else "NEW",
        old=old,
        code=code,
        kind="CONSTRAINT " if deferred else "",
        when=f"AFTER {event}" if deferred else f"BEFORE {event}",
        deferred="DEFERRABLE INITIALLY DEFERRED" if deferred else "",
    )


async def do(pool, action, actor=ANA):
    return await perform(pool, actor, action, settings=MaintSettings())


async def make_set(make_job, status, bad, good, **options):
    """Good jobs on both sides of the bad ones, which the triggers know by their arguments."""
    made = [
        await make_job(status=status, args={"paid": "yes"} if number % 3 == 1 else {}, **options)
        for number in range(bad + good)
    ]
    paid = made[1::3]
    assert len(paid) == bad
    return paid, [job_id for job_id in made if job_id not in paid]


async def list_ids(conn):
    return [
        row[0] for row in await (await conn.execute("SELECT id FROM procrastinate_jobs")).fetchall()
    ]


@pytest.mark.parametrize("key", KEYS)
async def test_the_purge_deletes_all_but_what_a_key_of_the_team_holds(pool, make_job, conn, key):
    held, others = await make_set(make_job, "succeeded", 3, 6, finished_ago=days(40))
    await conn.execute(f"CREATE TABLE invoices (job_id bigint {KEYS[key]})")
    for job_id in held:
        await conn.execute("INSERT INTO invoices VALUES (%s)", (job_id,))
    await conn.execute("INSERT INTO jobs_maint_requests VALUES ('old', now() - interval '9 days')")
    for _ in range(2):  # the same each night
        report = await do(pool, actions.PurgeFinished(), NIGHT)
        assert sorted(await list_ids(conn)) == held
        (group,) = report.refused
        assert (report.finished, report.kept, group.sample) == (True, 3, tuple(held))
        assert "public.invoices" in group.reason
        assert "ON DELETE CASCADE" in group.reason
    rows = await conn.execute(
        "SELECT outcome, counts FROM jobs_maint_audit WHERE word = 'purge' ORDER BY id"
    )
    assert [row async for row in rows] == [
        ("partly", {"succeeded": len(others), "refused": 3, "jobs_maint_requests": 1}),
        ("partly", {"refused": 3}),
    ]


@pytest.mark.parametrize("code", ["", "USING ERRCODE = '55000'", "USING ERRCODE = 'AB123'"])
@pytest.mark.parametrize("deferred", [False, True])
async def test_the_purge_deletes_all_but_what_a_trigger_refuses(
    pool, make_job, conn, deferred, code
):
    held, others = await make_set(make_job, "failed", 4, 9, finished_ago=days(100))
    await conn.execute(trigger("DELETE", deferred=deferred, code=code))
    report = await do(pool, actions.PurgeFinished(), NIGHT)
    assert sorted(await list_ids(conn)) == held
    assert (report.deleted, report.kept) == ({"failed": len(others)}, 4)
    assert all("keep_paid()" in group.reason for group in report.refused)
    assert "hunter22" not in str(report.refused)


async def test_each_row_is_tried_few_times_where_a_trigger_refuses_many(pool, conn):
    """A sequence counts the tries, as those that are undone count too."""
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'default', 'app.task', 'succeeded' FROM generate_series(1, 600);"
        "INSERT INTO procrastinate_events (job_id, type, at)"
        " SELECT id, 'succeeded', now() - interval '40 days' FROM procrastinate_jobs;"
        "UPDATE procrastinate_events SET at = now() - interval '40 days';"
        "CREATE SEQUENCE tries;"
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM nextval('tries');"
        " IF old.id % 3 = 0 THEN RAISE 'job % of % is kept', old.id, old.id % 2; END IF;"
        " RETURN old; END $$;"
        "CREATE TRIGGER keep BEFORE DELETE ON procrastinate_jobs"
        " FOR EACH ROW EXECUTE FUNCTION keep()"
    )
    report = await do(pool, actions.PurgeFinished(), NIGHT)
    assert (report.total, report.kept) == (400, 200)
    assert [(group.count, "function keep() refuses it" in group.reason)
            for group in report.refused] == [(200, True)]  # fmt: skip
    (tries,) = await (await conn.execute("SELECT last_value FROM tries")).fetchone()
    assert tries < 2 * 600


async def test_two_thousand_held_jobs_keep_none_of_a_thousand_others(pool, make_job, conn):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'default', 'app.task', 'succeeded' FROM generate_series(1, 3000)"
    )
    await conn.execute("UPDATE procrastinate_events SET at = at - interval '40 days'")
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at)"
        " SELECT id, 'succeeded', now() - interval '40 days' FROM procrastinate_jobs"
    )
    await conn.execute(
        "CREATE TABLE invoices AS SELECT id AS job_id FROM procrastinate_jobs WHERE id % 3 <> 0"
    )
    await conn.execute(
        "CREATE INDEX ON invoices (job_id);"
        "ALTER TABLE invoices ADD FOREIGN KEY (job_id) REFERENCES procrastinate_jobs"
    )
    report = await do(pool, actions.PurgeFinished(), NIGHT)
    assert (report.total, report.kept) == (1_000, 2_000)


async def test_a_status_that_cannot_be_purged_at_all_stops_neither_the_others_nor_the_trimming(
    pool, make_job, conn
):
    for status in ("failed", "succeeded", "cancelled"):
        await make_job(status=status, finished_ago=days(100))
    await conn.execute(
        "CREATE FUNCTION procrastinate_stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF OLD.status = 'succeeded' THEN RAISE EXCEPTION 'no' USING ERRCODE = '53100'; END IF;"
        " RETURN OLD; END $$;"
        "CREATE TRIGGER stop BEFORE DELETE ON procrastinate_jobs"
        " FOR EACH ROW EXECUTE FUNCTION procrastinate_stop()"
    )
    await conn.execute("INSERT INTO jobs_maint_requests VALUES ('old', now() - interval '9 days')")
    with pytest.raises(DatabaseUnavailable, match="disk"):
        await do(pool, actions.PurgeFinished(), NIGHT)
    assert len(await list_ids(conn)) == 1
    rows = await conn.execute("SELECT count(*) FROM jobs_maint_requests")
    assert await rows.fetchone() == (0,)


SETS = [
    (BulkVerb.RETRY, "failed", "todo", "NEW.status = 'todo'"),
    (BulkVerb.CANCEL, "todo", "cancelled", "NEW.status = 'cancelled'"),
    (BulkVerb.DISCARD, "failed", "cancelled", "NEW.status = 'cancelled'"),
]
NAMED = {
    BulkVerb.RETRY: actions.RetryJobs,
    BulkVerb.CANCEL: actions.CancelJobs,
    BulkVerb.DISCARD: actions.DiscardJobs,
}


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize(("verb", "status", "becomes", "when"), SETS)
async def test_a_set_is_changed_but_for_the_rows_that_a_trigger_refuses(
    pool, make_job, conn, verb, status, becomes, when, deferred
):
    held, others = await make_set(make_job, status, 3, 6, queue="bills")
    await conn.execute(trigger("UPDATE", deferred=deferred, old=f"AND {when}"))
    shown = await do(pool, actions.PreviewBulk(verb, JobFilter(queue="bills", statuses=(status,))))
    report = await do(pool, actions.ConfirmSelection(shown.key))
    assert (report.done, sum(group.count for group in report.failures)) == (6, 3)
    assert all("keep_paid()" in group.reason for group in report.failures)
    assert {await make_job.status(job_id) for job_id in others} == {becomes}
    assert {await make_job.status(job_id) for job_id in held} == {status}
    one = await do(pool, NAMED[verb]((held[0],)))
    assert (one.items[0].outcome, one.items[0].code) == ("failed", "error")
    events = [await make_job.events(job_id) for job_id in (held[0], others[0])]
    assert events[0][-1] == {"todo": "deferred", "failed": "failed"}[status]
    assert events[1][-1] == {"todo": "retried", "cancelled": "cancelled"}[becomes]


@pytest.mark.parametrize(
    ("verb", "status"), [*(case[:2] for case in SETS), (BulkVerb.CANCEL, "doing")]
)
async def test_a_row_that_a_trigger_silently_keeps_is_told_as_not_changed(
    pool, make_job, conn, verb, status
):
    job_id = await make_job(status=status)
    await conn.execute(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER keep BEFORE UPDATE ON procrastinate_jobs"
        " FOR EACH ROW EXECUTE FUNCTION keep()"
    )
    report = await do(pool, NAMED[verb]((job_id,)))
    assert report.items[0].code == "error"
    assert "trigger" in report.items[0].reason


async def test_what_a_trigger_keeps_from_the_purge_and_the_rescue_is_told(pool, make_job, conn):
    kept = [await make_job(status="succeeded", finished_ago=days(40)) for _ in range(2)]
    stuck = await make_job(status="doing")
    await conn.execute(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON procrastinate_jobs"
        f" FOR EACH ROW WHEN (OLD.id IN ({kept[0]}, {stuck})) EXECUTE FUNCTION keep()"
    )
    report = await do(pool, actions.PurgeFinished(), NIGHT)
    assert report.deleted == {"succeeded": 1}
    [group] = report.refused
    assert (group.count, group.sample) == (1, (kept[0],))
    assert "a trigger of procrastinate_jobs kept it as it was" in group.reason
    assert await list_ids(conn) == [kept[0], stuck]
    shown = await do(pool, actions.PreviewRescue((stuck,), force=True))
    report = await do(pool, actions.ConfirmSelection(shown.key))
    assert "a trigger of procrastinate_jobs kept it as it was" in report.failures[0].reason


async def test_a_unique_index_of_the_team_is_no_queueing_lock(pool, make_job, conn):
    await make_job(status="todo", queue="one-at-a-time")
    job_id = await make_job(status="failed", queue="one-at-a-time")
    await conn.execute(
        "CREATE UNIQUE INDEX only_one ON procrastinate_jobs (queue_name) WHERE status = 'todo'"
    )
    report = await do(pool, actions.RetryJobs((job_id,)))
    assert (report.items[0].outcome, report.items[0].code) == ("failed", "error")
    assert "only_one" in report.items[0].reason


@pytest.mark.parametrize("deferred", [False, True])
async def test_the_rescue_puts_back_all_but_what_a_trigger_refuses(pool, make_job, conn, deferred):
    held, others = await make_set(make_job, "doing", 1, 2, deferred_ago=days(1))
    await conn.execute(trigger("UPDATE", deferred=deferred, old="AND NEW.status = 'todo'"))
    await do(pool, actions.RescueStalled())
    await conn.execute("UPDATE jobs_maint_suspects SET first_noticed_at = now() - interval '1 d'")
    report = await do(pool, actions.RescueStalled())
    codes = {item.job_id: item.code for item in report.items}
    assert codes == {held[0]: "error", **dict.fromkeys(others, "put_back")}


async def test_a_row_that_another_session_holds_is_left_and_the_rest_of_the_set_done(
    pool, make_job, conn, database_url
):
    jobs = [await make_job(status="failed") for _ in range(3)]
    shown = await do(pool, actions.PreviewBulk(BulkVerb.RETRY, JobFilter(statuses=("failed",))))
    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("SELECT FROM procrastinate_jobs WHERE id = ANY (%s) FOR UPDATE",
                             (jobs[1:],))  # fmt: skip
        report = await do(pool, actions.ConfirmSelection(shown.key))
        pid = holder.info.backend_pid
    (group,) = report.skips
    assert (report.done, group.code, group.sample) == (1, "held", tuple(jobs[1:]))
    named = f"another session holds their rows (process {pid} ("
    assert group.say_skipped().startswith(named)
    assert [await make_job.status(job_id) for job_id in jobs] == ["todo", "failed", "failed"]


async def test_a_row_of_the_team_that_another_session_holds_keeps_its_job_and_no_other(
    pool, make_job, conn, database_url
):
    """What refers to a job is changed with it: a reader's lock on that row stops this job only."""
    jobs = [await make_job(status="succeeded", finished_ago=days(60)) for _ in range(30)]
    await conn.execute(
        "CREATE TABLE orders (job_id bigint REFERENCES procrastinate_jobs ON DELETE SET NULL)"
    )
    await conn.execute("INSERT INTO orders SELECT unnest(%s::bigint[])", (jobs,))
    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("SELECT FROM orders WHERE job_id = %s FOR UPDATE", (jobs[7],))
        report = await do(pool, actions.PurgeFinished(), NIGHT)
        assert await list_ids(conn) == [jobs[7]]
        (group,) = report.refused
        assert (report.total, group.count, group.sample) == (29, 1, (jobs[7],))
        assert f"holds what it needs (process {holder.info.backend_pid} (" in group.reason
    assert (await do(pool, actions.PurgeFinished(), NIGHT)).total == 1


@pytest.mark.parametrize("code", ["40001", "40P01", "55P03"])
async def test_a_trigger_that_gives_up_a_race_for_one_row_stops_that_row_only(
    pool, make_job, conn, code
):
    held, others = await make_set(make_job, "succeeded", 1, 2, finished_ago=days(60))
    failed, free = await make_set(make_job, "failed", 1, 2)
    await conn.execute(trigger("DELETE", code=f"USING ERRCODE = '{code}'"))
    report = await do(pool, actions.PurgeFinished(), NIGHT)
    assert (report.total, report.refused[0].sample) == (len(others), tuple(held))
    await conn.execute("DROP FUNCTION keep_paid CASCADE")
    await conn.execute(trigger("UPDATE", code=f"USING ERRCODE = '{code}'"))
    filters = JobFilter(statuses=("failed",))
    shown = await do(pool, actions.PreviewBulk(BulkVerb.RETRY, filters))
    report = await do(pool, actions.ConfirmSelection(shown.key))
    assert (report.done, report.failures[0].sample) == (2, tuple(failed))
    assert {await make_job.status(job_id) for job_id in free} == {"todo"}


async def test_only_the_first_lock_is_waited_for_long_whatever_race_came_before(pool):
    waits, fails = [], iter(["40P01", "55P03", "55P03"])

    async def change(part):
        waits.append((await fetch_one(conn, "SHOW lock_timeout"))["lock_timeout"])
        if code := next(fails, None):
            await conn.execute(f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$")
        return [{"id": row} for row in part]

    async with pool.connection() as conn, transaction(conn):
        done, refused = await change_rows(conn, [1, 2, 3, 4], change)
        after = (await fetch_one(conn, "SHOW lock_timeout"))["lock_timeout"]
    assert (len(done), refused) == (4, {})
    assert waits[:3] == ["5s", "5s", "100ms"]
    assert set(waits[3:]) == {"100ms"}
    assert after == "5s"


async def test_where_no_row_at_all_is_free_the_act_says_so_and_ends_soon(pool, make_job, conn):
    for _ in range(300):
        await make_job(status="succeeded", args={"paid": "yes"}, finished_ago=days(60))
    await conn.execute(trigger("DELETE", code="USING ERRCODE = '55P03'"))
    with pytest.raises(DatabaseUnavailable, match="held these rows or tables"):
        await do(pool, actions.PurgeFinished(), NIGHT)


async def test_where_each_row_is_slow_the_batches_become_small_enough(
    pool, make_job, conn, monkeypatch
):
    """A trigger of the team, or a key without an index, that costs more than a batch may take."""
    monkeypatch.setattr(purge_batches, "SLOW_BATCH", timedelta(seconds=0.3))
    monkeypatch.setattr(set_batches, "SLOW_BATCH", timedelta(seconds=0.3))
    await conn.execute(
        "CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM pg_sleep(0.02); RETURN coalesce(NEW, OLD); END $$"
    )
    await conn.execute(
        "CREATE TRIGGER be_slow BEFORE UPDATE OR DELETE ON procrastinate_jobs"
        " FOR EACH ROW EXECUTE FUNCTION be_slow()"
    )
    failed = [await make_job(status="failed") for _ in range(30)]
    for _ in range(30):
        await make_job(status="succeeded", finished_ago=days(60))
    filters = JobFilter(statuses=("failed",))
    shown = await do(pool, actions.PreviewBulk(BulkVerb.RETRY, filters))
    report = await do(pool, actions.ConfirmSelection(shown.key))
    assert (report.done, report.requested) == (30, 30)
    assert {await make_job.status(job_id) for job_id in failed} == {"todo"}
    assert (await do(pool, actions.PurgeFinished(), NIGHT)).total == 30


async def test_a_missing_right_is_no_bad_row(pool, make_job, conn):
    job_id = await make_job(status="cancelled")
    await conn.execute("ALTER TABLE procrastinate_events RENAME TO elsewhere")
    with pytest.raises(SchemaMismatch, match="procrastinate_events"):
        await do(pool, actions.RetryJobs((job_id,)))
