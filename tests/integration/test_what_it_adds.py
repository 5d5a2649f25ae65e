"""What the README promises about the database: what is added there, and what runs there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import procrastinate
import psycopg

import jobs_maint
from jobs_maint.actions import Actor, ApplySchema
from jobs_maint.database import open_pool
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings
from jobs_maint.upstream import schema_sql

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs/explanation/your-database.md").read_text(encoding="utf-8")
NUMBERS = {4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight"}
JOBS = 30

ADDED = """
SELECT 'trigger', tgname::text, tgrelid::regclass::text FROM pg_trigger
UNION ALL SELECT 'foreign key', conname::text, conrelid::regclass::text FROM pg_constraint
WHERE contype = 'f' AND (conrelid::regclass::text LIKE 'procrastinate%'
                         OR confrelid::regclass::text LIKE 'procrastinate%')
UNION ALL SELECT 'function', proname::text, '' FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'extension', extname::text, '' FROM pg_extension
UNION ALL SELECT 'index', indexname::text, tablename::text FROM pg_indexes
WHERE schemaname = 'public' AND tablename LIKE 'procrastinate%'
UNION ALL SELECT 'table', tablename::text, '' FROM pg_tables WHERE schemaname = 'public'
"""


async def test_the_schema_adds_our_tables_and_six_indexes_and_nothing_to_procrastinates(
    bare_database_url,
):
    async with (
        await psycopg.AsyncConnection.connect(bare_database_url, autocommit=True) as conn,
        open_pool(bare_database_url) as pool,
    ):

        async def look() -> set[tuple[str, str, str]]:
            return set(await (await conn.execute(ADDED)).fetchall())

        await conn.execute(schema_sql("UTF8"))
        before = await look()
        ana = Actor.shell("ana", "host")
        await perform(pool, ana, ApplySchema(), settings=MaintSettings())
        after = await look()
    assert before <= after
    added = [one for one in after - before if one[0] != "trigger" or "procrastinate" in one[2]]
    assert all(name.startswith("jobs_maint_") for _, name, _ in added)
    kinds = Counter(kind for kind, _, _ in added)
    assert set(kinds) == {"table", "index"}, kinds
    assert f"and {NUMBERS[kinds['index']]} indexes on Procrastinate's" in README
    assert f"| Indexes on Procrastinate's tables | {kinds['index']}, " in PAGE
    assert "no trigger, no function and no foreign key" in README


async def count_statements(url: str, monkeypatch, *, registered: bool) -> Counter[str]:
    """Of a worker that runs JOBS jobs, each of which succeeds."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url, min_size=1))
    if registered:
        jobs_maint.register(app, MaintSettings(rescue_cron="", purge_cron=""))

    @app.task(name="quick")
    async def quick() -> None:
        pass

    seen: Counter[str] = Counter()
    async with app.open_async():
        await app.configure_task("quick").batch_defer_async(*({} for _ in range(JOBS)))
        with monkeypatch.context() as patch:
            for kind in (psycopg.Cursor, psycopg.AsyncCursor):

                def execute(self, query, *args, real=kind.execute, **kwargs):
                    seen[re.sub(r"\s+", " ", str(query))] += 1
                    return real(self, query, *args, **kwargs)

                patch.setattr(kind, "execute", execute)
            await app.run_worker_async(
                wait=False, listen_notify=False, install_signal_handlers=False
            )
    return seen


async def test_no_statement_of_ours_runs_for_a_job_that_succeeds(database_url, monkeypatch):
    alone = await count_statements(database_url, monkeypatch, registered=False)
    ours = await count_statements(database_url, monkeypatch, registered=True)
    assert sum(alone.values()) > JOBS  # they were seen
    more = ours - alone
    # The worker's own row, once or twice, whatever it runs.
    assert sum(more.values()) < JOBS / 3, more
    assert "a job that succeeds within a second costs no statement;" in README
