"""May this user change the schema: asked before any change, so that nothing is half made."""

from __future__ import annotations

from jobs_maint.database import Conn, fetch_one
from jobs_maint.errors import DatabaseUnavailable
from jobs_maint.sql import load_queries

__all__ = ["require_rights"]


async def require_rights(conn: Conn, home: str | None, word: str = "schema apply") -> None:
    """Raises DatabaseUnavailable with what is lacking; `home`: the schema of the jobs, if any.

    `word`: what was asked for.
    """
    queries = load_queries("schema")
    if home is None:
        found = await fetch_one(conn, queries["find_right_to_create"])
    else:
        found = await fetch_one(conn, queries["find_right_to_alter"], {"home": home})
        if tables := found["foreign_tables"]:
            others = f" and {len(tables) - 1} more" if len(tables) > 1 else ""
            raise DatabaseUnavailable(
                f"The database user {found['login']} does not own the table {tables[0]}{others}, "
                f"so it can change neither them nor their indexes; nothing was changed. Run "
                f"`jobs-maint {word}` as the owner of {tables[0]}: {found['owner']}."
            )
    if not found["allowed"]:
        raise DatabaseUnavailable(
            f"The database user {found['login']} lacks a privilege: permission denied for schema "
            f"{found['home']}; nothing was changed. Run `jobs-maint {word}` as the owner of "
            f"that schema, or GRANT CREATE ON SCHEMA {found['home']} TO {found['login']};"
        )
