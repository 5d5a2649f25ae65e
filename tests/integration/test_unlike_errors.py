"""A task, or several, that fail in more ways than a message lists: the sum is said."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.fleet import Fleet

from chatbot.messages.incident import render_details_of, render_incident
from chatbot.messages.incident_buttons import list_looks
from chatbot.messages.runbooks import NO_RUNBOOKS
from jobs_maint.actions import (
    Actor,
    Grant,
    Limits,
    ListErrors,
    ListIncidents,
    MuteGroup,
    Role,
    TakeGroup,
    TakeIncident,
    WatchIncidents,
)
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import IncidentKind
from jobs_maint.operations.failures.placing import name_kind
from jobs_maint.operations.incidents import looking
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

HOUR = ListErrors(since=timedelta(hours=1))
ANA = Actor.shell("ana", "here")
BOT, ADA = Actor.task("chatbot"), Actor("slack", "U0ADA", "ada", "C1", (Grant(Role.ADMIN),))
EVA = Actor("slack", "U0EVA", "eva", "C1", (Grant(Role.OPERATOR, queues=("web",)),))
LIMITS = Limits(kinds=frozenset({IncidentKind.GROUP}))
DEPLOYED = """
WITH made AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, status)
    SELECT CASE WHEN n %% 4 = 0 THEN 'web' ELSE 'bulk' END, %(task)s, 'todo'
    FROM generate_series(1, %(jobs)s) AS n RETURNING id, queue_name, task_name
)
INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,
                                 exception_type, message, fingerprint, will_retry)
SELECT id, 1, queue_name, task_name, clock_timestamp(), 'error',
       'app.Error' || CASE WHEN %(types)s THEN id %% %(errors)s ELSE 0 END,
       'bad ' || chr(97 + (id %% 20)::int), concat('2:', task_name, id %% %(errors)s), false
