"""Every word, by everybody who may and who may not: each is answered in its own way, where it may
be seen, and what is badly typed gets one sentence and changes nothing."""

from __future__ import annotations

import json

import pytest
from tests.support.bots import ask, open_bot, settle
from tests.support.fleet import Fleet
from tests.support.history import days, hours, minutes

from jobs_maint.grammar import WORDS as DECLARED
from jobs_maint.grammar import build_grammar
from jobs_maint.operations.failures.memory import collect_groups
from local_slack.sample import ADMIN, GUEST, OPERATOR, OPS, RANDOM, VIEWER
from local_slack.text import as_text

BOTH = pytest.mark.parametrize("mode", ["http", "socket"])
PEOPLE = {"viewer": VIEWER, "operator": OPERATOR, "admin": ADMIN}

WORDS = [
    # words, the role they take, who sees the answer, how it begins
    ("stats", "viewer", "channel", "🔴 email is 2 h behind"),
    ("stats email", "viewer", "channel", "🔴 email is 2 h behind"),
    ("failed", "viewer", "channel", "🔴 5 failed jobs, 4 of them with one error."),
    ("errors", "viewer", "channel", "🔴 4 failures in the last 24 hours"),
    ("status {shown}", "viewer", "private", "🔴 ValueError: connection refused"),
    ("stuck", "viewer", "channel", "🔴 2 jobs have no live worker."),
    ("workers", "viewer", "channel", "🟡 2 of 3 workers live."),
    ("incidents", "viewer", "channel", "🟡 No bot has watched these jobs yet."),
    ("digest", "viewer", "channel", "🔴 4 failures in the last 24 hours"),
    ("retry {retried}", "operator", "channel", "✅ Job {retried} retried by"),
    ("retry {shown},{left}", "operator", "channel", "Retry 2 jobs of webhook?"),
    ("retry --all webhook", "operator", "channel", "Retry 3 failed jobs of webhook?"),
    ("cancel {waiting}", "operator", "channel", "✅ Job {waiting} cancelled by"),
    ("cancel --all email", "admin", "channel", "Cancel 1 waiting job of email?"),
    ("discard {given_up}", "operator", "channel", "✅ Job {given_up} discarded by"),
    ("discard --all webhook", "admin", "channel", "Discard 2 failed jobs of webhook?"),
    ("rescue {lost}", "operator", "channel", "✅ Job {lost} put back by"),
    ("rescue", "operator", "channel", "🟢 No job needed a rescue."),
    ("take {shown}", "operator", "channel", "✅ {group}, send, is taken by @"),
    ("take {group} --drop", "operator", "channel", "✅ {group}, send, was given back by @"),
    ("mute {group} --for 2h", "operator", "channel", "✅ {group}, send, is muted by @"),
    ("mute {group} --off", "operator", "channel", "✅ {group}, send, is not muted any more"),
    ("rescue --force {running}", "admin", "channel", "Rescue job {running} of email by force?"),
    ("purge", "admin", "channel", "Delete 3 finished jobs?"),
    ("audit", "admin", "channel", "requests in the last 7 days."),
    ("doctor", "admin", "channel", "🟡 The set-up works, but there are "),
    ("", None, "private", "Your role is "),
    ("help", None, "private", "Your role is "),
    ("help rescue", None, "private", "Run one pass of the rescue now"),
]


NAMES = tuple(build_grammar("slack").commands)


def test_the_words_here_are_all_that_slack_knows_each_from_its_lowest_role_on():
    roles = {}
    for words, role, _, _ in WORDS:
        if words:
            roles.setdefault(words.split()[0], []).append(role)
    lowest = {name: min(found, key=[None, *PEOPLE].index) for name, found in roles.items()}
    assert lowest == {name: DECLARED[name].role and str(DECLARED[name].role) for name in NAMES}


