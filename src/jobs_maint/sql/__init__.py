"""Every query of the product, in `.sql` files by topic.

A query starts with `-- name: the_name (param, other)`; the comment lines after it say what it
returns, why it is shaped so and which index it uses. Loading checks that the parameters declared
are the ones used.

What several queries must agree on stands once, in `fragments.sql`; `{{the_name}}` puts it in.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import LiteralString

__all__ = ["Migration", "list_migrations", "load_queries"]

_HEADER = re.compile(r"^-- name: (?P<name>\w+)(?: \((?P<params>[^)]*)\))?\s*$", re.MULTILINE)
_FRAGMENTS = "fragments"
_PARAM = re.compile(r"(?<!%)%\((\w+)\)s")
_STRAY = re.compile(r"%(?![(%])")


class Migration:
    """One step of our schema: `0001_tables` and its SQL."""

    def __init__(self, number: int, name: str, text: LiteralString) -> None:
        self.number = number
        self.name = name
        self.text = text


@functools.cache
def load_queries(topic: str) -> Mapping[str, LiteralString]:
    """The queries of one file by name. Raises ValueError when declared ≠ used parameters."""
    text = (resources.files(__name__) / f"{topic}.sql").read_text(encoding="utf-8")
    heads = list(_HEADER.finditer(text))
    queries: dict[str, LiteralString] = {}
    fragments = {} if topic == _FRAGMENTS else load_queries(_FRAGMENTS)
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        body = text[head.end() : following.start() if following else len(text)]
        code = "\n".join(line for line in body.splitlines() if not line.lstrip().startswith("--"))
        for name, fragment in fragments.items():
            code = code.replace("{{" + name + "}}", fragment)
        declared = {name.strip() for name in (head["params"] or "").split(",") if name.strip()}
        used = set(_PARAM.findall(code))
        where = f"{topic}.sql: {head['name']}"
        if declared != used:
            raise ValueError(f"{where} declares {sorted(declared)} but uses {sorted(used)}")
        if stray := _STRAY.search(code.replace("%%", "")):
            raise ValueError(f"{where} has a single % at {code[stray.start() :][:20]!r}; write %%")
        if head["name"] in queries:
            raise ValueError(f"{where} is defined twice")
        queries[head["name"]] = code.strip()
    return MappingProxyType(queries)


@functools.cache
def list_migrations() -> tuple[Migration, ...]:
    """Our migrations in order; their numbers are 1, 2, 3 … without a gap."""
    found = []
    for file in sorted(
        (resources.files(__name__) / "migrations").iterdir(), key=lambda entry: entry.name
    ):
        if match := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name):
            text = file.read_text(encoding="utf-8")
            found.append(Migration(int(match[1]), f"{match[1]}_{match[2]}", text))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations are not numbered 1 to {len(found)}")
    return tuple(found)
