r"""Text in databases that cannot hold every character.

We speak UTF-8 with every server, and the server converts. A character that the database's own
encoding lacks would make it refuse the whole statement, so it is escaped before: `→` as `\u2192`.
What is searched for is escaped the same way, and so finds what was stored.
"""

from __future__ import annotations

import codecs
import functools
import json
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.types.json import Json, Jsonb

__all__ = ["CLIENT_ENCODING", "fit"]

CLIENT_ENCODING = "UTF8"


def fit(
    conn: psycopg.Connection[Any] | psycopg.AsyncConnection[Any],
    params: Mapping[str, Any],
    *,
    plain: bool = False,
) -> Mapping[str, Any]:
    """The parameters with every text such that the database can hold it.

    `plain`: in ASCII, where the server refused what its encoding should hold.
    """
    if plain:
        return {name: _fit(value, "ascii") for name, value in params.items()}
    server = conn.info.parameter_status("server_encoding")
    if server in (None, "UTF8"):
        return params
    # SQL_ASCII takes any bytes as they come.
    codec = None if server == "SQL_ASCII" else _find_codec(server)
    return {name: _fit(value, codec) for name, value in params.items()}


def _fit(value: Any, codec: str | None) -> Any:
    if isinstance(value, str):
        return value.encode(codec, "backslashreplace").decode(codec) if codec else value
    if isinstance(value, Json | Jsonb):
        # Escapes such as \u2192 are read as characters, which only a UTF-8 database takes.
        plain = functools.partial(json.dumps, ensure_ascii=False)
        return type(value)(_fit(value.obj, codec), dumps=plain)
    if isinstance(value, Mapping):
        return {_fit(key, codec): _fit(one, codec) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_fit(one, codec) for one in value]
    return value


@functools.cache
def _find_codec(server: str) -> str:
    """Python's name for PostgreSQL's; ASCII, which all of them hold, where there is none."""
    name = server.lower()
    if name.startswith("win") and name[3:].isdigit():
        name = f"cp{name[3:]}"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "ascii"
