"""The scripts of `scripts/jobs/`: thin, from any folder, and a queue's name is data."""

import asyncio
import os
import shutil
import subprocess
import sys

import psycopg
import pytest
from tests.support.commands import make_command, passed
from tests.support.history import JobFactory, days
from tests.support.processes import environment
from tests.support.runbook import ROOT, run_at_terminal

FOLDER = ROOT / "scripts" / "jobs"
SCRIPTS = {
    "apply-schema.sh": [],
    "list-failed.sh": [],
    "job-status.sh": ["1"],
    "retry-job.sh": ["1"],
    "retry-all-failed.sh": ["--yes"],
    "queue-stats.sh": [],
    "purge-old.sh": ["30", "--yes"],
}
HOSTILE = [
    "'; DROP TABLE procrastinate_jobs; --",
    'say "hi"',
    "100%_\\done",
    "two\nlines",
    "-rf",
    "--limit=1",
    "$(touch pwned) `id`",
    "* ?",
    "é 🔥",
    " ",
]
NOWHERE = "postgresql://jobs@127.0.0.1:1/jobs"


@pytest.fixture
def real(tmp_path):
    """The environment of a machine with jobs-maint on its PATH."""
    folder = tmp_path / "bin"
    env = environment(**make_command(folder / "jobs-maint", "jobs_maint"))
    return {**env, "PATH": f"{folder}:{env['PATH']}"}


@pytest.fixture
def fake(tmp_path):
    """A jobs-maint that notes its words in `calls` and ends as it is told by FAKE_CODE."""
    folder = tmp_path / "fake"
    folder.mkdir()
    command = folder / "jobs-maint"
    command.write_text(
        "#!/usr/bin/env bash\n"
        f'printf "%s\\0" "$@" "end of call" >>"{tmp_path}/calls"\n'
        'echo "answer of $1"\necho "trouble of $1" >&2\n'
        'exit "${FAKE_CODE:-0}"\n'
    )
    command.chmod(0o755)
    env = environment()
    return {**env, "PATH": f"{folder}:{env['PATH']}"}


@pytest.fixture
def calls(tmp_path):
    """The words of each call of the fake, in any order."""

    def read():
        text = (tmp_path / "calls").read_text(encoding="utf-8")
        return sorted(call.split("\0")[:-1] for call in text.split("end of call\0")[:-1])

    return read


