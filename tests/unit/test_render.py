import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len

from jobs_maint.actions import Actor
from jobs_maint.grammar import build_help
from jobs_maint.models import (
    ActReport,
    AlikeFailure,
    FailedJob,
    FailedJobsReport,
    FailedRun,
    HelpReport,
    ItemOutcome,
    ItemResult,
    JobDetails,
    JobEvent,
    MaintenanceDefer,
    MaintenanceRun,
    OwnJobs,
    Preview,
    QueueStats,
    SchemaReport,
    SetGroup,
    StatsReport,
    WorkerCounts,
)
from jobs_maint.render import (
    build_data,
    build_verdict,
    count_noun,
    render_json,
    render_text,
    safe_block,
    safe_line,
    safe_word,
    short_task,
    sort_queues,
)
from jobs_maint.render.page import Column, Page, clock
from jobs_maint.render.safe import cut_names

NOW = datetime(2026, 3, 12, 3, 14, 22, tzinfo=UTC)
EVIL = "a\x1b[2J\x1b]0;owned\x07\nb\r\tc\u202egnp.exe\u2066\x9b31m\ud800\0"
SHELL = Actor.shell("ana", "host")


def ago(**span):
    return NOW - timedelta(**span)


EMAIL = QueueStats("email", ready=3, done_last_hour=210, done_last_day=5120, oldest_ready_seconds=2)
WEBHOOK = QueueStats(
    "webhook", ready=1204, scheduled=12, doing=4, failed=41, oldest_ready_seconds=840,
    done_last_hour=30, done_last_day=803, failed_last_hour=37, failed_last_day=41,
    retrying_last_hour=12, lost_last_day=1,
    lost_jobs_last_day=1,
)  # fmt: skip
REPORTS = QueueStats("reports")


def stats(*queues, live=2, silent=0, **more):
    more.setdefault("maintenance", ())
    return StatsReport(NOW, queues, WorkerCounts(live, silent), **more)


def failed_job(job_id=4711, **more):
    values = {
        "queue": "webhook", "task": "demo.tasks.deliver_webhook", "attempts": 3,
        "failed_at": ago(minutes=4), "recorded": True, "kind": "error",
        "exception_type": "httpx.ConnectTimeout", "message": "timed out after 10 s",
    }  # fmt: skip
    return FailedJob(job_id, **{**values, **more})


def failed_report(*jobs, total=None, **more):
    return FailedJobsReport(NOW, jobs, len(jobs) if total is None else total, 20, **more)


def details(**more):
    values = {
        "as_of": NOW, "job_id": 4711, "status": "failed", "queue": "webhook",
        "task": "demo.tasks.deliver_webhook", "attempts": 3, "priority": 0, "lock": None,
        "queueing_lock": "hook:12", "scheduled_at": None, "abort_requested": False,
        "worker_id": None, "args": {"url": "https://x", "token": "***"}, "redacted": True,
        "events": (JobEvent("deferred", ago(minutes=10)),
                   JobEvent("started", ago(minutes=9), 60.0)),
        "failures": (
            FailedRun(2, ago(minutes=9), "error", "httpx.ConnectTimeout", "first", True),
            FailedRun(
                3, ago(minutes=4), "error", "httpx.ConnectTimeout", "last", False,
                'Traceback:\n  File "x.py", line 1\nhttpx.ConnectTimeout: last\n',
            ),
        ),
    }  # fmt: skip
    return JobDetails(**{**values, **more})


RETRY = ActReport(
    (
        ItemResult(4711, ItemOutcome.DONE, "put_back", "", "webhook", "demo.tasks.deliver_webhook"),
        ItemResult(4712, ItemOutcome.SKIPPED, "wrong_status", "it has already succeeded"),
        ItemResult(4713, ItemOutcome.FAILED, "error", "the row was broken"),
    ),
    0.03,
)
SCHEMA = SchemaReport("0001", True, ("0001_tables",), ())
STATS = stats(
    EMAIL, WEBHOOK, REPORTS, silent=1, hidden_queues=2,
    maintenance=(MaintenanceRun("jobs_maint:purge_finished_jobs", ago(minutes=14), True),),
)  # fmt: skip
EVERY_RESULT = [
    STATS,
    failed_report(failed_job(), failed_job(2, recorded=False), total=9),
    details(),
    RETRY,
    SCHEMA,
    build_help(SHELL, "shell"),
    build_help(SHELL, "shell", "failed"),
]


