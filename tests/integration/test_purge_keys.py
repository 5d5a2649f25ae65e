"""The preview of a purge where foreign keys of the team keep jobs tells what the run will do."""

from __future__ import annotations

import os

import pytest
from tests.support.history import days

from jobs_maint.actions import Actor, ConfirmSelection, PreviewPurge
from jobs_maint.cli.outcome import find_exit_code
from jobs_maint.database import open_pool
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")


async def ask(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


@pytest.fixture
async def invoices(conn):
    """Tables that refer to jobs; the first keeps them, the second goes with them."""
    await conn.execute(
        "CREATE TABLE invoices (job_id bigint REFERENCES procrastinate_jobs);"
        "CREATE TABLE notes (job_id bigint PRIMARY KEY REFERENCES procrastinate_jobs"
        " ON DELETE CASCADE);"
    )


async def refer(conn, job_id: int, table: str = "invoices") -> int:
    await conn.execute(f"INSERT INTO {table} VALUES (%s)", (job_id,))
    return job_id


async def test_a_preview_tells_the_jobs_that_a_foreign_key_keeps_as_the_run_does(
    pool, make_job, conn, invoices
):
    kept = [await refer(conn, await make_job(status="succeeded", finished_ago=days(40)))]
    await refer(conn, kept[0])
    for status in ("succeeded", "failed", "succeeded"):
        await refer(conn, await make_job(status=status, finished_ago=days(140)), "notes")
    await refer(conn, await make_job(status="succeeded", finished_ago=days(1)))
    kept += [await refer(conn, await make_job(status="succeeded", finished_ago=days(40)))]

    preview = await ask(pool, PreviewPurge())
    assert (preview.count, preview.expected, preview.warnings) == (5, 3, ())
    assert preview.by_status == {"succeeded": 2, "failed": 1}
    [skip] = preview.skips
    assert (skip.count, skip.sample) == (2, tuple(kept))
    text = render_text(preview, width=100)
    assert "3 of 5 finished jobs would be deleted." in text
    assert "2 stay as they are: the foreign key invoices_job_id_fkey of table" in text
    report = await ask(pool, ConfirmSelection(preview.key))
    assert (report.deleted, report.refused) == (preview.by_status, preview.skips)
    assert find_exit_code(report) == 5

    preview = await ask(pool, PreviewPurge())
    assert (preview.expected, preview.skips) == (0, (skip,))
    assert "None of the 2 finished jobs can be deleted now." in render_text(preview, width=100)
    report = await ask(pool, ConfirmSelection(preview.key))
    assert (report.total, find_exit_code(report)) == (0, 4)


async def test_a_preview_names_the_keys_whose_rows_it_cannot_count(
    pool, database_url, make_job, conn, invoices
):
    await conn.execute(
        "CREATE TABLE replies (note bigint CONSTRAINT reply REFERENCES notes);"
        "INSERT INTO replies SELECT NULL"
    )
    await refer(conn, await make_job(status="succeeded", finished_ago=days(40)))
    preview = await ask(pool, PreviewPurge())
    assert preview.expected == 0
    told = "Jobs that rows of other tables refer to stay, and were not counted apart: "
    assert preview.warnings == (f"{told}reply of table public.replies.",)

    role = f"jobs_reader_{os.getpid()}"
    await conn.execute(
        f"CREATE ROLE {role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};"
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role};"
        f"REVOKE ALL ON invoices FROM {role}"
    )
    try:
        async with open_pool(database_url.replace("postgres@", f"{role}@")) as reader:
            preview = await ask(reader, PreviewPurge())
    finally:
        await conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert (preview.count, preview.expected) == (1, 1)
    assert "invoices_job_id_fkey of table public.invoices, reply of " in preview.warnings[0]
