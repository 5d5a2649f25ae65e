"""A refusal knows which queues it is about, as far as the asker may know it."""

from __future__ import annotations

import re

import pytest
from tests.integration.test_incidents import see
from tests.support.history import minutes

from jobs_maint.actions import (
    Actor,
    BulkVerb,
    CancelJobs,
    ConfirmSelection,
    GetJob,
    Grant,
    JobFilter,
    Limits,
    ListErrors,
    ListFailed,
    MuteGroup,
    MuteIncident,
    PreviewBulk,
    PreviewPurge,
    PreviewRescue,
    RetryJobs,
    Role,
    TakeGroup,
    TakeIncident,
)
from jobs_maint.actions.base import EVERY_QUEUE
from jobs_maint.errors import InvalidRequest, NotPermitted
from jobs_maint.grammar import parse_words
from jobs_maint.grammar.text import split_text
from jobs_maint.models import IncidentKind
from jobs_maint.perform import perform

ANA = Actor.shell("ana", "host")
EVERYWHERE = Grant(Role.VIEWER)
WEB = Grant(Role.VIEWER, queues=("web*",))
WEB_OPERATOR = Grant(Role.OPERATOR, queues=("web*",))
NO_JOB = 9_223_372_036_854_775_807


@pytest.fixture
async def jobs(pool, make_job):
    """A failed job of web and one of ledger, each with its group."""
    found = {
        queue: await make_job(
            status="failed", queue=queue, task=f"app.{queue}", error=f"{queue} is closed",
            finished_ago=minutes(5), fingerprint=f"2:{queue}",
        )
        for queue in ("web", "ledger")
    }  # fmt: skip
    for _ in range(2):
        await see(pool, Limits(kinds=frozenset({IncidentKind.GROUP}), group=1))
    return found


async def find_queues(pool, action, *grants):
    """What the refusal says to whoever looks for somebody to ask."""
    with pytest.raises(NotPermitted) as refused:
        await perform(pool, Actor("slack", "U0EVA", "eva", "C1", grants), action)
    return set(refused.value.queues)


def retry_all(**only):
    return PreviewBulk(BulkVerb.RETRY, JobFilter(statuses=("failed",), **only))


async def test_who_may_look_at_all_is_told_the_queues_of_the_jobs(pool, jobs):
    web, ledger = jobs["web"], jobs["ledger"]
    for action, queues in (
        (RetryJobs((ledger,)), {"ledger"}),
        (CancelJobs((web,)), {"web"}),
        (RetryJobs((web, ledger)), {"web", "ledger"}),
        (retry_all(job_ids=(ledger,)), {"ledger"}),
        (TakeGroup(ledger), {"ledger"}),
        (RetryJobs((NO_JOB,)), set()),
    ):
        assert await find_queues(pool, action, EVERYWHERE) == queues, action
    # An operator of web here; the refusal then comes from the job, not from the role.
    for action in (RetryJobs((web, ledger)), TakeGroup(ledger)):
        found = await find_queues(pool, action, EVERYWHERE, WEB_OPERATOR)
        assert found == ({"web", "ledger"} if isinstance(action, RetryJobs) else {"ledger"})


async def test_who_may_look_at_nothing_is_told_only_what_was_named(pool, jobs):
    """By the same rule; of a job that is there as of one that is not."""
    assert await find_queues(pool, retry_all(queue="ledger")) == {"ledger"}
    assert await find_queues(pool, ListFailed("web")) == {"web"}
    assert await find_queues(pool, ListFailed()) == set()
    for action in (GetJob(jobs["ledger"]), GetJob(NO_JOB), TakeIncident(1), TakeIncident(99)):
        with pytest.raises(NotPermitted) as refused:
            await perform(pool, Actor("slack", "U0EVA", "eva", "C1"), action)
        assert (refused.value.queues, refused.value.unseen) == ((), True), action
    with pytest.raises(NotPermitted) as refused:
        await perform(pool, Actor("slack", "U0EVA", "eva", "C1"), ListErrors())
    assert not refused.value.unseen


async def test_groups_and_incidents_are_asked_about_by_their_queues(pool, jobs):
    groups = (await perform(pool, ANA, ListErrors())).groups
    names = {one.task: one.name for one in groups}
    for action in (TakeGroup(names["app.ledger"]), MuteGroup(names["app.ledger"])):
        assert await find_queues(pool, action, EVERYWHERE) == {"ledger"}
        assert await find_queues(pool, action, WEB) == set()
    named = retry_all(group=names["app.ledger"])
    assert await find_queues(pool, named, EVERYWHERE) == {"ledger"}
    assert await find_queues(pool, named, WEB) == set()
    assert await find_queues(pool, TakeGroup(names["app.web"]), WEB) == {"web"}
    for action in (TakeIncident(1), MuteIncident(1)):
        found = await find_queues(pool, action, EVERYWHERE)
        assert found
        assert found <= {"web", "ledger"}
        assert await find_queues(pool, action, WEB) in ({"web"}, set())


@pytest.mark.parametrize("grant", [WEB, WEB_OPERATOR], ids=["viewer", "operator"])
async def test_who_reaches_some_queues_learns_nothing_of_the_others(pool, jobs, grant):
    """Not even by who is named as the one to ask: of a job elsewhere all are."""
    web, ledger = jobs["web"], jobs["ledger"]
    for action in (
        GetJob(ledger), RetryJobs((ledger,)), RetryJobs((web, ledger)), CancelJobs((ledger,)),
        TakeGroup(ledger), MuteGroup(ledger), PreviewRescue((ledger,)),
    ):  # fmt: skip
        assert await find_queues(pool, action, grant) == set(), action
    if grant is WEB:
        assert await find_queues(pool, RetryJobs((web,)), grant) == {"web"}
        assert await find_queues(pool, retry_all(job_ids=(web,)), grant) == {"web"}
        assert await find_queues(pool, retry_all(job_ids=(web, ledger)), grant) == set()


