"""The hot queries on a table large enough to matter: which index each uses, how much it reads."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from importlib import resources

import psycopg
import pytest
from benchmarks.server import Shape, fill
from psycopg.rows import dict_row
from tests.support.server import Server

from jobs_maint import upstream
from jobs_maint.database import open_pool, transaction
from jobs_maint.operations.failures.groups import list_errors
from jobs_maint.operations.failures.newest import list_failed_jobs
from jobs_maint.operations.purge import batches as purge
from jobs_maint.operations.purge import bound as bound_module
from jobs_maint.operations.schema.indexes import list_indexes
from jobs_maint.operations.stats.queues import get_stats
from jobs_maint.settings import MaintSettings
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

ROWS = 40_000
PURGE = (resources.files("jobs_maint.sql") / "purge.sql").read_text(encoding="utf-8")
FINAL = ("succeeded", "failed", "cancelled", "aborted")
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
WAITING = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, scheduled_at)
    SELECT 'queue_' || i %% 2, 'app.task', CASE kind WHEN 'due' THEN now() - interval '1 h'
                                                    WHEN 'ahead' THEN now() + interval '1 h' END
    FROM generate_series(1, %s) AS i, unnest(ARRAY['ready', 'due', 'ahead']) AS kind"""


@pytest.fixture(scope="module")
def steady_url(server: Server):
    name = server.create("ours_template")
    with psycopg.connect(server.url(name), autocommit=True, row_factory=dict_row) as conn:
        fill(conn, Shape(ROWS))
        conn.execute("VACUUM ANALYZE")  # else it depends on when the server does it itself
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def steady(steady_url):
    """A connection whose changes are rolled back; the next test reads no dead row of them."""
    with psycopg.connect(steady_url, cursor_factory=psycopg.ClientCursor) as conn:
        conn.execute("SET LOCAL jit = off")
        yield conn
        conn.rollback()
        conn.autocommit = True
        conn.execute("VACUUM")


@pytest.fixture(scope="module")
def backlog_template(server: Server):
    """In each of two queues 10,000 jobs that wait for no time, as many due, and as many ahead.

    The planner knows of a hundredth of them.
    """
    name = server.create("ours_template")
    with psycopg.connect(server.url(name), cursor_factory=psycopg.ClientCursor) as conn:
        conn.execute("ALTER TABLE procrastinate_jobs SET (autovacuum_enabled = off)")
        conn.execute("SET session_replication_role = replica")  # no triggers, thus no events
        conn.execute(WAITING, (200,))
        conn.execute("ANALYZE procrastinate_jobs")
        conn.execute(WAITING, (19_800,))
    yield name
    server.drop(name)


@pytest.fixture(params=["analysed", "fresh"])
def backlog(server: Server, backlog_template, request):
    """A connection to a copy, with new statistics or as it is."""
    name = server.create(backlog_template)
    with psycopg.connect(server.url(name), cursor_factory=psycopg.ClientCursor) as conn:
        if request.param == "analysed":
            conn.execute("ANALYZE procrastinate_jobs")
        yield conn
        conn.rollback()
    server.drop(name)


class Plan:
    def __init__(self, lines):
        self.text = "\n".join(line[0] for line in lines)
        ran = self.text.partition("\nPlanning:")[0]
        found = re.search(r"Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?", ran)
        self.buffers = sum(int(number) for number in found.groups() if number) if found else 0
        self.indexes = set(re.findall(r"(?:using|Scan on) (\w+_(?:idx|pkey|v1)\b)", self.text))
        self.full_scans = re.findall(
            r"Seq Scan on (procrastinate\w+|jobs_maint_failures)", self.text
        )


def explain(conn, topic, name, **params):
    query = load_queries(topic)[name]
    return Plan(conn.execute(f"EXPLAIN (ANALYZE, BUFFERS) {query}", params).fetchall())


def explain_generic(conn, topic, name, **params):
    """The plan that a prepared statement has whatever its parameters are."""
    query = load_queries(topic)[name].rstrip(";").replace("%%", "%")
    for number, param in enumerate(params, 1):
        query = query.replace(f"%({param})s", f"${number}")
    conn.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    conn.execute("DEALLOCATE ALL")
    conn.execute(f"PREPARE it AS {query}".encode(), None)
    values = ", ".join(["%s"] * len(params))
    lines = conn.execute(f"EXPLAIN (ANALYZE, BUFFERS) EXECUTE it ({values})", [*params.values()])
    return Plan(lines.fetchall())


