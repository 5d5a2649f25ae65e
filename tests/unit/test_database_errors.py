"""What an error of the database is told as: by its SQLSTATE, whatever its words."""

from __future__ import annotations

import psycopg
import psycopg_pool
import pytest
from psycopg import errors as pg

from jobs_maint.actions import (
    BulkVerb,
    JobFilter,
    ListErrors,
    ListStuck,
    PreviewBulk,
    PreviewPurge,
    ShowStats,
)
from jobs_maint.database import describe_database, is_connection_lost, map_error, parse_url
from jobs_maint.database.raised import find_row, name_function
from jobs_maint.errors import DatabaseUnavailable, InvalidSettings, JobsMaintError, SchemaMismatch
from jobs_maint.operations.refusals import describe_refusal
from jobs_maint.perform import _advise_less

LOST = "The connection to the jobs database was lost; only committed changes were kept."
SLOTS = "All connection slots of the database server are taken."


@pytest.mark.parametrize(
    ("state", "words", "says"),
    [
        ("53300", "tut mir leid, schon zu viele Verbindungen", SLOTS),
        ("55P03", "storniere Anfrage wegen Sperren-Zeitüberschreitung", "for more than 5 s;"),
        ("57014", "storniere Anfrage wegen Benutzeraufforderung", "was cancelled on the database"),
        ("53100", "konnte Datei nicht erweitern", "The disk of the jobs database is full;"),
        ("53200", "Speicher aufgebraucht", "reported: Speicher aufgebraucht; this step changed"),
        ("58030", "Eingabe-/Ausgabefehler", "reported: Eingabe-/Ausgabefehler; this step changed"),
        ("57P01", "breche Verbindung ab aufgrund von Anweisung des Administrators", LOST),
        ("57P03", "das Datenbanksystem startet", LOST),
        ("08006", "Verbindungsfehler", LOST),
        ("25P03", "beende Verbindung wegen Zeitüberschreitung", LOST),
    ],
)
def test_an_error_is_told_by_its_code(state, words, says):
    error = map_error(psycopg.errors.lookup(state)(words))
    assert isinstance(error, DatabaseUnavailable)
    assert says in str(error)
    assert (LOST in str(error)) == (says == LOST)


def test_a_lost_column_is_not_told_as_a_lost_table():
    error = map_error(pg.UndefinedColumn("Spalte f.message existiert nicht\nLINE 1: SELECT"))
    assert isinstance(error, SchemaMismatch)
    assert "lacks a column (Spalte f.message existiert nicht); run `jobs-maint" in str(error)
    assert "has no jobs_maint_audit;" in str(
        map_error(pg.UndefinedTable('Relation "jobs_maint_audit" existiert nicht'))
    )


def test_only_libpqs_own_errors_without_a_code_are_a_lost_connection():
    assert LOST in str(map_error(psycopg.OperationalError("server closed the connection")))
    odd = psycopg.ProgrammingError("no result to fetch")
    assert not is_connection_lost(odd)
    assert type(map_error(odd)) is JobsMaintError
    busy = map_error(psycopg_pool.TooManyRequests("the pool has 9 requests waiting"))
    assert "too many others wait" in str(busy)


def test_no_connection_in_time_is_told_with_its_reason_where_that_is_known():
    error = psycopg_pool.PoolTimeout("couldn't get a connection after 2.50 sec")
    assert "was free within 2 s; it is down, or all" in str(map_error(error))
    error.add_note("All connection slots are taken.")
    assert str(map_error(error)) == "All connection slots are taken."


def test_a_row_that_another_session_holds_is_told_as_that():
    error = pg.LockNotAvailable("storniere Anfrage")
    error.add_note("process 41 (psql)")
    assert describe_refusal(error) == (
        "another session holds what it needs (process 41 (psql)); try again when that is done"
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://jobs:S3cret/Pw99@127.0.0.1:6543/jobs",
        "postgresql://jobs:123/Pw99@127.0.0.1:6543/jobs",
        "postgres://jobs:S3cret@Pw99@127.0.0.1:6543/jobs",
        "postgresql+psycopg://jobs:@Pw99@127.0.0.1/jobs",
        "postgresql://jobs:Pw99@127.0.0.1:Pw99/jobs",
        "host=Pw99@127.0.0.1 user=jobs",
        "postgresql://jobs:S3%cret%Pw99@127.0.0.1:6543/jobs",
        "postgresql://jobs:S3cret Pw99@127.0.0.1:6543/jobs",
    ],
)
def test_a_url_whose_password_is_not_encoded_is_refused_without_a_piece_of_it(url):
    with pytest.raises(InvalidSettings, match="write / as %2F, @ as %40") as told:
        parse_url(url)
    assert "Pw99" not in str(told.value)
    assert told.value.__cause__ is None


