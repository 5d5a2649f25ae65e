"""Previews at a real terminal: the prompt, what is typed, Ctrl-C, progress."""

import json
import re
import signal
from pathlib import Path

import psycopg
import pytest
from tests.support.history import days
from tests.support.locks import wait_for_waiting
from tests.support.shell import CTRL_C, CTRL_D, Terminal, answer, run_shell
from tests.support.waiting import until, wait_for_row

from jobs_maint.operations.schema.places import TABLES


@pytest.fixture
def at_terminal(database_url):
    def start(*words, **settings):
        return Terminal(database_url, *words, **settings)

    return start


async def count(conn, status):
    found = await conn.execute(
        "SELECT count(*) FROM procrastinate_jobs WHERE status = %s", (status,)
    )
    return (await found.fetchone())[0]


async def make_failed(conn, number, queue="email"):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT %s, 'app.mail', 'failed' FROM generate_series(1, %s)",
        (queue, number),
    )


# --- the prompt -----------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["y\n", "yes\n", " YES \n"])
async def test_yes_acts_on_what_was_shown(at_terminal, conn, typed):
    await make_failed(conn, 3, "webhook")
    with at_terminal("retry", "--all", "webhook") as terminal:
        terminal.wait_for("Retry 3 jobs? [y/N] ")
        assert "3 jobs of webhook would be retried." in terminal.text
        assert await count(conn, "failed") == 3
        terminal.send(typed)
        assert terminal.end() == 0
    assert "3 jobs of webhook retried in " in terminal.text
    assert "Follow: jobs-maint stats webhook" in terminal.text
    assert await count(conn, "todo") == 3


@pytest.mark.parametrize("typed", ["\n", "n\n", "yess\n", "ja\n", CTRL_D])
async def test_anything_else_changes_nothing(at_terminal, conn, typed):
    await make_failed(conn, 2)
    with at_terminal("discard", "--all", "email") as terminal:
        terminal.wait_for("Discard 2 jobs? [y/N] ")
        terminal.send(typed)
        assert terminal.end() == 0
    assert terminal.text.endswith("\nNothing was changed.\n")
    assert await count(conn, "failed") == 2


async def test_ctrl_c_at_the_prompt_changes_nothing_and_ends_with_130(at_terminal, conn):
    await make_failed(conn, 2)
    with at_terminal("retry", "--all") as terminal:
        terminal.wait_for("[y/N] ")
        terminal.send(CTRL_C)
        assert terminal.end() == 130
    assert "jobs-maint: interrupted; nothing was changed" in terminal.text
    assert await count(conn, "failed") == 2


async def test_ctrl_c_while_the_preview_is_counted_changes_nothing(at_terminal, conn, database_url):
    await make_failed(conn, 2)
    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("LOCK procrastinate_jobs IN ACCESS EXCLUSIVE MODE")
        with at_terminal("retry", "--all") as terminal:
            await wait_for_waiting(conn)
            terminal.send(CTRL_C)
            assert terminal.end() == 130
    assert "jobs-maint: interrupted; nothing was changed" in terminal.text


async def test_no_connection_is_held_while_a_person_thinks(database_url, conn, blocked_at):
    async def sessions():
        found = await conn.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'the-shell'"
        )
        return [pid for (pid,) in await found.fetchall()]

    async def no_sessions():
        return not await sessions()

    await make_failed(conn, 1)
    with Terminal(f"{database_url}&application_name=the-shell", "retry", "--all") as terminal:
        terminal.wait_for("[y/N] ")
        # The server needs a moment to end a closed session.
        await until(no_sessions, "the end of the sessions")
        holder = await blocked_at(0)
        terminal.send("y\n")
        [waiting] = await wait_for_waiting(conn)
        assert waiting in await sessions()
        await holder.rollback()
        assert terminal.end() == 0