def test_the_counts_are_read_from_the_indexes_alone(steady):
    ended = explain(steady, "stats", "count_ended", queue=None)
    own = explain(steady, "stats", "count_own", queue=None)
    queues = [f"queue_{number}" for number in range(8)]
    waiting = explain(steady, "stats", "count_waiting", queues=queues, ready=None, ahead=None)
    assert "Index Only Scan using jobs_maint_counts_idx" in ended.text
    assert "Index Only Scan using jobs_maint_own_idx" in own.text
    assert waiting.text.count("Index Only Scan using jobs_maint_waiting_idx") == 5
    plans = ended, own, waiting
    assert not any(plan.full_scans for plan in plans)
    pages = steady.execute("SELECT relpages FROM pg_class WHERE relname = 'procrastinate_jobs'")
    assert sum(plan.buffers for plan in plans) < pages.fetchone()[0]


def test_the_traceback_of_a_storm_is_found_by_the_index_of_those_that_are_kept(steady):
    """20,000 failures of one group, of which a hundred keep their traceback."""
    steady.execute("INSERT INTO jobs_maint_tracebacks (hash, body) VALUES ('h', 'trace')")
    steady.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " exception_type, message, traceback_hash, fingerprint, will_retry)"
        " SELECT 9000000 + i, 1, 'queue_1', 't', now() - make_interval(secs => 3000 - i * 0.1),"
        " 'error', 'E', 'm', CASE WHEN i <= 100 THEN 'h'::bytea END, '2:storm', false"
        " FROM generate_series(1, 20000) AS i"
    )
    for refresh in (False, True):
        if refresh:
            steady.execute("ANALYZE jobs_maint_failures")
        for queues in (None, ["queue\\_1"], ["nowhere"]):
            asked = {"job_id": 9_020_000, "most": 50, "whole": 5, "queues": queues}
            for explain_it in (explain, explain_generic):
                plan = explain_it(steady, "jobs", "list_failures", **asked)
                assert "jobs_maint_failures_kept_idx" in plan.indexes
                assert plan.full_scans == []
                assert plan.buffers < 500


def test_a_backlog_is_counted_up_to_a_limit_and_not_read(backlog):
    limited = {"queues": ["queue_1"], "ready": 1_000, "ahead": 1_000}
    for explain_it in (explain, explain_generic):
        plan = explain_it(backlog, "stats", "count_waiting", **limited)
        assert plan.full_scans == []
        assert sum(map(int, re.findall(r"Heap Fetches: (\d+)", plan.text))) <= 5_003
        assert "Rows Removed by Filter" not in plan.text
    counted = backlog.execute(load_queries("stats")["count_waiting"], limited).fetchone()
    queue, doing, ready, scheduled, first_ready = counted
    assert (queue, doing, scheduled) == ("queue_1", 0, 1_001)
    assert ready == 1_001 + 1_001
    assert len(first_ready) == 2_000


def test_who_waits_behind_jobs_that_were_put_back_is_found_by_halving(backlog):
    for explain_it in (explain, explain_generic):
        plan = explain_it(backlog, "stats", "find_untouched", queues=["queue_1"], ours=OUR_TASKS)
        assert plan.full_scans == []
        assert "Index Only Scan using jobs_maint_waiting_idx" in plan.text
        assert plan.buffers < 500


def test_the_workers_search_for_a_job_takes_no_index_of_ours(backlog):
    """Not even when Procrastinate's own are gone: what it asks for does not say enough."""
    backlog.execute("DROP INDEX procrastinate_jobs_priority_idx_v1")
    backlog.execute("DROP INDEX procrastinate_jobs_id_lock_idx_v1")
    backlog.execute("SET LOCAL enable_seqscan = off")
    for mode in ("force_custom_plan", "force_generic_plan"):
        backlog.execute(f"SET LOCAL plan_cache_mode = {mode}")
        for queues in (None, ["queue_1"]):
            found = backlog.execute(
                "SELECT id FROM procrastinate_fetch_job_v2(%s::varchar[], NULL)", (queues,)
            )
            assert found.fetchone()[0] is not None
    scans = "SELECT pg_stat_get_xact_numscans(%s::regclass)"
    used = {name: backlog.execute(scans, (name,)).fetchone()[0] for name, _ in list_indexes()}
    assert used == dict.fromkeys(used, 0)


def test_a_sample_reads_the_pages_it_names_and_no_other(steady):
    pages = steady.execute("SELECT relpages FROM pg_class WHERE relname = 'procrastinate_jobs'")
    plan = explain(
        steady, "stats", "sample_pages", queue=None, pages=pages.fetchone()[0], sampled=100
    )
    assert "Tid Range Scan on procrastinate_jobs" in plan.text
    assert plan.full_scans == []
    assert plan.buffers < 150


