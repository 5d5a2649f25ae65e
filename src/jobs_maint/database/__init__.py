"""The jobs database: connections, transactions with limits, and the one map of its errors."""

from jobs_maint.database.checking import check_schema
from jobs_maint.database.connecting import (
    Pool,
    PoolTimeout,
    describe_database,
    note_why_not_connected,
    open_pool,
)
from jobs_maint.database.encoding import CLIENT_ENCODING, fit
from jobs_maint.database.failing import is_connection_lost, is_timeout, map_error, mapped_errors
from jobs_maint.database.identity import identify_database
from jobs_maint.database.lacking import (
    RIGHTS,
    explain_lack,
    find_elsewhere,
    find_missing_rights,
    find_place,
    name_place,
    require_usage,
    say_place,
)
from jobs_maint.database.limits import LOCK_TIMEOUT, STATEMENT_TIMEOUT
from jobs_maint.database.raised import RACES, find_function, is_stopped, name_function
from jobs_maint.database.read_only import find_read_only
from jobs_maint.database.silence import give_up_after
from jobs_maint.database.standby import noted_standby
from jobs_maint.database.transactions import (
    Conn,
    describe_session,
    fetch_all,
    fetch_one,
    find_holder,
    find_lockers,
    limit_lock_waits,
    note_holders,
    note_timeout,
    transaction,
    undone_transaction,
)
from jobs_maint.database.url import normalise_url, parse_url

__all__ = [
    "CLIENT_ENCODING",
    "LOCK_TIMEOUT",
    "RACES",
    "RIGHTS",
    "STATEMENT_TIMEOUT",
    "Conn",
    "Pool",
    "PoolTimeout",
    "check_schema",
    "describe_database",
    "describe_session",
    "explain_lack",
    "fetch_all",
    "fetch_one",
    "find_elsewhere",
    "find_function",
    "find_holder",
    "find_lockers",
    "find_missing_rights",
    "find_place",
    "find_read_only",
    "fit",
    "give_up_after",
    "identify_database",
    "is_connection_lost",
    "is_stopped",
    "is_timeout",
    "limit_lock_waits",
    "map_error",
    "mapped_errors",
    "name_function",
    "name_place",
    "normalise_url",
    "note_holders",
    "note_timeout",
    "note_why_not_connected",
    "noted_standby",
    "open_pool",
    "parse_url",
    "require_usage",
    "say_place",
    "transaction",
    "undone_transaction",
]