FROM made
"""


@pytest.fixture
async def deploy(pool, conn, make_job):
    """`await deploy("app.webhook", 8_000, 400)`: so many jobs fail with so many errors."""
    await Fleet(pool, conn, make_job).start_worker()

    async def deploy(task, jobs, errors, *, types=True):
        asked = {"task": task, "jobs": jobs, "errors": errors, "types": types}
        await conn.execute(DEPLOYED, asked)
        for step in ("doing", "failed"):
            await conn.execute(
                "UPDATE procrastinate_jobs SET status = %s WHERE status IN ('todo', 'doing')",
                (step,),
            )

    return deploy


async def tell(pool, passes=4, actor=ADA):
    """The only open incident, its message, and the words of the shell."""
    for _ in range(passes):
        await perform(pool, BOT, WatchIncidents("bot", LIMITS))
    listed = await perform(pool, actor, ListIncidents())
    [one] = listed.open
    shell = " ".join(render_text(listed, width=200).split())
    return one, render_incident(one, listed.as_of).text, shell


async def find(pool, one):
    """What its buttons find."""
    actions = [parse_words(split_text(button.words), "slack").action for button in list_looks(one)]
    shown, preview = [await perform(pool, ADA, it, settings=MaintSettings()) for it in actions]
    return shown.total, preview.count


async def test_the_sum_over_all_errors_of_a_task_is_said_first_and_the_next_step_has_all(
    pool, conn, deploy
):
    await deploy("app.webhook", 8_000, 400)
    one, message, shell = await tell(pool)
    said = "8,000 webhook jobs failed in the last hour, with 400 different errors."
    assert message.startswith(f"🔴 {said}\nSince ")
    assert f"{one.name} {said}" in shell
    assert (len(one.folded), message.count("20 failures in the last hour (E-")) == (5, 6)
    assert "\nAnd 394 more." in message
    assert await find(pool, one) == (8_000, 8_000)

    told = {one.subject, *(part.subject for part in one.folded)}
    await conn.execute(
        "UPDATE procrastinate_jobs j SET status = 'succeeded' FROM jobs_maint_failures f"
        " WHERE f.job_id = j.id AND f.fingerprint <> '2:app.webhook399'"
    )
    one, message, shell = await tell(pool)  # 20 are failed still, of an error that is not listed
    part = "7,980 of the jobs have succeeded since."
    assert message.startswith(f"🔴 {said} {part}")
    assert part in shell
    assert {one.subject, *(part.subject for part in one.folded)} >= told
    await conn.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE status = 'failed'")
    one, message, _ = await tell(pool)
    assert message.startswith(f"🟢 {said} All jobs have succeeded since.")
    assert list_looks(one) == []


async def test_several_tasks_are_one_sum_and_of_more_than_are_told_it_is_a_lower_bound(
    pool, deploy, monkeypatch
):
    monkeypatch.setattr(looking, "MOST_GROUPS", 7)
    await deploy("app.webhook", 160, 4)
    await deploy("app.webhook_old", 40, 1, types=False)
    await deploy("app.mail", 180, 3)
    one, message, shell = await tell(pool)
    assert message.startswith(
        "🔴 At least 380 jobs of at least 3 tasks failed in the last hour, "
        "with 8 different errors.\n"
    )
    for text in (message, shell):
        assert "180 of mail, 160 of webhook, 40 of webhook_old." in text
    assert await find(pool, one) == (380, 380)


async def test_very_many_messages_of_one_exception_type_are_one_error_as_elsewhere(
    pool, deploy, monkeypatch
):
    await deploy("app.webhook", 1_200, 60, types=False)
    one, message, _ = await tell(pool)
    said = "webhook jobs failed in the last hour, all with one error in 60 different messages."
    assert message.startswith(f"🔴 1,200 {said}\n")
    assert "\nError0: 60 different messages, e.g. bad " in message
    taken = await perform(pool, ADA, TakeIncident(one.id))
    assert taken.incident.taken_by == ADA.label
    # A role that does not reach all of these jobs is not told of them.
    one, message, _ = await tell(pool, 1, EVA)
    assert one.unlike is None
    assert "1,200" not in message
    monkeypatch.setattr(looking, "MOST_FAILURES", 1_000)
    assert (await tell(pool))[1].startswith(f"🔴 At least 1,000 {said}\n")


async def test_a_sum_dates_from_the_first_of_its_errors(pool, conn, deploy):
    await deploy("app.mail", 180, 3)
    await deploy("app.webhook", 160, 4)
    await perform(pool, ADA, HOUR)
    await conn.execute(
        "UPDATE jobs_maint_groups SET first_at = now() - interval '20 min'"
        " WHERE task_name = 'app.webhook'"
    )
    one, message, shell = await tell(pool)
    assert one.facts["task"] == "app.mail"
    assert ", for 20 min" in message
    assert "UTC, 20 min." in shell


async def test_such_messages_are_one_part_which_is_counted_taken_and_muted_as_one(pool, deploy):
    """Each of them alone fails too rarely for an incident."""
    await deploy("app.mail", 30, 1)
    await tell(pool)
    await deploy("app.webhook", 1_140, 60, types=False)
    one, message, shell = await tell(pool)
    [whole] = [part.subject for part in one.folded]
    assert whole == name_kind("app.webhook", "app.Error0")
    said = "Also: Error0 in webhook is new: 1,140 failures in the last hour"
    for text in (message, shell):
        assert text.count("Error0 in webhook") == 1
        assert f"{said} ({whole})" in text
    timeline = render_details_of(one, one.seen_at, NO_RUNBOOKS).text
    assert timeline.count("Also: the error") == 1
    assert f"Also: the error Error0 in webhook, 1,140 failures in an hour ({whole})." in timeline

    await perform(pool, ADA, TakeIncident(one.id))
    errors = {group.name: group for group in (await perform(pool, ADA, HOUR)).groups}
    assert (errors[whole].count, errors[whole].taken_by) == (1_140, ADA.label)
    taken = await perform(pool, ANA, TakeGroup(whole))
    assert taken.before == ADA.label
    one, message, _ = await tell(pool)
    assert "ana@here is on it" in message
    await perform(pool, ANA, TakeGroup(whole, drop=True))
    assert "nobody is on it (take E-" in (await tell(pool))[1]

    await perform(pool, ANA, MuteGroup(whole, timedelta(hours=2)))
    one, message, shell = await tell(pool)
    assert f"{said} ({whole}), muted by ana@here until " in message
    for text in (message, shell):
        assert text.count(f"mute {whole} --off") == 1


async def test_where_one_message_led_before_they_were_many_what_is_said_of_all_is_told_once(
    pool, deploy
):
    await deploy("app.webhook", 30, 1, types=False)
    before, *_ = await tell(pool)
    await deploy("app.webhook", 1_140, 60, types=False)
    await tell(pool)
    whole = name_kind("app.webhook", "app.Error0")
    await perform(pool, ANA, TakeGroup(whole))
    await perform(pool, ANA, MuteGroup(whole, timedelta(hours=2)))
    one, message, shell = await tell(pool)
    assert (one.key, [part.subject for part in one.folded]) == (before.key, [whole])
    for text in (message, shell):
        assert text.count(f"mute {whole} --off") == 1
    acts = [step.what for step in one.history]
    assert (acts.count("taken"), acts.count("muted")) == (1, 1)


async def test_a_kind_that_goes_on_as_before_is_no_news_however_many_new_messages_it_has(
    pool, conn, deploy
):
    """As `errors` has it. What was away for long is back, without its jobs of before."""
    await deploy("app.webhook", 60, 60, types=False)
    await perform(pool, ADA, HOUR)
    await conn.execute(
        "UPDATE jobs_maint_groups SET first_at = first_at - interval '2 d',"
        " last_at = last_at - interval '2 h'"
    )
    await conn.execute("UPDATE jobs_maint_failures SET failed_at = failed_at - interval '3 d'")
    await deploy("app.webhook", 1_140, 60, types=False)
    for _ in range(3):
        seen = await perform(pool, BOT, WatchIncidents("bot", LIMITS))
    assert seen.open == ()
    await conn.execute(
        "UPDATE jobs_maint_groups SET returned_at = now() - interval '1 h', quiet_seconds = 170000"
    )
    one, message, _ = await tell(pool)
    assert one.subject == name_kind("app.webhook", "app.Error0")
    assert (one.facts["state"], one.lead.standing.failed_now) == ("regressed", 1_140)
    assert "One of them" not in message


async def test_few_errors_are_listed_without_a_sum(pool, deploy):
    await deploy("app.webhook", 120, 6)
    one, message, _ = await tell(pool)
    assert (one.unlike, len(one.folded)) == (None, 5)
    assert "different errors" not in message