def test_what_ended_lately_is_found_by_the_pages_of_that_time(steady):
    ids = {"after_id": 89 * Shape(ROWS).per_day, "last_id": 2**62}
    times = {"since": NOW - DAY, "until": NOW, "hour_ago": NOW}
    plan = explain(steady, "hours", "count_ended", queue=None, ours=OUR_TASKS, **ids, **times)
    assert "jobs_maint_events_at_idx" in plan.indexes
    assert "Full Join" in plan.text
    assert plan.full_scans == []
    assert plan.buffers < 500


def test_the_failures_of_deleted_jobs_are_found_without_a_look_at_the_others(steady):
    """A record whose job has its event needs nothing else; some jobs are gone."""
    params = {"queue": None, "ours": OUR_TASKS, "since": NOW - DAY, "until": NOW, "hour_ago": NOW}
    steady.execute(
        "DELETE FROM procrastinate_jobs WHERE id IN (SELECT job_id FROM procrastinate_events"
        " WHERE type = 'failed' AND at > %s ORDER BY at LIMIT 5)",
        (NOW - timedelta(hours=12),),
    )
    query = load_queries("hours")["count_gone"]
    assert sum(row[2] for row in steady.execute(query, params).fetchall()) == 5
    plan = explain(steady, "hours", "count_gone", **params)
    assert plan.full_scans == []
    assert plan.buffers < 200


def test_of_many_jobs_that_expire_none_is_looked_at(steady):
    span = {"due": NOW - 80 * DAY, "soon": NOW - 60 * DAY, "queues": None, "tasks": None}
    query = load_queries("digest")["count_expiring"]
    ended, jobs = steady.execute(query, {**span, "ours": OUR_TASKS, "most": 10**6}).fetchone()
    assert ended == jobs > 100
    params = {**span, "ours": OUR_TASKS, "most": jobs - 1}
    assert steady.execute(query, params).fetchone() == (ended, None)
    assert explain(steady, "digest", "count_expiring", **params).buffers < 20


def test_known_tasks_are_those_of_the_newest_jobs_by_the_primary_key(steady):
    plan = explain(steady, "jobs", "list_newest_tasks", most=1_000, queues=["queue\\_1"])
    assert plan.indexes == {"procrastinate_jobs_pkey"}
    assert plan.full_scans == []


def test_the_last_end_of_our_tasks_is_a_few_index_entries_however_often_they_ran(steady):
    plan = explain(steady, "stats", "list_maintenance", queue="maintenance")
    assert plan.full_scans == []
    assert plan.buffers < 500


def test_the_age_of_a_backlog_needs_only_the_ids_that_the_counts_found(steady):
    ready = "SELECT array_agg(id) FROM procrastinate_jobs WHERE status = 'todo'"
    ids = steady.execute(f"{ready} AND scheduled_at IS NULL").fetchone()[0]
    plan = explain(steady, "stats", "find_oldest_ready", ids=ids, ours=OUR_TASKS)
    assert plan.full_scans == []
    assert plan.buffers < 10 * len(ids)


def test_the_newest_failures_cost_the_same_however_many_are_kept(steady):
    plan = explain(
        steady, "failures", "list_newest_failed", queue=None, queues=None, most=30, limit=20
    )
    assert plan.full_scans == []
    assert plan.buffers <= 300


@pytest.mark.parametrize("name", ["list_failed_jobs", "group_failed_jobs", "list_newest_failed"])
def test_each_failed_job_finds_its_error_without_reading_those_of_others(server, name):
    """Also in the first minute of a storm, in tables of which the planner knows nothing yet."""
    number = 20_000
    database = server.create("ours_template")
    with psycopg.connect(server.url(database), cursor_factory=psycopg.ClientCursor) as conn:
        for table in ("procrastinate_jobs", "procrastinate_events", "jobs_maint_failures"):
            conn.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        conn.execute("SET session_replication_role = replica")
        conn.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
            " SELECT 'email', 'app.task', 'failed' FROM generate_series(1, %s)",
            (number,),
        )
        for kind, back in (("started", 2), ("failed", 1)):
            conn.execute(
                "INSERT INTO procrastinate_events (job_id, type, at) SELECT id, %s,"
                " now() - interval '1 min' * %s + interval '1 ms' * id FROM procrastinate_jobs",
                (kind, back),
            )
        conn.execute(
            "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at,"
            " kind, message, fingerprint, will_retry) SELECT id, 1, queue_name, task_name,"
            " now() - interval '100 s' + interval '1 ms' * id, 'error', repeat('m', 200), '2:x',"
            " %s FROM procrastinate_jobs",
            (name == "list_newest_failed",),  # so that each is looked up
        )
        conn.execute("SET LOCAL jit = off")
        more = {"queue": None, "queues": None, "limit": 300}
        if name == "list_newest_failed":
            more["most"] = 300
        else:
            more |= {
                "task": None, "only_queues": None, "only_tasks": None, "records": None,
                "since_seconds": 3600.0, "until": None, "ids": list(range(1, 301)),
            }  # fmt: skip
        if name == "group_failed_jobs":
            more |= {"most_ids": 9, "texts": False, "folded": [], "alike": 50}
            more |= {"aliases": [], "mains": []}
        plan = explain(conn, "failures", name, **more)
    server.drop(database)
    assert "jobs_maint_failures_job_idx" in plan.indexes
    assert plan.buffers < number / 4


