"""Two bot processes on one database: what Slack delivers to both runs once."""

import asyncio
import json
import re

import pytest
from tests.acceptance.test_bot_running import start, until
from tests.support.bots import open_slack
from tests.support.waiting import wait_until

from local_slack.sample import ADMIN, OPS, build_sample_config

ROLES = {"admin": {"users": [ADMIN]}}


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_a_request_that_both_get_runs_in_one_of_them_only(processes, conn, make_job, mode):
    job = await make_job(status="failed")
    async with open_slack(build_sample_config(mode=mode)) as slack:
        both = [
            start(processes, slack, mode=mode, CHATBOT_ROLES=json.dumps(ROLES)) for _ in range(2)
        ]
        urls = []
        for process in both:
            await until(lambda: "chatbot.started" in process.output, "the start", process)  # noqa: B023
            urls.append(re.search(r"address=(http://\S+)", process.output)[1] + "/slack/events")
        if mode == "socket":
            # An envelope goes to one connection and the next one to the other.
            assert slack.connections == 2
        slack.set_request_url(urls[0])
        first = await slack.command(ADMIN, OPS, f"/jobs retry {job}")
        slack.set_request_url(urls[1])
        again = [await slack.replay(first.request_id) for _ in range(2)]
        assert [r.acked for r in (first, *again)] == [True] * 3

        def taken():
            lines = "\n".join(process.output for process in both)
            return lines.count("jobs_maint.jobs_retried"), lines.count("chatbot.request_repeated")

        await asyncio.to_thread(wait_until, lambda: sum(taken()) == 3, timeout=30, what="the end")
        assert taken() == (1, 2)
        other = both[1] if "jobs_maint.jobs_retried" in both[0].output else both[0]
        assert "chatbot.request_repeated" in other.output
        found = await conn.execute("SELECT count(*) FROM jobs_maint_audit WHERE outcome = 'done'")
        assert (await found.fetchone())[0] == 1