def test_a_blank_line_is_one_however_often_it_is_asked_for():
    page = Page(80, styled=False)
    for text in ("", "a", "", "", "b", ""):
        page.line(text)
    page.verbatim("c\n\n\nd")
    page.line()
    page.table([Column("e", ["f"])])
    assert page.text() == "a\n\nb\n\nc\n\n\nd\n\ne\nf"


# --- foreign text -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain text", "plain text"),
        ("", '""'),
        ("grüße 日本 🎉", "grüße 日本 🎉"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("a\nb\tc\rd", "'a\\u{a}b\\u{9}c\\u{d}d'"),
        ("\x1b[31m", "'\\u{1b}[31m'"),
        ("\0\x07\x7f\x9b", "'\\u{0}\\u{7}\\u{7f}\\u{9b}'"),
        ("\u202eevil\u2066\u200f\u061c", "'\\u{202e}evil\\u{2066}\\u{200f}\\u{61c}'"),
        ("\ud800", "'\\u{d800}'"),
        ("\u2028\u2029", "'\\u{2028}\\u{2029}'"),
        ("\U000e0041", "'\\u{e0041}'"),
        (" webhook", "' webhook'"),
        ("webhook ", "'webhook '"),
        ("web  hook", "'web \\u{20}hook'"),
        ("web\xa0hook", "'web\\u{a0}hook'"),
        ("web hook", "web hook"),
    ],
)
def test_what_could_act_on_a_terminal_becomes_visible(text, safe):
    assert safe_word(text) == safe


def test_a_message_of_many_lines_becomes_one_and_a_block_keeps_its_lines():
    assert safe_line("  a\n\n  b\tc ") == "a b c"
    assert safe_block("a\r\n\tb\x1b\n") == "a\n    b\\u{1b}\n"


def test_every_control_and_direction_character_is_caught():
    risky = [*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F),
             *range(0x2066, 0x206A), 0xFEFF]  # fmt: skip
    for code in risky:
        assert chr(code) not in safe_word(f"x{chr(code)}y"), hex(code)


def test_foreign_text_reaches_the_terminal_nowhere_raw():
    job = failed_job(queue=EVIL, task=EVIL, exception_type=EVIL, message=EVIL)
    run = FailedRun(1, NOW, "error", EVIL, EVIL, False, EVIL)
    item = ItemResult(1, ItemOutcome.DONE, "put_back", EVIL, EVIL, EVIL)
    skipped = ItemResult(2, ItemOutcome.SKIPPED, EVIL, EVIL)
    results = [
        stats(QueueStats(EVIL, ready=1, oldest_ready_seconds=900), queue=EVIL,
              maintenance=(MaintenanceRun(EVIL, NOW, False),)),
        stats(queue=EVIL),
        failed_report(job, queue=EVIL, task=EVIL, error=EVIL, limited_to_queues=(EVIL,)),
        details(status=EVIL, queue=EVIL, task=EVIL, lock=EVIL, queueing_lock=EVIL, worker=EVIL,
                args={EVIL: EVIL}, events=(JobEvent(EVIL, NOW),), failures=(run,)),
        details(failures=(run,)),
        details(status="doing", worker=EVIL, failures=()),
        ActReport((item, skipped), 0.1),
        SchemaReport(EVIL, True, (EVIL,), (EVIL,)),
        HelpReport(None, (), EVIL, EVIL),
    ]  # fmt: skip
    for result in results:
        for width in (40, 80, 200):
            text = render_text(result, width=width)
            assert all(char == "\n" or char.isprintable() for char in text), text
            text.encode()
        json_text = render_json(result)
        assert json_text.isascii()
        assert "\x1b" not in json_text


def test_markup_and_emoji_codes_in_foreign_text_are_text():
    text = render_text(
        failed_report(failed_job(message="[red]:smile:[/red] [link=x]")), styled=True
    )
    assert "[red]:smile:[/red] [link=x]" in text


def test_the_short_name_of_a_task_is_its_last_part():
    assert short_task("shop.tasks.send_mail") == "send_mail"
    assert short_task("jobs_maint:purge_finished_jobs") == "jobs_maint:purge_finished_jobs"
    assert short_task("odd.") == "odd."


# --- width and style ----------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("result", EVERY_RESULT, ids=lambda result: type(result).__name__)
def test_no_line_is_wider_than_the_terminal(result, width):
    lines = render_text(result, width=width).split("\n")
    assert max(map(len, lines)) <= width
    assert not any(line != line.rstrip() for line in lines)