async def test_an_answer_after_ten_minutes_is_refused(at_terminal, conn):
    await make_failed(conn, 2)
    with at_terminal("retry", "--all") as terminal:
        terminal.wait_for("[y/N] ")
        await conn.execute("UPDATE jobs_maint_selections SET expires_at = now()")
        terminal.send("y\n")
        assert terminal.end() == 4
    assert "This preview is older than ten minutes; nothing was changed" in terminal.text
    assert await count(conn, "failed") == 2


async def test_what_stays_is_told_before_and_after(at_terminal, make_job):
    good = await make_job(status="failed", queue="webhook")
    held = await make_job(status="failed", queue="webhook", queueing_lock="daily")
    await make_job(queue="webhook", queueing_lock="daily")
    with at_terminal("retry", "--all", "webhook") as terminal:
        terminal.wait_for("Retry 1 job? [y/N] ")
        assert "1 of 2 jobs of webhook would be retried." in terminal.text
        line = f"1 stays as it is: a job with the same queueing lock is already waiting ({held})."
        assert line in " ".join(terminal.text.split())
        terminal.send("y\n")
        assert terminal.end() == 5
    assert "1 job of webhook retried" in terminal.text
    assert "1 skipped: job " in terminal.text
    assert await make_job.status(good) == "todo"


async def test_when_every_job_would_stay_nothing_is_asked(at_terminal, make_job):
    job = await make_job(status="failed", queueing_lock="daily")
    await make_job(queueing_lock="daily")
    with at_terminal("retry", "--all") as terminal:
        assert terminal.end() == 4
    assert f"Job {job} of default cannot be retried now." in terminal.text
    assert "[y/N]" not in terminal.text


async def test_nothing_to_do_is_a_sentence_and_no_question(at_terminal):
    with at_terminal("purge") as terminal:
        assert terminal.end() == 0
    assert "Nothing to purge: no finished job is old enough." in terminal.text
    assert "[y/N]" not in terminal.text


async def test_with_stdout_in_a_file_the_question_is_on_the_terminal(at_terminal, conn):
    await make_failed(conn, 2)
    with at_terminal("retry", "--all", piped=True) as terminal:
        terminal.wait_for("Retry 2 jobs? [y/N] ")
        terminal.send("y\n")
        assert terminal.end() == 0
        assert terminal.piped().startswith("2 jobs of email retried")


async def test_a_purge_asks_with_its_numbers(at_terminal, make_job):
    old = await make_job(status="succeeded", finished_ago=days(40))
    with at_terminal("purge") as terminal:
        terminal.wait_for("Delete 1 job? [y/N] ")
        assert "1 finished job would be deleted." in terminal.text
        assert "This cannot be undone." in terminal.text
        terminal.send("y\n")
        assert terminal.end() == 0
    assert "1 job deleted in " in terminal.text
    assert await make_job.status(old) is None


# --- progress and Ctrl-C --------------------------------------------------------------------------


@pytest.fixture
async def blocked_at(database_url):
    """Hold the row of the n-th job, so that a run stands in the batch that has it."""
    holder = await psycopg.AsyncConnection.connect(database_url)

    async def block(number):
        await holder.execute(
            "SELECT id FROM procrastinate_jobs WHERE id = (SELECT id FROM procrastinate_jobs"
            " ORDER BY id OFFSET %s LIMIT 1) FOR UPDATE",
            (number,),
        )
        return holder

    yield block
    await holder.close()


async def test_ctrl_c_stops_between_two_batches_and_reports_what_was_done(
    at_terminal, conn, blocked_at
):
    await make_failed(conn, 1800)
    holder = await blocked_at(700)
    with at_terminal("retry", "--all", "--yes") as terminal:
        await wait_for_waiting(conn)
        terminal.wait_for("Retrying 1,800 jobs")
        terminal.wait_for("500 of 1,800 jobs")
        terminal.send(CTRL_C)
        terminal.wait_for("Stopping after this batch; Ctrl-C again ends at once.")
        await holder.rollback()
        assert terminal.end() == 130
    assert "1,000 jobs of email retried in " in terminal.text
    assert "Stopped: 800 jobs not processed. Run the same command again" in terminal.text
    assert (await count(conn, "todo"), await count(conn, "failed")) == (1000, 800)
    found = await conn.execute("SELECT outcome FROM jobs_maint_audit ORDER BY id DESC LIMIT 1")
    assert await found.fetchone() == ("partly",)


