"""A bot that watches, pass by pass."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from chatbot.watching.watch import Watch
from local_slack import Limits, LocalSlack
from local_slack.sample import OPERATOR, OPS
from tests.support.bots import no_sleep, open_bot, settle

INCIDENTS = {"channel": OPS}
MANY = Limits(burst=1_000)
"""Minutes pass in milliseconds: the pace of posts is tested elsewhere."""


@contextlib.asynccontextmanager
async def open_watch(
    pool: Any, *, incidents: Any = INCIDENTS, provokes: Any = (), **settings: Any
) -> AsyncIterator[tuple[LocalSlack, Any, Watch]]:
    given = {"incidents": json.dumps(incidents), **settings}
    async with open_bot(pool, settings=given, sleep=no_sleep, limits=MANY, provokes=provokes) as (
        slack,
        bot,
    ):
        yield slack, bot, Watch(bot.services, bot.settings.incidents)


async def see(watch: Watch, passes: int = 2) -> None:
    """Two passes open an incident, and two end one."""
    for _ in range(passes):
        await watch.pass_once()


async def lose_watch(conn: Any) -> None:
    """Its bot is gone for so long that another one takes over."""
    await conn.execute("UPDATE jobs_maint_watch SET lease_until = now() - interval '1 second'")


def roots(slack: LocalSlack, channel: str = OPS) -> list[Any]:
    return [one for one in slack.messages(channel) if one.thread_ts is None and not one.ephemeral]


def replies(slack: LocalSlack, channel: str = OPS) -> list[str]:
    return [one.text for one in slack.messages(channel) if one.thread_ts is not None]


async def press(slack: LocalSlack, bot: Any, ts: str, button: str, user: str = OPERATOR) -> None:
    assert (await slack.click(user, OPS, ts, button)).acked
    await settle(bot)