@pytest.fixture
async def jobs(pool, conn, make_job):
    """A queue with a past: failed, waiting, running, lost and long finished jobs."""
    fleet = Fleet(pool, conn, make_job)
    for status in ("succeeded", "failed", "cancelled"):
        await make_job(status=status, queue="email", finished_ago=days(100))
    there = {}
    for n, name in enumerate(("shown", "retried", "given_up", "left")):
        there[name] = await make_job(
            status="failed", queue="webhook", task="app.send", error="connection refused",
            finished_ago=minutes(n + 1), args={"password": "hunter2"},
        )  # fmt: skip
    await collect_groups(conn)
    found = await conn.execute("SELECT name FROM jobs_maint_groups WHERE task_name = 'app.send'")
    [there["group"]] = await found.fetchone()
    there["waiting"] = await make_job(queue="email", task="app.mail")
    await make_job(queue="email", task="app.mail")
    dead, lives = await fleet.start_worker(), await fleet.start_worker()
    for name in ("lost", "stuck"):
        there[name] = await make_job(status="doing", queue="webhook", worker_id=dead)
    there["running"] = await make_job(status="doing", queue="email", worker_id=lives)
    await fleet.beat(dead, there["lost"], there["stuck"])
    await fleet.beat(lives, there["running"])
    await fleet.pass_time(hours(2))
    await fleet.heartbeat(lives)
    await fleet.beat(lives, there["running"])
    await fleet.observe()
    return there


async def read_jobs(conn):
    """All that a word might change."""
    found = await conn.execute(
        "SELECT id, status::text, attempts, abort_requested FROM procrastinate_jobs ORDER BY id"
    )
    return await found.fetchall()


async def refused(conn):
    found = await conn.execute(
        "SELECT actor_id, word FROM jobs_maint_audit WHERE outcome = 'refused' ORDER BY id"
    )
    return [tuple(row) for row in await found.fetchall()]


def title(message):
    """Its first line, without the number of the audit's requests, which grows with every word."""
    return as_text(message).splitlines()[0].lstrip("0123456789 ")


@BOTH
async def test_every_word_has_its_message_and_goes_where_it_may_be_seen(pool, jobs, mode):
    async with open_bot(pool, mode=mode) as (slack, bot):
        for words, role, audience, begin in WORDS:
            who = PEOPLE[role or "viewer"]
            [answer] = await ask(slack, bot, who, OPS, f"/jobs {words.format(**jobs)}")
            assert title(answer).startswith(begin.format(**jobs)), words
            assert answer.ephemeral is (audience == "private"), words
            assert answer.text.strip(), words
            assert "hunter2" not in answer.text + as_text(answer), words


@BOTH
async def test_whoever_lacks_the_role_is_refused_alone_and_nothing_is_changed(
    pool, conn, jobs, mode
):
    before = await read_jobs(conn)
    async with open_bot(pool, mode=mode) as (slack, bot):
        expected = []
        for words, role, _, _ in WORDS:
            if role is None:
                [answer] = await ask(slack, bot, GUEST, OPS, f"/jobs {words}")
                assert answer.ephemeral
                continue
            lower = {"viewer": [GUEST], "operator": [VIEWER], "admin": [OPERATOR]}[role]
            for user in lower:
                [answer] = await ask(slack, bot, user, OPS, f"/jobs {words.format(**jobs)}")
                first, second = answer.text.splitlines()[:2]
                assert answer.ephemeral, words
                assert first.startswith("⛔ You may not "), words
                assert f"requires the role {role}" in first, words
                assert second.startswith("Ask <@"), words
                expected.append((user, words.split()[0]))
    assert await read_jobs(conn) == before
    assert await refused(conn) == expected


LIMITED = {
    "viewer": {"users": [VIEWER]},
    "operator": [
        {"users": [OPERATOR], "queues": ["email*"]},
        {"users": [VIEWER], "channels": [RANDOM]},
    ],
    "admin": {"users": [ADMIN], "channels": [OPS], "queues": ["web*"]},
}