@pytest.fixture(scope="module")
def storm(server: Server):
    """3,000 jobs have just failed and as many wait, each with a queueing lock. The planner knows
    of 30,000 older ones alone, as where too few are new for the server to look."""
    name = server.create("ours_template")
    with psycopg.connect(server.url(name), cursor_factory=psycopg.ClientCursor) as conn:
        for table in ("procrastinate_jobs", "procrastinate_events", "jobs_maint_failures"):
            conn.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        conn.execute("SET session_replication_role = replica")
        add = (
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, queueing_lock)"
            " SELECT 'email', 'app.task', %s, %s || n FROM generate_series(%s, %s) AS n"
        )
        tell = (
            "INSERT INTO procrastinate_events (job_id, type, at)"
            " SELECT id, %s, now() - interval '1 min' FROM procrastinate_jobs WHERE status = %s"
        )
        conn.execute(add, ("succeeded", None, 1, 30_000))
        conn.execute(tell, ("succeeded", "succeeded"))
        conn.execute("ANALYZE")
        conn.execute(add, ("failed", "customer-", 1, 3_000))
        conn.execute(add, ("todo", "customer-", 1_001, 4_000))
        for event in ("started", "failed"):
            conn.execute(tell, (event, "failed"))
        conn.execute(
            "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at,"
            " kind, exception_type, message, fingerprint, will_retry)"
            " SELECT id, 1, queue_name, task_name, now() - interval '50 s', 'error', 'Timeout',"
            " 'no answer for ' || id, 'f' || id, false"
            " FROM procrastinate_jobs WHERE status = 'failed'"
        )
        conn.execute("SET jit = off")
        conn.commit()
        yield conn
    server.drop(name)


def count_rows(node):
    """All that the nodes of a plan returned or threw away."""
    rows = sum(node.get(name, 0) for name in node if name.startswith(("Actual Rows", "Rows Rem")))
    return rows * node["Actual Loops"] + sum(map(count_rows, node.get("Plans", ())))


ANY = {"queue": None, "queues": None, "task": None, "only_queues": None, "only_tasks": None}
SPAN = {"since_seconds": 3600.0, "until": None, "records": None}


@pytest.mark.parametrize(
    ("topic", "name", "params"),
    [
        ("failures", "list_failed_jobs", {**ANY, **SPAN, "limit": 300}),
        (
            "failures",
            "group_failed_jobs",
            {**ANY, **SPAN, "limit": 50, "most_ids": 9, "texts": True, "folded": [], "alike": 50,
             "aliases": [], "mains": []},
        ),
        ("failures", "find_newest_failed", {**ANY, **SPAN, "most": 3_000}),
        (
            "failures",
            "find_failed_since",
            {**ANY, "since_seconds": 3600.0, "every": True, "now": True, "most": 3_000},
        ),
        ("failures", "list_newest_failed", {**ANY, "most": 30, "limit": 20}),
        ("jobs", "follow_jobs", {"request": None}),
        ("jobs", "find_taken_locks", {}),
        (
            "digest",
            "count_expiring",
            {"due": NOW - DAY, "soon": NOW + DAY, "most": 10_000, "queues": None, "tasks": None,
             "ours": []},
        ),
    ],
)  # fmt: skip
def test_in_a_storm_no_job_is_compared_with_all_others(storm, topic, name, params):
    ids = [row[0] for row in storm.execute(
        "SELECT id FROM procrastinate_jobs WHERE status = 'failed'").fetchall()]  # fmt: skip
    query = load_queries(topic)[name]
    [(plans,)] = storm.execute(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", {"ids": ids, **params}
    ).fetchall()
    storm.rollback()
    assert count_rows(plans[0]["Plan"]) < 150 * len(ids)


