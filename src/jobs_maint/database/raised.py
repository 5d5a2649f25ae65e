"""What a function of the team raised, as opposed to what the server itself met.

A trigger may raise any code: one that asks another server has that server's (08001, 57P01, 53100).
"""

from __future__ import annotations

import re

import psycopg
from psycopg import errors as pg

__all__ = ["RACES", "find_function", "find_row", "is_stopped", "name_function"]

RACES = (pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure)
"""Another session is at what the row needs, such as a row of the team's that refers to it."""
_LINE = re.compile(r"^.*PL/.*$", re.MULTILINE)
"""In every language of the server a line of the context names the language of the function."""
_CALL = re.compile(r"""[\w."$]+\([^()]*\)""")
_QUOTES = r'"\u00ab\u00bb\u201c\u201d\u201e'
_QUOTED = re.compile(rf"[{_QUOTES}]\s*([^{_QUOTES}]+?)\s*[{_QUOTES}]")
"""A name, in the languages of the server; French has blanks within the quotes."""
_PLACE = re.compile(r"(\d+), ?(\d+)")
"""Of a row; Korean has no brackets around it."""


def find_function(exc: BaseException) -> str | None:
    """The innermost function that is not one of Procrastinate's, where the error came from one."""
    return name_function(exc.diag.context or "") if isinstance(exc, psycopg.Error) else None


def name_function(context: str) -> str | None:
    """The same by the context; a block without a name is none."""
    for line in _LINE.findall(context):
        if (call := _CALL.search(line)) is not None:
            name = call[0]
        elif (quoted := _QUOTED.search(line)) is not None:
            name = f"{quoted[1]}()"
        else:
            continue
        if not name.partition("(")[0].rpartition(".")[2].strip('"').startswith("procrastinate_"):
            return name
    return None


def find_row(context: str) -> tuple[str, str] | None:
    """The table and the place (`ctid`) of the row that was waited for, in every language.

    Some name the table first. What stands below the first line is about what asked for the row.
    """
    line = context.partition("\n")[0]
    table, place = _QUOTED.search(line), _PLACE.search(line)
    return (table[1], f"({place[1]},{place[2]})") if table and place else None


def is_stopped(exc: BaseException) -> bool:
    """Whether the server stopped the statement: its time was up, or somebody cancelled it.

    A function may raise the same code, and its words are translated. Where in the server it comes
    from is not.
    """
    return isinstance(exc, pg.QueryCanceled) and exc.diag.source_function in {
        None,
        "ProcessInterrupts",
    }
