"""A team's own retry strategy is asked once per failure, and what it says is recorded."""

from __future__ import annotations

import asyncio

import procrastinate
import pytest
from procrastinate import RetryDecision
from tests.integration.test_recorder import fetch, make_app, work


class Strategy(procrastinate.BaseRetryStrategy):
    """Says yes and no in turn, as one with dice or a service may."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []

    def get_retry_decision(self, *, exception, job):
        self.asked.append((job.id, str(exception)))
        if "breaks" in str(exception):
            raise LookupError("the strategy itself fails")
        return RetryDecision(retry_in={"seconds": 3600}) if len(self.asked) % 2 else None


OUTCOMES = """
    SELECT j.id, j.status::text = 'todo', f.will_retry
    FROM procrastinate_jobs j JOIN jobs_maint_failures f ON f.job_id = j.id ORDER BY 1"""


@pytest.mark.parametrize("concurrency", [1, 10])
async def test_a_strategy_is_asked_once_per_failure_and_recorded_as_it_was_heeded(
    database_url, concurrency
):
    app, strategy = make_app(database_url), Strategy()

    @app.task(name="fails", retry=strategy)
    async def fails(number: int) -> None:
        await asyncio.sleep(0.01)
        raise ValueError(f"number {number}")

    async with app.open_async():
        for number in range(10):
            await fails.defer_async(number=number)
        await work(app, concurrency=concurrency)
    found = await fetch(database_url, OUTCOMES)
    assert len(found) == 10
    assert all(heeded == recorded for _, heeded, recorded in found)
    assert sum(heeded for _, heeded, _ in found) == 5
    assert len(strategy.asked) == len(set(strategy.asked)) == 10
    assert "get_retry_exception" not in vars(fails)


async def test_a_strategy_that_fails_is_asked_once_and_the_worker_meets_its_error(
    database_url, caplog
):
    app, strategy = make_app(database_url), Strategy()

    @app.task(name="fails", retry=strategy)
    async def fails() -> None:
        raise ValueError("breaks")

    async with app.open_async():
        await fails.defer_async()
        await work(app)
    assert len(strategy.asked) == 1
    assert [row[1:] for row in await fetch(database_url, OUTCOMES)] == [(False, False)]
    assert "get_retry_exception" not in vars(fails)


async def test_a_middleware_that_changes_the_error_gets_an_answer_of_its_own(database_url):
    """It stands outside of the recorder: the worker then asks about another exception."""
    app, strategy = make_app(database_url), Strategy()

    async def renames(call_next, context, worker):
        try:
            return await call_next()
        except ValueError as exc:
            raise RuntimeError("renamed") from exc

    middleware = app.worker_defaults["worker_middleware"]
    app.worker_defaults["worker_middleware"] = [renames, *middleware]

    @app.task(name="fails", retry=strategy)
    async def fails() -> None:
        raise ValueError("first")

    async with app.open_async():
        await fails.defer_async()
        await work(app)
    assert [text for _, text in strategy.asked] == ["first", "renamed"]
    assert "get_retry_exception" not in vars(fails)