def test_an_undo_reads_the_acts_since_its_request_and_its_own_jobs(steady):
    insert = (
        "WITH act AS (INSERT INTO jobs_maint_audit (actor_kind, actor_id, word, action, outcome)"
        " SELECT 'shell', 'ana', 'cancel', 'cancel --all', 'done' FROM generate_series(1, %s)"
        " RETURNING id)"
        " INSERT INTO jobs_maint_audit_items (audit_id, outcome, code, job_ids)"
        " SELECT id, 'done', 'cancelled', (SELECT array_agg(n) FROM generate_series(1, 100) n)"
        " FROM act"
    )
    steady.execute(insert, (5_000,))
    steady.execute("ANALYZE jobs_maint_audit, jobs_maint_audit_items")
    [(last,)] = steady.execute("SELECT max(id) FROM jobs_maint_audit").fetchall()
    plan = explain(steady, "bulk", "list_request_jobs", request=last - 2)
    assert {"jobs_maint_audit_pkey", "jobs_maint_audit_items_audit_idx"} <= plan.indexes
    assert "Seq Scan" not in plan.text, plan.text
    assert plan.buffers < 1_000


def test_the_number_of_failed_jobs_is_counted_up_to_a_bound(steady):
    failed = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'"
    for most in (100, 10_000):
        params = {"queue": None, "queues": None, "most": most}
        plan = explain(steady, "failures", "count_failed", **params)
        assert plan.full_scans == []
        assert plan.buffers <= 100
        rows = steady.execute(load_queries("failures")["count_failed"], params).fetchone()
        assert rows == (min(steady.execute(failed).fetchone()[0], most + 1), 0)


def test_the_failed_jobs_of_a_few_queues_are_found_without_reading_the_others(steady):
    """The jobs of one queue by the index; where they are many, no more than asked for."""
    asked = {"queues": None, "task": None, "only_tasks": None, "records": None, "ids": None}
    asked["until"] = None
    failed = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'"
    number = steady.execute(f"{failed} AND queue_name LIKE 'queue_3%'").fetchone()[0]
    for most, narrow in (
        (number + 1, {"queue": None, "only_queues": ["queue\\_3%"]}),
        (number + 1, {"queue": "queue_3", "only_queues": None}),
        (50, {"queue": None, "only_queues": None}),
    ):
        params = {**asked, **narrow, "most": most}
        plan = explain(steady, "failures", "find_failed", **params)
        assert plan.full_scans == []
        rows = steady.execute(load_queries("failures")["find_failed"], params).fetchall()
        assert len(rows) == min(number, most)
        assert plan.buffers < 2 * number + 100
        params |= {"most": 50, "since_seconds": None}
        plan = explain(steady, "failures", "find_newest_failed", **params)
        assert plan.full_scans == []
        assert "jobs_maint_failed_events_idx" in plan.indexes


def test_groups_read_two_ranges_by_time(steady):
    params = {
        "since": NOW - 10 * DAY, "until": NOW, "queues": None, "tasks": None, "reach": None,
        "ours": OUR_TASKS, "alike": 50, "limit": 10, "aliases": [], "mains": [],
        "slots": 12, "slot_seconds": 72_000, "slots_end": NOW,
    }  # fmt: skip
    # The few others are looked up one by one in a large table; this one is small enough to be read.
    steady.execute("SET LOCAL enable_seqscan = off")
    plan = explain(steady, "digest", "group_failures", **params)
    assert {"jobs_maint_failed_events_idx", "jobs_maint_failures_failed_at_idx"} <= plan.indexes
    failures = steady.execute(
        "SELECT count(*) FROM procrastinate_events WHERE type = 'failed' AND at > %s",
        (NOW - 20 * DAY,),
    )
    assert plan.buffers < failures.fetchone()[0]


def test_the_memory_of_groups_reads_the_next_failures_alone(steady):
    last = steady.execute("SELECT max(id) FROM jobs_maint_failures").fetchone()[0]
    params = {"last": last, "before": None, "most": 5_000, "most_groups": 500, "ours": []}
    for after, most in ((last - 300, 60), (last, 10)):
        plan = explain(
            steady, "groups", "count_failures", after=after, quiet_seconds=93_600, **params
        )
        assert plan.indexes == {"jobs_maint_failures_pkey"}
        assert plan.full_scans == []
        assert plan.buffers < most