async def test_ctrl_c_twice_ends_at_once_and_what_was_committed_stays(
    at_terminal, conn, blocked_at
):
    await make_failed(conn, 1800)
    await blocked_at(700)
    with at_terminal("retry", "--all", "--yes") as terminal:
        await wait_for_waiting(conn)
        terminal.wait_for("500 of 1,800 jobs")
        terminal.send(CTRL_C)
        terminal.wait_for("Ctrl-C again ends at once.")
        terminal.send(CTRL_C)
        assert terminal.end() == 130
    text = " ".join(terminal.text.split())
    assert (
        "jobs-maint: interrupted; 500 of 1,800 jobs had been processed: 500 retried. Completed work"
        " is kept; run the same command again for the rest."
    ) in text
    assert "Undo" not in text
    assert (await count(conn, "todo"), await count(conn, "failed")) == (500, 1300)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("stats",), "jobs-maint: interrupted"),
        (("retry", "1"), "jobs-maint: interrupted"),
        (("retry", "--all", "--yes"), "jobs-maint: interrupted; nothing was changed"),
        (("purge", "--older-than", "1d", "--dry-run"), "jobs-maint: interrupted; nothing was"),
    ],
)
async def test_ctrl_c_before_anything_was_done_ends_with_130(
    at_terminal, conn, words, said, database_url
):
    await make_failed(conn, 2)
    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("LOCK TABLE procrastinate_jobs IN ACCESS EXCLUSIVE MODE")
        with at_terminal(*words) as terminal:
            await wait_for_waiting(conn)
            terminal.send(CTRL_C)
            assert terminal.end() == 130
    assert said in terminal.text
    assert await count(conn, "failed") == 2


@pytest.mark.parametrize(("how", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("closed", 129)])
async def test_a_signal_ends_a_set_as_ctrl_c_does(at_terminal, conn, blocked_at, how, code):
    await make_failed(conn, 1800)
    holder = await blocked_at(700)
    with at_terminal("discard", "--all", "email", "--yes") as terminal:
        await wait_for_waiting(conn)
        terminal.wait_for("500 of 1,800 jobs")
        if how == "closed":
            terminal.hang_up()
            terminal.popen.send_signal(signal.SIGHUP)  # as the shell of that terminal does, too
        else:
            terminal.popen.send_signal(signal.Signals[how])
            terminal.wait_for("Stopping after this batch; SIGTERM")
        await holder.rollback()
        ended = terminal.popen.wait(30) if how == "closed" else terminal.end()
        assert ended == code
    if how != "closed":
        assert "1,000 jobs of email discarded in " in terminal.text
        assert "Stopped: 800 jobs not processed. Run the same command again" in terminal.text
        assert "Undo: jobs-maint retry --request " in terminal.text
    assert (await count(conn, "cancelled"), await count(conn, "failed")) == (1000, 800)
    audited = "SELECT outcome, counts ->> 'done' FROM jobs_maint_audit ORDER BY id DESC LIMIT 1"
    assert await (await conn.execute(audited)).fetchone() == ("partly", "1000")


