"""Daily and hourly digests through the changes of the clocks of three zones, in simulated time."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise

from tests.simulation.senders import send
from tests.simulation.world import open_world, read_messages
from tests.support.clocks import CHANGES, list_ticks

from local_slack.sample import OPS

HOUR = timedelta(hours=1)
DAILY, HOURLY = "0 9 * * *", "0 * * * *"
SAID = re.compile(r"(?:failed|failures?) in (?:the last )?([^,]+),")
ROWS = """
    SELECT key, state, since, until, (SELECT count(*) FROM jobs_maint_failures
                                      WHERE failed_at >= since AND failed_at < until)
    FROM jobs_maint_digests WHERE name = %s ORDER BY id"""


def name_digest(zone, cron):
    return f"{zone.rpartition('/')[2]}-{'daily' if cron == DAILY else 'hourly'}"


DIGESTS = [
    {"name": name_digest(zone, cron), "channel": OPS, "cron": cron, "timezone": zone}
    for zone in sorted({zone for zone, *_ in CHANGES})
    for cron in (DAILY, HOURLY)
]


async def live_through(world, zone, change):
    """Failures every seven minutes, and the digests at their ticks."""
    daily = list_ticks(DAILY, zone, change - 27 * HOUR, change + 27 * HOUR)
    hourly = list_ticks(HOURLY, zone, change - 2 * HOUR, change + 2 * HOUR)
    ticks = [(tick, DAILY) for tick in daily] + [(tick, HOURLY) for tick in hourly]
    number = 0
    for tick, cron in sorted(ticks):
        passed = tick.timestamp() + 2 - world.clock()
        await world.advance(passed)
        ages = list(range(60, int(min(passed, 20_000)), 420))
        await world.fail_jobs(*range(number, number + len(ages)), ages=ages)
        number += len(ages)
        sent = await send(world, name_digest(zone, cron), tick=int(tick.timestamp()))
        assert sent == "sent", (tick, cron)
    return daily, hourly


async def check(world, zone, cron, ticks):
    rows = await (await world.driver.execute(ROWS, (name_digest(zone, cron),))).fetchall()
    keys, states, begins, ends, failures = zip(*rows, strict=True)
    assert set(states) == {"sent"}
    assert begins[1:] == ends[:-1]
    told = {one.key: one.counted for one in read_messages(world.slack)}
    assert [told[key] for key in keys] == list(failures)
    assert all(failures)
    texts = {
        one.metadata["event_payload"]["key"]: one.text
        for one in world.slack.messages(OPS)
        if one.metadata
    }
    return [SAID.search(texts[key])[1] for key in keys]


async def test_windows_follow_one_another_through_the_changes(database_url, monkeypatch):
    async with open_world(database_url, monkeypatch, *DIGESTS) as world:
        for zone, change, by in CHANGES:
            await world.begin_anew()
            await world.advance((change - 60 * HOUR).timestamp() - world.clock())
            daily, hourly = await live_through(world, zone, change)
            said = await check(world, zone, DAILY, daily)
            hours = (24 * HOUR + by) / HOUR
            assert f"{hours:g} hours" in said
            assert set(said) <= {"24 hours", f"{hours:g} hours"}
            usual = {HOUR: "hour", HOUR / 2: "30 min", 1.5 * HOUR: "90 min", 2 * HOUR: "2 hours"}
            spans = [usual[after - before] for before, after in pairwise(hourly)]
            assert (await check(world, zone, HOURLY, hourly))[1:] == spans
