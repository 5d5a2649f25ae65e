"""Where the recorder connects: as the team's pool does, asked anew at each connect."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, wait
from typing import Any

import psycopg
import psycopg_pool

from jobs_maint import upstream
from jobs_maint.recorder.connection import connect

__all__ = ["PoolSource"]

ASK_TIMEOUT = 2.0
"""Seconds the worker's event loop has to answer; a blocked one must not stop the beats."""

Params = tuple[str, dict[str, Any]]


class PoolSource:
    """Opens connections like those of a pool, with the parameters it would take now.

    Passwords rotate, so a pool may have functions for its parameters. They belong to the worker's
    event loop and are called there; the last answer is used while the loop is blocked or gone.
    """

    def __init__(
        self, pool: psycopg_pool.AsyncConnectionPool[Any], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._pool = pool
        self._loop = loop
        self._known: Params | None = None
        self._asked: Future[Params] | None = None

    def connect(self) -> psycopg.Connection[Any]:
        """In the recorder's thread; raises what the pool's own functions raise."""
        plain = upstream.plain_params(self._pool)
        if plain is not None:
            self._known = plain
        elif self._loop.is_running():
            self._ask_the_loop()
        if self._known is None:
            raise TimeoutError("the worker's event loop did not say how to connect")
        conninfo, kwargs = self._known
        return connect(
            conninfo,
            kwargs,
            connection_class=self._pool.connection_class,
            configure=upstream.configure_function(self._pool),
        )

    def _ask_the_loop(self) -> None:
        """A late answer is not lost: the next connect waits for it again."""
        if self._asked is None:
            asking = upstream.ask_params(self._pool)
            try:
                self._asked = asyncio.run_coroutine_threadsafe(asking, self._loop)
            except RuntimeError:  # the loop was closed meanwhile
                asking.close()
                return
        done, _ = wait([self._asked], ASK_TIMEOUT)
        if done:
            asked, self._asked = self._asked, None
            self._known = asked.result()
