"""A connector of a team that has no psycopg pool, on a real database."""

from __future__ import annotations

import procrastinate
from procrastinate import connector


class PoollessConnector(connector.BaseAsyncConnector):
    """What `PsycopgConnector` does, without being one."""

    def __init__(self, url: str) -> None:
        self._inner = procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=2)

    def get_sync_connector(self):
        return self._inner.get_sync_connector()

    async def open_async(self, pool=None) -> None:
        await self._inner.open_async(pool)

    async def close_async(self) -> None:
        await self._inner.close_async()

    async def execute_query_async(self, query, **arguments):
        return await self._inner.execute_query_async(query, **arguments)

    async def execute_query_one_async(self, query, **arguments):
        return await self._inner.execute_query_one_async(query, **arguments)

    async def execute_query_all_async(self, query, **arguments):
        return await self._inner.execute_query_all_async(query, **arguments)

    async def listen_notify(self, on_notification, channels) -> None:
        await self._inner.listen_notify(on_notification, channels)