@pytest.mark.parametrize("status", FINAL)
@pytest.mark.parametrize(
    ("look", "query"),
    [
        (explain, "find_batch"),  # never prepared
        (explain, "survey"),
        *itertools.product([explain, explain_generic], ["delete_batch", "list_finished_batch"]),
    ],
)
def test_the_walk_of_a_status_reads_no_kept_row_of_another(steady, status, look, query):
    """Failed jobs of 60 days lie before the bound; none is read, whoever plans the statement."""
    days = 91 if status == "failed" else 31
    bound = Shape(ROWS).per_day // 20 if status == "failed" else 60 * Shape(ROWS).per_day
    params = {
        "after": 0, "bound": bound, "last": bound, "status": status, "cutoff": NOW - days * DAY,
        "limit": 500, "queue": None, "proven": bound, "walked": 0,
    }  # fmt: skip
    names = re.search(rf"name: {query} \((.*)\)", PURGE)[1].split(", ")
    params = {name: params[name] for name in names}
    plan = look(steady, "purge", query, **params)
    assert plan.full_scans == []
    assert "jobs_maint_purgeable_idx" in plan.indexes
    assert plan.buffers < 100


def test_a_batch_deletes_its_rows_by_one_walk_and_looks_at_each_job_by_one_index(steady):
    days = Shape(ROWS).per_day
    params = {"after": 61 * days, "last": 62 * days, "status": "succeeded", "queue": None}
    params["proven"] = 62 * days
    plan = explain(steady, "purge", "delete_batch", cutoff=NOW - 15 * DAY, **params)
    deleted = int(re.search(r"rows=(\d+)[.\d]* loops=1\)\n +Index Cond", plan.text)[1])
    assert deleted > 500
    assert plan.full_scans == []
    assert plan.indexes == {"jobs_maint_purgeable_idx", "procrastinate_events_job_id_fkey_v1"}
    assert plan.buffers < 12 * deleted


def test_the_survey_of_a_cell_looks_at_each_job_by_one_index(steady):
    days = Shape(ROWS).per_day
    params = {"after": 40 * days, "last": 60 * days, "status": "succeeded", "limit": 50_000}
    params["walked"] = 50 * days
    plan = explain(steady, "purge", "survey", cutoff=NOW - 30 * DAY, queue=None, **params)
    assert plan.full_scans == []
    assert plan.indexes == {"jobs_maint_purgeable_idx", "procrastinate_events_job_id_fkey_v1"}
    assert plan.buffers < 6 * 20 * days


@pytest.mark.parametrize("look", [explain, explain_generic])
def test_the_search_for_the_first_young_job_reads_the_events_of_old_ones_by_one_index(steady, look):
    days = Shape(ROWS).per_day
    params = {"after": 40 * days, "bound": 60 * days, "cutoff": NOW - 25 * DAY, "limit": 200_000}
    plan = look(steady, "purge", "find_young", **params)
    assert plan.full_scans == []
    assert plan.indexes == {"procrastinate_events_job_id_fkey_v1"}
    assert plan.buffers < 6 * 20 * days
    last = look(steady, "purge", "find_dated", before=60 * days)
    assert last.indexes == {"procrastinate_events_job_id_fkey_v1"}
    assert last.buffers < 10


@pytest.mark.parametrize("status", FINAL)
def test_the_oldest_of_a_status_is_one_index_entry(steady, status):
    plan = explain_generic(steady, "purge", "find_oldest", status=status, after=0)
    assert plan.full_scans == []
    assert plan.buffers < 15


@pytest.mark.parametrize("days", [1, 7, 29.5, 45, 89])
async def test_the_bound_takes_a_dozen_probes_and_half_as_many_when_it_may_be_a_little_off(
    steady_url, monkeypatch, days
):
    asked = []
    fetch_all = bound_module.fetch_all

    async def counting(*args):
        asked.append(args)
        return await fetch_all(*args)

    monkeypatch.setattr(bound_module, "fetch_all", counting)
    async with open_pool(steady_url, max_size=1) as pool, pool.connection() as conn:
        found = await bound_module.find_bound(conn, NOW - days * DAY)
        exact = await conn.execute(
            "SELECT max(job_id) FROM procrastinate_events WHERE type = 'deferred' AND at < %s",
            (NOW - days * DAY,),
        )
        assert (found,) == await exact.fetchone()
        assert len(asked) <= 15
        asked.clear()
        near = await bound_module.find_bound(conn, NOW - days * DAY, within=500)
    assert found <= near <= found + 500
    assert len(asked) <= 7


