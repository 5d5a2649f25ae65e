"""`register(app)` on apps as teams have them; it reads no database."""

from __future__ import annotations

import logging

import procrastinate
import pytest

import chatbot
import jobs_maint
from chatbot.settings.bot import ChatbotSettings
from jobs_maint import upstream
from jobs_maint.errors import InvalidSettings
from jobs_maint.settings import MaintSettings

OURS = {"jobs_maint:purge_finished_jobs", "jobs_maint:rescue_stalled_jobs"}
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


async def noop(call_next, context, worker):
    return await call_next()


def make_app(**options) -> procrastinate.App:
    return procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=NOWHERE), **options)


def own_tasks(app: procrastinate.App) -> set[str]:
    return {name for name in app.tasks if name.startswith("jobs_maint")}


def own_periodic_tasks(app: procrastinate.App) -> set[str]:
    return {name for name, _ in app.periodic_registry.periodic_tasks if "jobs_maint" in name}


def test_two_apps_of_one_process_have_the_tasks_under_the_same_names():
    for app in (make_app(), make_app()):
        jobs_maint.register(app)
        assert own_tasks(app) == OURS
        assert own_periodic_tasks(app) == OURS


def test_twice_on_one_app_is_an_error_and_leaves_one_recorder():
    app = make_app()
    jobs_maint.register(app)
    with pytest.raises(InvalidSettings, match="call it only once"):
        jobs_maint.register(app)
    assert len(app.worker_defaults["worker_middleware"]) == 1


@pytest.mark.parametrize("register", [jobs_maint.register, chatbot.register_digests])
@pytest.mark.parametrize(
    ("app", "settings", "says"),
    [
        (None, (), "was given None; give it the procrastinate.App that your workers run"),
        (procrastinate.Blueprint(), (), "was given an object of type Blueprint; give it the"),
        (make_app(), ("x",), "was given an object of type str as settings; give it "),
        (
            make_app(worker_defaults={"worker_middleware": noop}),
            (),
            "worker_middleware in the worker_defaults of this app is an object of type function",
        ),
        (
            make_app(worker_defaults={"worker_middleware": "rec"}),
            (),
            "this app is an object of type str; make it a list of middleware functions",
        ),
        (
            make_app(worker_defaults={"worker_middleware": [noop, None]}),
            (),
            "this app is a list with None; make it a list of middleware functions",
        ),
        (
            make_app(worker_defaults=[3]),
            (),
            "worker_defaults of this app is an object of type list",
        ),
    ],
)
def test_what_cannot_be_registered_is_refused_before_anything_is_changed(
    register, app, settings, says
):
    with pytest.raises(InvalidSettings) as refused:
        register(app, *settings)
    assert says in str(refused.value)
    ours = ("jobs_maint:", "chatbot:")
    assert not [name for name in getattr(app, "tasks", ()) if name.startswith(ours)]


def test_the_callers_defaults_are_not_changed_and_the_recorder_is_outermost():
    middleware = [noop]
    shared = {"concurrency": 3, "worker_middleware": middleware}
    first, second = make_app(worker_defaults=shared), make_app(worker_defaults=shared)
    jobs_maint.register(first)
    jobs_maint.register(second)
    assert shared == {"concurrency": 3, "worker_middleware": [noop]}
    assert middleware == [noop]
    for app in (first, second):
        recorder, inner = app.worker_defaults["worker_middleware"]
        assert (type(recorder).__name__, inner) == ("Recorder", noop)
        assert app.worker_defaults["concurrency"] == 3


@pytest.mark.parametrize(
    "url", ["mysql://me:hunter2@db/jobs", "db.internal:5432", "postgresql://["]
)
def test_an_address_that_can_be_none_is_refused_and_not_shown(monkeypatch, url):
    monkeypatch.setenv("JOBS_MAINT_WORKER_DATABASE_URL", url)
    for register in (jobs_maint.register, register_one_digest):
        app = make_app()
        with pytest.raises(
            InvalidSettings, match=r"^JOBS_MAINT_WORKER_DATABASE_URL is not"
        ) as said:
            register(app)
        assert url not in str(said.value)
        assert not own_tasks(app)


def test_workers_can_tell_when_each_digest_is_due():
    app = make_app()
    register_one_digest(app, timezone="Asia/Kolkata")
    told = ["chatbot:send_digest", "ops", "30 * * * *", "0 9 * * *", "Asia/Kolkata"]
    assert [*map(list, upstream.list_crons(app))] == [told]


def register_one_digest(app, **more) -> None:
    digest = {"name": "ops", "channel": "C0OPS", "cron": "0 9 * * *", **more}
    chatbot.register_digests(app, ChatbotSettings(slack_bot_token="xoxb-1", digests=[digest]))


def test_a_cron_that_never_comes_is_refused_alike_and_nothing_is_added(monkeypatch):
    never = "0 0 31 2 *"
    digest = f'[{{"name": "ops", "channel": "C0OPS", "cron": "{never}"}}]'
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    for name, value, register in (
        ("JOBS_MAINT_PURGE_CRON", never, jobs_maint.register),
        ("CHATBOT_DIGESTS", digest, chatbot.register_digests),
    ):
        app = make_app()
        before = dict(app.tasks), dict(app.worker_defaults)
        monkeypatch.setenv(name, value)
        with pytest.raises(InvalidSettings, match="names a day that never comes") as said:
            register(app)
        assert (said.value.exit_code, name in str(said.value)) == (78, True)
        assert (app.tasks, app.worker_defaults, own_periodic_tasks(app)) == (*before, set())


@pytest.mark.parametrize(
    ("queues", "told"),
    [(None, False), (["email"], True), (["email", "maintenance"], False), ({"email"}, True)],
)
def test_a_queue_that_no_worker_listens_to_is_told(caplog, queues, told):
    with caplog.at_level(logging.WARNING, "jobs_maint"):
        jobs_maint.register(make_app(worker_defaults={"queues": queues}))
    assert ("queue_unheard" in caplog.text) is told


def test_an_empty_cron_switches_a_task_off_but_it_can_still_be_deferred():
    app = make_app()
    jobs_maint.register(app, MaintSettings(purge_cron="", rescue_cron=""))
    assert own_tasks(app) == OURS
    assert own_periodic_tasks(app) == set()
