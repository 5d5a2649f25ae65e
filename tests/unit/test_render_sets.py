"""Previews and outcomes of sets: their sentences, what they leave out, their JSON."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jobs_maint.models import (
    ActReport,
    BulkReport,
    ItemOutcome,
    ItemResult,
    Preview,
    PurgeReport,
    RescueReport,
    SetError,
    SetErrors,
    SetGroup,
    SkipGroup,
)
from jobs_maint.operations.jobs.serving import say_unserved
from jobs_maint.render import build_data, render_json, render_question, render_text

NOW = datetime(2026, 3, 12, 3, 14, tzinfo=UTC)
EVIL = "a\x1b[2J\n\u202e"
LOCK = SkipGroup(
    "queueing_lock_taken", "a job with the same queueing lock is already waiting", 2, (4713, 4720)
)
MISSING = SkipGroup("wrong_status", "not found, or in a status that does not allow it", 1, (9,))
PREVIEW = Preview(
    "retry", "retry --all webhook", "key", 37, 0,
    (SetGroup("webhook", "demo.deliver_webhook", 37),), (LOCK,), NOW,
)  # fmt: skip
PURGE_PREVIEW = Preview(
    "purge", "purge", "key", 1204, 0, (), (), NOW,
    cutoffs={"succeeded": NOW - timedelta(days=30), "failed": NOW - timedelta(days=90)},
    by_status={"succeeded": 1204},
)  # fmt: skip
BULK = BulkReport(
    "retry", "retry --all webhook", 17, 37, 35, (LOCK,), (), 3.2, queues=("webhook",)
)  # fmt: skip
PURGE = PurgeReport({"succeeded": 1000, "failed": 204}, 12, 3.2, True, oldest_left=NOW)
RESCUE = RescueReport(
    (ItemResult(7, ItemOutcome.DONE, "put_back", "its worker died", "email", "a.send"),),
    1,
    0.1,
    18.4,
    1,
)
FORCE = Preview(
    "rescue", "rescue --force 4712", "key", 1, 0, (SetGroup("reports", "shop.build", 1),), (), NOW,
    warnings=(
        "Worker 3 (host-a pid 31) has been running it since 03:02.",
        "If that worker is still running it, the job will run twice.",
    ),
)  # fmt: skip
RESCUED = BulkReport(
    "rescue", "rescue 1 2 3", 17, 3, 2,
    (SkipGroup("worker_alive", "worker 3 (host-a pid 31) is running it", 1, (3,)),), (), 0.1,
    queues=("reports",),
    became=(
        SkipGroup("put_back", "its worker is gone", 1, (1,)),
        SkipGroup("failed", "it was already put back 3 times", 1, (2,)),
    ),
)  # fmt: skip
EVERY = [PREVIEW, PURGE_PREVIEW, BULK, PURGE, RESCUE, FORCE, RESCUED]


def lines(result, width=120):
    return render_text(result, width=width).split("\n")


def test_a_preview_says_what_the_jobs_failed_with_and_when():
    errors = SetErrors(
        36, (SetError(30, "ValueError: bad address", "E-4f2a"), SetError(5, None)), 1, 1,
        NOW - timedelta(hours=3), NOW - timedelta(minutes=5),
    )  # fmt: skip
    text = render_text(replace(PREVIEW, errors=errors))
    assert (
        "30 × ValueError: bad address (E-4f2a)\n5 × error not recorded\n"
        "and 1 more error, 1 job\nand 1 older job, whose errors were not read\n"
        "The newest 36 jobs failed from 2026-03-12 00:14 UTC to 2026-03-12 03:09 UTC.\n"
    ) in text
    once = replace(errors, jobs_not_read=0, first_at=NOW, last_at=NOW)
    assert "\nFailed at 2026-03-12 03:14 UTC." in render_text(replace(PREVIEW, errors=once))


def test_the_table_of_a_preview_has_short_names_of_tasks_where_those_in_full_do_not_fit():
    preview = replace(PREVIEW, groups=(SetGroup("webhook", "demo.tasks.deliver_webhook", 37),))
    assert "  37  webhook  demo.tasks.deliver_webhook" in lines(preview, 80)
    assert "  37  webhook  deliver_webhook" in lines(preview, 40)


ONE_CAUSE = SetErrors(
    38,
    (
        SetError(8, "ConnectionError: refused", "E-1baf", task="shop.tasks.sync_a"),
        SetError(7, "ConnectionError: refused", "E-1bb0", task="shop.tasks.sync_b"),
        SetError(6, "ValueError: bad", "E-1bb1", task="shop.tasks.sync_b"),
        SetError(5, None), SetError(4, None, awaited=True),
    ),
)  # fmt: skip


def test_one_cause_in_several_tasks_names_the_task_in_each_line():
    text = render_text(replace(PREVIEW, errors=ONE_CAUSE))
    assert (
        "8 × sync_a: ConnectionError: refused (E-1baf)\n"
        "7 × sync_b: ConnectionError: refused (E-1bb0)\n"
        "6 × ValueError: bad (E-1bb1)\n5 × error not recorded\n4 × error not stored yet\n"
    ) in text


def test_a_preview_says_how_many_what_stays_and_where():
    assert lines(PREVIEW) == [
        "35 of 37 jobs of webhook would be retried.",
        "2 stay as they are: a job with the same queueing lock is already waiting (4713, 4720).",
        "They run at once.",
        "",
        "Jobs  Queue    Task",
        "  37  webhook  demo.deliver_webhook",
        "",
        "Asked: retry --all webhook",
    ]


@pytest.mark.parametrize(
    ("count", "later", "says"),
    [
        (1, 0, "It runs at once."),
        (1, 1, "It runs at the time it was scheduled for."),
        (9, 9, "They run at the times they were scheduled for."),
        (9, 1, "1 of them keeps its scheduled time; the others run at once."),
        (9, 3, "3 of them keep their scheduled times; the others run at once."),
        (4, 3, "3 of them keep their scheduled times; the other runs at once."),
    ],
)
def test_a_preview_says_of_this_set_when_it_runs(count, later, says):
    assert lines(replace(PREVIEW, skips=(), count=count, later=later))[1] == says


@pytest.mark.parametrize(
    ("preview", "question"),
    [
        (PREVIEW, "Retry 35 jobs?"),
        (replace(PREVIEW, verb="cancel", count=1, skips=()), "Cancel 1 job?"),
        (
            replace(PREVIEW, verb="cancel", count=5, skips=(), running=2),
            "Cancel 3 jobs and ask 2 running jobs to abort?",
        ),
        (
            replace(PREVIEW, verb="cancel", count=1, skips=(), running=1),
            "Ask 1 running job to abort?",
        ),
        (FORCE, "Rescue 1 job by force?"),
        (replace(PREVIEW, verb="discard", skips=(MISSING,)), "Discard 37 jobs?"),
        (PURGE_PREVIEW, "Delete 1,204 jobs?"),
    ],
)
def test_the_question_repeats_verb_number_and_noun(preview, question):
    assert render_question(preview) == question


def test_named_jobs_that_do_not_fit_are_left_out_and_not_subtracted():
    preview = replace(PREVIEW, count=2, skips=(MISSING,))
    assert preview.expected == 2
    text = render_text(preview)
    assert text.startswith("2 jobs of webhook would be retried.\nLeft out 1: not found, or")


def test_what_is_beyond_the_largest_set_is_counted_before_and_after():
    sentence = (
        "1,204 more remain beyond the largest set of 50,000. Run the same command again for them."
    )
    assert sentence in lines(replace(PREVIEW, count=50_000, remain=1204))
    assert sentence in lines(replace(BULK, requested=50_000, done=50_000, remain=1204))
    cut = lines(replace(BULK, requested=50_000, done=49_998, remain=1204, stopped=True, skips=()))
    assert "Stopped: 2 jobs not processed." in cut
    assert sentence.replace("for them", "for all of them") in cut


def test_many_queues_and_tasks_are_cut_with_numbers_that_add_up():
    groups = tuple(SetGroup(f"q{number}", "t", 2) for number in range(25))
    text = render_text(replace(PREVIEW, count=50, skips=(), groups=groups))
    assert text.startswith("50 jobs of 25 queues would be retried.")
    assert "5 more groups, 10 jobs, not shown. --json has them." in text


def test_a_purge_preview_has_a_row_a_status_and_names_what_is_kept():
    assert lines(PURGE_PREVIEW) == [
        "1,204 finished jobs would be deleted.",
        "This cannot be undone.",
        "",
        "Status      Jobs  Ended before (UTC)",
        "succeeded  1,204  2026-02-10 03:14",
        "failed         –  2025-12-12 03:14",
        "Kept regardless of age: cancelled, aborted jobs.",
        "",
        "Asked: purge",
    ]


@pytest.mark.parametrize(
    ("preview", "says"),
    [
        (replace(PREVIEW, key=None, count=0, groups=(), skips=()),
         "Nothing to do: no job matches retry --all webhook."),
        (replace(PURGE_PREVIEW, key=None, count=0),
         "Nothing to purge: no finished job is old enough."),
        (replace(PURGE_PREVIEW, key=None, count=0, turns=3),
         "Found nothing to purge."),
    ],
)  # fmt: skip
def test_nothing_to_do_is_one_sentence(preview, says):
    assert lines(preview)[0] == says
    assert len(lines(preview)) == 1 or preview.turns


def test_an_outcome_says_what_was_done_what_was_skipped_and_how_to_follow():
    assert lines(BULK) == [
        "35 jobs of webhook retried in 3 s.",
        "2 skipped: queueing lock taken (4713, 4720).",
        "Follow: jobs-maint stats webhook",
    ]


@pytest.mark.parametrize(("verb", "done"), [("cancel", "cancelled"), ("discard", "discarded")])
def test_what_can_be_undone_names_the_command(verb, done):
    report = replace(BULK, verb=verb, words=f"{verb} --all webhook", skips=(), requested=35)
    assert lines(report) == [
        f"35 jobs of webhook {done} in 3 s.",
        "Undo: jobs-maint retry --request 17",
    ]


def test_a_stopped_outcome_counts_what_was_not_looked_at():
    report = replace(BULK, requested=1037, stopped=True)
    assert "Stopped: 1,000 jobs not processed. Run the same command again for them." in lines(
        report
    )


def test_a_reason_of_one_job_is_told_in_full_and_of_many_in_short():
    one = SkipGroup("queueing_lock_taken", "job 5 has the same queueing lock (x)", 1, (7,))
    assert "1 skipped: job 5 has the same queueing lock (x) (7)." in lines(
        replace(BULK, skips=(one,))
    )
    many = replace(LOCK, count=9)
    assert "9 skipped: queueing lock taken (4713, 4720 and 7 more)." in lines(
        replace(BULK, skips=(many,))
    )


def test_a_force_says_the_risk_before_anything_else():
    assert lines(FORCE)[:3] == [
        "1 job of reports would be rescued.",
        "Worker 3 (host-a pid 31) has been running it since 03:02.",
        "If that worker is still running it, the job will run twice.",
    ]


def test_a_rescue_of_several_says_what_became_of_each_kind():
    assert lines(RESCUED) == [
        "2 jobs of reports rescued in 0.1 s.",
        "1 put back: its worker is gone (1).",
        "1 failed for good: it was already put back 3 times (2).",
        "1 skipped: worker 3 (host-a pid 31) is running it (3).",
        "Follow: jobs-maint stats reports",
    ]


def test_running_jobs_of_a_cancel_are_counted_apart_before_and_after():
    words = "cancel --all email --running"
    both = replace(PREVIEW, verb="cancel", words=words, skips=(), count=5, running=2)
    assert lines(both)[0] == (
        "5 jobs of webhook: 3 would be cancelled, 2 run and would be asked to abort."
    )
    only = replace(both, count=1, running=1)
    assert lines(only)[0] == "1 job of webhook: 1 runs and would be asked to abort."
    undo = "The outcome says how to undo this."
    assert (undo in lines(both), undo in lines(only)) == (True, False)
    asked = SkipGroup("abort_requested", "it is running", 2, (4, 5))
    done = replace(
        BULK, verb="cancel", words=words, requested=5, done=5, skips=(),
        became=(SkipGroup("cancelled", "", 3, (1, 2, 3)), asked),
    )  # fmt: skip
    assert lines(done) == [
        "3 jobs of webhook cancelled and 2 running jobs asked to abort in 3 s.",
        "Undo: jobs-maint retry --request 17",
    ]
    assert lines(replace(done, requested=2, done=2, became=(asked,))) == [
        "2 running jobs asked to abort in 3 s."
    ]


def test_nothing_done_offers_no_undo():
    text = render_text(replace(BULK, verb="discard", done=0))
    assert text.startswith("No job of webhook was discarded.")
    assert "Undo" not in text


def test_a_purge_counts_by_status():
    assert lines(PURGE) == [
        "1,204 jobs deleted in 3 s, 12 batches.",
        "",
        "Status     Deleted",
        "succeeded    1,000",
        "failed         204",
    ]
    stopped = render_text(replace(PURGE, finished=False))
    assert "Stopped before the end. Run the same command again for the rest." in stopped
    by = render_text(replace(PURGE, finished=False, stopped_by="slack:U0BO (bo)"))
    assert "Stopped by slack:U0BO (bo) before the end." in by


def test_a_rescue_has_a_row_a_job_with_its_reason():
    assert lines(RESCUE) == [
        "1 job without a worker: 1 put back.",
        "",
        "ID  Queue  Task  Became    Why",
        " 7  email  send  put back  its worker died",
        "",
        (
            "1 running job has no live worker, but the rescue acts on it in 19 s; ask again then:"
            " jobs-maint stuck."
        ),
    ]
    assert "    its worker died" in lines(RESCUE, width=60)
    idle = replace(RESCUE, acts_in_seconds=None, rescue_idle="no_worker")
    assert " ".join(lines(idle)).endswith(
        "1 running job has no live worker, but is not due yet: jobs-maint stuck. No worker listens "
        "to the queue of the rescue: stuck jobs stay so until one does, or somebody rescues them."
    )


def test_a_running_job_is_said_to_run_and_offers_no_undo():
    item = ItemResult(12, ItemOutcome.DONE, "abort_requested", "x", "email", "a.send")
    assert lines(ActReport((item,), 0, "cancel")) == [
        "Job 12 (email, send) runs; its worker was asked to abort it."
    ]


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("result", EVERY)
def test_no_line_is_wider_than_the_terminal(result, width):
    assert max(map(len, lines(result, width))) <= width


def test_foreign_text_is_harmless():
    skip = SkipGroup(EVIL, EVIL, 1, (1,))
    item = ItemResult(1, ItemOutcome.FAILED, EVIL, EVIL, EVIL, EVIL)
    for result in (
        replace(PREVIEW, words=EVIL, groups=(SetGroup(EVIL, EVIL, 1),), skips=(skip,)),
        replace(PREVIEW, words=EVIL, key=None),
        replace(BULK, queues=(EVIL,), skips=(skip,), failures=(skip,), left_out=(skip,)),
        PurgeReport({EVIL: 1}, 1, 0.1, True, trimmed={EVIL: 1}),
        RescueReport((item,), 0, 0.1),
    ):
        for text in (render_text(result), render_json(result)):
            assert all(char == "\n" or char.isprintable() for char in text)


@pytest.mark.parametrize(
    ("result", "kind", "more"),
    [
        (PREVIEW, "preview", {"expected": 35, "count": 37, "key": "key"}),
        (BULK, "bulk", {"left": 0, "done": 35, "queues": ["webhook"]}),
        (PURGE, "purge", {"total": 1204, "finished": True}),
        (RESCUE, "rescue", {"counts": {"put_back": 1}, "suspects": 1}),
        (ActReport((), 0.0, "cancel"), "cancel", {"done": 0, "skipped": 0}),
    ],
)
def test_json_names_its_kind_and_has_what_the_text_counts(result, kind, more):
    data = build_data(result)
    assert next(iter(data.items())) == ("kind", kind)
    assert {name: data[name] for name in more} == more


def test_a_purge_that_looks_through_a_large_table_in_turns_says_so():
    shown = render_text(replace(PURGE_PREVIEW, turns=5)), render_text(replace(PURGE, turns=5))
    assert all("in 5 turns, one a day" in " ".join(text.split()) for text in shown)


@pytest.mark.parametrize(
    ("queues", "count", "live", "listened", "says"),
    [
        (("web",), 1, False, (), "No worker is alive: it waits until one starts."),
        (("web",), 9, True, None, ""),
        (("web", "pay"), 9, True, {"web", "pay"}, ""),
        (("web",), 9, True, {"pay"}, "listens to web: they wait until one does."),
        (("web", "pay"), 9, True, {"pay"}, "listens to web: its jobs wait until one does."),
        (
            ("a", "b", "c"),
            9,
            True,
            {"c"},
            "to a and 1 other queue: their jobs wait until one does.",
        ),
        (("",), 9, True, {"c"}, 'No live worker listens to "": they wait until one does.'),
    ],
)
def test_whether_anybody_runs_what_is_put_back(queues, count, live, listened, says):
    said = say_unserved(queues, count, live=live, listened=listened)
    assert said.endswith(says)
    assert bool(said) is bool(says)


def test_a_retry_tells_what_failed_meanwhile_and_that_nobody_runs_it():
    alone = "No worker is alive: they wait until one starts."
    text = render_text(replace(BULK, verb="retry", newer=31, warnings=(alone,)), width=120)
    assert f"31 more failed since the preview: jobs-maint {BULK.words}" in text
    assert alone in text
    asked = replace(PREVIEW, verb="retry", words="retry --all webhook", later=0, warnings=(alone,))
    text = render_text(asked, width=120)
    assert alone in text
    assert "They run at once." not in text