@pytest.mark.parametrize("result", EVERY_RESULT, ids=lambda result: type(result).__name__)
def test_style_is_only_for_terminals_and_changes_no_word(result):
    plain = render_text(result, width=80)
    styled = render_text(result, width=80, styled=True)
    assert "\x1b" not in plain
    assert "\x1b[" in styled
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", styled)
    assert [line.rstrip() for line in stripped.split("\n")] == plain.split("\n")


def test_the_environment_has_no_say_in_the_text(monkeypatch):
    before = render_text(STATS, width=80)
    for name in ("FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.setenv(name, "1")
    assert render_text(STATS, width=80) == before


def test_a_narrow_table_says_what_it_leaves_out():
    text = render_text(STATS, width=60)
    assert "Too narrow for: Scheduled, Done 24h. --json has them." in text
    assert "Too narrow" not in render_text(STATS, width=80)


QUEUES = ["notifications-email-bulk", "notifications-email-transactional", "a-notifications-email",
          "notifications-email-transactional-eu", "notifications-sms-transactional"]  # fmt: skip
TASKS = ["shop.tasks.sync_a.pull", "shop.tasks.sync_b.pull", "shop.tasks.sync_customers_from_crm",
         "shop.tasks.sync_customers_from_erp", "shop.tasks.sync_customers_to_crm"]  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("command", ["stats", "failed", "preview"])
def test_different_names_never_look_alike(command, width):
    pairs = list(zip(QUEUES, TASKS, strict=True))
    result = {
        "stats": stats(*(QueueStats(queue, ready=1) for queue in QUEUES)),
        "failed": failed_report(
            *(failed_job(i, queue=queue, task=task) for i, (queue, task) in enumerate(pairs)),
        ),
        "preview": Preview(
            "retry", "retry --all", "key", 5, 0, tuple(SetGroup(*one, 1) for one in pairs), (), NOW
        ),
    }[command]
    for table in render_text(result, width=width).split("\n\n"):
        cut = re.findall(r"\S*…\S*", table)
        assert len(set(cut)) == len(cut), table


@pytest.mark.parametrize("cells", range(4, 60))
def test_names_keep_what_tells_them_apart_at_any_width(cells):
    names = [*QUEUES, *TASKS, "日本語のキュー1日本語", "日本語のキュー2日本語", "a…b", "ok"]
    shown = cut_names([*names, *names], cells)
    assert len(set(shown)) == len(names)
    assert max(cell_len(line) for name in shown for line in name.split("\n")) <= cells


def test_a_name_is_cut_in_its_middle_and_folded_where_two_would_look_alike():
    page = Page(20, styled=False)
    names = ["email-bulk-of-the-shop", "email-transactional", "ok"]
    page.table([Column("N", ["1", "2", "3"]), Column("Name", names, may_shrink=True)])
    assert page.text().split("\n") == [
        "N  Name", "1  email-bu…the-shop", "2  email-tr…actional", "3  ok"
    ]  # fmt: skip
    page = Page(20, styled=False)
    names = ["email-bulk-of-the-eu-shop", "email-bulk-of-an-eu-shop"]
    page.table([Column("N", ["1", "2"]), Column("Name", names, may_shrink=True)], below=["x", "y"])
    assert page.text().split("\n") == [
        "N  Name", "1  email-bulk-of-the", "   -eu-shop", "x",
        "2  email-bulk-of-an-", "   eu-shop", "y",
    ]  # fmt: skip


@pytest.mark.parametrize("behind", [0, 900])
def test_without_a_worker_no_queue_is_said_to_keep_up(behind):
    late = replace(WEBHOOK, ready=3 if behind else 0, oldest_ready_seconds=behind or None)
    text = render_text(stats(late, REPORTS, live=0), width=120)
    assert "keep" not in text
    assert text.startswith(
        "No worker is live and 3 jobs wait; " if behind else "No worker is live and no job waits; "
    )
    assert text.count("No worker is live") == 1


def test_wide_characters_keep_the_columns_straight():
    text = render_text(stats(QueueStats("日本語", ready=7), QueueStats("e", ready=8)), width=80)
    wide, _ = [line for line in text.split("\n") if line.startswith("日本語 ")]
    narrow, _ = [line for line in text.split("\n") if line.startswith("e ")]
    assert wide.index("7") + 3 == narrow.index("8")


# --- stats --------------------------------------------------------------------------------------


def test_of_very_many_failed_jobs_it_is_said_that_they_are_more():
    text = render_text(failed_report(failed_job(), total=10_000, at_least=True), width=100)
    assert text.startswith("More than 10,000 failed jobs, newest failure first.\n")
    assert "More than 9,999 more not shown; --limit 1000" in text
    assert "ore than" not in render_text(failed_report(failed_job(), total=10_000), width=100)


def test_stats_start_with_the_verdict_then_the_worst_queue():
    lines = render_text(STATS, width=80).split("\n")
    assert lines[0] == "webhook is 14 min behind; 37 jobs failed in the last hour."
    rows = [line.split() for line in lines if line.startswith(("webhook ", "email ", "reports "))]
    assert rows[1] == ["webhook", "1,204", "12", "4", "41", "37", "41", "803", "14", "min"]
    assert rows[2] == ["email", "3", "–", "–", "–", "–", "–", "5,120", "2", "s"]
    assert rows[3] == ["reports", *"––––––––"]


def test_stats_tell_of_workers_maintenance_retries_rescues_and_hidden_queues():
    text = render_text(STATS, width=120)
    assert "Workers: 2 live, 1 silent." in text
    assert "Maintenance: purge_finished_jobs 14 min ago, 03:00:22." in text
    assert "Retried: 12 failed attempts in the last hour." in text
    assert "Rescued: 1 job put back in the last 24 hours" in text
    assert "2 queues are not shown" in text


@pytest.mark.parametrize("width", [80, 120])
def test_stats_show_every_status_also_where_there_is_little_room(width):
    queue = QueueStats(
        "webhook", ready=1, scheduled=40_002, doing=3, failed=449_004, succeeded=1_234_567,
        cancelled=56_789, aborted=12_345,
    )  # fmt: skip
    report = stats(queue, estimated={"webhook": ("succeeded",)})
    text = render_text(report, width=width)
    shown = {
        word for line in text.split("\n") if line.startswith("webhook ") for word in line.split()
    }
    assert shown >= {"1", "40,002", "3", "449,004", "≈1,234,567", "56,789", "12,345"}
    assert "Too narrow" not in text
    assert "≈: estimated from a sample" in text
    assert "≈" not in render_text(stats(queue), width=width)


def test_that_no_worker_is_live_is_said_once():
    for report in (stats(EMAIL, live=0), stats(REPORTS, live=0)):
        text = render_text(report, width=80)
        assert text.count("No worker is live") == 1
        assert "none live" not in text


def test_stats_without_maintenance_say_how_to_get_it():
    assert "jobs_maint.register(app)" in render_text(stats(EMAIL))


@pytest.mark.parametrize("is_deleted", [True, False])
def test_stats_say_what_is_known_of_our_tasks_where_no_run_is(is_deleted):
    one = MaintenanceDefer("jobs_maint:rescue_stalled_jobs", ago(minutes=3), is_deleted)
    text = render_text(stats(EMAIL, maintenance_deferred=(one,)), width=200)
    was, end = "due", "its job is deleted, so how it ended is not known."
    if not is_deleted:
        was, end = "deferred", "not ended yet (a worker must listen to its queue)."
    assert f"Maintenance: rescue_stalled_jobs {was} 3 min ago, 03:11:22: {end}" in text
    assert "register" not in text


def test_stats_do_not_advise_to_register_what_is_switched_off():
    both = ("jobs_maint:purge_finished_jobs", "jobs_maint:rescue_stalled_jobs")
    text = render_text(stats(EMAIL, maintenance_off=both), width=200)
    assert (
        "Maintenance: purge_finished_jobs and rescue_stalled_jobs switched off (the cron is empty)."
        in text
    )
    text = render_text(stats(EMAIL, maintenance_off=both[1:]), width=200)
    assert "rescue_stalled_jobs switched off (the cron is empty); no run yet. jobs_maint." in text


def test_of_our_own_tasks_it_is_said_that_they_are_not_counted_and_where_to_look():
    for report in (
        stats(queue="it", own_jobs=OwnJobs("it", 9, 1)),
        stats(EMAIL, queue="it", own_jobs=OwnJobs("it", 9, 1)),
    ):
        assert (
            "9 jobs of our own tasks are there but not counted here, 1 of them failed: see "
            "jobs-maint doctor and jobs-maint failed it."
        ) in render_text(report, width=200)
    one = render_text(stats(queue="it", own_jobs=OwnJobs("it", 1, 0)), width=200)
    assert "1 job of our own tasks is there but not counted here: see jobs-maint doctor.\n" in one
    assert "own tasks are there" not in render_text(stats(own_jobs=OwnJobs(None, 9, 1)), width=200)


@pytest.mark.parametrize(
    ("jobs", "times", "said", "whose"),
    [
        (1, 1, "1 job put back", "its"), (2, 2, "2 jobs put back", "their"),
        (1, 3, "1 job put back 3 times", "its"), (9, 1_022, "9 jobs put back 1,022 times", "their"),
    ],
)  # fmt: skip
def test_a_worker_that_died_is_that_of_one_job_or_of_several(jobs, times, said, whose):
    queue = replace(EMAIL, lost_last_day=times, lost_jobs_last_day=jobs)
    text = render_text(stats(queue), width=200)
    assert f"Rescued: {said} in the last 24 hours after {whose} worker was lost." in text


@pytest.mark.parametrize(
    ("report", "level", "headline"),
    [
        (stats(EMAIL, REPORTS), "green", "All 2 queues keep up; no job failed in the last hour."),
        (stats(EMAIL), "green", "email keeps up; no job failed in the last hour."),
        (stats(), "green", "No job is in the job tables."),
        (stats(queue="email"), "green", "No job is in queue email."),
        (
            stats(own_jobs=OwnJobs(None, 2, 0)),
            "green",
            "No job is in the job tables, apart from those of our own tasks.",
        ),
        (
            stats(QueueStats("email", failed_last_hour=1, done_last_hour=99), REPORTS),
            "yellow",
            "1 job failed in the last hour; no queue is behind.",
        ),
        (
            stats(QueueStats("email", ready=1, oldest_ready_seconds=60), REPORTS),
            "yellow",
            "email is 60 s behind; no job failed in the last hour.",
        ),
        (
            stats(QueueStats("email", ready=1, oldest_ready_seconds=599)),
            "yellow",
            "email is 10 min behind; no job failed in the last hour.",
        ),
        (
            stats(QueueStats("email", ready=1, oldest_ready_seconds=600)),
            "red",
            "email is 10 min behind; no job failed in the last hour.",
        ),
        (
            stats(WEBHOOK, QueueStats("email", ready=1, oldest_ready_seconds=90), REPORTS),
            "red",
            "2 queues are behind, webhook the most (14 min); 37 jobs failed in the last hour.",
        ),
        (
            stats(EMAIL, live=0),
            "red",
            "No worker is live and 3 jobs wait; no job failed in the last hour.",
        ),
        (
            stats(QueueStats("email", failed_last_hour=10, done_last_hour=30)),
            "red",
            "10 jobs failed in the last hour; no queue is behind.",
        ),
        (
            stats(QueueStats("email", failed_last_hour=10, done_last_hour=31)),
            "yellow",
            "10 jobs failed in the last hour; no queue is behind.",
        ),
    ],
)
def test_the_verdict_says_the_worst_with_its_number(report, level, headline):
    verdict = build_verdict(report)
    assert (verdict.level, verdict.headline) == (level, headline)


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"failed_now": 1, "retried_since": 120, "succeeded_since": 120}, "yellow"),
        ({"failed_now": 10, "retried_since": 111}, "red"),
        ({"failed_now": 1, "retried_since": 20, "deleted_since": 100}, "red"),
        ({"failed_now": 1, "retried_since": 120, "new_errors": 1}, "red"),
        ({}, "red"),
    ],
)
def test_many_failures_are_red_by_the_jobs_that_are_still_failed(fields, level):
    report = stats(QueueStats("email", failed_last_hour=121, done_last_hour=30), **fields)
    assert build_verdict(report).level == level