async def test_a_confirmation_is_about_what_its_preview_showed_to_whoever_asked_for_it(pool, jobs):
    admin = Grant(Role.ADMIN)
    ledger = JobFilter(queue="ledger", statuses=("failed",))
    for action, needs, queues in (
        (retry_all(), "operator", {"web", "ledger"}),
        (retry_all(queue="ledger"), "operator", {"ledger"}),
        (PreviewBulk(BulkVerb.DISCARD, ledger), "admin", {"ledger"}),
        (PreviewPurge(older_than=minutes(1), statuses=("failed",)), "admin", {EVERY_QUEUE}),
        (PreviewPurge(older_than=minutes(1), statuses=("failed",), queue="web"), "admin", {"web"}),
    ):
        shown = await perform(pool, Actor("slack", "U0EVA", "eva", "C1", (admin,)), action)
        confirm = ConfirmSelection(shown.key)
        for grants in ((), (EVERYWHERE,)):
            for asker, known in (("U0EVA", queues), ("U0BEN", set())):
                with pytest.raises(NotPermitted) as refused:
                    await perform(pool, Actor("slack", asker, "", "C1", grants), confirm)
                found = refused.value
                assert (found.needs, set(found.queues)) == (needs, known), action
                assert found.unseen is (not known), action


async def test_what_the_asker_named_or_may_see_in_another_channel_is_no_secret(pool, jobs):
    ledger = jobs["ledger"]
    assert await find_queues(pool, retry_all(queue="ledger"), WEB) == {"ledger"}
    assert await find_queues(pool, retry_all(queue="led*"), WEB) == {"led*"}
    assert await find_queues(pool, ListFailed("nowhere"), WEB) == {"nowhere"}
    there = Grant(Role.VIEWER, queues=("ledger",), channels=("C2",))
    assert await find_queues(pool, GetJob(ledger), WEB, there) == {"ledger"}


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("failed E-f9c1", "failed --group E-f9c1"),
        ("errors E-f9c1", "failed --group E-f9c1"),
        ("stats E-f9c1", "failed --group E-f9c1"),
        ("digest I-7", "incidents I-7"),
        ("purge --queue I-7", "incidents I-7"),
        ("retry --all E-f9c1 --since 1h", "retry --all --group E-f9c1 --since 1h"),
        ("cancel --all E-f9c1", "cancel --all --group E-f9c1"),
        ("discard --all I-7", "incidents I-7"),
    ],
)
async def test_the_name_of_an_error_or_incident_as_a_queue_leads_to_what_takes_it(
    words, meant, pool, jobs
):
    action = parse_words(words.split(), "shell").action
    with pytest.raises(InvalidRequest) as refused:
        await perform(pool, ANA, action)
    assert refused.value.suggestion == meant
    assert f"did you mean '{meant}'?" in str(refused.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("failed web* --since 1h", 'a glob goes with --queues: failed --queues "web*"'),
        ("errors we?", 'a glob goes with --queues: errors --queues "we?"'),
        ("digest web*", 'a glob goes with --queues: errors --queues "web*"'),
        ("stats web*", "a queue is named in full here, not by a glob; queues with jobs: "),
        ("purge --queue web*", "a queue is named in full here, not by a glob; queues with jobs: "),
    ],
)
async def test_a_glob_where_a_name_belongs_leads_to_the_option_that_takes_it(
    words, says, pool, jobs
):
    with pytest.raises(InvalidRequest) as refused:
        await perform(pool, ANA, parse_words(words.split(), "shell").action)
    assert says in str(refused.value)
    for line in re.findall("(?:failed|errors) --queues .*", str(refused.value)):
        await perform(pool, ANA, parse_words(split_text(line), "shell").action)


async def test_a_queue_may_have_a_name_like_that_of_an_error(pool, make_job):
    await make_job(status="failed", queue="E-f9c1", error="boom")
    assert (await perform(pool, ANA, ListFailed("E-f9c1"))).total == 1


@pytest.mark.parametrize("words", ["retry --all", "failed", "errors", "discard --all"])
async def test_globs_that_match_no_known_queue_are_told_and_not_taken_for_nothing_to_do(
    pool, jobs, words
):
    async def ask(text, actor=ANA):
        action = parse_words(split_text(text), "shell").action
        return await perform(pool, actor, action)

    each = "each has its own --queues: --queues web --queues ledger"
    for globs, said in (
        ("web,ledger", f"No queue matches 'web,ledger'; {each}."),
        ("'wbe*'", "No queue matches 'wbe*'; queues with jobs: ledger, web."),
        ("wbe --queues x", "No queue matches 'wbe', 'x'; queues with jobs: ledger, web."),
    ):
        with pytest.raises(InvalidRequest) as told:
            await ask(f"{words} --queues {globs}")
        assert str(told.value) == said
    for globs in ("'w*'", "nothing --queues web", "'*'"):
        await ask(f"{words} --queues {globs}")
    narrow = Actor("slack", "U0EVA", "eva", "C1", (Grant(Role.ADMIN, ("web*",)),))
    with pytest.raises(InvalidRequest, match=r"'webby'; queues with jobs: web\.$"):
        await ask(f"{words} --queues webby", narrow)
    if "--all" in words:
        with pytest.raises(InvalidRequest, match=r"^No queue matches 'wbe\*'"):
            await ask(f"{words} 'wbe*'")
