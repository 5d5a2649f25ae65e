"""Who asks the same at once shares a look-up, and nobody gets an answer from before they asked."""

from __future__ import annotations

import asyncio

import pytest

from chatbot.handling.shared_reads import Shared


class Database:
    """Answers with how many facts it has when it is asked, after it was let go."""

    def __init__(self) -> None:
        self.facts = 0
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def look_up(self):
        self.asked += 1
        found = self.facts
        await self.may_answer.wait()
        return found


async def start(shared, database, key="stats"):
    task = asyncio.create_task(shared.get(key, database.look_up))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_all_who_ask_before_it_begins_share_one_look_up():
    shared, database = Shared(), Database()
    database.may_answer.set()
    answers = await asyncio.gather(*(shared.get("stats", database.look_up) for _ in range(50)))
    assert answers == [0] * 50
    assert database.asked == 1


async def test_who_comes_while_it_runs_is_told_what_was_there_when_they_asked():
    shared, database = Shared(), Database()
    first = await start(shared, database)
    database.facts = 1
    second, third = await start(shared, database), await start(shared, database)
    assert database.asked == 1
    database.may_answer.set()
    assert await asyncio.gather(first, second, third) == [0, 1, 1]
    assert database.asked == 2


async def test_other_questions_do_not_wait():
    shared, database = Shared(), Database()
    await start(shared, database)
    await start(shared, database, key="failed")
    assert database.asked == 2
    await shared.close()


async def test_one_who_leaves_takes_nobody_along():
    shared, database = Shared(), Database()
    first, second = await start(shared, database), None
    second = asyncio.create_task(shared.get("stats", database.look_up))
    third = await start(shared, database)
    first.cancel()
    second.cancel()
    database.may_answer.set()
    assert await third == 0
    assert await shared.get("stats", database.look_up) == 0


async def test_an_error_is_told_to_each_and_forgotten():
    shared, database = Shared(), Database()
    database.may_answer.set()

    async def fail():
        raise LookupError("the database is gone")

    found = await asyncio.gather(
        *(shared.get("stats", fail) for _ in range(3)), return_exceptions=True
    )
    assert [type(one) for one in found] == [LookupError] * 3
    assert await shared.get("stats", database.look_up) == 0


async def test_close_ends_what_runs_and_what_waits():
    shared, database = Shared(), Database()
    first, second = await start(shared, database), await start(shared, database)
    await shared.close()
    for task in (first, second):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert database.asked == 1
