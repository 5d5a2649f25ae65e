"""`errors`, `stuck`, `workers`, `rescue`, `audit` and completion by the shell."""

import re

import pytest
from tests.support.history import hours, minutes
from tests.support.shell import answer, data, run_shell


@pytest.fixture
async def worker(conn):
    """A worker that beats and runs nothing yet; its id."""
    [worker_id] = await (await conn.execute("SELECT procrastinate_register_worker_v1()")).fetchone()
    await conn.execute(
        "INSERT INTO jobs_maint_workers (worker_id, host, pid, recorder_version, delete_jobs,"
        " beat_seconds, job_ids) VALUES (%s, 'host-a', 31, '1', 'never', 10, '{}')",
        (worker_id,),
    )
    return worker_id


async def test_errors_are_groups_whose_numbers_add_up(jobs_maint, make_job):
    for ago in (minutes(5), minutes(6)):
        sample = await make_job(
            status="failed", task="shop.deliver", error="timed out", finished_ago=ago
        )
    await make_job(status="failed", task="shop.pdf", recorded=False, finished_ago=hours(2))
    await make_job(status="failed", task="shop.mail", error="bounced", finished_ago=hours(3))
    text = answer(jobs_maint("errors", "--limit", 2))
    assert text.startswith("4 failures in the last 24 h, 0 in the 24 h before.\n")
    [group] = [line for line in text.splitlines() if " deliver" in line]
    number, name, *cells = group.split()
    assert (number, cells[:3]) == ("2", ["–", "new", "deliver"])
    assert re.fullmatch(r"E-[0-9a-f]{4,}", name)
    assert "ValueError: timed out" in text
    assert "1 more group, 1 failure, not shown; --limit 3" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "error not recorded" in answer(jobs_maint("errors"))
    report = data(jobs_maint("errors", "default", "--since", "1h", "--json"))
    assert (report["kind"], report["failed"]) == ("errors", 2)
    assert report["groups"][0]["sample_job_id"] in {sample, sample - 1}


async def test_somebody_is_on_a_group_and_mutes_it(jobs_maint, make_job):
    job = await make_job(status="failed", queue="hooks", task="shop.deliver", error="timed out")
    taken = data(jobs_maint("take", job, "--json"))
    name = taken["name"]
    assert (taken["kind"], taken["done"], taken["task"]) == ("group", "taken", "shop.deliver")
    assert taken["taken_by"].startswith("shell:")
    typed = name.upper()
    text = answer(jobs_maint("mute", typed, "--for", "2h", "--above", "50/h"))
    assert text.startswith(f"{name} is muted until ")
    assert ", or until it fails more than 50 times an hour." in " ".join(text.split())
    listed = answer(jobs_maint("errors", "--json"))
    assert f'"name": "{name}"' in listed
    assert '"muted_above": 50' in listed
    assert name in answer(jobs_maint("errors"))
    assert answer(jobs_maint("mute", name, "--off")).startswith(f"{name} is not muted any more.")
    assert answer(jobs_maint("take", name, "--drop")).startswith(f"Nobody is on {name} any more")
    wrong = jobs_maint("take", f"{name[:-1]}{'0' if name[-1] != '0' else '1'}")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert f"did you mean {name}?" in wrong.stderr
    exceeded = jobs_maint("mute", name, "--above", "1/h").stderr
    assert f"--for 24h. Try: jobs-maint mute {name} --above 2/h" in exceeded
    entries = data(jobs_maint("audit", "--json"))["entries"]
    words = [entry["action"] for entry in entries if entry["outcome"] == "done"]
    assert words == [
        f"take {name} --drop", f"mute {name} --off", f"mute {name} --for 2h --above 50/h",
        f"take {job}",
    ]  # fmt: skip


async def test_stuck_and_workers_tell_who_runs_what(jobs_maint, make_job, conn, worker):
    named = await make_job(status="doing", worker_id=worker, deferred_ago=hours(3))
    await conn.execute("UPDATE jobs_maint_workers SET job_ids = %s", ([named],))
    text = answer(jobs_maint("stuck"))
    assert text.startswith("Every running job has a live worker.\n\n1 job runs long.")
    orphan = await make_job(status="doing", deferred_ago=minutes(10))
    text = answer(jobs_maint("stuck"))
    assert text.startswith("1 running job has no live worker.\n")
    # At the tick an hour later, or ten seconds less: a pass acts so much early.
    assert re.search(r"The rescue acts on it in (59 min 5\d s|1 h|6\d min)", text), text
    report = data(jobs_maint("stuck", "--json"))
    assert [job["job_id"] for job in report["stuck"]] == [orphan]
    text = answer(jobs_maint("workers"))
    assert text.startswith("1 worker live.\n")
    assert "host-a pid 31" in text
    assert data(jobs_maint("workers", "--json"))["workers"][0]["jobs"][0]["job_id"] == named


