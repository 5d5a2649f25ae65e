"""A change whose answer was lost is told later, whatever kind it is of."""

from tests.support.bots import ask, no_sleep, open_bot
from tests.support.fleet import Fleet
from tests.support.history import minutes
from tests.support.watched import open_watch, see

from chatbot.handling.lost_runs import tell_lost_runs
from jobs_maint.operations.failures.memory import collect_groups
from local_slack.sample import ADMIN, OPS, RANDOM


async def test_each_kind_of_change_is_told_later_in_both_channels(pool, conn, make_job):
    waiting = await make_job(queue="email")
    await make_job(status="failed", queue="webhook", task="app.send", error="timed out")
    await collect_groups(conn)
    group = (await (await conn.execute("SELECT name FROM jobs_maint_groups")).fetchone())[0]
    fleet = Fleet(pool, conn, make_job)
    await fleet.start_worker()
    async with open_watch(pool, audit_channel=RANDOM) as (slack, bot, watch):
        slack.add_bot(RANDOM)
        await fleet.fall_silent(minutes(3))
        await conn.execute("UPDATE jobs_maint_watch SET memory = memory - 'worker_at'")
        await see(watch)
        words = {
            f"cancel {waiting}": f"✅ Job {waiting} cancelled.",
            f"take {group}": f"✅ {group} was taken by <@{ADMIN}>.",
            f"mute {group} --for 5h": f"✅ {group} was muted by <@{ADMIN}> until ",
            f"mute {group} --off": f"✅ The mute of {group} was ended by <@{ADMIN}>.",
            "take I-1": f"✅ I-1 was taken by <@{ADMIN}>.",
            "take I-1 --drop": f"✅ I-1 was given back by <@{ADMIN}>.",
            "mute I-1 --for 5h": f"✅ I-1 was muted by <@{ADMIN}> until ",
        }
        for word in words:
            slack.set_fault("500", method="response_url", times=2)
            for method in ("chat.postMessage", "chat.postEphemeral", "conversations.info"):
                slack.set_fault("500", method=method, times=99)
            # Nor that the audit channel was not told: it will be.
            assert await ask(slack, bot, ADMIN, OPS, f"/jobs {word}") == []
            slack.clear_faults()
        before = {place: len(slack.messages(place)) for place in (OPS, RANDOM)}
        await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
        assert await tell_lost_runs(bot.services) == len(words)
        for place, number in before.items():
            told = [one.text for one in slack.messages(place)[number:]]
            for text, (word, said) in zip(told, words.items(), strict=True):
                assert text.startswith(said), place
                assert "The bot could not say so before." in text
                assert f"/jobs {word}" in text
        assert await tell_lost_runs(bot.services) == 0


async def test_who_acted_hears_that_the_audit_channel_could_not_be_told_later_either(
    pool, conn, make_job
):
    job = await make_job(queue="email")
    async with open_bot(pool, sleep=no_sleep, settings={"audit_channel": RANDOM}) as (slack, bot):
        slack.add_bot(RANDOM)
        for method in ("response_url", "chat.postMessage", "chat.postEphemeral"):
            slack.set_fault("500", method=method, times=99)
        assert await ask(slack, bot, ADMIN, OPS, f"/jobs cancel {job}") == []
        slack.clear_faults()
        slack.set_fault("500", method="chat.postMessage", channel=RANDOM, times=9)
        await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
        assert await tell_lost_runs(bot.services) == 1
        outcome, missed = slack.messages(OPS, ADMIN)[-2:]
        assert outcome.text.startswith(f"✅ Job {job} cancelled.")
        assert missed.ephemeral
        assert missed.text.startswith(f"The audit channel was not told of /jobs cancel {job}: ")