def test_the_second_line_says_what_is_fine():
    assert build_verdict(STATS).second_line == (
        "The other 2 queues keep up. 2 of 3 workers live. 5,923 jobs done in the last 24 hours."
    )
    assert build_verdict(stats(EMAIL, live=1)).second_line.startswith("1 worker live.")
    assert build_verdict(stats(WEBHOOK, EMAIL)).second_line.startswith("The other queue keeps up.")


def test_of_a_queue_that_nobody_is_known_to_listen_to_nothing_says_that_it_keeps_up():
    verdict = build_verdict(stats(EMAIL, REPORTS, unheard_queues=("email",)))
    assert verdict.headline == "No queue is behind yet; no job failed in the last hour."
    assert build_verdict(stats(EMAIL, unheard_queues=("email",))).headline == verdict.headline
    second = build_verdict(stats(WEBHOOK, EMAIL, unheard_queues=("email",))).second_line
    assert "keep" not in second


NOBODY = "No worker listens to the queue of the rescue: stuck jobs stay so until one does, or"


@pytest.mark.parametrize(
    ("queues", "live", "headline", "second"),
    [
        ((EMAIL,), 1, "3 running jobs have no live worker and nobody rescues them; no job",
         f"{NOBODY} somebody rescues them. 1 worker live."),
        ((REPORTS,), 0, "3 running jobs have no live worker and nobody rescues them; no job",
         f"{NOBODY} somebody rescues them. No worker is live."),
        ((WEBHOOK,), 1, "webhook is 14 min behind; 37 jobs failed in the last hour.",
         f"3 running jobs have no live worker. {NOBODY}"),
        ((EMAIL,), 0, "No worker is live and 3 jobs wait; no job failed in the last hour.",
         f"3 running jobs have no live worker. {NOBODY}"),
    ],
)  # fmt: skip
def test_stuck_jobs_that_nobody_rescues_are_red_and_said_first(queues, live, headline, second):
    verdict = build_verdict(stats(*queues, live=live, stuck_jobs=3, rescue_idle="no_worker"))
    assert verdict.level == "red"
    assert verdict.headline.startswith(headline)
    assert verdict.second_line.startswith(second)