async def test_an_incident_is_taken_by_its_name(jobs_maint, conn):
    await conn.execute(
        "INSERT INTO jobs_maint_incidents (kind, subject, state, since, opened_at, seen_at, value,"
        " worst, value_limit, revised_at) VALUES ('no_worker', '', 'open', now(), now(), now(), 70,"
        " 70, 60, now())"
    )
    shown = answer(jobs_maint("incidents", "I-1"))
    assert shown.startswith("I-1  No worker is alive; no jobs wait.\n")
    assert shown.rstrip().endswith("jobs-maint stats")
    taken = data(jobs_maint("take", "i-1", "--json"))
    assert (taken["kind"], taken["done"], taken["incident"]["id"]) == ("incident", "taken", 1)
    assert taken["incident"]["taken_by"].startswith("shell:")
    assert "  taken by shell:" in answer(jobs_maint("incidents", "I-1"))
    assert "there is no incident I-2" in jobs_maint("incidents", "I-2").stderr


def test_no_worker_and_no_watch_are_said(jobs_maint):
    assert answer(jobs_maint("workers")) == "No worker is registered.\n"
    assert answer(jobs_maint("incidents")).startswith("No bot has watched this database yet")


async def test_rescue_acts_on_what_is_due_and_counts_what_is_not(jobs_maint, make_job, conn):
    assert answer(jobs_maint("rescue")) == "No job had to be rescued.\n"
    due = await make_job(status="doing", queue="email", task="a.send", deferred_ago=hours(3))
    first = answer(jobs_maint("rescue"))
    assert first.startswith(
        "No job had to be rescued.\n1 running job has no live worker, but is not due yet: "
    )
    await conn.execute(
        "UPDATE jobs_maint_suspects SET first_noticed_at = now() - interval '2 hours'"
    )
    text = answer(jobs_maint("rescue"))
    assert text.startswith("1 job without a worker: 1 put back.\n")
    [row] = [line for line in text.splitlines() if " email " in line]
    assert row.split() == [str(due), "email", "send", "put", "back"]
    assert await make_job.status(due) == "todo"
    report = data(jobs_maint("rescue", "--json"))
    assert (report["kind"], report["items"], report["counts"]) == ("rescue", [], {})


async def test_the_audit_names_who_what_and_the_undo(jobs_maint, make_job):
    job = await make_job(status="failed", queue="email")
    answer(jobs_maint("discard", job))
    jobs_maint("discard", job)
    text = answer(jobs_maint("audit"))
    assert text.startswith("2 requests in the last 7 d, newest first.\n")
    assert f"discard {job}" in text
    assert "refused" in text
    assert "jobs-maint retry --request REQUEST" in text
    staged = answer(jobs_maint("audit", JOBS_ENVIRONMENT="staging"))
    assert staged.splitlines()[0] == f"[staging] {text.splitlines()[0]}"
    report = data(jobs_maint("audit", "--limit", 1, "--json", JOBS_ENVIRONMENT="staging"))
    assert report["environment"] == "staging"
    assert (report["kind"], report["total"], report["not_shown"]) == ("audit", 2, 1)
    undo = data(jobs_maint("retry", "--request", report["entries"][0]["audit_id"] - 1, "--yes",
                           "--json"))  # fmt: skip
    assert undo["done"] == 1
    assert await make_job.status(job) == "todo"
    nobody = answer(jobs_maint("audit", "--actor", "nobody"))
    assert nobody == "No requests by 'nobody' in the last 7 d.\n"


def test_schema_apply_without_indexes_leaves_them_pending(bare_database_url):
    done = run_shell(bare_database_url, "schema", "apply", "--no-indexes", "--json")
    assert data(done)["applied"]
    answer(run_shell(bare_database_url, "errors"))


COMPLETE = "_JOBS_MAINT_COMPLETE"


@pytest.mark.parametrize(
    ("line", "offers"),
    [
        ("re", {"retry", "rescue"}),
        ("schema ", {"apply", "status", "sql", "drop"}),
        ("help au", {"audit"}),
        ("retry --re", {"--request", "--reset-attempts"}),
        ("purge --in", {"--include-failed"}),
        ("failed --lim", {"--limit"}),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_words_and_options(shell, line, offers):
    words = f"jobs-maint {line}".split(" ")
    place = words[-1] if shell == "fish" else str(len(words) - 1)
    typed = {"COMP_WORDS": f"jobs-maint {line}", "COMP_CWORD": place}
    lines = answer(run_shell("", **{COMPLETE: f"{shell}_complete", **typed})).splitlines()
    if shell == "zsh":  # kind, word and help on lines of their own
        found = lines[1::3]
    else:  # plain,word or plain,word<tab>help
        found = [text.split(",", 1)[1].split("\t")[0] for text in lines if "," in text]
    assert offers == {word for word in found if word.startswith(line.split(" ")[-1])}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_names_the_command(shell):
    script = answer(run_shell("", **{COMPLETE: f"{shell}_source"}))
    assert "jobs-maint" in script
    assert f"{COMPLETE}={shell}_complete" in script


def test_another_instruction_is_refused():
    done = run_shell("", **{COMPLETE: "nonsense"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "it can be bash_source, zsh_source, fish_source" in done.stderr
