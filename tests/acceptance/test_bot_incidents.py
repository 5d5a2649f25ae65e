"""The bot speaks first: one message an incident, kept true, through crashes and an absent Slack."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager

import pytest
from tests.support.bots import ask, serve_replica, settle
from tests.support.fleet import Fleet
from tests.support.history import hours, minutes
from tests.support.waiting import PATIENCE, until, wait_for_row
from tests.support.watched import (
    INCIDENTS,
    lose_watch,
    open_watch,
    press,
    replies,
    roots,
    see,
)

from chatbot.slack.web_api import WebApi
from chatbot.watching import telling
from chatbot.watching.watch import Watch
from jobs_maint.actions import Actor, Grant, ListIncidents, Role, TakeIncident
from jobs_maint.perform import perform
from local_slack.sample import ADMIN, ARCHIVED, OPERATOR, OPS, RANDOM, VIEWER
from local_slack.text import as_text


@pytest.fixture
async def fleet(pool, conn, make_job):
    """One worker that lives, and three jobs that wait."""
    fleet = Fleet(pool, conn, make_job)
    fleet.worker = await fleet.start_worker()
    for _ in range(3):
        await make_job(queue="email")
    return fleet


async def die(fleet):
    """The only worker dies."""
    await fleet.fall_silent(minutes(3))
    await fleet.conn.execute("UPDATE jobs_maint_watch SET memory = memory - 'worker_at'")


async def test_a_bot_that_watches_no_more_ends_what_is_open_and_says_so(pool, conn, fleet):
    async with open_watch(pool) as (slack, bot, watch):
        await Watch(bot.services, None).wind_down(every=0)  # nothing is open: the watch is left
        await die(fleet)
        await see(watch)
        [message] = roots(slack)
        await lose_watch(conn)
        await Watch(bot.services, None).wind_down(every=0)
        [message] = roots(slack)
        assert message.text.startswith("🟡 No worker was alive, but this is no longer watched.")
        assert replies(slack)[-1].endswith("No worker was alive, but this is no longer watched.")


async def test_who_took_an_incident_gives_it_back_by_the_button_of_the_answer(pool, fleet):
    async with open_watch(pool) as (slack, bot, watch):
        await die(fleet)
        await see(watch)
        [message] = roots(slack)
        await press(slack, bot, message.ts, "I'm on it")
        [answer] = [one for one in slack.messages(OPS, OPERATOR) if one.ephemeral]
        assert answer.text.startswith(f"✅ I-1 is taken by <@{OPERATOR}>.")
        await press(slack, bot, answer.ts, "Give it back")
        [answer] = [one for one in slack.messages(OPS, OPERATOR) if one.ephemeral]
        assert "I-1 was given back" in answer.text
        await see(watch, 1)
        [message] = roots(slack)
        assert "Nobody is on it yet." in message.text
        assert "I'm on it" in buttons(message)
        # Nor do its details say any more that nobody is.
        await press(slack, bot, message.ts, "Details")
        *_, shown = [one for one in slack.messages(OPS, OPERATOR) if one.ephemeral]
        assert "Nobody is on it yet." in shown.text
        await press(slack, bot, shown.ts, "I'm on it")
        assert "Nobody is on it" not in slack.messages(OPS, OPERATOR)[-1].text


def hold_edit(monkeypatch):
    """The next edit of a message reaches Slack only once it may; when it began, and that."""
    begun, may = asyncio.Event(), asyncio.Event()
    call = WebApi._call_once

    async def hold(self, method, *args, **more):
        if method == "chat.update" and not begun.is_set():
            begun.set()
            await may.wait()
        return await call(self, method, *args, **more)

    monkeypatch.setattr(WebApi, "_call_once", hold)
    return begun, may


async def test_a_mark_that_is_slow_to_arrive_does_not_take_back_what_the_watch_wrote(
    pool, fleet, monkeypatch
):
    async with open_watch(pool) as (slack, bot, watch):
        await die(fleet)
        await see(watch)
        [message] = roots(slack)
        begun, may = hold_edit(monkeypatch)
        click = asyncio.create_task(press(slack, bot, message.ts, "I'm on it"))
        await begun.wait()
        look = asyncio.create_task(see(watch, 1))
        await asyncio.wait([look], timeout=1)  # an edit that waits for no other is made by then
        may.set()
        await asyncio.gather(look, click)
        [message] = roots(slack)
        assert "otto is on it, since" in message.text
        assert "Nobody is on it" not in message.text


async def test_what_was_seen_while_something_else_was_told_is_told_right_after_it(
    pool, conn, fleet, monkeypatch
):
    """Two people take it over from each other while Slack is slow."""
    async with open_watch(pool) as (slack, bot, watch):
        await die(fleet)
        await see(watch)
        running = asyncio.create_task(watch.run(every=10 * PATIENCE))
        begun, may = hold_edit(monkeypatch)

        async def take(name):
            actor = Actor("slack", f"U0{name}", name, OPS, (Grant(Role.ADMIN),))
            await perform(pool, actor, TakeIncident(1), settings=bot.services.maint)
            at = await (await conn.execute("SELECT clock_timestamp()")).fetchone()
            bot.services.woken.set()
            return at

        await take("FIRST")
        await begun.wait()
        at = await take("SECOND")
        await wait_for_row(conn, "SELECT 1 FROM jobs_maint_watch WHERE watched_at > %s", at)
        may.set()
        await until(lambda: "SECOND is on it" in roots(slack)[0].text, "the second message")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_who_is_on_it_already_is_told_since_when_and_its_thread_is_not(pool, fleet):
    async with open_watch(pool) as (slack, bot, watch):
        await die(fleet)
        await see(watch)
        for _ in range(2):
            *_, answer = await ask(slack, bot, OPERATOR, OPS, "/jobs take I-1")
            await see(watch, 1)
        assert answer.text.startswith(f"✅ I-1 has been taken by <@{OPERATOR}> since ")
        assert len([one for one in replies(slack) if "is on it" in one]) == 1
        report = await perform(
            pool, Actor.task("chatbot"), ListIncidents(), settings=bot.services.maint
        )
        assert [one.what for one in report.open[0].history] == ["opened", "taken"]


async def test_a_muted_incident_is_silent_in_its_thread_and_its_message_stays_true(
    pool, conn, fleet
):
    async with open_watch(pool) as (slack, bot, watch):
        await die(fleet)
        await see(watch)
        await ask(slack, bot, OPERATOR, OPS, "/jobs mute I-1 --for 1h")
        await see(watch, 1)
        told = replies(slack)
        assert told[-1].endswith(f"<@{OPERATOR}> muted it.")
        await ask(slack, bot, OPERATOR, OPS, "/jobs take I-1")
        await come_back(fleet)
        await see(watch)
        assert roots(slack)[0].text.startswith("🟢 Workers are back")
        assert replies(slack) == told
        [off] = await ask(slack, bot, OPERATOR, OPS, "/jobs mute I-1 --off")
        assert off.text.startswith(f"✅ I-1 is not muted any more: <@{OPERATOR}> ended the mute.")
        await see(watch, 1)
        assert [one.partition("  ")[2] for one in replies(slack)[len(told) :]] == [
            f"<@{OPERATOR}> unmuted it."
        ]


async def test_a_list_of_incidents_says_who_is_on_one_until_it_is_given_back(pool, fleet):
    async with open_watch(pool) as (slack, bot, watch):
        await die(fleet)
        await see(watch)
        [listed] = await ask(slack, bot, OPERATOR, RANDOM, "/jobs incidents")
        offered = buttons(listed)

        def look():
            [one] = [one for one in slack.messages(RANDOM) if one.ts == listed.ts]
            return one

        await slack.click(OPERATOR, RANDOM, listed.ts, "I'm on it")
        await settle(bot)
        assert f"On it: <@{OPERATOR}>" in look().text
        assert "Nobody is on it" not in look().text
        assert "I'm on it" not in buttons(look())
        await ask(slack, bot, OPERATOR, OPS, "/jobs take I-1 --drop")  # in another channel
        assert buttons(look()) == offered
        assert "On it" not in look().text


async def come_back(fleet):
    await fleet.heartbeat(fleet.worker)
    await fleet.beat(fleet.worker)


async def later(conn, minutes_later=2):
    """So that a number that moved is worth an edit."""
    await conn.execute(
        "UPDATE jobs_maint_incidents SET revised_at = revised_at - %s", (minutes(minutes_later),)
    )


def buttons(message):
    return [
        element["text"]["text"]
        for block in message.blocks
        for element in block.get("elements", ())
        if element.get("type") == "button"
    ]


async def test_the_only_worker_dies_is_taken_over_by_somebody_and_comes_back(
    pool, conn, make_job, fleet, caplog
):
    caplog.set_level(logging.INFO, logger="chatbot")
    async with open_watch(pool) as (slack, bot, watch):
        await see(watch)
        assert roots(slack) == []
        await die(fleet)
        await see(watch, 1)
        assert roots(slack) == []  # what is seen once may be a restart
        await see(watch, 1)
        [message] = roots(slack)
        assert message.text.startswith("🔴 No worker is alive; 3 jobs wait.\nNone heard since ")
        assert "Nobody is on it yet.\nStart a worker." in message.text
        await make_job(queue="webhook", deferred_ago=minutes(20))
        await later(conn)
        await see(watch)
        [message] = roots(slack)
        assert message.text.startswith("🔴 No worker is alive; 4 jobs wait.")
        assert "With the same cause: webhook is 20 min behind." in message.text
        assert "With the same cause: webhook is 20 min behind." in as_text(slack.messages(OPS)[-1])
        await press(slack, bot, message.ts, "I'm on it")
        [message] = roots(slack)
        assert "I'm on it" not in buttons(message)
        assert f"On it: <@{OPERATOR}>" in message.text
        assert bot.services.woken.is_set()
        await see(watch, 1)
        [message] = roots(slack)
        assert "otto is on it, since " in message.text
        assert replies(slack)[-1].endswith(f"<@{OPERATOR}> is on it.")
        told = len(slack.messages(OPS))
        await see(watch)
        assert len(slack.messages(OPS)) == told
        await come_back(fleet)
        await conn.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        await see(watch)
        [message] = roots(slack)
        assert message.text.startswith("🟢 Workers are back after 3 min.\nFrom ")
        assert buttons(message) == ["Details"]
        await press(slack, bot, message.ts, "Details")
        details = slack.messages(OPS, OPERATOR)[-1]
        assert details.ephemeral  # only to who pressed it
        assert details.text.startswith("🟢 Workers are back after 3 min.\nFrom ")
        assert f"<@{OPERATOR}> is on it.\n" in details.text
        assert replies(slack)[-1].endswith("Workers are back.")
        assert len([one for one in replies(slack) if "is on it" in one]) == 1
    logged = [one.getMessage() for one in caplog.records if "incident_" in one.msg]
    kinds = [line.partition(" incident=") for line in logged]
    assert [name for name, *_ in kinds] == [
        "chatbot.incident_opened",
        "chatbot.incident_resolved",
    ]
    assert json.loads(kinds[0][2])["kind"] == "no_worker"
    assert json.loads(kinds[1][2])["state"] == "resolved"


async def test_of_two_bots_one_speaks_and_the_other_goes_on_where_it_died(pool, conn, fleet):
    async with (
        open_watch(pool) as (slack, _, first),
        serve_replica(slack, pool, {"incidents": json.dumps(INCIDENTS)}) as other,
    ):
        second = Watch(other.services, other.settings.incidents)
        await die(fleet)
        for _ in range(3):
            await asyncio.gather(first.pass_once(), second.pass_once())
        [message] = roots(slack)
        await lose_watch(conn)
        await come_back(fleet)
        await see(second)
        assert await first.pass_once() is None
        assert first.find_problem() is None
        [green] = roots(slack)
        assert green.ts == message.ts
        assert green.text.startswith("🟢")
        assert len(replies(slack)) == 1


class Killed(BaseException):
    """As a SIGKILL ends it: nothing after it runs."""


async def killed_at(monkeypatch, action, watch):
    """The bot is killed right before it stores what it did."""

    async def die(pool, actor, asked, **more):
        if type(asked).__name__ == action:
            raise Killed
        return await perform(pool, actor, asked, **more)

    monkeypatch.setattr(telling, "perform", die)
    with pytest.raises(Killed):
        await see(watch)
    monkeypatch.undo()


async def test_a_message_whose_bot_was_killed_is_found_and_not_posted_again(
    pool, conn, make_job, fleet, monkeypatch
):
    async with open_watch(pool) as (slack, bot, watch):
        await die(fleet)
        slack.set_fault("accepted_but_lost", method="chat.postMessage")
        await killed_at(monkeypatch, "NoteIncidentTold", watch)
        assert len(roots(slack)) == 1
        await lose_watch(conn)
        watch = Watch(bot.services, bot.settings.incidents)
        await see(watch, 1)
        assert (len(roots(slack)), replies(slack)) == (1, [])
        # The same for a step in the thread.
        await make_job(queue="webhook", deferred_ago=minutes(20))
        slack.set_fault("accepted_but_lost", method="chat.postMessage")
        await killed_at(monkeypatch, "NoteIncidentTold", watch)
        assert len(replies(slack)) == 1
        await lose_watch(conn)
        await see(Watch(bot.services, bot.settings.incidents))
        assert (len(roots(slack)), len(replies(slack))) == (1, 1)
        assert "repeat" not in roots(slack)[0].text + replies(slack)[0]


async def test_where_nobody_may_look_a_repeat_says_that_it_may_be_one(
    pool, conn, make_job, fleet, monkeypatch
):
    async with open_watch(pool) as (slack, bot, watch):
        scopes = [one for one in slack._workspace.bot_scopes if "history" not in one]
        slack.set_scopes(scopes)
        await die(fleet)
        await killed_at(monkeypatch, "NoteIncidentTold", watch)
        await lose_watch(conn)
        watch = Watch(bot.services, bot.settings.incidents)
        await see(watch, 1)
        first, second = roots(slack)
        assert "repeat" not in first.text
        assert "This may be a repeat" in second.text
        await make_job(queue="webhook", deferred_ago=minutes(20))
        await see(watch)  # this one knows what it told
        [step] = replies(slack)
        assert "repeat" not in step
        await come_back(fleet)
        await conn.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        await see(watch)
        green = roots(slack)[1].text
        assert green.startswith("🟢")
        assert "This may be a repeat" in green


async def test_a_bot_that_slept_in_an_edit_puts_right_what_it_wrote_over(
    pool, conn, fleet, monkeypatch
):
    now = [0.0]
    async with (
        open_watch(pool) as (slack, bot, _),
        serve_replica(slack, pool, {"incidents": json.dumps(INCIDENTS)}) as other,
    ):
        sleeper = Watch(bot.services, bot.settings.incidents, clock=lambda: now[0])
        await die(fleet)
        await see(sleeper)
        call = WebApi._call_once

        async def sleep_in_an_edit(self, method, *args, **more):
            if method == "chat.update":
                monkeypatch.undo()
                await lose_watch(conn)
                await come_back(fleet)
                await see(Watch(other.services, other.settings.incidents))
                assert roots(slack)[0].text.startswith("🟢")
                now[0] += 60
                monkeypatch.setattr(telling, "LONGEST", 0.05)
                found = await call(self, method, *args, **more)
                slack.set_fault("hang", method=method, times=9)
                return found
            return await call(self, method, *args, **more)

        monkeypatch.setattr(WebApi, "_call_once", sleep_in_an_edit)
        await later(conn)
        await see(sleeper, 1)
        assert roots(slack)[0].text.startswith("🔴")
        # A Slack that hangs delays no look of a bot that has lost the watch.
        assert await sleeper.look() is None
        assert roots(slack)[0].text.startswith("🔴")
        slack.clear_faults()
        monkeypatch.undo()
        await sleeper.pass_once()
        [message] = roots(slack)
        assert message.text.startswith("🟢")


async def test_slack_is_away_and_then_told_once(pool, conn, fleet, caplog):
    async with open_watch(pool) as (slack, bot, watch):
        await die(fleet)
        slack.set_fault("500", times=100)
        await see(watch, 4)
        assert roots(slack) == []
        slack.clear_faults()
        await see(watch, 1)
        [message] = roots(slack)
        assert message.text.startswith("🔴")
        slack.set_fault("429", method="chat.update", times=100, retry_after=600)
        await come_back(fleet)
        await see(watch)
        assert roots(slack)[0].text.startswith("🔴")
        slack.clear_faults()
        watch = Watch(bot.services, bot.settings.incidents)
    lines = [one for one in caplog.messages if "incident_untold" in one]
    assert 1 <= len(lines) <= 3


async def test_a_message_that_somebody_deleted_is_posted_anew_once(pool, conn, make_job, fleet):
    async with open_watch(pool) as (slack, _, watch):
        await die(fleet)
        await see(watch)
        for left in (1, 0):
            [message] = roots(slack)
            slack.delete_message(OPS, message.ts)
            await make_job(queue="email")
            await later(conn)
            await see(watch)
            assert len(roots(slack)) == left
        await come_back(fleet)
        await see(watch)
        assert roots(slack) == []
        report = await perform(pool, Actor.shell("ana", "host"), ListIncidents(hours(1)))
        assert [one.state for one in report.recent] == ["resolved"]


async def test_what_begins_in_an_incident_whose_messages_somebody_deleted_is_told(
    pool, conn, make_job, fleet
):
    async with open_watch(pool, incidents={"channel": OPS, "group": 3, "failures": False}) as (
        slack,
        _,
        watch,
    ):
        await fleet.start_worker()
        for _ in range(3):
            await make_job(status="failed", queue="web", task="app.hook", error="no such host")
        await see(watch)
        for number in (6, 12):
            [message] = roots(slack)
            slack.delete_message(OPS, message.ts)
            for _ in range(number):
                await make_job(status="failed", queue="web", task="app.hook", error="no such host")
            await later(conn)
            await see(watch)
        assert roots(slack) == []
        for _ in range(3):
            await make_job(status="failed", queue="pdf", task="app.report", error="no more paper")
        await see(watch)
        [message] = roots(slack)
        assert "report" in message.text


async def test_a_message_deleted_just_before_the_end_is_posted_anew_with_the_end(pool, conn, fleet):
    async with open_watch(pool) as (slack, _, watch):
        await die(fleet)
        await see(watch)
        [message] = roots(slack)
        slack.delete_message(OPS, message.ts)
        await come_back(fleet)
        await see(watch)
        [message] = roots(slack)
        assert message.text.startswith("🟢 Workers are back")
        slack.delete_message(OPS, message.ts)
        await see(watch)
        assert roots(slack) == []


async def test_a_channel_that_takes_nothing_is_replaced_by_that_of_the_audit(
    pool, conn, fleet, caplog
):
    async with open_watch(pool, incidents={"channel": ARCHIVED}, audit_channel=OPS) as (
        slack,
        _,
        watch,
    ):
        await die(fleet)
        await see(watch)
        [message] = roots(slack)
        assert (
            f"Posted here because <#{ARCHIVED}> did not take it (is_archived): the channel"
            in message.text
        )
        await later(conn)
        await see(watch)
        assert (
            f"Posted here because <#{ARCHIVED}> did not take it (is_archived): the channel"
            in roots(slack)[0].text
        )
        message = roots(slack)[0]
        slack.set_archived(OPS)
        await come_back(fleet)
        await see(watch)
        assert roots(slack)[0].text == message.text
    await lose_watch(conn)
    await conn.execute("TRUNCATE jobs_maint_incidents")
    async with open_watch(pool, incidents={"channel": RANDOM}, audit_channel=OPS) as (
        slack,
        _,
        watch,
    ):
        """Archived while it lasts: the end is told where it can be read."""
        slack.add_bot(RANDOM)
        await die(fleet)
        await see(watch)
        [message] = slack.messages(RANDOM)
        slack.set_archived(RANDOM)
        await come_back(fleet)
        await see(watch)
        [over] = roots(slack)
        assert over.text.startswith("🟢 Workers are back")
        assert f"Posted here because <#{RANDOM}> did not take it (is_inactive)" in over.text
    await lose_watch(conn)
    async with open_watch(pool, incidents={"channel": RANDOM}) as (slack, _, watch):
        await die(fleet)
        await see(watch, 4)
        assert slack.messages(RANDOM) == []
    untold = [one.split()[1] for one in caplog.messages if "incident_untold" in one]
    assert untold == ["id=I-1", "id=I-2"]  # once each


@pytest.mark.parametrize("restarts", ["", "before", "after"], ids=["", "restarted", "afterwards"])
@pytest.mark.parametrize("ends", [False, True], ids=["lasts", "ended"])
async def test_what_an_archived_channel_says_is_made_true_once_it_takes_edits(
    pool, conn, fleet, restarts, ends
):
    now = [0.0]
    async with open_watch(pool, audit_channel=RANDOM) as (slack, bot, _):
        watch = Watch(bot.services, bot.settings.incidents, clock=lambda: now[0])
        slack.add_bot(RANDOM)
        await die(fleet)
        await see(watch)
        slack.set_archived(OPS)
        await later(conn)
        await see(watch)
        [copy] = slack.messages(RANDOM)
        assert copy.text.startswith("🔴 No worker is alive")
        assert (
            f"because <#{OPS}> did not take it (is_inactive): the channel is archived" in copy.text
        )

        async def restart():
            await lose_watch(conn)
            return Watch(bot.services, bot.settings.incidents, clock=lambda: now[0])

        if restarts == "before":
            watch = await restart()
        if ends:
            await come_back(fleet)
            await see(watch)
        if restarts == "after":  # of an incident that has ended, nothing is untold
            watch = await restart()
            await see(watch)
        slack.set_archived(OPS, False)
        now[0] += 61
        await later(conn)
        await see(watch)
        [left] = roots(slack)
        assert left.text == (
            f"I-1 is told in <#{RANDOM}>, because this channel did not take messages for a while."
        )
        assert buttons(left) == []
        [copy] = [one for one in slack.messages(RANDOM) if one.thread_ts is None]
        assert copy.text.startswith("🟢" if ends else "🔴")
        assert len(slack.messages(OPS)) == 1


@asynccontextmanager
async def open_told(pool, fleet):
    """A watch that has told of dead workers, with an audit channel and a clock of the test's."""
    now = [0.0]
    async with open_watch(pool, audit_channel=RANDOM) as (slack, bot, _):
        bot.services.directory._clock = lambda: now[0]
        watch = Watch(bot.services, bot.settings.incidents, clock=lambda: now[0])
        slack.add_bot(RANDOM)
        await die(fleet)
        await see(watch)
        yield slack, bot, watch, now


