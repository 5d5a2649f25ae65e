"""A team's own namespaces `chatbot` and `jobs_maint`: their jobs are the team's, not ours."""

from __future__ import annotations

import json
import logging
import os

import procrastinate
import pytest
from tests.support.fleet import Fleet
from tests.support.history import minutes
from tests.support.processes import ROOT

import chatbot
import jobs_maint as product
from chatbot.settings.bot import ChatbotSettings
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    JobFilter,
    Limits,
    ListErrors,
    ListFailed,
    PreviewBulk,
    ShowDigest,
    ShowStats,
    WatchIncidents,
)
from jobs_maint.errors import InvalidSettings
from jobs_maint.models import IncidentKind
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
THEIRS = ("chatbot:answer", "chatbot:send_digest_mail", "jobs_maint:sync", "jobs_maintenance:x")
OURS = ("jobs_maint:rescue_stalled_jobs", "jobs_maint:purge_finished_jobs", "chatbot:send_digest")
DIGEST = {"name": "ops", "channel": "C0OPS", "cron": "0 9 * * *"}


async def ask(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


async def test_their_jobs_are_in_stats_errors_and_sets_and_ours_are_not(pool, make_job):
    for task in (*THEIRS, *OURS):
        await make_job(task=task, status="failed", finished_ago=minutes(5), error=task)
        await make_job(task=task, deferred_ago=minutes(9))
    (queue,) = (await ask(pool, ShowStats())).queues
    assert (queue.failed, queue.ready, queue.failed_last_hour) == (4, 4, 4)
    groups = (await ask(pool, ListErrors())).groups
    assert {group.task for group in groups} == set(THEIRS)
    assert (
        await ask(pool, PreviewBulk(BulkVerb.RETRY, JobFilter(statuses=("failed",))))
    ).count == 4
    failed = await ask(pool, ListFailed())  # with ours: a digest that failed can be retried
    assert {job.task for job in failed.jobs} == {*THEIRS, *OURS}
    digest = await ask(pool, ShowDigest())
    assert (digest.failed, {group.task for group in digest.groups}) == (4, set(THEIRS))
    limits = Limits(frozenset({IncidentKind.GROUP, IncidentKind.FAILURES_HIGH}), few=4, group=1)
    for _ in range(2):
        watch = await perform(pool, ANA, WatchIncidents("a bot", limits), settings=MaintSettings())
    parts = [part for one in watch.open for part in (one.lead, *one.folded)]
    tasks = {part.facts["task"] for part in parts if part.kind is IncidentKind.GROUP}
    assert tasks == set(THEIRS)
    assert {p.value for p in parts if p.kind is IncidentKind.FAILURES_HIGH} <= {4.0}


async def test_their_stuck_jobs_are_put_back_and_ours_wait_for_the_next_tick(pool, conn, make_job):
    fleet = Fleet(pool, conn, make_job)
    jobs = await fleet.lose(*({"task": task} for task in (*THEIRS, *OURS)))
    found = {item.job_id: item.code for item in (await fleet.tick()).items}
    # The next tick of a digest may be a day away.
    assert [found[job] for job in jobs] == ["put_back"] * 4 + ["failed"] * 2 + ["put_back"]


def test_doctor_names_a_package_that_hides_the_bot(jobs_maint, tmp_path):
    (tmp_path / "chatbot").mkdir()
    (tmp_path / "chatbot" / "__init__.py").write_text("ANSWER = 42\n")
    path = f"{tmp_path}{os.pathsep}{ROOT / 'src'}{os.pathsep}{ROOT}"
    findings = json.loads(jobs_maint("doctor", "--json", PYTHONPATH=path).stdout)["findings"]
    [found] = [finding for finding in findings if finding["check"] == "bot_package"]
    assert found["level"] == "note"
    assert f"the package chatbot at {tmp_path / 'chatbot'} hides the one" in found["sentence"]


def app_with(name: str) -> procrastinate.App:
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo="host=/nowhere"))
    namespace, _, task = name.partition(":")
    blueprint = procrastinate.Blueprint()
    blueprint.task(name=task)(lambda: None)
    app.add_tasks_from(blueprint, namespace=namespace)
    return app


@pytest.mark.parametrize("name", OURS)
def test_a_task_of_theirs_with_the_name_of_one_of_ours_is_refused(name):
    app = app_with(name)
    digests = ChatbotSettings(SLACK_BOT_TOKEN="xoxb-1", digests=[DIGEST])
    for register in (
        lambda: product.register(app, MaintSettings()),
        lambda: chatbot.register_digests(app, digests, maint=MaintSettings()),
    ):
        with pytest.raises(InvalidSettings, match=f"'{name}'.* rename yours") as caught:
            register()
        assert caught.value.exit_code == 78
    assert "worker_middleware" not in app.worker_defaults


async def test_a_task_that_takes_the_name_of_ours_after_register_is_logged_once(
    database_url, caplog
):
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database_url))
    product.register(app, MaintSettings(purge_cron="", rescue_cron=""))

    @app.task(name="chatbot:send_digest")
    def send_digest() -> None: ...

    async with app.open_async():
        for _ in range(2):
            await send_digest.defer_async()
        with caplog.at_level(logging.ERROR, "jobs_maint"):
            await app.run_worker_async(wait=False, install_signal_handlers=False)
    assert caplog.text.count("jobs_maint.name_taken task=chatbot:send_digest") == 1


@pytest.mark.parametrize("name", THEIRS)
def test_their_other_tasks_stand_beside_ours(name):
    app = app_with(name)
    product.register(app, MaintSettings())
    chatbot.register_digests(
        app,
        ChatbotSettings(SLACK_BOT_TOKEN="xoxb-1", digests=[DIGEST]),
        maint=MaintSettings(),
    )
    assert {name, *OURS} <= set(app.tasks)
