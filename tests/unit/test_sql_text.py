"""Every statement is ASCII, as a database of another encoding refuses what it lacks; and none stays
on the session, which behind a proxy is not ours alone.
"""

import re
from pathlib import Path

import pytest

SQL = Path(__file__).parents[2] / "src/jobs_maint/sql"


@pytest.mark.parametrize("path", sorted(SQL.rglob("*.sql")), ids=lambda path: path.name)
def test_every_query_and_migration_is_ascii(path):
    assert path.read_text(encoding="utf-8").isascii()


FOR_THE_SESSION = re.compile(
    r"""pg_(?:try_)?advisory_lock\w*\(                      # not pg_advisory_xact_lock
    |set_config\([^;]*?,\s*false\)
    |\bTEMP(?:ORARY)?\s+TABLE\b
    |(?:^|;|"|-- [^\n]*\n)\s*(?:                          # where a statement begins
        SET\s+(?!LOCAL\b|TRANSACTION\b|CONSTRAINTS\b)[\w.]+(?:\s+TO\b|\s*=)
        |SET\s+SESSION\b|(?:LISTEN|PREPARE|DISCARD)\s+\w)""",
    re.VERBOSE,
)


def test_no_statement_stays_on_the_session_but_the_one_that_the_page_names():
    sources = SQL.parents[1]
    paths = [path for kind in ("*.py", "*.sql") for path in sources.rglob(kind)]
    ours = [one for one in paths if one.relative_to(sources).parts[0] != "local_slack"]
    found = {one.name: FOR_THE_SESSION.findall(one.read_text(encoding="utf-8")) for one in ours}
    assert {name: len(hits) for name, hits in found.items() if hits} == {"indexes.sql": 1}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_lock_shared(1, 2)",
        "SELECT set_config('jit', 'off', false);", '"SET search_path TO x"', "; SET jit = off",
        "-- name: a\nLISTEN jobs", "PREPARE one AS SELECT 1", "CREATE TEMP TABLE t ()",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    ],
)  # fmt: skip
def test_a_statement_for_the_session_would_be_seen(statement):
    assert FOR_THE_SESSION.search(statement)
