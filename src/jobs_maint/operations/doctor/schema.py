"""The doctor's checks on tables, indexes and privileges: Procrastinate's and ours."""

from __future__ import annotations

import re

from jobs_maint import upstream
from jobs_maint.database import RIGHTS, Conn, fetch_all, find_elsewhere, find_missing_rights
from jobs_maint.models import Finding
from jobs_maint.operations.doctor.findings import Situation, error, few, ok, warning
from jobs_maint.operations.schema.declared import list_tables
from jobs_maint.operations.schema.judging import APPLY, judge, judge_indexes
from jobs_maint.operations.schema.places import find_foreign, find_places, find_strays, judge_theirs
from jobs_maint.sql import load_queries

__all__: list[str] = []

OLDEST_PROCRASTINATE, FIRST_UNKNOWN_PROCRASTINATE = (3, 10), (4,)


async def check_procrastinate(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    version = situation.procrastinate_version
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if OLDEST_PROCRASTINATE <= numbers < FIRST_UNKNOWN_PROCRASTINATE:
        return ok("procrastinate", f"Procrastinate {version} is installed here.")
    return error(
        "procrastinate",
        f"Procrastinate {version} is installed here; this release of procrastinate-ops needs "
        "3.10 or newer, below 4.",
        "Install a version in that range: pip install 'procrastinate>=3.10,<4'.",
    )


async def check_procrastinate_schema(conn: Conn, situation: Situation) -> Finding:
    """Everything that the installed version's own schema creates must exist and be enabled."""
    queries = load_queries("doctor")
    objects = await fetch_all(conn, queries["list_objects"])
    elsewhere = None if objects else await find_elsewhere(conn)
    if elsewhere is not None:
        return error("procrastinate_schema", elsewhere.found, elsewhere.fix)
    if trouble := judge_theirs(await find_places(conn)):
        return error("procrastinate_schema", trouble.found, trouble.fix)
    if not objects:
        return error("procrastinate_schema", "The database has no Procrastinate tables.", APPLY)
    there = {(row["kind"], row["name"]) for row in objects}
    missing = [item for item in list_procrastinate_objects() if item not in there]
    version = situation.procrastinate_version
    if not missing:
        return ok("procrastinate_schema", f"Procrastinate's tables match version {version}.")
    judge = warning if {kind for kind, _ in missing} == {"index"} else error
    names = few([f"{kind} {name}" for kind, name in missing], 3)
    return judge(
        "procrastinate_schema",
        f"Procrastinate's tables do not match version {version}; missing, disabled or invalid: "
        f"{names}.",
        "Apply Procrastinate's migrations up to that version, in order (procrastinate schema "
        "--migrations-path shows where they are).",
    )


def list_procrastinate_objects() -> list[tuple[str, str]]:
    """(kind, name) of what the installed version's schema creates."""
    created = re.findall(
        r"^CREATE (?:OR REPLACE )?(?:UNIQUE )?(TABLE|FUNCTION|INDEX|TRIGGER) "
        r"(?:IF NOT EXISTS )?(\w+)",
        upstream.schema_sql(),
        re.MULTILINE,
    )
    return list(dict.fromkeys((kind.lower(), name) for kind, name in created))


async def check_schema(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    found = await find_places(conn)
    if trouble := await find_foreign(conn) or await find_strays(conn):
        return error("schema", trouble.found, trouble.fix)
    if not found["ours"]:
        elsewhere = await find_elsewhere(conn) if found["jobs_schema"] is None else None
        if elsewhere is not None:
            return error("schema", f"This was not checked: {elsewhere.found}", elsewhere.fix)
        return error("schema", "The database has no tables of procrastinate-ops.", APPLY)
    home = found["jobs_schema"]
    if home not in (None, found["our_schema"]):
        return error(
            "schema",
            f"The schema {home} has no tables of procrastinate-ops; those in the schema "
            f"{found['our_schema']} belong to the jobs there.",
            APPLY,
        )
    verdict = await judge(conn, found)
    if verdict.fix is None:
        return ok("schema", verdict.sentence)
    level = warning if verdict.works else error
    return level("schema", verdict.sentence, verdict.fix)


async def check_privileges(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    tables = list_tables()
    missing = await find_missing_rights(conn, tables)
    if missing is None:
        return await _check_policies(conn, sorted({*RIGHTS, *tables}))
    return error(
        "privileges",
        f"The database user {missing.login} lacks privileges: {missing.say()}.",
        missing.say_grants(),
    )


async def _check_policies(conn: Conn, tables: list[str]) -> Finding:
    rows = await fetch_all(conn, load_queries("lacking")["list_policies"], {"tables": tables})
    if not rows:
        return ok("privileges", "The database user has the privileges it needs on these tables.")
    login = rows[0]["login"]
    return warning(
        "privileges",
        f"Row-level security may hide rows of {few([row['table_name'] for row in rows], 3)} from "
        f"{login}: jobs that it does not see are neither counted nor changed, and an act on one "
        'says "there is no such job".',
        f"Use a role that sees all rows, such as the owner of the tables, or as a superuser run "
        f"ALTER ROLE {login} BYPASSRLS;",
    )


async def check_indexes(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    found = await find_places(conn)
    lacking = await judge_indexes(conn, str(found["jobs_schema"]), await judge(conn, found))
    if lacking.missing:
        return warning(
            "indexes",
            f"Indexes are missing, differ or were not fully built: {few(lacking.missing)}. "
            "Everything works without them, but more slowly.",
            "Run `jobs-maint schema apply`; it builds them without blocking other sessions.",
        )
    if lacking.taken:
        return warning(
            "indexes",
            "Indexes are missing, and `jobs-maint schema apply` cannot build them. Everything "
            "works without them, but more slowly.",
            f"{'; '.join(lacking.taken)}.",
        )
    return ok("indexes", "Our indexes are present and valid.")
