"""Connections that give up where no answer comes.

The server ends our statements after their time limit. But a frozen server, or a proxy that keeps
a dead connection open, says nothing, and the network acknowledges everything: without a limit of
its own a client waits for ever.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg

__all__ = ["ImpatientConnection", "give_up_after", "limit_silence"]

T = TypeVar("T")
Steps = Generator[Any, Any, T]
"""Of psycopg, which asks it to go on several times a second while nothing comes."""


def give_up_after(seconds: float, pgconn: psycopg.pq.abc.PGconn, steps: Steps[T]) -> Steps[T]:
    """These steps, or OperationalError, with the connection closed, where they take longer."""
    deadline = time.monotonic() + seconds
    ready = None
    while True:
        try:
            state = steps.send(ready)
        except StopIteration as done:
            answer: T = done.value
            return answer
        ready = yield state
        if not ready and time.monotonic() >= deadline:
            pgconn.finish()  # or what ends the transaction would wait, too
            raise psycopg.OperationalError(f"no answer for {seconds:g} s")


class ImpatientConnection(psycopg.AsyncConnection[Any]):
    """`patience`: seconds, counted for each answer; None: it waits."""

    patience: float | None = None

    async def wait(self, gen: Steps[T], *args: Any, **kwargs: Any) -> T:
        if self.patience is not None:
            gen = give_up_after(self.patience, self.pgconn, gen)
        return await super().wait(gen, *args, **kwargs)


@contextmanager
def limit_silence(conn: psycopg.AsyncConnection[Any], seconds: float) -> Iterator[None]:
    """Of a connection of ours; those of the team's pool are left as they are."""
    if not isinstance(conn, ImpatientConnection):
        yield
        return
    before, conn.patience = conn.patience, seconds
    try:
        yield
    finally:
        conn.patience = before