async def test_a_grant_on_some_queues_reaches_those_and_no_others(pool, conn, jobs):
    async with open_bot(pool, settings={"roles": json.dumps(LIMITED)}) as (slack, bot):

        async def see(user, words):
            [answer] = await ask(slack, bot, user, OPS, f"/jobs {words.format(**jobs)}")
            return answer

        for words in ("stats", "failed", "errors", "stuck", "workers", "digest"):
            answer = await see(OPERATOR, words)
            assert not answer.ephemeral, words
            assert "webhook" not in answer.text, words
        before = await read_jobs(conn)
        outside = ("status {shown}", "retry {shown}", "discard {shown}", "take {shown}",
                   "rescue {lost}", "failed webhook", "retry --all webhook")  # fmt: skip
        [answer] = await ask(slack, bot, OPERATOR, OPS, f"/jobs mute {jobs['group']}")
        assert "There is no group" in answer.text
        for words in outside:
            answer = await see(OPERATOR, words)
            assert answer.ephemeral, words
            assert answer.text.startswith("⛔ You may not"), words
            assert "connection refused" not in answer.text, words
        asked = (await see(OPERATOR, "retry --all")).text
        assert asked.startswith("Retry 1 failed job of email in the queues you reach (email*)?")
        # Only some of what was named lies within the grant: nothing of it is offered.
        mixed = await see(OPERATOR, "cancel {waiting},{stuck}")
        assert f"{jobs['stuck']}" in mixed.text
        for words in ("purge", "audit", "doctor"):
            answer = await see(ADMIN, words)
            assert answer.ephemeral, words
            assert "on every queue; you have it on web*" in answer.text, words
        assert (await see(ADMIN, "purge --queue webhook")).text.startswith("🟢 Nothing to delete.")
        assert await read_jobs(conn) == before


async def test_a_grant_in_one_channel_is_none_in_another_nor_in_a_direct_message(pool, conn, jobs):
    async with open_bot(pool, settings={"roles": json.dumps(LIMITED)}) as (slack, bot):
        before = await read_jobs(conn)
        for place in (OPS, slack.open_dm(VIEWER)):
            [answer] = await ask(slack, bot, VIEWER, place, f"/jobs retry {jobs['retried']}")
            assert answer.ephemeral or place.startswith("D")
            assert f"You hold operator in <#{RANDOM}>; run the command there." in answer.text
        assert await read_jobs(conn) == before
        [answer] = await ask(slack, bot, VIEWER, RANDOM, f"/jobs retry {jobs['retried']}")
        assert answer.text.startswith("✅ ")


async def test_in_a_direct_message_every_word_is_answered_there(pool, jobs):
    async with open_bot(pool) as (slack, bot):
        place = slack.open_dm(ADMIN)
        for words, _, _, begin in WORDS:
            if words in {"retry {retried}", "cancel {waiting}", "discard {given_up}"}:
                continue
            [answer] = await ask(slack, bot, ADMIN, place, f"/jobs {words.format(**jobs)}")
            if words not in {"cancel --all email", "discard --all webhook", "retry --all webhook"}:
                assert title(answer).startswith(begin.format(**jobs)), words
        [preview] = await ask(
            slack, bot, ADMIN, place, f"/jobs retry {jobs['shown']} {jobs['left']}"
        )
        await slack.click(ADMIN, place, preview.ts, "Retry 2 jobs")
        await settle(bot)
        [same] = [one for one in slack.messages(place, ADMIN) if one.ts == preview.ts]
        assert same.text.startswith("✅ 2 jobs of webhook retried")


# --- badly typed ----------------------------------------------------------------------------------

NONSENSE = (
    "x" * 3_900,
    "--nonsense",
    "--yes",
    "--json",
    "--reveal 1",
    "“curly quotes”",
    "—nonsense",
    "&lt;b&gt; &amp;",
    "@ada",
    "#random",
    "<@U0ADMIN|ada>",
    "<!channel>",
    "<https://x.example|x.example>",
    "can't",
    "'",
    "null\0",
    "\u202etxt.exe",
    "```",
    "-1",
    "99999999999999999999",
    "*" * 50,
    "'' \"\"",
)


@pytest.mark.parametrize("names", [NAMES[::2], NAMES[1::2]], ids=["even", "odd"])
async def test_nonsense_after_a_word_is_one_private_sentence_and_changes_nothing(
    pool, conn, jobs, names
):
    before = await read_jobs(conn)
    async with open_bot(pool) as (slack, bot):
        for name in names:
            for nonsense in NONSENSE:
                typed = f"/jobs {name} {nonsense}"
                [answer] = await ask(slack, bot, ADMIN, OPS, typed)
                assert answer.ephemeral, typed[:80]
                assert answer.text.startswith("🟡 "), typed[:80]
                assert answer.text.endswith("nothing was changed"), typed[:80]
                for never in ("\u202e", "<!channel>", "<@", "Traceback", "psycopg", "```"):
                    assert never not in answer.text, typed[:80]
    assert await read_jobs(conn) == before


