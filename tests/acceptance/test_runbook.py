"""Every shell and SQL block of the runbook does what the page says, on a queue with history."""

import asyncio
import re

import pytest
from tests.support.commands import make_command
from tests.support.history import JobFactory, days, hours, minutes
from tests.support.processes import environment
from tests.support.runbook import (
    ROOT,
    matches,
    read_blocks,
    run_at_terminal,
    run_sql,
)

from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar import parse_words

PAGE = ROOT / "docs" / "runbooks" / "job-queue.md"
BLOCKS = read_blocks(PAGE)
QUIET = {"JOBS_MAINT_BEAT": "1s", "JOBS_MAINT_PURGE_CRON": "", "JOBS_MAINT_RESCUE_CRON": ""}
TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/hooks.py", line 12, in post_hook
    await client.post(url)
ConnectionError: connection refused
"""


class Story:
    """A queue with history; what has to be so before a section's blocks stands under its title."""

    def __init__(self, conn, processes):
        self.conn = conn
        self.make_job = JobFactory(conn)
        self.processes = processes

    async def begin(self):
        await self.hook("failed", days(100), error="connection refused")
        await self.mail("failed", days(60), error="mailbox full")
        for number in range(3):
            await self.mail("succeeded", days(45 - number))
        for number in range(5):
            await self.mail("succeeded", days(12 - number))
        for number in range(40):
            await self.mail("succeeded", minutes(800 - number * 20))
        for number in range(2):
            await self.mail("failed", hours(3 - number), args={"order": -5 - number})
        await self.next_id("procrastinate_jobs", 4709)
        for number in (50, 30, 20):
            await self.hook("failed", minutes(number), error="connection refused")
        await self.next_id("procrastinate_jobs", 5000)
        await self.conn.execute(
            "WITH kept AS (INSERT INTO jobs_maint_tracebacks (hash, body) VALUES (%s, %s)"
            " RETURNING hash) UPDATE jobs_maint_failures SET traceback_hash = hash FROM kept"
            " WHERE job_id = 4711",
            (b"hash", TRACEBACK),
        )
        for task, age in (("rescue_stalled_jobs", minutes(2)), ("purge_finished_jobs", hours(2))):
            await self.make_job(
                status="succeeded",
                queue="maintenance",
                task=f"jobs_maint:{task}",
                finished_ago=age,
            )
        queues = '{"queues": ["email", "webhook", "maintenance"], "concurrency": 4}'
        self.processes.start("-m", "tests.support.runbook_app", queues, **QUIET)
        await self.mail("todo", minutes(0))  # its run lets the worker begin to beat
        await self.until("SELECT count(*) FROM jobs_maint_workers", 1)
        await self.until("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'", 0)

    async def before(self, title):
        name = re.sub(r"\W+", "_", title.lower())
        await getattr(self, f"before_{name}", self.nothing)()

    async def nothing(self):
        return None

    async def before_a_worker_does_not_process_jobs(self):
        await self.hook("todo", minutes(0), lock="customer-7", scheduled_in=hours(2))
        await self.hook("todo", minutes(3), lock="customer-7")

    async def before_jobs_fail_repeatedly(self):
        await self.conn.execute("DELETE FROM procrastinate_jobs WHERE lock = 'customer-7'")
        for _ in range(2):
            await self.hook("failed", minutes(5), error="connection refused")
        await self.hook("failed", hours(1.5), error="connection refused")

    async def before_the_bot_is_silent(self):
        await self.conn.execute("INSERT INTO jobs_maint_requests (key) VALUES ('test')")

    async def before_a_digest_is_missing(self):
        await self.conn.execute(
            "INSERT INTO jobs_maint_digests (name, since, until, state, error)"
            " VALUES ('daily', now() - interval '1 day', now(), 'failed', 'not_in_channel')"
        )

    async def before_failed_in_the_last_hour(self):
        await self.make_job(queue="reports", task="shop.build", deferred_ago=minutes(12))
        await self.make_job(queue="reports", task="shop.build", scheduled_in=days(1))
        await self.next_id("procrastinate_jobs", 4712)
        await self.make_job(
            status="doing", queue="reports", task="shop.build", finished_ago=minutes(15)
        )
        await self.next_id("procrastinate_jobs", 6000)
        await self.conn.execute(
            "INSERT INTO jobs_maint_suspects (job_id, attempt, started_at, had_recorder,"
            " first_noticed_at) SELECT 4712, 0, at, true, now() - interval '2 minutes'"
            " FROM procrastinate_events WHERE job_id = 4712 AND type = 'started'"
        )

        for status, ago in (("todo", minutes(20)), ("failed", minutes(4))):  # these are ours
            await self.make_job(
                status=status, queue="reports", task="jobs_maint:rescue_stalled_jobs",
                finished_ago=ago,
            )  # fmt: skip

    async def before_stuck_jobs(self):
        await self.conn.execute(
            "DELETE FROM procrastinate_jobs WHERE queue_name = 'reports' AND task_name LIKE '%:%'"
        )

    async def before_empty_a_queue_and_undo_it(self):
        for number in range(3):
            await self.hook("todo", minutes(number), scheduled_in=hours(1))
        await self.next_id("jobs_maint_audit", 811)

    async def before_reset_a_stuck_job(self):
        job_id = await self.make_job(
            status="doing", queue="reports", task="shop.build", finished_ago=hours(2)
        )
        await self.conn.execute(
            "INSERT INTO jobs_maint_suspects (job_id, attempt, started_at, had_recorder,"
            " first_noticed_at) SELECT %s, 0, at, false, now() - interval '90 minutes'"
            " FROM procrastinate_events WHERE job_id = %s AND type = 'started'",
            (job_id, job_id),
        )
        # The live worker has this one, and names it in no beat.
        found = await self.conn.execute("SELECT worker_id FROM jobs_maint_workers")
        ((worker,),) = await found.fetchall()
        await self.next_id("procrastinate_jobs", 4713)
        await self.make_job(
            status="doing", queue="reports", task="shop.build", worker_id=worker,
            finished_ago=minutes(9),
        )  # fmt: skip
        await self.next_id("procrastinate_jobs", 7000)

    async def mail(self, status, ago, **values):
        values.setdefault("error", f"no such order: {values.get('args', {}).get('order')}")
        return await self.make_job(
            status=status, queue="email", task="shop.send_receipt", finished_ago=ago, **values
        )

    async def hook(self, status, ago, **values):
        return await self.make_job(
            status=status, queue="webhook", task="shop.post_hook", finished_ago=ago,
            exception_type="ConnectionError", **values,
        )  # fmt: skip

    async def next_id(self, table, number):
        await self.conn.execute(
            "SELECT setval(pg_get_serial_sequence(%s, 'id'), %s, false)", (table, number)
        )

    async def until(self, query, wanted):
        for _ in range(600):
            found = await (await self.conn.execute(query)).fetchone()
            if found[0] == wanted:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{query} is {found[0]}, not {wanted}")