def test_stuck_jobs_that_the_rescue_puts_back_are_counted_and_never_green():
    """`stuck` and an open incident are red about them at that moment."""
    assert build_verdict(stats(REPORTS)).level == "green"
    verdict = build_verdict(stats(REPORTS, stuck_jobs=3))
    assert verdict.level == "yellow"
    assert verdict.headline == build_verdict(stats(REPORTS)).headline
    assert verdict.second_line.startswith(
        "3 running jobs have no live worker; stuck says when the rescue acts. 2 workers live."
    )


def test_silent_workers_and_failed_maintenance_are_never_green():
    assert build_verdict(stats(EMAIL, silent=1)).level == "yellow"
    run = MaintenanceRun("jobs_maint:purge_finished_jobs", NOW, False)
    verdict = build_verdict(stats(EMAIL, maintenance=(run,)))
    assert verdict.level == "yellow"
    assert "The last run of purge_finished_jobs failed." in verdict.second_line


def test_an_old_job_that_is_not_ready_is_not_behind():
    assert build_verdict(stats(QueueStats("email", oldest_ready_seconds=9e9))).level == "green"


def test_the_worst_queue_comes_first_and_equals_by_name():
    behind = QueueStats("z", ready=1, oldest_ready_seconds=61)
    failing = QueueStats("y", failed_last_hour=5)
    order = sort_queues([QueueStats("b"), QueueStats("a"), EMAIL, failing, behind])
    assert [queue.queue for queue in order] == ["z", "y", "email", "a", "b"]


