"""The shell as a process, as far as it needs no database."""

import ast
import contextlib
import io
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len
from tests.support import forkserver
from tests.support.processes import environment

from chatbot.setup import sample_reports as samples
from jobs_maint import __version__, cli
from jobs_maint.cli.confirm import _say_how_far
from jobs_maint.cli.login import find_actor
from jobs_maint.cli.outcome import find_exit_code
from jobs_maint.errors import (
    DatabaseUnavailable,
    InvalidSettings,
    JobNotFound,
    JobsMaintError,
    NotPermitted,
    SchemaMismatch,
    SelectionExpired,
)
from jobs_maint.models import ActReport, ItemOutcome, ItemResult, Preview, SoFar
from jobs_maint.perform import Watch
from jobs_maint.plain import ERRORS, STAND_INS, show_on
from jobs_maint.render import render_text
from jobs_maint.render.page import Column, Page

COMMAND = [sys.executable, "-m", "jobs_maint.cli"]


def run(*words, env=None):
    return forkserver.run([*COMMAND, *words], environment(**(env or {})))


def assert_refused(done, exit_code, says):
    assert done.returncode == exit_code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("jobs-maint: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr


@pytest.fixture
def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def silent_server():
    """Accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(60)
        yield listener


def test_the_version_is_one_line():
    done = subprocess.run(
        [*COMMAND, "--version"], capture_output=True, text=True, env=environment(), check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"jobs-maint {__version__}\n", "")


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"]])
def test_no_words_are_a_request_for_help(words):
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "jobs-maint retry ID…|--all [QUEUE]" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("words", [["help", "failed"], ["failed", "--help"], ["failed", "-h"]])
def test_help_of_a_word_needs_no_settings(words):
    done = run(*words, env={"JOBS_MAINT_BEAT": "nonsense"})
    assert done.returncode == 0
    assert done.stdout.startswith("jobs-maint failed [QUEUE]")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["frobnicate"], "'frobnicate' is not a known command; see `help`"),
        (["retri", "1"], "did you mean 'retry 1'?"),
        (["failed", "--limt", "5"], "did you mean --limit? Try: jobs-maint failed --limit 5"),
        (["status", "x"], "'x' is not a job id"),
        (["status", "9223372036854775808"], "is not a possible job id"),
        (["schema"], "schema takes one of: apply, status, sql"),
        (["stats", "--private"], "stats has no option --private"),
        (["help", "nope"], "'nope' is not a known command"),
        (["stats", "a", "\x1b[31m\nb"], "stats takes at most one argument"),
    ],
)
def test_words_that_make_no_sense_end_with_2(words, says):
    assert_refused(run(*words), 2, says)


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({}, "JOB_QUEUE_DATABASE_URL is not set; set it to"),
        ({"JOB_QUEUE_DATABASE_URL": " "}, "JOB_QUEUE_DATABASE_URL is not set"),
        ({"JOBS_MAINT_KEEPFAILED": "1d"}, "did you mean JOBS_MAINT_KEEP_FAILED?"),
        ({"JOBS_MAINT_BEAT": "soon"}, "JOBS_MAINT_BEAT: 'soon' is not a duration"),
        ({"JOBS_CONFIG": "/nowhere/jobs.toml"}, "/nowhere/jobs.toml, which cannot be read"),
        ({"JOB_QUEUE_DATABASE_URL": "mysql://me:hunter2@db/x"}, "postgresql://"),
        ({"JOB_QUEUE_DATABASE_URL": "postgresql://me:hunter2@[::1"}, "postgresql://"),
    ],
)
def test_wrong_settings_end_with_78(env, says):
    done = run("stats", env=env)
    assert_refused(done, 78, says)
    assert "hunter2" not in done.stderr


def test_the_names_of_the_bot_are_not_checked_by_the_shell(tmp_path):
    file = tmp_path / "jobs.toml"
    for table, says in (("chatbot", "JOB_QUEUE_DATABASE_URL is not set"), ("chatbt", "chatbt")):
        file.write_text(f"[{table}]\nrolls = {{}}\n", encoding="utf-8")
        done = run("stats", env={"CHATBOT_ROLE": "{}", "JOBS_CONFIG": str(file)})
        assert_refused(done, 78, says)


def test_service_links_of_kubernetes_are_no_settings():
    done = run(
        "stats", env={"JOBS_MAINT_PORT": "tcp://10.0.0.1:80", "JOBS_MAINT_SERVICE_HOST": "x"}
    )
    assert_refused(done, 78, "JOB_QUEUE_DATABASE_URL is not set")


def test_a_database_that_is_not_there_ends_with_69(closed_port):
    url = f"postgresql://me:hunter2@127.0.0.1:{closed_port}/jobs"
    done = run("stats", env={"JOB_QUEUE_DATABASE_URL": url})
    assert_refused(done, 69, f"127.0.0.1:{closed_port}")
    assert "hunter2" not in done.stderr


def test_a_host_that_does_not_exist_ends_with_69():
    done = run("stats", env={"JOB_QUEUE_DATABASE_URL": "postgresql://me@nohost.invalid/jobs"})
    assert_refused(done, 69, "nohost.invalid")


def test_with_json_an_error_is_json_on_stderr_and_stdout_stays_empty():
    for words, code, exit_code in (
        (["stats", "--json"], "invalid_settings", 78),
        (["nope", "--json"], "invalid_request", 2),
    ):
        done = run(*words)
        assert (done.returncode, done.stdout) == (exit_code, "")
        assert json.loads(done.stderr)["error"]["code"] == code


def test_the_schemas_sql_needs_no_database():
    done = run("schema", "sql")
    assert (done.returncode, done.stderr) == (0, "")
    assert "CREATE TABLE IF NOT EXISTS jobs_maint_migrations" in done.stdout
    assert json.loads(run("schema", "sql", "--json").stdout)["sql"] in f"{done.stdout}\n\n"


def test_json_help_names_its_kind():
    assert json.loads(run("help", "--json").stdout)["kind"] == "help"


def test_an_output_without_unicode_gets_plain_characters_and_escapes_of_foreign_ones():
    done = run("help", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "retry ID...|--all" in done.stdout
    done = run("retry", "żółw", env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "retry --all '\\u{17c}\\u{f3}\\u{142}w'" in done.stderr


SPOKEN = ("jobs_maint", "chatbot/cli.py", "chatbot/local.py", "chatbot/settings", "chatbot/setup")
READ_ONLY = ("redaction/", "grammar/text.py", "fingerprint.py", "quoting.py", "connecting.py")
"""What is read there is written nowhere."""


def list_own_characters():
    """Characters beyond ASCII in the texts of the code, docstrings left out."""
    source = Path(cli.__file__).parents[2]
    for path in (file for place in SPOKEN for file in find_modules(source / place)):
        if any(part in path.as_posix() for part in READ_ONLY):
            continue
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if is_text and id(node) not in alone:
                yield from (char for char in node.value if not char.isascii())


def find_modules(place):
    return [place] if place.is_file() else place.rglob("*.py")


def test_every_character_of_our_own_texts_has_a_stand_in_as_wide_as_itself():
    sent_to_slack_alone = {"🟢"}
    assert set(list_own_characters()) - sent_to_slack_alone == set(STAND_INS)
    assert all(len(plain) == 1 for char, plain in STAND_INS.items() if char != "…")
    assert all(plain.isascii() for plain in STAND_INS.values())


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("email  –  –\n–  7", "email  -  -\n-  7"),
        ("\x1b[1m–\x1b[0m  ≈1,234  a… …", "\x1b[1m-\x1b[0m  ~1,234  a... ..."),
        ("a–b c…d x – y", "a\\u{2013}b c\\u{2026}d x \\u{2013} y"),
        ("żółw “x” 🙂", "\\u{17c}\xf3\\u{142}w \\u{201c}x\\u{201d} \\u{1f642}"),
    ],
)
def test_a_stream_in_latin_1_has_stand_ins_for_our_characters_alone(text, written):
    assert text.encode("latin-1", ERRORS).decode("latin-1") == written


@pytest.fixture
def latin_1():
    stream = io.TextIOWrapper(io.BytesIO(), "latin-1")
    show_on(stream)
    yield
    show_on(None)


@pytest.mark.parametrize("width", [40, 63, 80, 120])
def test_pages_in_latin_1_are_as_wide_as_those_in_utf_8(width, latin_1):
    for report in (samples.stats(), samples.failed(), samples.errors(), samples.stuck(),
                   samples.workers(), samples.audit(), samples.digest()):  # fmt: skip
        plain = render_text(report, width=width)
        show_on(None)
        longest = max(cell_len(line) for line in render_text(report, width=width).split("\n"))
        show_on(io.TextIOWrapper(io.BytesIO(), "latin-1"))
        assert max(map(len, plain.encode("latin-1").split(b"\n"))) <= max(longest, width)
        assert "\\u" not in plain


def test_a_column_is_as_wide_as_what_stands_for_the_characters_that_the_output_lacks(latin_1):
    page = Page(80, styled=False)
    page.table([Column("Queue", ["żółw", "büro"]), Column("Ready", ["1", "2"])])
    assert page.text().split("\n")[1:] == ["\\u{17c}ó\\u{142}w  1", "büro              2"]


def test_a_reader_that_leaves_early_sees_no_complaint():
    env = environment()
    with subprocess.Popen(
        [*COMMAND, "help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as p:
        p.stdout.close()
        assert p.wait(60) == cli.BROKEN_PIPE
        assert p.stderr.read() == b""


def test_a_full_disk_is_one_sentence():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "help"], stdout=full, stderr=subprocess.PIPE, text=True, env=environment(),
            timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == cli.OUTPUT_FAILED
    assert done.stderr == ("jobs-maint: the answer could not be written: No space left on device\n")


def test_a_closed_output_is_one_sentence_too():
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *COMMAND, "help"],
        capture_output=True, text=True, timeout=60, env=environment(), check=False,
    )  # fmt: skip
    said = "jobs-maint: the answer could not be written: standard output is closed\n"
    assert (done.returncode, done.stderr) == (cli.OUTPUT_FAILED, said)


def test_ctrl_c_ends_with_130_and_one_word(silent_server):
    port = silent_server.getsockname()[1]
    env = environment(JOB_QUEUE_DATABASE_URL=f"postgresql://me@127.0.0.1:{port}/jobs")
    with subprocess.Popen(
        [*COMMAND, "stats"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as p:
        waiting, _ = silent_server.accept()
        assert waiting.recv(1)  # it has connected, asked, and waits for the answer
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=60)
        waiting.close()
    assert (p.returncode, out, err) == (130, b"", b"jobs-maint: interrupted\n")


def run_in_terminal(*words, columns=80, **env):
    """The output of a command whose stdout is a terminal of this width."""
    main, side = pty.openpty()
    env = {"TERM": "xterm-256color", "COLUMNS": str(columns), **env}
    process = forkserver.start([*COMMAND, *words], env=environment(**env), stdout=side, stderr=side)
    os.close(side)
    chunks = []
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while chunk := os.read(main, 65_536):
            chunks.append(chunk)
    assert process.wait(60) == 0
    os.close(main)
    return b"".join(chunks).decode()


def test_a_terminal_gets_bold_words_unless_no_color_is_set():
    assert "\x1b[1m" in run_in_terminal("help")
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in run_in_terminal("help", **env)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_lines_fit_the_terminal(columns):
    lines = run_in_terminal("help", columns=columns, NO_COLOR="1").splitlines()
    assert max(map(len, lines)) <= columns
    assert max(map(len, lines)) > columns / 3


def item(code, outcome=ItemOutcome.SKIPPED):
    return ItemResult(7, outcome, code, "it has already succeeded")


DONE = item("put_back", ItemOutcome.DONE)


@pytest.mark.parametrize(
    ("items", "exit_code"),
    [
        ((DONE,), 0),
        ((DONE, DONE), 0),
        ((item("not_found"),), 3),
        ((item("wrong_status"),), 4),
        ((item("queueing_lock_taken"),), 4),
        ((item("error", ItemOutcome.FAILED),), 4),
        ((item("error", ItemOutcome.FAILED), DONE), 5),
        ((DONE, item("not_found")), 5),
        ((item("not_found"), item("not_found")), 5),
    ],
)
def test_the_exit_code_of_a_retry_follows_its_items(items, exit_code):
    """That the refusal of the only job is an error on stderr: tests/acceptance/test_cli_faults."""
    report = ActReport(items, 0.1)
    if exit_code not in {3, 4}:
        assert find_exit_code(report) == exit_code
        return
    with pytest.raises(JobsMaintError) as refused:
        find_exit_code(report)
    assert refused.value.exit_code == exit_code
    assert str(refused.value) == "Job 7 was not retried: it has already succeeded."


@pytest.fixture
def meet(monkeypatch):
    """Let the command meet this error, where it asks the system who it is."""

    def prepare(error):
        def fail():
            raise error

        monkeypatch.setattr("getpass.getuser", fail)

    return prepare


def test_an_unexpected_error_shows_an_id_and_its_traceback(meet, capsys):
    meet(ZeroDivisionError("oh \x1b[31m"))
    assert cli.main(["stats"]) == 70
    out, err = capsys.readouterr()
    assert out == ""
    first, *rest = err.splitlines()
    assert first.startswith("jobs-maint: unexpected ZeroDivisionError (id ")
    assert "please report it" in first
    assert rest[-1] == "ZeroDivisionError: oh \\u{1b}[31m"
    assert cli.main(["stats", "--json"]) == 70
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["code"] == "unexpected"
    assert error["id"] in error["message"]


def test_foreign_text_in_an_error_is_harmless(meet, capsys):
    meet(JobNotFound("no \x1b[2J\nsuch \u202ejob"))
    assert cli.main(["status", "1"]) == 3
    assert capsys.readouterr().err == "jobs-maint: no \\u{1b}[2J such \\u{202e}job\n"


def test_a_user_without_a_name_is_still_somebody(monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert find_actor().name == f"uid{os.getuid()}"


def test_a_start_loads_only_what_the_word_needs():
    code = (
        "import sys; from jobs_maint.cli import main; main(sys.argv[1:]); "
        "heavy = {'psycopg', 'procrastinate', 'pydantic', 'click', 'rich', 'asyncio'}; "
        "print(sorted(heavy & {m.split('.')[0] for m in sys.modules}))"
    )
    for words, loaded in ((["--version"], "[]"), (["help", "--json"], "['click']")):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            capture_output=True, text=True, env=environment(), check=True,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == loaded


@pytest.mark.parametrize(
    "error", [DatabaseUnavailable, InvalidSettings, NotPermitted, SchemaMismatch, SelectionExpired]
)
def test_each_error_ends_with_its_own_code(meet, capsys, error):
    meet(error("what was found"))
    assert cli.main(["stats"]) == error.exit_code
    assert capsys.readouterr() == ("", "jobs-maint: what was found\n")


CONFIRM = """
from jobs_maint.actions import Actor, ConfirmSelection
from jobs_maint.cli.run import perform_action
from jobs_maint.perform import Watch

watch = Watch()
try:
    perform_action(Actor.shell("ana", "host"), ConfirmSelection("key"), watch=watch)
except BaseException as exc:
    print(type(exc).__name__, watch.stop_requested)
"""


def test_ctrl_c_while_it_connects_is_not_kept_for_the_first_batch():
    """A server that takes the connection and says nothing: the act has not begun."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(30)
        url = f"postgresql://u@127.0.0.1:{listener.getsockname()[1]}/d"
        asking = subprocess.Popen(
            [sys.executable, "-c", CONFIRM],
            env=environment(JOB_QUEUE_DATABASE_URL=url),
            stdout=subprocess.PIPE,
            text=True,
        )
        connection, _ = listener.accept()
        with connection:
            asking.send_signal(signal.SIGINT)
            assert asking.communicate(timeout=30)[0] == "KeyboardInterrupt False\n"


def test_a_defect_in_the_middle_of_a_set_leaves_out_neither_what_was_done_nor_the_undo():
    watch = Watch()
    watch.opened(17, 1_200)
    watch.tell(SoFar(500, {"done": 488, "skipped": 12}), 1_200)
    preview = Preview("cancel", "cancel --all", "key", 1_200, 0, (), (), None)

    def break_off():
        with _say_how_far(watch, preview):
            raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect") as caught:
        break_off()
    [note] = caught.value.__notes__
    assert note == (
        "500 of 1,200 jobs had been processed: 488 cancelled, 12 skipped. Completed work is kept; "
        "run the same command again for the rest. Undo: jobs-maint retry --request 17"
    )