def test_the_sections_are_the_agreed_ones():
    titles = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert titles == [
        "What do you see?",
        "Overview",
        "Quick Reference",
        "Environment Setup",
        "Common Procedures",
        "Troubleshooting",
        "Monitoring Queries",
        "Emergency Procedures",
        "Architecture Notes",
        "Related Documentation",
    ]


def quick_reference():
    text = PAGE.read_text(encoding="utf-8").split("\n## Quick Reference\n")[1].split("\n## ")[0]
    table = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return table[2:]


def words_of(cell):
    """The words of each command in a cell; optional ones are given."""
    for command in re.findall(r"`([^`]+)`", cell):
        yield re.sub(r"\[(\w+)]", r"\1", command).split()


@pytest.mark.parametrize("row", quick_reference(), ids=lambda row: row[0])
def test_the_quick_reference_names_real_scripts_and_words(row):
    _task, script, shell, slack = row
    if script != "–":
        assert (ROOT / "scripts" / "jobs" / script.strip("`").split()[0]).is_file()
    found = list(words_of(shell))
    assert found
    for words in found:
        parse_words(words, "shell")
    for words in words_of(slack):
        parse_words(words, "slack")
    if slack == "–":
        for words in found:
            with pytest.raises(InvalidRequest):
                parse_words(words, "slack")


def test_every_script_is_in_the_quick_reference():
    named = {row[1].strip("`").split()[0] for row in quick_reference()} - {"–"}
    assert named == {path.name for path in (ROOT / "scripts" / "jobs").glob("*.sh")}


def test_every_block_that_can_run_says_what_must_come():
    """Few cannot run here: what belongs to the platform, or to another machine."""
    languages = [block.language for block in BLOCKS]
    assert set(languages) == {"bash", "sql", "console"}
    assert languages.count("console") <= 3
    silent = [block for block in BLOCKS if block.language != "console" and block.expected is None]
    assert [block.body.split()[0] for block in silent] == ["VACUUM"]


@pytest.mark.parametrize(
    ("expected", "actual", "fits"),
    [
        ("a … c", "a b c\n", True),
        ("a … c", "a b d\n", False),
        ("one\n…\nlast", "one\n2\n3\nlast\n", True),
        ("one\n…\nlast", "one\nlast\n", True),
        ("one", "one\ntwo\n", False),
        ("one\ntwo", "one\n", False),
        ("", "one\n", False),
        (" a | b\n---+---", "  a  |   b\n-----+------\n\n", True),
        ("a.b", "axb", False),
    ],
)
def test_an_output_is_compared_by_its_shape(expected, actual, fits):
    assert matches(expected, actual) is fits


async def test_every_block_does_what_the_page_says(database_url, conn, processes, tmp_path):
    story = Story(conn, processes)
    await story.begin()
    shell = environment(JOB_QUEUE_DATABASE_URL=database_url, **QUIET)
    shell |= make_command(tmp_path / "jobs-maint", "jobs_maint")
    shell["PATH"] = f"{tmp_path}:{shell['PATH']}"
    title, wrong = "", []
    for block in BLOCKS:
        if block.title != title:
            title = block.title
            await story.before(title)
        if block.language == "bash":
            args = ["bash", "-euc", block.body]
            ended = await asyncio.to_thread(run_at_terminal, args, shell, answer="y\n")
        elif block.language == "sql":
            ended = await asyncio.to_thread(run_sql, database_url, block.body)
        else:
            continue
        if ended.code or not matches(block.expected or "", ended.text):
            wrong.append(f"--- {block}: exit code {ended.code}\n{block.body}\n--- {ended.text}")
    assert not wrong, "\n".join(wrong)