async def test_a_channel_that_becomes_shared_is_left_and_says_nothing_of_jobs(pool, conn, fleet):
    async with open_told(pool, fleet) as (slack, _, watch, now):
        slack.set_ext_shared(OPS)
        now[0] += 2.1
        await later(conn)
        await see(watch)
        [left] = roots(slack)
        assert left.text == (
            f"I-1 is told in <#{RANDOM}>, because this channel is shared with another organisation."
        )
        [copy] = slack.messages(RANDOM)
        assert copy.text.startswith("🔴 No worker is alive")
        await come_back(fleet)
        await see(watch)
        assert roots(slack)[0].text == left.text
        assert len(slack.messages(OPS)) == 1


@pytest.mark.parametrize("why", ["shared", "archived"])
@pytest.mark.parametrize("restarts", [False, True], ids=["", "restarted"])
async def test_a_message_that_has_moved_is_posted_anew_once_and_nobody_is_sent_to_none(
    pool, conn, fleet, why, restarts
):
    async with open_told(pool, fleet) as (slack, bot, watch, now):

        async def look():
            now[0] += 61
            await later(conn)
            await see(watch)

        (slack.set_ext_shared if why == "shared" else slack.set_archived)(OPS)
        await look()
        if why == "archived":
            slack.set_archived(OPS, False)
        [moved] = slack.messages(RANDOM)
        slack.delete_message(RANDOM, moved.ts)
        await look()
        if why == "shared":
            [anew] = slack.messages(RANDOM)
            [left] = roots(slack)
            assert left.text.startswith(f"I-1 is told in <#{RANDOM}>, because this channel is")
        else:
            left, anew = roots(slack)
            assert left.text == "I-1 is told in a newer message of this channel."
        assert anew.text.startswith("🔴 No worker is alive")
        slack.delete_message(anew.channel, anew.ts)
        await look()
        if restarts:
            await lose_watch(conn)
            watch = Watch(bot.services, bot.settings.incidents, clock=lambda: now[0])
        await look()
        await come_back(fleet)
        await look()
        [left] = roots(slack)
        where = f"<#{RANDOM}>" if why == "shared" else "this channel"
        assert left.text == (
            f"Somebody deleted the newer message of I-1 in {where}. /jobs incidents lists it while"
            " it lasts."
        )
        assert slack.messages(RANDOM) == []