async def test_a_second_sigterm_ends_at_once_and_says_how_far_it_came(
    at_terminal, conn, blocked_at
):
    await make_failed(conn, 1800)
    await conn.execute(
        "UPDATE procrastinate_jobs SET queueing_lock = 'one' WHERE id <= 3;"
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock)"
        " VALUES ('email', 'app.mail', 'one')"
    )
    await blocked_at(700)
    with at_terminal("retry", "--all", "--yes") as terminal:
        await wait_for_waiting(conn)
        terminal.wait_for("500 of 1,800 jobs")
        terminal.popen.send_signal(signal.SIGTERM)
        terminal.wait_for("SIGTERM again ends at once.")
        terminal.popen.send_signal(signal.SIGTERM)
        assert terminal.end() == 143
    said = (
        "jobs-maint: interrupted; 500 of 1,800 jobs had been processed: 497 retried, 3 skipped: "
        "queueing lock taken."
    )
    assert said in " ".join(terminal.text.split())
    assert (await count(conn, "todo"), await count(conn, "failed")) == (498, 1303)


WRITES_BATCH = """
    SELECT true FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
      AND strpos(query, 'UPDATE jobs_maint_runs') > 0"""


async def send_sigterm_twice(terminal):
    """Returns once the second one was received: the process has no handler for a third."""

    def is_received():
        status = Path(f"/proc/{terminal.popen.pid}/status").read_text()
        caught = int(re.search(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)[1], 16)
        return not caught >> signal.SIGTERM - 1 & 1

    terminal.popen.send_signal(signal.SIGTERM)
    terminal.wait_for("SIGTERM again ends at once.")
    terminal.popen.send_signal(signal.SIGTERM)
    await until(is_received, "the second signal")


async def test_a_set_that_ends_while_a_batch_is_written_down_tells_the_reasons_of_those_before(
    at_terminal, conn, blocked_at, database_url
):
    await make_failed(conn, 1200)
    await conn.execute(
        "UPDATE procrastinate_jobs SET queueing_lock = 'one' WHERE id <= 3 OR id = 600;"
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock)"
        " VALUES ('email', 'app.mail', 'one')"
    )
    await conn.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'not today'; END $$;"
        "CREATE TRIGGER refuse BEFORE UPDATE ON procrastinate_jobs FOR EACH ROW"
        " WHEN (old.id IN (5, 6, 601)) EXECUTE FUNCTION refuse()"
    )
    holder = await blocked_at(700)
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        with at_terminal("retry", "--all", "--yes") as terminal:
            await wait_for_waiting(conn)
            await other.execute("SELECT FROM jobs_maint_runs FOR UPDATE")
            await holder.rollback()
            await wait_for_row(conn, WRITES_BATCH)
            await send_sigterm_twice(terminal)
            await other.rollback()
            assert terminal.end() == 143
    assert (
        "500 of 1,200 jobs had been processed: 495 retried, 3 skipped: queueing lock taken; "
        "2 failed: the database function refuse() refuses it (not today); change that function, or "
        "see to what it needs. Completed work is kept; run"
    ) in " ".join(terminal.text.split())


async def test_a_set_of_which_no_job_is_left_tells_its_outcome_whatever_signals_come(
    at_terminal, conn, database_url
):
    await make_failed(conn, 3)
    await conn.execute(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN PERFORM pg_advisory_xact_lock(7); RETURN new; END $$;"
        "CREATE TRIGGER wait BEFORE UPDATE OF outcome ON jobs_maint_audit"
        " FOR EACH ROW EXECUTE FUNCTION wait()"
    )
    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("SELECT pg_advisory_xact_lock(7)")
        with at_terminal("discard", "--all", "email", "--yes") as terminal:
            await wait_for_waiting(conn)
            await send_sigterm_twice(terminal)
            await holder.rollback()
            assert terminal.end() == 0
    assert "3 jobs of email discarded in " in terminal.text
    assert "interrupted" not in terminal.text
    audited = "SELECT outcome FROM jobs_maint_audit ORDER BY id DESC LIMIT 1"
    assert await (await conn.execute(audited)).fetchone() == ("done",)


