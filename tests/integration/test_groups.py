"""Groups of errors with a memory, on a real database."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from psycopg.rows import dict_row
from tests.support.history import days, hours, minutes

from chatbot.messages.errors import render_error as render_refusal
from chatbot.messages.groups import render_errors as render_groups
from chatbot.messages.remembered import offer_memory
from chatbot.messages.result import render_result
from chatbot.messages.stats import render_stats
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    Grant,
    JobFilter,
    ListErrors,
    ListFailed,
    MuteGroup,
    PreviewBulk,
    PurgeFinished,
    RescueStalled,
    Role,
    ShowDigest,
    ShowStats,
    TakeGroup,
)
from jobs_maint.database import open_pool
from jobs_maint.errors import InvalidRequest, JobNotFound, NotPermitted
from jobs_maint.fingerprint import build_fingerprint
from jobs_maint.operations.failures.memory import collect_groups
from jobs_maint.operations.failures.placing import name_kind
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "here")
MAIL = "app.mail"


async def ask(pool, action, actor=ANA):
    return await perform(pool, actor, action, settings=MaintSettings())


async def rescue(pool):
    return await ask(pool, RescueStalled(), Actor.task("jobs_maint:rescue_stalled_jobs"))


def old_fingerprint(text: str, task: str = MAIL) -> str:
    """As a recorder of version 1 wrote it: nobody can build it from what it stored."""
    return f"1:{hashlib.sha256(f'{task} smtplib.Refused {text}'.encode()).hexdigest()[:16]}"


@pytest.fixture
def fail(make_job):
    """A job that failed with this text, as a recorder of this version stored it."""

    async def fail(text, ago, *, task=MAIL, queue="email", version=2):
        built = old_fingerprint(text, task) if version == 1 else build_fingerprint(
            task, "Refused", text
        )  # fmt: skip
        return await make_job(
            status="failed", queue=queue, task=task, error=text, exception_type="Refused",
            finished_ago=ago, fingerprint=built,
        )  # fmt: skip

    return fail


async def list_groups(conn):
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT name, task_name, fingerprints, queues, failures, first_at, quiet_seconds"
            " FROM jobs_maint_groups WHERE fingerprints <> '{}' ORDER BY first_at, last_at"
        )
        return await cursor.fetchall()


async def test_the_past_is_taken_in_and_a_group_is_new_once_and_comes_back(pool, conn, fail):
    a_day = ListErrors(since=timedelta(hours=24))
    await fail("{'u40@a.example': (550, b'no such user here')}", days(20), version=1)
    await fail("{'a3@b.example': (550, b'no such user here')}", days(13), version=1)
    await fail("HTTP 503 from api-1", days(3), task="app.hook", queue="webhook")
    await fail("HTTP 503 from api-2", hours(40), task="app.hook", queue="webhook")
    await fail("order 17 not found", minutes(50), task="app.order", queue="orders")
    before = await ask(pool, a_day)
    told = [(group.task, group.state) for group in before.groups]
    assert told == [("app.order", "new"), ("app.hook", "quiet")]

    await rescue(pool)
    mails, hooks, orders = await list_groups(conn)
    assert (mails["failures"], len(mails["fingerprints"])) == (2, 4)
    assert mails["quiet_seconds"] == pytest.approx(days(7).total_seconds(), abs=5)
    assert (hooks["queues"], hooks["failures"], orders["failures"]) == (["webhook"], 2, 1)

    # A recorder of today finds the group of the older ones again by the text.
    await fail("{'zoe@c.example': (550, b'no such user here')}", minutes(3))
    await fail("HTTP 404 from api-3", minutes(2), task="app.hook", queue="webhook")
    await fail("HTTP 503 from api-3", minutes(1), task="app.hook", queue="webhook")
    report = await ask(pool, a_day)
    found = {group.task + group.message[:8]: group for group in report.groups}
    mail, hook = found["app.mail{'zoe@c."], found["app.hookHTTP 503"]
    order, missing = found["app.orderorder 17"], found["app.hookHTTP 404"]
    assert (mail.state, mail.name, mail.first_ever_at) == (
        "regressed", mails["name"], mails["first_at"],
    )  # fmt: skip
    assert mail.quiet_seconds == pytest.approx(days(13).total_seconds(), abs=300)
    assert (hook.state, hook.quiet_seconds) == (
        "regressed",
        pytest.approx(hours(40).total_seconds(), abs=120),
    )
    assert [(group.state, group.trend) for group in (order, missing)] == [("new", "new")] * 2
    names = {group.name for group in (mail, hook, order, missing)}
    assert len(names) == 4
    assert all(name.startswith("E-") and len(name) == 6 for name in names)
    week = await ask(pool, ListErrors(since=timedelta(days=28)))
    assert {group.task: group.count for group in week.groups if group.task == MAIL} == {MAIL: 3}
    failed = await ask(pool, ListFailed(grouped=True))
    [mailed] = [group for group in failed.groups if group.task == MAIL]
    assert (mailed.count, mailed.name, mailed.state) == (3, mail.name, "regressed")
    digest = await ask(pool, ShowDigest(since=timedelta(hours=24)))
    assert {group.name for group in digest.groups} == names
    assert (await ask(pool, ListErrors(since=timedelta(minutes=30)))).groups[0].state != "new"


async def test_an_upgrade_makes_no_known_group_new_not_even_where_it_tells_two_apart(
    pool, conn, fail
):
    text = "HTTP {} from the partner"
    await fail(text.format(503), hours(30), version=1)
    await collect_groups(conn)
    await fail(text.format(503), minutes(2))
    await fail(text.format(404), minutes(1))
    await collect_groups(conn)
    first, second = await list_groups(conn)
    assert first["first_at"] == second["first_at"]
    assert (first["failures"], second["failures"]) == (2, 1)
    groups = (await ask(pool, ListErrors(since=timedelta(hours=24)))).groups
    assert [group.state for group in groups] == ["regressed", "regressed"]
    # A worker of the old version beside those of the new one.
    await fail(text.format(404), minutes(0), version=1)
    assert (await collect_groups(conn)).new == ()
    assert len(await list_groups(conn)) == 2


async def test_no_failure_is_counted_twice_or_passed_over(pool, conn, fail, database_url):
    insert = (
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " exception_type, message, fingerprint, will_retry)"
        " SELECT n, 1, 'q', 'app.task', clock_timestamp(), 'error', 'E', 'late',"
        " '2:' || lpad(to_hex(n %% %s), 16, '0'), %s FROM generate_series(1, %s) AS n"
    )
    async with await psycopg.AsyncConnection.connect(database_url) as late:
        await late.execute(insert, (1, False, 7))  # holds seven ids
        await conn.execute(insert, (1, False, 5))
        assert (await collect_groups(conn)).failures == 0
        assert await list_groups(conn) == []
        await late.commit()
    one, two = await asyncio.gather(ask_collect(pool), ask_collect(pool))
    assert one.failures + two.failures == 12
    assert (await collect_groups(conn)).failures == 0
    [group] = await list_groups(conn)
    assert group["failures"] == 12

    # Five hundred groups a pass; attempts that are retried are looked at and not counted.
    await conn.execute("DELETE FROM jobs_maint_failures")
    await conn.execute(insert, (700, False, 700))
    await conn.execute(insert, (1, True, 30))
    passes = [await collect_groups(conn) for _ in range(3)]
    assert [len(one.new) for one in passes] == [500, 199, 0]
    assert [one.finished for one in passes] == [False, True, True]
    assert sum(one.failures for one in passes) == 730
    assert sum(group["failures"] for group in await list_groups(conn)) == 712
    await conn.execute("BEGIN; SELECT FROM jobs_maint_collected FOR UPDATE")
    assert (await ask_collect(pool)).busy
    await conn.execute("COMMIT")


async def ask_collect(pool):
    async with pool.connection() as conn:
        return await collect_groups(conn)


async def test_what_is_taken_or_muted_ends_as_it_should_and_old_groups_go(pool, conn, fail):
    await fail("order 17 not found", hours(50), task="app.order")
    await fail("HTTP 503 from api-1", hours(2), task="app.hook")
    await collect_groups(conn)
    await conn.execute(
        "UPDATE jobs_maint_groups SET taken_by = 'shell:ana@here', muted_until = 'infinity',"
        " taken_at = now() - interval '2 d', muted_above = 3"
    )
    await fail("order 18 not found", minutes(1), task="app.order")
    for _ in range(3):
        await fail("HTTP 503 from api-2", minutes(1), task="app.hook")
    await collect_groups(conn)
    groups = {group.task: group for group in (await ask(pool, ListErrors())).groups}
    order, hook = groups["app.order"], groups["app.hook"]
    assert (order.state, order.taken_by, order.muted_above) == ("regressed", None, 3)
    assert (hook.taken_by, hook.muted_until, hook.muted_above) == ("shell:ana@here", None, 3)
    await fail("HTTP 503 from api-3", minutes(0), task="app.hook")
    await collect_groups(conn)
    groups = {group.task: group for group in (await ask(pool, ListErrors())).groups}
    assert groups["app.hook"].muted_above is None  # four within the hour

    await conn.execute("UPDATE jobs_maint_groups SET last_at = now() - interval '366 days'")
    await ask(pool, PurgeFinished(time_limit=timedelta(seconds=30)))
    [left] = await list_groups(conn)
    assert left["task_name"] == "app.order"  # muted without an end


async def test_a_wrong_name_leads_to_the_one_that_is_one_character_off(pool, conn, fail):
    for task in ("app.a", "app.b", "app.c"):
        await fail("boom", minutes(5), task=task)
    await collect_groups(conn)
    names = iter(("E-9008", "E-909d", "E-900c"))
    for group in await list_groups(conn):
        rename = "UPDATE jobs_maint_groups SET name = %s WHERE name = %s"
        await conn.execute(rename, (next(names), group["name"]))
    day = timedelta(hours=24)
    for action, said, meant in (
        (TakeGroup("E-909e"), "did you mean E-909d?", "take E-909d"),
        (TakeGroup("E-909e", drop=True), "did you mean E-909d?", "take E-909d --drop"),
        (MuteGroup("E-9018", day), "did you mean E-9008?", "mute E-9008 --for 1d"),
        (MuteGroup("E-909e", None, 50), "did you mean E-909d?", "mute E-909d --above 50/h"),
        (TakeGroup("E-9009"), "did you mean E-9008 or E-900c?", None),
        (TakeGroup("E-91d9"), "it may have been forgotten", None),
    ):
        with pytest.raises(InvalidRequest) as caught:
            await ask(pool, action)
        assert said in str(caught.value)
        assert caught.value.suggestion == meant


async def test_who_takes_or_mutes_a_group_is_shown_and_audited(pool, conn, fail):
    job = await fail("order 17 not found", minutes(5), task="app.order", queue="orders")
    bare = await fail("HTTP 503", minutes(4), task="app.hook", queue="webhook")
    taken = await ask(pool, TakeGroup(job))  # not counted yet: this counts it
    assert (taken.done, taken.before, taken.task) == ("taken", None, "app.order")
    assert taken.taken_by == "shell:ana@here"
    bo = Actor("slack", "U0BOB", "bob", "C1", (Grant(Role.OPERATOR, ("orders",)),))
    over = await ask(pool, TakeGroup(taken.name), bo)
    assert (over.taken_by, over.before) == ("slack:U0BOB (bob)", "shell:ana@here")
    muted = await ask(pool, MuteGroup(taken.name, timedelta(hours=2), 50), bo)
    assert (muted.muted_above, muted.muted_until > muted.as_of) == (50, True)
    [order] = (await ask(pool, ListErrors("orders"))).groups
    assert (order.taken_by, order.muted_above) == ("slack:U0BOB (bob)", 50)
    assert (await ask(pool, MuteGroup(taken.name, None, 50))).muted_until is None
    assert (await ask(pool, MuteGroup(taken.name))).muted_above is None
    stale = replace(bo, id="U0ZOE", name="zoe")
    with pytest.raises(InvalidRequest, match=r"^bob is on E-\w+ now, not you; .* or an admin can"):
        await ask(pool, TakeGroup(job, drop=True), stale)
    dropped = await ask(pool, TakeGroup(job, drop=True))
    assert (dropped.done, dropped.taken_by, dropped.before) == ("dropped", None, over.taken_by)

    hook = next(group for group in await list_groups(conn) if group["task_name"] == "app.hook")
    wrong = f"{taken.name[:-1]}{'0' if taken.name[-1] != '0' else '1'}"
    for action, actor, error, says in (
        (TakeGroup(hook["name"]), bo, InvalidRequest, f"There is no group {hook['name']}"),
        (TakeGroup(bare), bo, NotPermitted, f"take the error of job {bare}"),
        (MuteGroup(wrong), ANA, InvalidRequest, f"did you mean {taken.name}"),
        (TakeGroup(taken.name[:-1]), ANA, InvalidRequest, f"did you mean {taken.name}"),
        (MuteGroup(job, None, 5), bo, InvalidRequest, f"type: mute {taken.name} --above 5/h$"),
        (MuteGroup(bare), bo, NotPermitted, f"^You may not mute the error of job {bare}: it is in"),
        (TakeGroup(2**40), ANA, JobNotFound, "There is no job"),
        (TakeGroup(taken.name), replace(bo, grants=(Grant(Role.VIEWER),)), NotPermitted, "role"),
    ):
        with pytest.raises(error, match=says):
            await ask(pool, action, actor)
    unrecorded = await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 't') RETURNING id"
    )
    [number] = await unrecorded.fetchone()
    with pytest.raises(InvalidRequest, match="has no recorded error"):
        await ask(pool, TakeGroup(number))
    audited = await conn.execute(
        "SELECT actor_id, action FROM jobs_maint_audit WHERE outcome = 'done' ORDER BY id LIMIT 3"
    )
    assert await audited.fetchall() == [
        ("ana@here", f"take {job}"), ("U0BOB", f"take {taken.name}"),
        ("U0BOB", f"mute {taken.name} --for 2h --above 50/h"),
    ]  # fmt: skip


async def test_a_mute_that_the_next_failure_would_end_is_refused(pool, fail, conn):
    for ago in (minutes(5), minutes(30), minutes(59), hours(2)):
        await fail("mailbox is full", ago)
    [group] = (await ask(pool, ListErrors())).groups
    for span in (None, hours(2)):
        with pytest.raises(InvalidRequest, match="failed 3 times in the last hour") as refused:
            await ask(pool, MuteGroup(group.name, span, 2))
        words = replace(MuteGroup(group.name, span), above=6).words()
        assert refused.value.suggestion == words
        shown = render_refusal(refused.value, "/jobs", "mute", suggestion=words)
        assert "3 times in the last hour" in shown.text
    [same] = (await ask(pool, ListErrors())).groups
    assert (same.muted_until, same.muted_above) == (None, None)
    with pytest.raises(InvalidRequest, match="failed 3 times in the last hour"):
        await ask(pool, MuteGroup(group.name, None, 3))
    assert (await ask(pool, MuteGroup(group.name, None, 4))).muted_above == 4


async def test_a_group_has_its_name_from_its_first_failure_on(pool, conn, fail):
    await fail("order 17 not found", minutes(5), task="app.order", queue="orders")
    report = await ask(pool, ListErrors())
    [group] = report.groups
    assert group.name
    assert group.name in render_text(report, width=80)
    assert (await ask(pool, MuteGroup(group.name))).name == group.name
    await fail("HTTP 503", minutes(4), task="app.hook", queue="webhook")
    stats = await ask(pool, ShowStats(errors=True))
    assert all(one.name for one in stats.errors.groups)
    await fail("HTTP 404", minutes(3), task="app.page", queue="web")
    await conn.execute("SET default_transaction_read_only = on")  # as on a standby
    assert (await collect_groups(conn)).failures == 0
    await conn.execute("RESET default_transaction_read_only")
    failed = await ask(pool, ListFailed(grouped=True))
    assert all(one.name for one in failed.groups)


async def test_a_past_span_offers_what_is_failed_now(pool, conn, fail):
    for n in range(3):
        await fail(f"HTTP 503 from api-{n}", hours(3), task="app.hook", queue="webhook")
    now = await conn.execute("SELECT now()")
    [as_of] = await now.fetchone()
    past = ListErrors(since=timedelta(hours=24), until=as_of - timedelta(hours=2))
    report = await ask(pool, past)
    assert [(one.count, one.failed_now, one.retriable) for one in report.groups] == [(3, 3, 3)]
    assert "Preview retry of 3" in str(render_groups(report).blocks)
    await conn.execute("UPDATE procrastinate_jobs SET status = 'succeeded'")
    report = await ask(pool, past)
    assert [(one.count, one.failed_now) for one in report.groups] == [(3, 0)]
    shown = str(render_groups(report).blocks)
    assert "succeeded since" in shown
    assert "Preview retry" not in shown
    assert "Show 3" not in shown
    await fail("HTTP 503 from api-9", minutes(5), task="app.hook", queue="webhook")
    [group] = (await ask(pool, past)).groups
    assert (group.count, group.failed_now, group.retriable) == (3, 0, 0)  # it failed later


async def test_until_in_the_future_shows_what_there_is_and_says_so(pool, conn, fail):
    await fail("HTTP 503", minutes(90), task="app.hook", queue="webhook")
    await fail("HTTP 404", minutes(10), task="app.page", queue="web")
    [as_of] = await (await conn.execute("SELECT now()")).fetchone()
    said = "--until is in the future: shown up to now."
    ahead = await ask(pool, ListErrors(since=hours(2), until=as_of + hours(1)))
    assert (ahead.failed, ahead.until, ahead.until_in_future) == (1, ahead.as_of, True)
    assert 3_600 <= ahead.since_seconds < 3_660
    assert ahead.since_seconds.is_integer()  # its buttons spell it
    assert said in render_text(ahead, width=200)
    assert said in render_groups(ahead).text
    past = await ask(pool, ListErrors(since=hours(2), until=as_of))
    assert (past.failed, past.until_in_future) == (2, False)
    assert said not in render_text(past, width=200) + render_groups(past).text
    with pytest.raises(InvalidRequest, match="is a span in the future") as caught:
        await ask(pool, ListErrors("web", hours(1), until=as_of + hours(2)))
    assert caught.value.suggestion == "errors web --since 1h --limit 10"


async def test_every_word_with_until_in_the_future_says_so(pool, conn, fail, make_job):
    await make_job(status="failed", task="app.page", finished_ago=minutes(10))
    await make_job(status="failed", task="app.page", finished_ago=minutes(90))
    [as_of] = await (await conn.execute("SELECT now()")).fetchone()
    said = "--until is in the future: shown up to now."

    def ask_for(since, until):
        yield ListFailed(since=since, until=until), "failed --since"
        for verb in BulkVerb:
            statuses = ("failed",) if verb is not BulkVerb.CANCEL else ()
            wanted = JobFilter(statuses=statuses, since=since, until=until)
            yield PreviewBulk(verb, wanted), f"{verb} --all"

    for action, _ in ask_for(hours(2), as_of + hours(1)):
        ahead = await ask(pool, action)
        assert ahead.until_in_future
        assert said in render_text(ahead, width=200)
        assert said in render_result(ahead, "/jobs", by="U0ANA").text
        counted = ahead.total if isinstance(action, ListFailed) else ahead.count
        assert counted == (action.words().split()[0] != "cancel")
    for action, _ in ask_for(hours(2), as_of):
        past = await ask(pool, action)
        assert not past.until_in_future
        assert said not in render_text(past, width=200)
    for action, words in ask_for(hours(1), as_of + hours(2)):
        with pytest.raises(InvalidRequest, match="is a span in the future") as caught:
            await ask(pool, action)
        assert caught.value.suggestion.startswith(words)
        assert "--until" not in caught.value.suggestion


async def test_without_the_tables_all_is_as_before_and_a_broken_one_stops_no_rescue(
    pool, conn, fail, caplog
):
    await fail("order 17 not found", minutes(5))
    await conn.execute("ALTER TABLE jobs_maint_groups ADD CHECK (failures > 7)")
    await rescue(pool)
    told = [r for r in caplog.records if r.event == "jobs_maint.groups_not_collected"]
    assert len(told) == 1
    await conn.execute("DROP TABLE jobs_maint_collected")
    assert (await collect_groups(conn)).failures == 0
    await conn.execute("DROP TABLE jobs_maint_groups")
    await rescue(pool)
    [group] = (await ask(pool, ListErrors())).groups
    assert (group.state, group.name, group.taken_by) == ("new", None, None)
    report = await ask(pool, PurgeFinished(time_limit=timedelta(seconds=30)))
    assert report.finished


async def test_errors_and_stats_count_the_same_failures_in_the_same_colour(pool, fail, conn):
    for _ in range(2):
        await fail("mailbox 12 is full", days(3))  # an old acquaintance
    await rescue(pool)
    again = await fail("mailbox 12 is full", minutes(20))
    await fail("mailbox 12 is full", minutes(30))
    # Retried, and failed with the same error a second time.
    await conn.execute("INSERT INTO procrastinate_events (job_id, type, at) VALUES"
                       " (%s, 'failed', now() - interval '10 min')", (again,))  # fmt: skip
    await fail("mailbox 12 is full", hours(25))
    last_hour = ListErrors(since=hours(1))

    async def look():
        stats, errors = await ask(pool, ShowStats()), await ask(pool, last_hour)
        [queue] = stats.queues
        assert queue.failed_last_hour == errors.failed
        dot = render_groups(errors).text[0]
        assert dot == render_stats(stats, "/jobs").text[0]
        return stats.new_errors, errors.failed, dot

    assert await look() == (0, 3, "🟡")
    await fail("a lock", minutes(1), task="jobs_maint:rescue_stalled_jobs", queue="maintenance")
    assert await look() == (0, 3, "🟡")  # our own are told as maintenance that failed
    await fail("mailbox 12 has moved", minutes(1))
    await fail("mailbox is gone", minutes(1))
    # Also what failed since the last pass of the rescue.
    assert await look() == (2, 5, "🔴")
    assert "2 errors are new or back." in render_text(await ask(pool, ShowStats()))
    other = Actor("slack", "U1", "bo", "C1", (Grant(Role.VIEWER, queues=("web*",)),))
    assert (await ask(pool, ShowStats(), other)).new_errors == 0


@pytest.mark.parametrize(
    ("before", "state", "news"),
    [((), "new", 2), ((days(5),), "regressed", 2), ((days(5), hours(5)), "ongoing", 1)],
)
async def test_a_kind_with_very_many_texts_is_one_group_everywhere(pool, fail, before, state, news):
    """stats, errors and digests of one span count the same groups, news among them."""
    for number, ago in enumerate(before):
        await fail(f"row {chr(97 + number)} before", ago)
    for first, second in itertools.product("abcdefgh", repeat=2):
        await fail(f"row {first}{second} is bad", minutes(5))
    for _ in range(3):
        await fail("page is gone", minutes(9), task="app.page")
    for since in (hours(1), days(1)):
        errors = await ask(pool, ListErrors(since=since))
        digest = await ask(pool, ShowDigest(None, since))
        assert set(errors.groups) == set(digest.groups)
        assert (errors.reasons.groups, errors.groups_not_shown) == (2, 0)
        largest = errors.groups[0]
        assert largest.message.startswith("6")
        assert "different messages, e.g. row" in largest.message
        assert (largest.name, largest.taken_by) == (name_kind(MAIL, "Refused"), None)
    failed = await ask(pool, ListFailed(since=hours(1), grouped=True))
    errors = await ask(pool, ListErrors(since=hours(1)))
    digest = await ask(pool, ShowDigest(None, hours(1)))
    stats = await ask(pool, ShowStats())
    assert [group.count for group in failed.groups] == [64, 3]
    assert {failed.groups[0].state, errors.groups[0].state} == {state}
    assert errors.reasons.new + errors.reasons.returned == stats.new_errors == news
    assert digest.new_groups == errors.reasons.new == (1 if before else 2)


async def test_where_a_flood_is_not_counted_to_its_end_stats_says_at_least(
    pool, conn, fail, database_url, monkeypatch
):
    monkeypatch.setattr("jobs_maint.operations.failures.memory.MOST_FAILURES", 4)
    for word in ("closed", "moved", "full", "gone", "old", "locked"):
        await fail(f"mailbox is {word}", minutes(20))

    async def look(actor=ANA):
        report = await ask(pool, ShowStats(), actor)
        text = render_text(report, width=200)
        assert render_stats(report, "/jobs").text.count("At least") == text.count("At least")
        return report.new_errors, report.new_errors_at_least, text

    new, more, text = await look()
    assert (new, more) == (4, True)
    assert "At least 4 errors are new or back." in text
    new, more, text = await look()
    assert (new, more) == (6, False)
    assert "6 errors are new or back." in text
    assert "At least" not in text
    await fail("page is gone", minutes(5), task="app.page", queue="web")
    # Our own are no news.
    await fail("no", minutes(5), task="jobs_maint:rescue_stalled_jobs")
    # As on a standby: the memory is that of the last pass.
    await conn.execute(f"ALTER DATABASE {conn.info.dbname} SET default_transaction_read_only = on")
    async with open_pool(database_url) as standby:
        report = await ask(standby, ShowStats("web"))
        assert (report.new_errors, report.new_errors_at_least) == (0, True)
        told = "Some failures are not counted yet: errors may be new."
        assert told in render_text(report, width=200)
        report = await ask(standby, ShowStats("email"))
        assert (report.new_errors, report.new_errors_at_least) == (6, False)


async def test_stats_waits_only_so_long_for_errors_that_are_not_counted_yet(
    pool, fail, database_url, monkeypatch, caplog
):
    """Longer than that, here for another session, which would hold it up until a time limit."""
    await fail("mailbox is closed", minutes(20))
    await ask(pool, ShowStats())
    await fail("mailbox is closed", minutes(5))
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute("SELECT FROM jobs_maint_groups FOR UPDATE")
        with monkeypatch.context() as patched:
            patched.setattr("jobs_maint.operations.failures.memory.READ_WAITS", 0.5)
            report = await ask(pool, ShowStats())
        assert report.new_errors_at_least
    assert "groups_not_collected" not in caplog.text
    assert not (await ask(pool, ShowStats())).new_errors_at_least


async def test_who_reaches_some_queues_is_offered_no_button_for_an_error_of_others_too(pool, fail):
    await fail("HTTP 503", minutes(5), task="app.order", queue="orders")
    for queue in ("orders", "web"):
        await fail("order 17 not found", minutes(4), task="app.order", queue=queue)
    bo = Actor("slack", "U0BOB", "bob", "C1", (Grant(Role.OPERATOR, ("orders",)),))
    theirs = {one.message: one for one in (await ask(pool, ListErrors(), bo)).groups}
    assert not theirs["HTTP 503"].elsewhere
    assert [button.label for button in offer_memory(theirs["HTTP 503"])] == [
        "I'm on it", "Mute for 24 h",
    ]  # fmt: skip
    shared = theirs["order 17 not found"]
    assert offer_memory(shared) == []
    with pytest.raises(NotPermitted, match="concern more than orders"):
        await ask(pool, TakeGroup(shared.name), bo)
    whole = (await ask(pool, ListErrors())).groups
    assert all(len(offer_memory(one)) == 2 for one in whole)