async def test_while_it_is_muted_nobody_is_sent_to_a_message_that_was_deleted(pool, conn, fleet):
    async with open_told(pool, fleet) as (slack, bot, watch, now):
        slack.set_ext_shared(OPS)
        now[0] += 61
        await later(conn)
        await see(watch)
        await ask(slack, bot, OPERATOR, RANDOM, "/jobs mute I-1 --for 1h")
        await see(watch, 1)
        slack.delete_message(RANDOM, roots(slack, RANDOM)[0].ts)
        now[0] += 61
        await later(conn)
        await see(watch)
        assert roots(slack)[0].text.startswith("Somebody deleted the newer message of I-1 in <#")
        await conn.execute("UPDATE jobs_maint_incidents SET muted_until = now()")
        now[0] += 61
        await see(watch, 1)
        assert roots(slack, RANDOM)[-1].text.startswith("🔴 No worker is alive")
        assert roots(slack)[0].text.startswith(f"I-1 is told in <#{RANDOM}>, because")


@pytest.mark.parametrize("own", [ARCHIVED, RANDOM], ids=["is_archived", "not_in_channel"])
@pytest.mark.parametrize("refused", [1, 2], ids=["once", "twice"])
async def test_posts_that_were_refused_do_not_count_as_the_one_after_a_deletion(
    pool, conn, fleet, own, refused
):
    now = [0.0]
    incidents = {"channel": own}
    async with open_watch(pool, incidents=incidents, audit_channel=OPS) as (slack, bot, _):
        watch = Watch(bot.services, bot.settings.incidents, clock=lambda: now[0])

        async def look():
            now[0] += 61
            await later(conn)
            await see(watch)

        await die(fleet)
        await see(watch)
        if refused == 2:  # neither channel takes it
            slack.set_archived(OPS)
            await look()
            slack.set_archived(OPS, False)
            await look()
            assert roots(slack)[0].text == "I-1 is told in a newer message of this channel."
        for left in (refused, refused - 1):
            slack.delete_message(OPS, roots(slack)[-1].ts)
            await look()
            assert len(roots(slack)) == left
        for message in roots(slack):
            assert message.text.startswith("Somebody deleted the newer message of I-1 in this chan")
        await come_back(fleet)
        await look()
        assert len(roots(slack)) == refused - 1
        assert slack.messages(own) == []


