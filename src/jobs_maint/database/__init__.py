"""The jobs database: connections, transactions with limits, and the one map of its errors."""

from jobs_maint.database.connecting import Pool, check_schema, normalise_url, open_pool
from jobs_maint.database.failing import map_error, mapped_errors
from jobs_maint.database.limits import LOCK_TIMEOUT
from jobs_maint.database.transactions import (
    Conn,
    describe_session,
    fetch_all,
    fetch_one,
    transaction,
    undone_transaction,
)

__all__ = [
    "LOCK_TIMEOUT",
    "Conn",
    "Pool",
    "check_schema",
    "describe_session",
    "fetch_all",
    "fetch_one",
    "map_error",
    "mapped_errors",
    "normalise_url",
    "open_pool",
    "transaction",
    "undone_transaction",
]