async def test_without_our_indexes_every_answer_is_the_same(server, steady_url):
    """On a copy, once with the indexes and once without."""
    name = server.new_name()
    source = re.search(r"/(test_\w+)\?", steady_url)[1]
    server.execute(f"CREATE DATABASE {name} TEMPLATE {source}")
    by_status = dict.fromkeys(("succeeded", "cancelled", "aborted"), 25 * DAY)
    retention = purge.Retention({**by_status, "failed": 80 * DAY}, None)

    async def ask_everything():
        async with open_pool(server.url(name)) as pool:
            async with pool.connection() as conn, transaction(conn):
                await conn.execute("SELECT set_config('statement_timeout', '0', true)")
                stats = await get_stats(conn, queue=None, settings=MaintSettings())
                lately = await get_stats(
                    conn, queue=None, settings=MaintSettings(), only_lately=True
                )
                lists = [
                    await list_failed_jobs(conn, **options)
                    for options in (
                        {}, {"queue": "queue_3"}, {"limit": 200}, {"since": 2 * DAY},
                        {"error": "host-3"}, {"error": "HOST-2", "since": 9 * DAY},
                    )
                ]  # fmt: skip
                groups = await list_errors(conn, queue=None, since=5 * DAY, limit=20)
            dry = await purge.purge_finished_jobs(pool, retention, now=NOW, dry_run=True)
        counts = [
            (q.queue, q.ready, q.scheduled, q.doing, q.failed, q.succeeded, q.cancelled, q.aborted)
            for report in (stats, lately)
            for q in report.queues
        ]
        shown = [(found.jobs, found.total, found.hidden_jobs) for found in lists]
        grouped = [(g.task, g.message, g.sample_job_id) for g in groups.groups]
        return stats.maintenance, counts, shown, grouped, dry.deleted

    try:
        with_indexes = await ask_everything()
        for index, _ in list_indexes():
            server.execute(f"DROP INDEX {index}", name)
        assert await ask_everything() == with_indexes
    finally:
        server.drop(name)


def test_the_sql_names_our_own_tasks_as_the_code_does():
    """The condition of a partial index stands in the SQL, word for word."""
    for topic in ("stats", "watch", "indexes"):
        text = "\n".join(load_queries(topic).values())
        lists = re.findall(r"task_name IN \(([^)]+)\)", text)
        assert lists
        for names in lists:
            assert re.findall(r"'([^']+)'", names) == upstream.OUR_TASKS


def test_every_index_is_of_use_to_a_query_that_repeats_its_condition():
    queries = " ".join(
        text
        for topic in ("stats", "hours", "failures", "digest", "purge")
        for text in load_queries(topic).values()
    )
    plain = re.sub(r"\b[ejs]\.", "", queries)
    for name, statement in list_indexes():
        condition = re.sub(r"\s+", " ", statement.rpartition("WHERE")[2]).strip(" ;")
        assert re.sub(r"\s+", " ", condition) in re.sub(r"\s+", " ", plain), name


def test_a_pass_of_the_watch_reads_little_and_no_table_whole(steady):
    """Of the jobs and events; our own small tables are read whole."""
    steady.execute('UPDATE jobs_maint_workers SET crons = \'[["app.sync", "", "* * * * *"]]\'')
    now = steady.execute("SELECT now()").fetchone()[0]
    queue = "queue_0"
    asked = {
        "measure_workers": {},
        "list_ready": {"ours": OUR_TASKS},
        "list_ready_behind": {"queue": queue, "ours": OUR_TASKS, "most": 50},
        "count_failed": {
            "since": now - timedelta(hours=6), "until": now, "ours": OUR_TASKS, "most": 1_000,
        },
        "find_uncollected": {},
        "find_first_event": {},
        "list_stuck": {"seconds": 600.0},
        "list_ticks": {"ours": OUR_TASKS},
        "list_last_runs": {"queue": "maintenance"},
        "list_digests": {"names": ["team"]},
        "list_digest_plans": {},
        "list_recorders": {},
        "find_crons": {},
        "list_fates": {"ids": [1, 2, 3]},
    }  # fmt: skip
    plans = {name: explain(steady, "watch", name, **params) for name, params in asked.items()}
    session = load_queries("session")
    steady.execute(session["walk_indexes"])
    groups = {
        "least": 20,
        "most": 20,
        "most_failures": 20_000,
        "most_of_a_task": 6,
        "alike": 50,
        "quiet_seconds": 93_600,
    }
    plans["list_groups"] = explain(steady, "watch", "list_groups", **groups)
    steady.execute(session["walk_as_before"], {"seqscan": "on", "bitmapscan": "on"})
    large = {"procrastinate_jobs", "procrastinate_events", "jobs_maint_failures"}
    assert {name for name, plan in plans.items() if large.intersection(plan.full_scans)} == set()
    read = {name: plan.buffers for name, plan in plans.items() if plan.buffers > 150}
    assert read == {}
    assert "jobs_maint_failed_events_idx" in plans["count_failed"].indexes
    assert {"jobs_maint_waiting_idx"} <= plans["list_ready"].indexes
    assert "jobs_maint_own_idx" in plans["list_last_runs"].indexes
    since = {"since": now - timedelta(minutes=15), "queue": queue, "most": 500}
    succeeded = explain(steady, "watch", "count_succeeded", **since)
    assert succeeded.full_scans == []
    assert "jobs_maint_events_at_idx" in succeeded.indexes