def test_counts_agree_with_their_nouns():
    assert [count_noun(count, "job") for count in (0, 1, 2, 1204)] == [
        "no jobs", "1 job", "2 jobs", "1,204 jobs",
    ]  # fmt: skip
    assert count_noun(2, "query", "queries") == "2 queries"


# --- failed -------------------------------------------------------------------------------------


def test_each_failed_job_shows_its_error_below_it_at_80_columns():
    lines = render_text(failed_report(failed_job()), width=80).split("\n")
    assert lines[0] == "1 failed job."
    assert lines[3].split() == (
        ["4711", "webhook", "deliver_webhook", "4", "min", "ago,", "03:10:22", "3"]
    )
    assert lines[4] == "      ConnectTimeout: timed out after 10 s"


def test_jobs_that_failed_alike_share_the_error_of_the_first():
    same = failed_job(), failed_job(job_id=4700), failed_job(job_id=4699, message="refused")
    lines = render_text(failed_report(*same), width=80).split("\n")
    assert [line.split()[0] for line in lines[3:8]] == (
        ["4711", "ConnectTimeout:", "4700", "4699", "ConnectTimeout:"]
    )
    assert "Jobs without a line of their own failed with the error above them." in lines
    assert "without an error" not in render_text(failed_report(same[0], same[2]), width=80)


def test_an_error_that_needs_a_second_line_has_it_broken_between_words():
    long = "the server at https://hooks.example.com/orders/88123 said no for the third time"
    lines = render_text(failed_report(failed_job(message=long)), width=80).split("\n")
    told = [line.strip() for line in lines[4:6]]
    assert " ".join(told) == f"ConnectTimeout: {long}"


def test_a_wide_terminal_has_the_error_in_the_row():
    lines = render_text(failed_report(failed_job()), width=200).split("\n")
    assert lines[3].endswith("3  ConnectTimeout: timed out after 10 s")


def test_a_long_error_is_cut_to_the_width_with_an_ellipsis():
    text = render_text(failed_report(failed_job(message="x" * 5000 + "\nmore")), width=80)
    assert max(map(len, text.split("\n"))) == 80
    assert "x…" in text