def run(script, *args, env, cwd="/", **settings):
    return subprocess.run(
        [FOLDER / script, *args],  # an absolute path stays what it is
        cwd=cwd, env={**env, **settings}, stdin=subprocess.DEVNULL,
        pass_fds=passed(env), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


# --- the files ------------------------------------------------------------------------------------


def test_there_are_seven_and_each_is_strict_executable_and_says_its_usage():
    assert {path.name for path in FOLDER.glob("*.sh")} == set(SCRIPTS)
    for name in SCRIPTS:
        text = (FOLDER / name).read_text(encoding="utf-8")
        assert os.access(FOLDER / name, os.X_OK), name
        assert "\nset -euo pipefail\n" in text, name
        assert f"\n# Usage: {name}" in text, name


@pytest.mark.parametrize("how", ["each alone", "all together"])
def test_shellcheck_finds_nothing(how):
    """Alone, as a commit hook sees one file; together, so that lib/common.sh is followed."""
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed: apt-get install shellcheck")
    paths = sorted(FOLDER.rglob("*.sh"))
    for group in [paths] if how == "all together" else [[path] for path in paths]:
        checked = subprocess.run(
            [shellcheck, *group], capture_output=True, text=True, timeout=60, check=False
        )
        assert checked.returncode == 0, checked.stdout


# --- arguments, without a database ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "args"),
    [
        ("apply-schema.sh", ["now"]),
        ("apply-schema.sh", ["--yes"]),
        ("list-failed.sh", ["email", "many"]),
        ("list-failed.sh", ["email", "-5"]),
        ("list-failed.sh", ["email", ""]),
        ("list-failed.sh", ["email", "20", "30"]),
        ("job-status.sh", []),
        ("job-status.sh", [""]),
        ("job-status.sh", ["12x"]),
        ("job-status.sh", ["1; ls"]),
        ("job-status.sh", ["1\n2"]),
        ("job-status.sh", ["1", "2"]),
        ("retry-job.sh", []),
        ("retry-job.sh", ["all"]),
        ("retry-job.sh", ["--all"]),
        ("retry-job.sh", ["1", "2"]),
        ("retry-all-failed.sh", [""]),
        ("retry-all-failed.sh", ["email", "webhook"]),
        ("queue-stats.sh", ["email"]),
        ("purge-old.sh", []),
        ("purge-old.sh", ["--include-failed"]),
        ("purge-old.sh", ["30d"]),
        ("purge-old.sh", ["-30"]),
        ("purge-old.sh", ["0"]),
        ("purge-old.sh", ["36501"]),
        ("purge-old.sh", ["30", "--include-everything"]),
        ("purge-old.sh", ["30", "--yes --include-failed"]),
    ],
)
def test_wrong_arguments_show_the_usage_and_start_nothing(script, args, fake, tmp_path):
    ended = run(script, *args, env=fake)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"{script}: ")
    assert f"\nUsage: {script}" in ended.stderr
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize(
    ("script", "option"),
    [
        ("retry-all-failed.sh", "--dryrun"),
        ("retry-all-failed.sh", "--dry_run"),
        ("retry-all-failed.sh", "-y"),
        ("purge-old.sh", "--include"),
        ("apply-schema.sh", "--no-index"),
        ("list-failed.sh", "--limit=5"),
        ("job-status.sh", "--reveal"),
        ("retry-job.sh", "--all"),
        ("queue-stats.sh", "--json"),
    ],
)
def test_an_option_that_is_none_is_named_above_those_that_there_are(script, option, fake, tmp_path):
    ended = run(script, option, env=fake)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"{script}: there is no option {option}\nUsage: {script}")
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_the_usage(script, option, fake, tmp_path):
    ended = run(script, option, env=fake)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"Usage: {script}")
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize(
    ("script", "args", "words"),
    [
        ("apply-schema.sh", [], ["schema", "apply"]),
        ("apply-schema.sh", ["--no-indexes"], ["schema", "apply", "--no-indexes"]),
        ("list-failed.sh", [], ["failed", "--limit", "20", "--"]),
        ("list-failed.sh", ["email"], ["failed", "--limit", "20", "--", "email"]),
        ("list-failed.sh", ["email", "5"], ["failed", "--limit", "5", "--", "email"]),
        ("list-failed.sh", ["", "5"], ["failed", "--limit", "5", "--"]),
        ("list-failed.sh", ["--", "--help"], ["failed", "--limit", "20", "--", "--help"]),
        ("job-status.sh", ["4711"], ["status", "--", "4711"]),
        ("retry-job.sh", ["4711"], ["retry", "--", "4711"]),
        ("retry-all-failed.sh", [], ["retry", "--all"]),
        ("retry-all-failed.sh", ["--yes"], ["retry", "--all", "--yes"]),
        ("retry-all-failed.sh", ["--", "--yes"], ["retry", "--all", "--queue=--yes"]),
        ("retry-all-failed.sh", ["123"], ["retry", "--all", "--queue=123"]),
        ("retry-all-failed.sh", ["email", "--dry-run"],
         ["retry", "--all", "--dry-run", "--queue=email"]),
        ("purge-old.sh", ["30"], ["purge", "--older-than", "30d"]),
        ("purge-old.sh", ["--yes", "7", "--include-failed"],
         ["purge", "--older-than", "7d", "--yes", "--include-failed"]),
    ],
)  # fmt: skip
def test_the_words_for_jobs_maint(script, args, words, fake, calls):
    assert run(script, *args, env=fake).returncode == 0
    assert calls() == [words]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_queue_name_arrives_as_it_is(name, fake, calls, tmp_path):
    run("list-failed.sh", "--", name, env=fake, cwd=tmp_path)
    run("retry-all-failed.sh", "--yes", "--", name, env=fake, cwd=tmp_path)
    assert calls() == [
        ["failed", "--limit", "20", "--", name],
        ["retry", "--all", "--yes", f"--queue={name}"],
    ]
    if name not in {"-rf", "--limit=1"}:  # what looks like no option needs no --
        run("retry-all-failed.sh", name, "--yes", env=fake, cwd=tmp_path)
        assert calls()[1:] == [["retry", "--all", "--yes", f"--queue={name}"]] * 2
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_exit_code_is_that_of_jobs_maint(script, fake):
    ended = run(script, *SCRIPTS[script], env=fake, FAKE_CODE="5")
    assert ended.returncode == 5
    assert "trouble of" in ended.stderr