@BOTH
async def test_words_that_are_none_and_far_too_many_are_one_private_sentence(
    pool, conn, jobs, mode
):
    before = await read_jobs(conn)
    odd = {
        "schema apply": "is not a known command",
        "4711": "is not a known command",
        "—yes retry 1": "Options come after the word",
        "Retyr --all webhook": "did you mean 'retry --all webhook'?",
        "--yes retry --all": "Options come after the word",
        "\0": "NUL character",
        "retry": "takes job ids, or --all",
        "status": "takes one job id",
        "rescue --force": "takes one job id",
        "cancel --all": "needs a queue or a filter",
        "retry --all --since 9999999999999d": "9999999999999d",
        "failed --limit 1001": "is not a limit",
        "purge --include-failed": "needs --older-than",
        "retry --all --request 99": "There is no request 99",
        "retry --all --private": "has no option --private",
        "status " + "9" * 20_000: "longer than 4,000 characters; none of it was run",
        "retry " + "1," * 3_000: "longer than 4,000 characters; none of it was run",
        "&" * 4_001: "longer than 4,000 characters; none of it was run",
    }
    async with open_bot(pool, mode=mode) as (slack, bot):
        [answer] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --request 99")
        assert f"in the audit; ask @{ADMIN}: audit lists" in as_text(answer)
        [answer] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --request it")
        assert f"is not the id of a request; ask @{ADMIN}: audit lists" in as_text(answer)
        # A word that was only quoted leads nowhere.
        [answer] = await ask(slack, bot, OPERATOR, OPS, "/jobs stats 'a; `audit`'")
        assert f"@{ADMIN}" not in as_text(answer)
        for typed, expected in odd.items():
            [answer] = await ask(slack, bot, ADMIN, OPS, f"/jobs {typed}")
            assert answer.ephemeral, typed[:80]
            assert answer.text.startswith("🟡 "), typed[:80]
            assert expected in answer.text, typed[:80]
        # Nothing but blanks is the command alone.
        for blank in (" ", " \u00a0\u2003 \t "):
            [answer] = await ask(slack, bot, ADMIN, OPS, f"/jobs {blank}")
            assert as_text(answer).startswith("Your role is admin."), repr(blank)
    assert await read_jobs(conn) == before


async def test_what_was_meant_runs_at_a_click_and_asks_again_where_the_words_would(pool, jobs):
    meant = {
        "stast email": "🔴 email is 2 h behind",
        "faild --task “send”": "🔴 4 failed send jobs",
        "failed —tsk send": "🔴 4 failed send jobs",
        "retyr {retried}": "✅ Job {retried} retried by",
        "retry webhook": "Retry 3 failed jobs of webhook?",
        "dicard --all webhook": "Discard 3 failed jobs of webhook?",
        "--force rescue {running}": "Rescue job {running} of email by force?",
        "pruge": "Delete 3 finished jobs?",
        "doktor": "🟡 The set-up works, but there are ",
    }
    async with open_bot(pool) as (slack, bot):
        for typed, begin in meant.items():
            [typo] = await ask(slack, bot, ADMIN, OPS, f"/jobs {typed.format(**jobs)}")
            assert typo.ephemeral
            [offer] = [
                element["action_id"]
                for block in typo.blocks
                if block["type"] == "actions"
                for element in block["elements"]
            ]
            before = len(slack.messages(OPS, ADMIN))
            await slack.click(ADMIN, OPS, typo.ts, offer)
            await settle(bot)
            [answer] = slack.messages(OPS, ADMIN)[before:]
            assert as_text(answer).startswith(begin.format(**jobs)), typed


async def test_a_suggestion_too_long_for_a_button_is_a_sentence_all_the_same(pool, jobs):
    async with open_bot(pool) as (slack, bot):
        for typed in ("retyr " + "1," * 1_900, "faild --error " + "x" * 3_900):
            [answer] = await ask(slack, bot, ADMIN, OPS, f"/jobs {typed}")
            assert answer.ephemeral
            assert "did you mean" in answer.text


async def test_who_may_see_one_queue_is_told_of_no_other_by_a_mistake(pool, jobs):
    async with open_bot(pool, settings={"roles": json.dumps(LIMITED)}) as (slack, bot):
        for words in ("stats nothing", "failed nothing", "retry --all nothing", "digest nothing"):
            [answer] = await ask(slack, bot, OPERATOR, OPS, f"/jobs {words}")
            assert answer.ephemeral, words
            assert "webhook" not in answer.text, words