def test_what_is_not_shown_is_counted_with_the_option_that_shows_it():
    text = render_text(failed_report(failed_job(), total=47))
    assert "46 more not shown; --limit 47" in text
    assert "--limit 1000" in render_text(failed_report(failed_job(), total=5000))
    assert "jobs-maint status 4711" in text
    assert "not shown" not in render_text(failed_report(failed_job()))


def test_no_failed_job_is_one_sentence_with_the_filters():
    report = failed_report(queue="email", task="send", error="timed", since_seconds=3600)
    assert render_text(report, width=200) == (
        "No failed jobs in queue email with 'send' in the task's name with 'timed' in the error "
        "in the last 60 min."
    )
    for task, said in (
        ("shop.many*", "of tasks like 'shop.many*'"),
        (r"shop.many\*", "with 'shop.many*' in the task's name"),
    ):
        assert render_text(failed_report(task=task), width=200) == f"No failed jobs {said}."


@pytest.mark.parametrize(
    ("job", "text"),
    [
        (failed_job(recorded=False), "error not recorded"),
        (failed_job(kind="worker_lost", exception_type=None, message=None), "worker lost"),
        (failed_job(message=""), "ConnectTimeout"),
        (failed_job(exception_type=None, message=None), "error without a message"),
    ],
)
def test_a_failure_without_a_message_still_says_what_is_known(job, text):
    assert render_text(failed_report(job)).split("\n")[4].strip() == text


def test_an_older_failure_shows_its_date():
    assert "2 d ago, 2026-03-10 02:14" in render_text(
        failed_report(failed_job(failed_at=ago(hours=49)))
    )


def test_hidden_jobs_are_counted():
    report = failed_report(failed_job(), hidden_jobs=3, limited_to_queues=("email*", "webhook"))
    text = render_text(report)
    assert text.startswith("1 failed job in the queues you reach (email* and webhook).")
    assert "3 matching jobs in other queues not shown" in text


# --- status, retry, schema, help ----------------------------------------------------------------


def test_status_starts_with_the_last_error_and_ends_with_its_traceback():
    lines = render_text(details(), width=80).split("\n")
    assert lines[0] == "Job 4711 failed: ConnectTimeout: last"
    assert lines[-1].strip() == "httpx.ConnectTimeout: last"
    text = "\n".join(lines)
    assert "03:05:22  started   after 60 s" in text
    assert "Attempt 2, 9 min ago, 03:05:22; a retry was due" in text
    assert "No traceback was kept" in text
    assert "Queueing lock  hook:12" in text
    assert "(secrets hidden; --reveal shows all)" in text
    assert "secrets hidden" not in render_text(details(redacted=False))


def test_a_traceback_of_another_job_is_told_as_such():
    alike = AlikeFailure(4242, 1, ago(minutes=8), "Traceback:\n  File 'y.py'\n\x1b[31mE: m")
    run = FailedRun(1, ago(minutes=4), "error", "E", "m", False, alike=alike)
    text = render_text(details(failures=(run,)))
    assert "    Traceback of job 4242, which failed alike 4 min earlier:\n    Traceback:\n" in text
    assert "No traceback was kept" not in text
    assert "\x1b" not in text


def test_a_traceback_is_never_cut_or_wrapped():
    trace = f"Traceback\n  {'x' * 300}"
    text = render_text(details(failures=(FailedRun(1, NOW, "error", "E", "m", False, trace),)))
    assert "x" * 300 in text


def test_arguments_have_a_line_each_where_one_line_is_too_wide():
    """What is too wide then stays as it is, so that it can be copied."""
    job = details(args={"url": "https://example.com/hooks", "retries": 3, "page": 17})
    line = '  {"url": "https://example.com/hooks", "retries": 3, "page": 17}\n'
    assert line in render_text(job, width=80)
    narrow = render_text(job, width=40)
    assert '    "url": "https://example.com/hooks",\n    "retries": 3,\n' in narrow
    assert max(map(len, narrow.splitlines())) <= 40


def test_huge_arguments_are_cut_and_it_is_said():
    text = render_text(details(args={"blob": "x" * 100_000}))
    assert len(text) < 7_000
    assert "more characters not shown; --json has all" in text


def test_a_running_job_names_its_worker_or_the_lack_of_one():
    running = details(status="doing", failures=(), worker="host1 pid 7")
    assert render_text(running).startswith("Job 4711 is running, on host1 pid 7.")
    assert "\nAttempt        4\n" in render_text(running)
    assert "\nAttempts       3\n" in render_text(replace(running, status="failed"))
    assert "no live worker reports this job" in render_text(
        details(status="doing", failures=(), unreported=True)
    )


