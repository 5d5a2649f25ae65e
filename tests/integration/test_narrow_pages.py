"""However narrow the terminal, no line of any word is wider; `status` shows tracebacks whole."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from tests.support.fleet import Fleet
from tests.support.history import days, hours, minutes

from jobs_maint.actions import Actor, ShowHelp
from jobs_maint.grammar import build_help, parse_words
from jobs_maint.grammar.words import WORDS, build_grammar
from jobs_maint.perform import perform
from jobs_maint.plain import show_on
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana.lindqvist", "worker-7.example.com")
QUEUES = ("q", "email_transactional_eu")


@pytest.fixture
async def history(pool, conn, make_job):
    """Of every kind some, with ids and numbers of many digits."""
    await conn.execute("SELECT setval('procrastinate_jobs_id_seq', 123456789)")
    fleet = Fleet(pool, conn, make_job)
    await fleet.start_worker()
    for queue in QUEUES:
        for ago in (minutes(5), hours(3), hours(30), days(100)):
            await make_job(
                status="failed",
                queue=queue,
                task=f"app.{queue}.deliver",
                error="timed out after 10 s",
                finished_ago=ago,
                attempts=12,
            )
        await make_job(status="succeeded", queue=queue, finished_ago=days(40))
        await make_job(status="cancelled", queue=queue)
        await make_job(queue=queue, deferred_ago=hours(30), args={"order": 88123})
        await make_job(queue=queue, scheduled_in=hours(30))
        await make_job(status="doing", queue=queue, deferred_ago=hours(2))
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT %s, 'app.bulk', 'failed' FROM generate_series(1, 12345)",
        (QUEUES[1],),
    )
    await conn.execute(
        "INSERT INTO jobs_maint_incidents (kind, subject, state, since, opened_at, seen_at, value,"
        " worst, value_limit, queues, revised_at) SELECT 'queue_behind', q, 'open', at, at, now(),"
        " 106000, 106000, 300, ARRAY[q], now() FROM unnest(%s::text[]) AS q,"
        " (SELECT now() - interval '30 h' AS at) AS began", (list(QUEUES),),
    )  # fmt: skip
    await conn.execute(
        "INSERT INTO jobs_maint_audit (actor_kind, actor_id, actor_name, word, action, outcome,"
        " counts, started_at, error_code, error) SELECT 'slack', 'U0OPERATOR', 'otto', 'retry',"
        " 'retry --all email_transactional_eu', outcome, '{\"done\": 12345, \"skipped\": 12}',"
        " now() - interval '3 days', 'x', 'something was wrong with it' FROM"
        " unnest('{done,refused,interrupted,previewed}'::text[]) AS outcome"
    )


LINES = (
    "stats", "stats q", "failed", "failed --limit 3", "errors", "errors --since 7d", "stuck",
    "workers", "incidents", "incidents I-1", "digest", "audit --since 30d", "doctor",
    "schema status", "schema apply", "schema drop", "retry 123456790",
    "retry 123456790 123456791 123456792 5",
    "cancel 123456790 7", "discard 123456791", "take I-1", "mute I-1", "take 123456790",
    "retry --all", "cancel --all q", "discard --all q", "rescue", "rescue --dry-run 123456791",
    "purge", "purge --include-failed --older-than 1d --dry-run", "help",
)  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [20, 30, 40])
async def test_no_line_of_any_word_is_wider_than_the_terminal(pool, history, width, encoding):
    show_on(io.TextIOWrapper(io.BytesIO(), encoding))
    told = set()
    for line in (*LINES, "audit", *(f"help {word}" for word in build_grammar("shell").commands)):
        action = parse_words(line.split(), "shell").action
        told.add(line.split()[0])
        if isinstance(action, ShowHelp):
            result = build_help(ANA, "shell", action.about)
        else:
            result = await perform(pool, ANA, action, settings=MaintSettings())
        page = render_text(result, width=width)
        wide = [one for one in page.split("\n") if cell_len(one) > width]
        assert not wide, (line, wide)
    assert told >= {word.split()[0] for word in WORDS} - {"status", "wait"}