def test_what_became_of_an_errors_jobs_is_found_from_its_newest_failures(steady):
    """As a pass of the watch asks while an incident about it is open, in a storm of another."""
    steady.execute(
        "INSERT INTO jobs_maint_groups (name, task_name, message, fingerprints, queues, failures,"
        " first_at, last_at) SELECT 'E-1', task_name, '', ARRAY[fingerprint], '{}', 1, least("
        "failed_at, now() - interval '1 h'), now() FROM jobs_maint_failures WHERE NOT will_retry"
        " ORDER BY failed_at DESC OFFSET 20 LIMIT 1"
    )
    steady.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, kind, message,"
        " fingerprint, will_retry) SELECT n, 1, 'bulk', 'app.uniq', 'error', '', '2:storm', false"
        " FROM generate_series(1, 30000) AS n"
    )
    steady.execute(
        "INSERT INTO jobs_maint_groups (name, task_name, message, fingerprints, queues, failures,"
        " first_at, last_at) VALUES ('E-2', 'app.uniq', '', '{2:storm}', '{}', 30000, now(), now())"
    )
    steady.execute(load_queries("session")["walk_indexes"])
    newest = {"names": ["E-1", "E-2"], "queues": None, "most": 500, "quiet_seconds": 93_600}
    standing = {**newest, "most_of_all": 2_000}
    unlike = {"tasks": ["app.uniq"], "least": 0, "alike": 50, "most": 500}
    groups = {
        "least": 1,
        "most": 20,
        "most_failures": 500,
        "most_of_a_task": 6,
        "alike": 50,
        "quiet_seconds": 93_600,
    }
    settled = {"names": ["E-1", "E-2"], "since": datetime.now(UTC) - timedelta(days=1),
               "until": datetime.now(UTC), "queues": None, "reach": None, "most": 500}  # fmt: skip
    looked_up = (  # each of the 500 jobs
        explain_generic(steady, "groups", "find_standing", **newest),
        explain_generic(steady, "unlike", "count_unlike", **unlike),
    )
    for plan in (
        *looked_up,
        explain(steady, "groups", "count_standing", **standing),
        explain(steady, "groups", "count_settled", **settled),
        explain(steady, "watch", "list_groups", **groups),
        explain_generic(steady, "groups", "count_standing", **standing),
        explain_generic(steady, "watch", "list_groups", **groups),
    ):
        large = {"procrastinate_jobs", "jobs_maint_failures"}
        assert large.intersection(plan.full_scans) == set()
        assert "jobs_maint_failures_alike_idx" in plan.indexes
        assert plan.buffers < (4_000 if plan in looked_up else 1_000)


@pytest.mark.parametrize(
    ("topic", "query"),
    [
        ("workers", "list_running"), ("workers", "count_stuck"), ("watch", "list_stuck"),
        ("stalled", "notice_suspects"), ("stalled", "judge_jobs"),
    ],
)  # fmt: skip
def test_the_beats_are_read_once_however_many_jobs_run(steady, topic, query):
    """500 jobs that nobody runs, and a table of beats with a thousand pages of dead rows."""
    steady.execute("SET session_replication_role = replica")
    steady.execute(
        "INSERT INTO jobs_maint_workers (worker_id, host, pid, queues, recorder_version,"
        " delete_jobs, beat_seconds, job_ids) SELECT g, repeat(md5(g::text), 100), 1, '{}', '1',"
        " 'never', 10, CASE WHEN g < 20 THEN '{0}' ELSE '{}' END::bigint[]"
        " FROM generate_series(1, 20000) AS g"
    )
    steady.execute("DELETE FROM jobs_maint_workers WHERE worker_id > 20")
    steady.execute(
        "INSERT INTO procrastinate_jobs (id, queue_name, task_name, status)"
        " SELECT 8000000 + g, 'queue_1', 't', 'doing' FROM generate_series(1, 500) AS g"
    )
    steady.execute("ANALYZE jobs_maint_workers")
    asked = {
        "limit": 20, "most": 5_000, "seconds": 1, "ids": [*range(8_000_001, 8_000_501)],
        "stalled_after": 300, "stalled_after_unknown": 1800, "heard_from": None,
    }  # fmt: skip
    plan = explain(steady, topic, query, **asked)
    pages = steady.execute("SELECT pg_relation_size('jobs_maint_workers') / 8192").fetchone()[0]
    assert pages > 500
    assert plan.buffers < 10 * pages + 500 * 20
