"""How long a connection, a lock and a statement may take."""

from __future__ import annotations

from datetime import timedelta

CONNECT_TIMEOUT = 10
"""Seconds; a database that takes longer to answer is as good as gone at 3 a.m."""
RECONNECT_TIMEOUT = 5.0
"""Seconds for which a pool tries to connect again by itself. Its pauses grow, up to minutes after a
long outage; once it has given up, whoever needs a connection begins anew, at once."""
POOL_TIMEOUT = 15.0
SILENCE = 15.0
"""Seconds for an answer that takes the server no time."""
LOCK_TIMEOUT = timedelta(seconds=5)
STATEMENT_TIMEOUT = timedelta(seconds=60)