async def test_a_killed_set_keeps_what_was_committed_and_is_found_to_be_interrupted(
    at_terminal, conn, blocked_at, database_url
):
    await make_failed(conn, 1800)
    await blocked_at(700)
    with at_terminal("retry", "--all", "--yes") as terminal:
        await wait_for_waiting(conn)
        terminal.wait_for("500 of 1,800 jobs")
        terminal.popen.kill()
        assert terminal.end() == -signal.SIGKILL
    assert (await count(conn, "todo"), await count(conn, "failed")) == (500, 1300)
    audited = "UPDATE jobs_maint_runs SET lease_until = now() - interval '1 s' RETURNING audit_id"
    ((run,),) = await (await conn.execute(audited)).fetchall()
    outcome = "SELECT outcome FROM jobs_maint_audit WHERE id = %s"
    assert await (await conn.execute(outcome, (run,))).fetchone() == ("started",)
    answer(run_shell(database_url, "rescue"))
    assert await (await conn.execute(outcome, (run,))).fetchone() == ("interrupted",)


@pytest.mark.parametrize("word", ["retry", "cancel", "discard"])
async def test_a_lost_connection_keeps_what_was_committed_and_the_next_run_goes_on(
    database_url, at_terminal, conn, blocked_at, word
):
    await make_failed(conn, 1800)
    if word == "cancel":
        await conn.execute("UPDATE procrastinate_jobs SET status = 'todo'")
    before, new, done = {
        "retry": ("failed", "todo", "retried"),
        "cancel": ("todo", "cancelled", "cancelled"),
        "discard": ("failed", "cancelled", "discarded"),
    }[word]
    words = (word, "--all", "email", "--yes", "--json")
    holder = await blocked_at(700)
    with at_terminal(*words) as terminal:
        [pid] = await wait_for_waiting(conn)
        await conn.execute("SELECT pg_terminate_backend(%s)", (pid,))
        assert terminal.end() == 69
    text = " ".join(terminal.text.split())
    far, said = (
        f"500 of 1,800 jobs had been processed: 500 {done}. Then: The connection",
        ("Completed work is kept; run the same command again for the rest."),
    )
    assert far in text
    assert said in text
    assert (await count(conn, new), await count(conn, before)) == (500, 1300)
    await holder.rollback()
    again = run_shell(database_url, *words)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["done"] == 1300
    assert await count(conn, new) == 1800
    undo = re.search(r"Undo: jobs-maint (retry --request \d+)", text)
    assert (undo is None) == (word == "retry")
    if undo:
        answer(run_shell(database_url, *undo[1].split(), "--yes"))
        assert (await count(conn, "todo"), await count(conn, new)) == (500, 1300)


async def test_without_a_terminal_there_is_no_progress(database_url, conn):
    await make_failed(conn, 1200)
    done = run_shell(database_url, "retry", "--all", "--yes")
    assert (done.returncode, done.stderr, "\x1b" in done.stdout) == (0, "", False)


# --- removing all that is ours --------------------------------------------------------------------


async def test_schema_drop_shows_what_goes_and_asks_first(at_terminal, conn, database_url):
    with at_terminal("schema", "drop") as terminal:
        terminal.wait_for("Remove all of this? [y/N] ")
        assert f"{len(TABLES)} tables (" in terminal.text
        terminal.send("n\n")
        assert terminal.end() == 0
    assert terminal.text.endswith("\nNothing was changed.\n")
    with at_terminal("schema", "drop") as terminal:
        terminal.wait_for("[y/N] ")
        terminal.wait_until_it_reads()
        terminal.send(CTRL_C)
        assert terminal.end() == 130
    assert terminal.text.endswith("\njobs-maint: interrupted; nothing was changed\n")
    done = run_shell(database_url, "schema", "drop", "--yes", "--json")
    assert json.loads(done.stdout)["dropped"] is True
    again = run_shell(database_url, "schema", "drop", "--dry-run")
    assert (again.returncode, again.stdout) == (0, "There is nothing of ours in this database.\n")