@pytest.mark.parametrize("gone", ["archived", "deleted", "shared"])
async def test_a_muted_incident_gets_no_new_message_before_the_mute_ends(pool, conn, fleet, gone):
    async with open_told(pool, fleet) as (slack, bot, watch, now):
        await ask(slack, bot, OPERATOR, OPS, "/jobs mute I-1 --for 1h")
        await see(watch, 1)
        told = {one.ts for one in [*slack.messages(OPS), *slack.messages(RANDOM)]}
        match gone:
            case "archived":
                slack.set_archived(OPS)
            case "deleted":
                slack.delete_message(OPS, roots(slack)[0].ts)
            case "shared":
                slack.set_ext_shared(OPS)
        for ends in (False, True):
            now[0] += 61
            await (come_back(fleet) if ends else later(conn))
            await see(watch)
            there = {one.ts for one in [*slack.messages(OPS), *slack.messages(RANDOM)]}
            assert there <= told
        await conn.execute("UPDATE jobs_maint_incidents SET muted_until = now()")
        now[0] += 61
        await see(watch, 1)
        there = [*slack.messages(OPS), *slack.messages(RANDOM)]
        [new] = [one for one in there if one.ts not in told and one.thread_ts is None]
        assert new.text.startswith("🟢 Workers are back")


