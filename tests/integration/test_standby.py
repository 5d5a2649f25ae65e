"""Whoever reads on a standby is told how old it is, by every word."""

from __future__ import annotations

import json

import pytest

from chatbot.messages.details import render_details_view
from chatbot.messages.result import render_result
from jobs_maint.actions import (
    Actor,
    CheckSchema,
    GetJob,
    ListErrors,
    ListFailed,
    ListIncidents,
    ListStuck,
    ListWorkers,
    RunDoctor,
    ShowAudit,
    ShowDigest,
    ShowStats,
)
from jobs_maint.database import open_pool
from jobs_maint.errors import JobNotFound
from jobs_maint.perform import perform
from jobs_maint.render import render_json, render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "here")
TOLD = "This is a standby: the last change that it has seen is 55 min old."
FUNCTIONS = {
    "pg_is_in_recovery() RETURNS boolean": "true",
    "pg_last_xact_replay_timestamp() RETURNS timestamptz": "now() - interval '55 min'",
}


async def ask(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


async def test_every_word_that_reads_says_how_old_a_standby_is(conn, pool, database_url, make_job):
    job = await make_job(status="failed", error="ValueError: no")
    words = [
        ShowStats(errors=True), ListErrors(), ListFailed(), ListFailed(grouped=True), GetJob(job),
        ListStuck(), ListWorkers(), ListIncidents(), ShowDigest(), ShowAudit(), RunDoctor(),
        CheckSchema(),
    ]  # fmt: skip
    for word in words:
        primary = await ask(pool, word)
        assert "standby" not in render_text(primary, width=400)
        assert json.loads(render_json(primary))["standby_lag_seconds"] is None
    # Found before PostgreSQL's own.
    await conn.execute("CREATE SCHEMA shadow")
    for function, value in FUNCTIONS.items():
        await conn.execute(f"CREATE FUNCTION shadow.{function} RETURN {value}")
    await conn.execute(
        f"ALTER DATABASE {conn.info.dbname} SET search_path = shadow, pg_catalog, public"
    )
    async with open_pool(database_url) as standby:
        for word in words:
            report = await ask(standby, word)
            assert render_text(report, width=400).count(TOLD) == 1, word
            text = render_json(report)
            assert json.loads(text)["standby_lag_seconds"] == pytest.approx(3300, abs=60)
            assert text.count("standby_lag_seconds") == 1
            if not isinstance(word, CheckSchema):
                assert render_result(report, "/jobs", by="U0ANA").text.count(TOLD) == 1, word
        assert TOLD in str(render_details_view(await ask(standby, GetJob(job)), channel="C1"))
        with pytest.raises(JobNotFound, match=TOLD):
            await ask(standby, GetJob(job + 1))
