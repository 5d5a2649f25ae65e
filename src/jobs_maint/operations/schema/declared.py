"""What our migrations make of the tables: their columns and keys, and the indexes on them.

Read from the SQL itself, so that nothing has to be kept beside it; a test compares the result with
what PostgreSQL makes of the same SQL.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jobs_maint.sql import Migration, list_migrations

__all__ = [
    "Column",
    "canonical",
    "list_columns",
    "list_first_columns",
    "list_made_tables",
    "list_own_indexes",
    "list_tables",
]


@dataclass(frozen=True, slots=True)
class Column:
    table: str
    name: str
    type: str
    not_null: bool
    filled: bool
    """Whether it fills itself: by a default, or as an identity."""
    definition: str

    @property
    def is_key(self) -> bool:
        """Whether it is the primary key of its table, alone."""
        return "PRIMARY KEY" in self.definition

    @property
    def is_numbered(self) -> bool:
        """Whether a sequence numbers the rows."""
        return "AS IDENTITY" in self.definition


_TABLE = re.compile(
    r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+) \(\n(.*?)^\)", re.MULTILINE | re.DOTALL
)
_CHANGE = re.compile(
    r"^ALTER TABLE (\w+)\s+(ADD|DROP|ALTER) (?:COLUMN )?(?:IF (?:NOT )?EXISTS )?(\w+)\s*([^;]*);",
    re.MULTILINE,
)
_INDEX = re.compile(
    r"^CREATE (?:UNIQUE )?INDEX (?:IF NOT EXISTS )?(\w+) ON (\w+)[^;]*", re.MULTILINE
)
_DROPPED = re.compile(r"^DROP (TABLE|INDEX) (?:IF EXISTS )?(\w+)", re.MULTILINE)
_COLUMN = re.compile(
    r"(?P<name>\w+) (?P<type>[\w ]+?(?:\[\])?)"
    r"(?P<rest>(?: (?:PRIMARY|NOT|NULL|DEFAULT|CHECK|GENERATED|UNIQUE|REFERENCES)\b.*)?)",
    re.DOTALL,
)
_NO_COLUMN = {"PRIMARY", "UNIQUE", "CHECK", "CONSTRAINT", "FOREIGN", "EXCLUDE"}


@functools.cache
def list_columns() -> tuple[Column, ...]:
    """The columns of all our tables after the last migration."""
    found: dict[tuple[str, str], Column] = {}
    for text in map(_without_comments, (m.text for m in list_migrations())):
        found.update({(one.table, one.name): one for one in _list_made(text)})
        for table, verb, name, rest in _CHANGE.findall(text):
            if name in _NO_COLUMN:
                continue
            if verb == "DROP":
                found.pop((table, name), None)
            elif verb == "ADD":
                found[table, name] = _read(table, f"{name} {rest}")
            else:
                found[table, name] = _change(found[table, name], rest)
        gone = {name for kind, name in _DROPPED.findall(text) if kind == "TABLE"}
        found = {key: column for key, column in found.items() if key[0] not in gone}
    return tuple(found.values())


def list_first_columns() -> list[tuple[str, str]]:
    """Table and column, as the tables were when they were made: each version of them has most."""
    texts = [_without_comments(migration.text) for migration in list_migrations()]
    return [(one.table, one.name) for text in texts for one in _list_made(text)]


def _list_made(text: str) -> Iterator[Column]:
    """The columns of the tables that a migration makes."""
    for table, body in _TABLE.findall(text):
        for line in _split(body):
            if line.split()[0] not in _NO_COLUMN:
                yield _read(table, line)


def list_made_tables(migrations: Iterable[Migration]) -> set[str]:
    """Those that these migrations make, also where a later one drops them."""
    texts = [_without_comments(migration.text) for migration in migrations]
    return {table for text in texts for table, _ in _TABLE.findall(text)}


def list_tables() -> list[str]:
    return list(dict.fromkeys(column.table for column in list_columns()))


@functools.cache
def list_own_indexes() -> tuple[tuple[str, str, str], ...]:
    """Name, table and statement of each index that a migration makes."""
    found: dict[str, tuple[str, str, str]] = {}
    for text in map(_without_comments, (m.text for m in list_migrations())):
        for _, name in _DROPPED.findall(text):
            found = {key: index for key, index in found.items() if name not in index[:2]}
        for match in _INDEX.finditer(text):
            found[match[1]] = (match[1], match[2], match[0].strip())
    return tuple(found.values())


_CAST = re.compile(r"::(?:\"?\w+\"?\.)?(?:character varying|double precision|\w+)(?:\[\])?")
_NOISE = re.compile(r"\b(?:concurrently|if not exists|using btree|array)\b|[()\[\]]", re.IGNORECASE)
_TOKEN = re.compile(r"'(?:[^']|'')*'|\w+|[^\s\w]+")


def canonical(statement: str) -> str:
    """The statement of an index as its author or as PostgreSQL writes it, in one spelling."""
    text = re.sub(r"\bNOT IN\b", "<> ALL", statement, flags=re.IGNORECASE)
    text = re.sub(r"\bIN\b", "= ANY", text, flags=re.IGNORECASE)
    text = re.sub(r"\bON (?:ONLY )?(?:\"(?:[^\"]|\"\")+\"|\w+)\.", "ON ", text)
    text = _NOISE.sub(" ", _CAST.sub("", text))
    text = re.sub(r"'(\d+|on|off|true|false)'", r"\1", text)
    return " ".join(
        token if token.startswith("'") else token.lower() for token in _TOKEN.findall(text)
    )


def _without_comments(text: str) -> str:
    return re.sub(r"--.*$", "", text, flags=re.MULTILINE)


def _split(body: str) -> list[str]:
    """The parts of a table's definition, by the commas outside of brackets."""
    parts, depth, begun = [], 0, 0
    for place, character in enumerate(body):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(body[begun:place])
            begun = place + 1
    return [" ".join(part.split()) for part in [*parts, body[begun:]] if part.strip()]


def _read(table: str, text: str) -> Column:
    text = " ".join(text.split())
    match = _COLUMN.fullmatch(text)
    if match is None:
        raise ValueError(f"the column {text!r} of {table} cannot be read")
    rest = match["rest"]
    return Column(
        table,
        match["name"],
        match["type"],
        "NOT NULL" in rest or "PRIMARY KEY" in rest,
        "DEFAULT" in rest or "GENERATED" in rest,
        text,
    )


def _change(column: Column, rest: str) -> Column:
    """What `ALTER TABLE … ALTER COLUMN` makes of a column."""
    kind, _, what = " ".join(rest.split()).removeprefix("SET DATA ").partition(" ")
    parts = (column.type, column.not_null, column.filled)
    if kind == "TYPE":
        parts = (what.partition(" USING")[0], *parts[1:])
    elif what.startswith("NOT NULL"):
        parts = (parts[0], kind == "SET", parts[2])
    elif what.startswith("DEFAULT"):
        parts = (*parts[:2], kind == "SET")
    return Column(column.table, column.name, *parts, f"{column.name} {parts[0]}")