@pytest.mark.parametrize("query", ["schema=jobs", "sslmode=require&pool_size=5#x"])
def test_a_parameter_that_postgresql_does_not_know_is_named(query):
    name = query.rpartition("&")[2].partition("=")[0]
    with pytest.raises(InvalidSettings, match=f"that PostgreSQL does not know: {name}. Take it"):
        parse_url(f"postgresql://jobs:Pw99@127.0.0.1:6543/jobs?{query}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://jobs:S3%2Fcret%40Pw99@127.0.0.1:6543/jobs?application_name=a@b",
        "postgresql://jobs:pw@h1:1,h2:2/jobs",
        "postgresql://jobs@[::1]/jobs",
        "postgresql:///jobs?host=/var/run/me@here",
        "host=@abstract dbname='a@b'",
        "service=jobs",
    ],
)
def test_what_is_rightly_written_is_read(url):
    assert parse_url(url)


@pytest.mark.parametrize(
    ("action", "advice"),
    [
        (ListErrors(), "Ask for less: one queue, or a shorter span."),
        (PreviewBulk(BulkVerb.RETRY, JobFilter()), "Ask for less: one queue, or a shorter span."),
        (ShowStats(), "Ask for less: one queue."),
        (ShowStats("mail"), "Try again when the database has less to do"),
        (ListErrors("mail"), "Ask for less: a shorter span."),
        (PreviewBulk(BulkVerb.RETRY, JobFilter("mail")), "Ask for less: a shorter span."),
        (PreviewBulk(BulkVerb.RETRY, JobFilter(job_ids=(1, 2))), "Try again when the database"),
        (PreviewBulk(BulkVerb.RETRY, JobFilter(request=17)), "Try again when the database"),
        (PreviewPurge(), "Ask for less: one queue."),
        (ListStuck(), "Try again when the database has less to do"),
    ],
)
def test_the_advice_after_a_timeout_is_one_that_the_word_takes(action, advice):
    assert _advise_less(action).startswith(advice)
    exc = pg.QueryCanceled("zu lang")
    exc.add_note("60 s")
    exc.add_note(_advise_less(action))
    assert f"took longer than 60 s and was stopped; this step changed nothing. {advice}" in str(
        map_error(exc)
    )


@pytest.mark.parametrize(
    "line",
    [
        'while locking tuple (0,7) in relation "%s"',
        "beim Sperren von Tupel (0,7) in Relation \u00bb%s\u00ab",
        "lors du verrouillage de la ligne (0,7) dans la relation \u00ab\u00a0%s\u00a0\u00bb",
        'リレーション"%s"のタプル(0,7)のロック中',
        '0,7 튜플을 "%s" 릴레이션에서 잠그는 중에 발생',
        '当锁定关系"%s"的元组(0, 7)时',
    ],
)
@pytest.mark.parametrize("table", ["procrastinate_jobs", "procrastinate_jobs_archive"])
def test_the_row_that_was_waited_for_is_found_in_each_language(line, table):
    context = f'{line % table}\nSQL statement "SELECT 1 FROM other WHERE id IN (1,2)"'
    assert find_row(context) == (table, "(0,7)")
    assert find_row('SQL statement "SELECT 1 FROM other"') is None


def test_a_function_that_french_quotes_name_is_named_without_their_blanks():
    assert name_function("fonction PL/Python \u00ab\u00a0copy\u00a0\u00bb") == "copy()"


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ("db1:5432,db2:5433", "db1:5432 or db2:5433"),
        ("db1,db2", "db1 or db2"),
        ("db1:5432", "db1:5432"),
    ],
)
def test_each_host_of_a_database_is_named_with_its_port(hosts, said):
    assert describe_database(f"postgresql://ana@{hosts}/jobs") == f"the database 'jobs' at {said}"