async def test_without_another_channel_a_message_is_kept_true_once_its_own_takes_edits(
    pool, conn, fleet
):
    now = [0.0]
    async with open_watch(pool) as (slack, bot, _):
        watch = Watch(bot.services, bot.settings.incidents, clock=lambda: now[0])
        await die(fleet)
        await see(watch)
        slack.set_archived(OPS)
        await come_back(fleet)
        await see(watch)
        slack.set_archived(OPS, False)
        now[0] += 61
        await see(watch, 1)
        [message] = roots(slack)
        assert message.text.startswith("🟢 Workers are back")


async def test_the_details_of_an_incident_offer_only_what_their_reader_may_do(pool, fleet):
    roles = {
        "viewer": {"users": ["*"]},
        "operator": {"usergroups": ["S0OPERATORS"], "queues": ["email"]},
        "admin": {"users": [ADMIN]},
    }
    async with open_watch(pool, roles=json.dumps(roles)) as (slack, bot, watch):
        await die(fleet)
        await see(watch)
        for user, offers in ((VIEWER, (False, False)), (OPERATOR, (True, False)),
                             (ADMIN, (True, True))):  # fmt: skip
            await press(slack, bot, roots(slack)[0].ts, "Details", user)
            *_, shown = [one for one in slack.messages(OPS, user) if one.ephemeral]
            assert shown.text.startswith("🔴 No worker is alive")
            assert tuple(one in buttons(shown) for one in ("I'm on it", "Mute for 24 h")) == offers
            assert "Show workers" in buttons(shown)
        assert "Mute for 24 h" in buttons(roots(slack)[0])