def test_queue_stats_starts_one_process_for_both(fake, calls):
    ended = run("queue-stats.sh", env=fake)
    assert ended.stdout == "answer of stats\n"
    assert calls() == [["stats", "--errors"]]


# --- where jobs-maint is --------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path):
    """A checkout in a folder with a blank in its name, on a machine without jobs-maint."""
    folder = tmp_path / "a checkout"
    shutil.copytree(FOLDER, folder / "scripts" / "jobs")
    return folder


def bare_environment(tmp_path, python):
    """A PATH with the system's tools and this python3."""
    folder = tmp_path / "system"
    folder.mkdir()
    for tool in ("bash", "env", "basename", "dirname", "readlink", "sed"):
        (folder / tool).symlink_to(shutil.which(tool))
    (folder / "python3").write_text(f"#!/bin/sh\n{python}\n")
    (folder / "python3").chmod(0o755)
    return {**environment(), "PATH": str(folder)}


def test_the_checkouts_own_is_used_when_none_is_on_the_path(checkout, tmp_path):
    own = checkout / ".venv" / "bin" / "jobs-maint"
    own.parent.mkdir(parents=True)
    own.write_text('#!/bin/sh\necho "own: $*"\n')
    own.chmod(0o755)
    script = str(checkout / "scripts" / "jobs" / "job-status.sh")
    ended = run(script, "7", env=bare_environment(tmp_path, "exit 1"))
    assert (ended.returncode, ended.stdout) == (0, "own: status -- 7\n")


def test_else_the_module_but_none_that_lies_in_the_current_folder(checkout, tmp_path):
    (tmp_path / "jobs_maint.py").write_text("print('hijacked')")
    env = bare_environment(tmp_path, f'exec "{sys.executable}" "$@"')
    script = str(checkout / "scripts" / "jobs" / "job-status.sh")
    ended = run(script, "7", env=env, cwd=tmp_path)
    assert ended.returncode == 78  # it asks for JOB_QUEUE_DATABASE_URL
    assert "JOB_QUEUE_DATABASE_URL" in ended.stderr
    assert "hijacked" not in ended.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_else_one_sentence(script, checkout, tmp_path):
    path = str(checkout / "scripts" / "jobs" / script)
    ended = run(path, *SCRIPTS[script], env=bare_environment(tmp_path, "exit 1"))
    assert (ended.returncode, ended.stdout) == (127, "")
    assert ended.stderr == (
        f"{script}: jobs-maint was not found: install procrastinate-ops, "
        f"or make sync in {checkout}\n"
    )


# --- on a database --------------------------------------------------------------------------------


async def shell(script, *args, **options):
    return await asyncio.to_thread(run, script, *args, **options)


