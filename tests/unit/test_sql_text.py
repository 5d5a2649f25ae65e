"""Statements are ASCII: a database of another encoding refuses a character that it lacks."""

from pathlib import Path

import pytest

SQL = Path(__file__).parents[2] / "src/jobs_maint/sql"


@pytest.mark.parametrize("path", sorted(SQL.rglob("*.sql")), ids=lambda path: path.name)
def test_every_query_and_migration_is_ascii(path):
    assert path.read_text(encoding="utf-8").isascii()