def test_a_retry_says_per_job_what_became_of_it():
    assert render_text(RETRY).split("\n") == [
        "1 job retried: 4711 (webhook, deliver_webhook).",
        "1 job skipped:",
        "  4712: it has already succeeded",
        "1 job failed:",
        "  4713: the row was broken",
    ]


def test_a_retry_of_nothing_says_so():
    skipped = ItemResult(1, ItemOutcome.SKIPPED, "not_found", "there is no such job")
    assert render_text(ActReport((skipped, skipped), 0)).startswith("No job was retried.")


def test_a_job_put_back_for_later_says_when_it_runs():
    item = ItemResult(5, ItemOutcome.DONE, "put_back", "runs at 2026-03-13 08:00 UTC, as scheduled")
    assert "  5: runs at 2026-03-13 08:00 UTC" in render_text(ActReport((item,), 0))


def test_the_schema_page_says_what_is_there_and_what_is_missing():
    assert render_text(SCHEMA) == ("The schema is complete, version 0001.\nApplied: 0001_tables.")
    text = render_text(SchemaReport("0002", True, ("0001_tables",), ("0002_indexes",)))
    assert text.startswith("The schema is not complete. Missing:\n  0002_indexes\n")
    assert "jobs-maint schema apply" in text
    done = SchemaReport("0001", True, (), ())
    assert "There was nothing to apply." in render_text(done)


def test_an_index_that_could_not_be_built_is_told_with_its_reason():
    problem = "jobs_maint_finished_idx: waits for the transaction of process 31"
    text = render_text(SchemaReport("0001", True, (), (), problems=(problem,)))
    assert text.endswith(f"Not done. Everything works without these, but more slowly:\n  {problem}")


def test_the_schemas_sql_is_printed_as_it_is():
    sql = f"CREATE TABLE t ({'x' * 300});\n"
    assert render_text(SchemaReport("0001", False, (), (), sql=sql), width=40) == sql.strip()


def test_help_names_each_word_with_its_role():
    text = render_text(build_help(SHELL, "shell"), width=100)
    assert "jobs-maint retry ID…|--all [QUEUE] [--queue TEXT]" in text
    assert "Role: operator." in text
    assert "Not yours" not in text


# --- JSON ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "kind"),
    list(
        zip(
            EVERY_RESULT,
            ["stats", "failed", "status", "retry", "schema", "help", "help"],
            strict=True,
        )
    ),
)
def test_json_is_one_object_that_names_its_kind(result, kind):
    data = json.loads(render_json(result))
    assert data["kind"] == kind
    assert next(iter(data)) == "kind"
    assert data == json.loads(json.dumps(build_data(result)))


def test_json_times_are_utc_with_z_and_spans_are_numbers():
    berlin = NOW.astimezone(datetime.strptime("+0100", "%z").tzinfo)
    data = build_data(failed_report(failed_job(failed_at=berlin), since_seconds=86400.0))
    assert data["jobs"][0]["failed_at"] == "2026-03-12T03:14:22Z"
    assert data["since_seconds"] == 86400.0
    assert data["as_of"] == "2026-03-12T03:14:22Z"


def test_json_has_the_counts_that_the_text_has():
    assert build_data(failed_report(failed_job(), total=9))["not_shown"] == 8
    data = build_data(RETRY)
    assert (data["done"], data["skipped"]) == (1, 2)
    assert [item["outcome"] for item in data["items"]] == ["done", "skipped", "failed"]


def test_json_keeps_arguments_as_they_are():
    args = {"nested": {"list": [1, 2.5, None, True, "é\n"]}, "big": 2**63}
    assert json.loads(render_json(details(args=args)))["args"] == args


def test_a_result_without_a_page_is_an_error_of_ours():
    for result in (WorkerCounts(1, 0), None):
        with pytest.raises(TypeError, match=type(result).__name__):
            render_text(result)
        with pytest.raises(TypeError, match=type(result).__name__):
            render_json(result)


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2026-03-11T23:48:12", "23:48:12"),
        ("2026-03-12T20:00:00", "20:00:00"),
        ("2026-03-11T12:10:01", "12:10:01"),
        ("2026-03-11T12:09:59", "2026-03-11 12:09"),
        ("2026-03-13T00:30:00", "2026-03-13 00:30"),
    ],
)
def test_the_last_twelve_hours_need_no_date_after_midnight_either(at, shown):
    as_of = datetime(2026, 3, 12, 0, 10, tzinfo=UTC)
    assert clock(datetime.fromisoformat(f"{at}+00:00"), as_of) == shown