async def test_without_a_channel_the_watch_goes_on_and_tells_nobody(pool, fleet):
    async with open_watch(pool, incidents={}) as (slack, _, watch):
        await die(fleet)
        await see(watch, 3)
        assert slack.calls("chat.postMessage") == []
    report = await perform(pool, Actor.shell("ana", "host"), ListIncidents())
    assert [one.kind for one in report.open] == ["no_worker"]


async def test_a_look_that_fails_is_one_line_and_after_a_minute_the_watch_is_not_sound(
    pool, conn, fleet, caplog
):
    now = [0.0]
    async with open_watch(pool) as (_, bot, _):
        watch = Watch(bot.services, bot.settings.incidents, clock=lambda: now[0])
        running = asyncio.create_task(watch.run(0.01))
        await conn.execute("ALTER TABLE jobs_maint_watch RENAME TO gone")
        async with asyncio.timeout(60):
            while "chatbot.watch_failed" not in caplog.text:
                await asyncio.sleep(0.01)
        now[0] += 61
        assert watch.find_problem() == "the jobs were not looked at for 61 s"
        await asyncio.sleep(0.1)
        await conn.execute("ALTER TABLE gone RENAME TO jobs_maint_watch")
        async with asyncio.timeout(60):
            while watch.find_problem() is not None:
                await asyncio.sleep(0.01)
        running.cancel()
    assert caplog.text.count("chatbot.watch_failed") == 1
