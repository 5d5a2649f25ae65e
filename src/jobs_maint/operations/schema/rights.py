"""May this user change the schema: asked before any change, so that nothing is half made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs_maint.database import Conn, fetch_one
from jobs_maint.errors import DatabaseUnavailable
from jobs_maint.quoting import few
from jobs_maint.sql import load_queries

__all__ = ["require_owner", "require_rights", "say_owner"]


async def require_rights(conn: Conn, home: str | None, *, tables: bool) -> None:
    """What `schema apply` needs; `home`: the schema of the jobs, if any; `tables`: it makes some.

    Raises DatabaseUnavailable with what is lacking.
    """
    if home is None:
        found = await fetch_one(conn, load_queries("schema")["find_right_to_create"])
    else:
        found = await require_owner(conn, home, "schema apply")
        if tables and not found["owner_allowed"]:
            raise DatabaseUnavailable(
                f"Our tables belong to the owner of Procrastinate's, {found['owner']}, which lacks "
                f"a privilege: permission denied for schema {found['home']}; nothing was changed. "
                f"GRANT CREATE ON SCHEMA {found['home']} TO {found['owner']};"
            )
    if not found["allowed"]:
        raise DatabaseUnavailable(
            f"The database user {found['login']} lacks a privilege: permission denied for schema "
            f"{found['home']}; nothing was changed. Run `jobs-maint schema apply` as the owner of "
            f"that schema, or GRANT CREATE ON SCHEMA {found['home']} TO {found['login']};",
            maybe_elsewhere=True,
        )


async def require_owner(conn: Conn, home: str, word: str) -> dict[str, Any]:
    """Raises DatabaseUnavailable where tables belong to others: no GRANT lets it drop them.

    `word`: what was asked for. Returns the row of `find_right_to_alter`.
    """
    found = await fetch_one(conn, load_queries("schema")["find_right_to_alter"], {"home": home})
    if tables := found["foreign_tables"]:
        which = "them nor their" if len(tables) > 1 else "it nor its"
        raise DatabaseUnavailable(
            f"The database user {found['login']} does not own the table {few(tables, 1)}, "
            f"so it can change neither {which} indexes; "
            f"nothing was changed. Run `jobs-maint {word}` as {say_owner(found)}.",
            maybe_elsewhere=True,
        )
    return found


def say_owner(found: Mapping[str, Any]) -> str:
    """`the owner ana, a member of that role or a superuser`; some roles are only for members."""
    owners, members = found["owners"], found["members"]
    if len(owners) > 1:
        return f"a superuser, or as a member of all the roles that own them: {', '.join(owners)}"
    named = f" ({', '.join(members)})" if members else ""
    return f"the owner {owners[0]}, a member of that role{named} or a superuser"