async def test_through_symlinks_from_another_folder_they_do_what_they_say(
    bare_database_url, real, tmp_path
):
    links = tmp_path / "links of mine"
    links.mkdir()
    for name in SCRIPTS:
        (links / name).symlink_to(FOLDER / name)

    async def call(name, *args):
        ended = await shell(str(links / name), *args, env=env, cwd=links)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    env = {**real, "JOB_QUEUE_DATABASE_URL": bare_database_url}
    assert "The schema is complete" in await call("apply-schema.sh")
    async with await psycopg.AsyncConnection.connect(bare_database_url, autocommit=True) as conn:
        make_job = JobFactory(conn)
        old = await make_job(status="succeeded", queue="email", finished_ago=days(40))
        lost = await make_job(status="failed", queue="email", finished_ago=days(40), error="gone")
        first = await make_job(status="failed", queue="email", error="mailbox full")
        second = await make_job(status="failed", queue="email", error="mailbox full")

        listed = await call("list-failed.sh", "email", "1")
        assert "ValueError: mailbox full" in listed
        assert f"jobs-maint status {second}" in listed
        assert "ValueError: mailbox full" in await call("job-status.sh", str(first))
        stats = await call("queue-stats.sh")
        assert any(line.startswith("Queue ") for line in stats.splitlines())
        assert "2 failures in the last 24 h" in stats
        assert stats.index("Succeeded") < stats.index("2 failures in the last 24 h")
        await call("retry-job.sh", str(first))
        assert await make_job.status(first) == "todo"
        await call("purge-old.sh", "30", "--yes")
        assert (await make_job.status(old), await make_job.status(lost)) == (None, "failed")
        await call("purge-old.sh", "30", "--include-failed", "--yes")
        assert await make_job.status(lost) is None
        await call("retry-all-failed.sh", "email", "--yes")
        assert await make_job.status(second) == "todo"
    assert "There was nothing to apply." in await call("apply-schema.sh")


@pytest.mark.parametrize("name", ["'; DROP TABLE procrastinate_jobs; --", "-100%_\n\\x"])
async def test_a_hostile_queue_is_listed_and_retried_and_no_other(
    name, database_url, real, make_job
):
    env = {**real, "JOB_QUEUE_DATABASE_URL": database_url}
    there = await make_job(status="failed", queue=name)
    other = await make_job(status="failed", queue="-100 other \n\\x")
    listed = await shell("list-failed.sh", name, env=env)
    assert listed.stdout.startswith("1 failed job"), listed.stderr
    retried = await shell("retry-all-failed.sh", name, "--yes", env=env)
    assert retried.returncode == 0, retried.stderr
    assert (await make_job.status(there), await make_job.status(other)) == ("todo", "failed")


async def test_without_a_terminal_all_and_purge_need_yes(database_url, real, make_job):
    env = {**real, "JOB_QUEUE_DATABASE_URL": database_url}
    old = await make_job(status="succeeded", queue="email", finished_ago=days(40))
    failed = await make_job(status="failed", queue="email")
    for script, args in (("retry-all-failed.sh", ["email"]), ("purge-old.sh", ["30"])):
        ended = await shell(script, *args, env=env)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "--yes" in ended.stderr
    assert (await make_job.status(failed), await make_job.status(old)) == ("failed", "succeeded")


@pytest.mark.parametrize("answer", ["y\n", "n\n"])
async def test_at_a_terminal_they_ask(answer, database_url, real, make_job):
    env = {**real, "JOB_QUEUE_DATABASE_URL": database_url}
    old = await make_job(status="succeeded", queue="email", finished_ago=days(40))
    failed = await make_job(status="failed", queue="email")
    for script, args, question in (
        ("retry-all-failed.sh", [], "Retry 1 job? [y/N] "),
        ("purge-old.sh", ["30"], "Delete 1 job? [y/N] "),
    ):
        args = [FOLDER / script, *args]
        ended = await asyncio.to_thread(run_at_terminal, args, env, answer=answer)
        assert ended.code == 0
        assert question in ended.text
        assert ("Nothing was changed." in ended.text) is (answer == "n\n")
    wanted = ("todo", None) if answer == "y\n" else ("failed", "succeeded")
    assert (await make_job.status(failed), await make_job.status(old)) == wanted


@pytest.mark.parametrize("script", ["apply-schema.sh", "list-failed.sh", "queue-stats.sh"])
def test_without_an_address_it_says_which_variable(script, real):
    ended = run(script, *SCRIPTS[script], env=real)
    assert (ended.returncode, ended.stdout) == (78, "")
    assert ended.stderr.startswith("jobs-maint: JOB_QUEUE_DATABASE_URL is not set")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("script", ["queue-stats.sh", "purge-old.sh"])
def test_without_a_database_it_is_said_once(script, real):
    ended = run(script, *SCRIPTS[script], env=real, JOB_QUEUE_DATABASE_URL=NOWHERE)
    assert (ended.returncode, ended.stdout) == (69, "")
    assert ended.stderr.count("127.0.0.1:1") == 1
