"""What an act on a set did, how far it has come, and what is said when it breaks off."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chatbot.messages.aftermath import render_job_after
from chatbot.messages.late import render_lost
from chatbot.messages.marking import Mark, mark_done, tell_who, tell_who_ran
from chatbot.messages.outcome import render_bulk, render_dropped, render_too_late
from chatbot.messages.packer import pack
from chatbot.messages.parts import Button
from chatbot.messages.parts import buttons as buttons_of
from chatbot.messages.progress import KEPT, Progress, render_broken, render_progress
from chatbot.messages.purge import render_purge
from jobs_maint.actions import BulkVerb, PreviewBulk
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import (
    Aftermath,
    BulkReport,
    ItemOutcome,
    ItemResult,
    LostRun,
    PurgeReport,
    SkipGroup,
)
from local_slack.blocks import check_blocks
from local_slack.text import render_blocks

WHO = (["Retried"],)
NOW = datetime(2026, 3, 12, 3, 24, tzinfo=UTC)
LOCK = SkipGroup(
    "queueing_lock_taken", "job 5 has the same queueing lock (x)", 2, (4713, 4720)
)  # fmt: skip
BROKEN = SkipGroup("error", "the database refused: it is full", 1, (8,))
RETRY = BulkReport(
    "retry", "retry --all webhook", 17, 37, 35, (LOCK,), (), 3.2, queues=("webhook",)
)
CANCEL = replace(RETRY, verb="cancel", words="cancel --all webhook", skips=(), requested=35)
DISCARD = replace(CANCEL, verb="discard", words="discard --all webhook")
RUNNING = replace(
    CANCEL, words="cancel --all webhook --running",
    became=(SkipGroup("cancelled", "", 30, (1,)), SkipGroup("abort_requested", "", 5, (2,))),
)  # fmt: skip
RESCUE = replace(
    CANCEL, verb="rescue", words="rescue 12 13", requested=2, done=2,
    became=(SkipGroup("put_back", "", 1, (12,)),
            SkipGroup("failed", "worker 3 is gone; the rescue gave up", 1, (13,))),
)  # fmt: skip
AT_WORK = Progress("retry", "retry --all webhook", "U0ANA", 21, 35, 0.21, 17)
LOST = LostRun(
    17, "U0ANA", "retry", "retry --all webhook", {"done": 488, "skipped": 12}, 1_200, "C0OPS",
    "1.2", NOW,
)  # fmt: skip


def lines(message):
    check_blocks(message.blocks)
    return render_blocks(message.blocks, 500).splitlines()


def buttons(message):
    return {
        element["text"]["text"]: element["value"]
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    }


def bulk(report, **options):
    return render_bulk(report, "/jobs", by="U0ANA", **options)


@pytest.mark.parametrize(
    ("report", "says"),
    [
        (RETRY, ("✅ 35 jobs of webhook retried by @U0ANA in 3 s. "
                "2 skipped: queueing lock taken (4713, 4720).")),
        (replace(RETRY, skips=(), requested=35), "✅ 35 jobs of webhook retried by @U0ANA in 3 s."),
        (replace(RETRY, skips=(), requested=1, done=1),
         "✅ 1 job of webhook retried by @U0ANA in 3 s."),
        (replace(RETRY, skips=(), requested=50_000, done=50_000, queues=("a", "b")),
         "✅ 50,000 jobs of 2 queues retried by @U0ANA in 3 s."),
        (replace(RETRY, done=0, requested=2),
         ("🟡 No job of webhook was retried. Requested by @U0ANA. "
         "2 skipped: queueing lock taken (4713, 4720).")),
        (replace(RETRY, skips=(), failures=(BROKEN,), requested=36),
         ("🟡 35 jobs of webhook retried by @U0ANA in 3 s. "
         "1 failed (job 8): the database refused: it is full.")),
        (CANCEL, "✅ 35 jobs of webhook cancelled by @U0ANA in 3 s."),
        (RUNNING, ("✅ 30 jobs of webhook cancelled by @U0ANA in 3 s. "
                  "5 more are running; their workers were asked to abort them.")),
        (replace(RUNNING, done=5, became=RUNNING.became[1:]),
         "✅ 5 running jobs of webhook asked to abort by @U0ANA in 3 s."),
        (DISCARD, "✅ 35 jobs of webhook discarded by @U0ANA in 3 s."),
        (RESCUE,
         ("🟡 1 job of webhook put back by @U0ANA in 3 s. "
         "1 failed for good (job 13): the rescue gave up.")),
        (replace(RESCUE, done=1, became=RESCUE.became[1:]),
         ("🟡 No job of webhook put back by @U0ANA in 3 s. "
         "1 failed for good (job 13): the rescue gave up.")),
        (replace(CANCEL, verb="park", words="park"),
         "✅ 35 jobs of webhook changed by @U0ANA in 3 s."),
    ],
)  # fmt: skip
def test_the_outcome_says_how_many_by_whom_and_why_not_the_others(report, says):
    assert lines(bulk(report))[0] == says


def test_each_reason_has_a_line_and_one_job_is_told_in_full():
    one = SkipGroup("wrong_status", "it is running; only failed jobs can be retried", 1, (5,))
    left = SkipGroup("wrong_status", "not found, or in a status that does not allow it", 3, (7, 8))
    report = replace(RETRY, requested=38, skips=(LOCK, one), left_out=(left,))
    assert lines(bulk(report))[1:4] == [
        "2 skipped: queueing lock taken (4713, 4720).",
        "1 skipped (job 5): it is running; only failed jobs can be retried.",
        "3 left out: not found, or in a status that does not allow it (7, 8 and 1 more).",
    ]


@pytest.mark.parametrize(
    ("report", "says"),
    [
        (replace(CANCEL, words="cancel --all newsletter", queues=("newsletter",), done=45_000,
                 requested=63_000),
         "🟡 Stopped: 45,000 newsletter jobs cancelled by @U0ANA, 18,000 still wait."),
        (replace(CANCEL, requested=36),
         "🟡 Stopped: 35 webhook jobs cancelled by @U0ANA, 1 still waits."),
        (replace(RETRY, skips=(), requested=235),
         "🟡 Stopped: 35 webhook jobs retried by @U0ANA, 200 stay failed."),
        (replace(RETRY, skips=(), done=1, requested=2),
         "🟡 Stopped: 1 webhook job retried by @U0ANA, 1 stays failed."),
        (replace(RETRY, skips=(), done=0, requested=2),
         "🟡 Stopped: no webhook job retried by @U0ANA, 2 stay failed."),
        (replace(DISCARD, requested=235, queues=("a", "b")),
         "🟡 Stopped: 35 jobs of 2 queues discarded by @U0ANA, 200 stay failed."),
        (replace(RUNNING, requested=1_035),
         ("🟡 Stopped: 30 webhook jobs cancelled by @U0ANA, 1,000 were not looked at. "
         "5 more are running; their workers were asked to abort them.")),
        (replace(RETRY, words="retry --request 9 --status cancelled", skips=(), requested=235),
         "🟡 Stopped: 35 jobs put back into webhook by @U0ANA, 200 stay cancelled."),
        (replace(RESCUE, requested=1_002),
         ("🟡 Stopped: 1 webhook job put back by @U0ANA, 1,000 were not looked at. "
         "1 failed for good (job 13): the rescue gave up.")),
    ],
)  # fmt: skip
def test_a_stopped_act_says_how_many_were_done_and_what_is_so_of_the_others(report, says):
    message = bulk(replace(report, stopped=True))
    assert lines(message)[0] == says
    assert buttons(message)["Preview the rest"] == report.words
    because = bulk(replace(report, stopped=True), why_stopped="the bot is shutting down")
    assert "The bot is shutting down." in because.text


@pytest.mark.parametrize("report", [RETRY, CANCEL, DISCARD])
def test_what_is_beyond_the_largest_set_can_be_previewed_next(report):
    message = bulk(replace(report, remain=1))
    assert "1 more remains beyond the largest set of" in message.text
    assert lines(message)[0].startswith("✅ ")
    assert buttons(message)["Preview the rest"] == report.words


@pytest.mark.parametrize(("report", "number"), [(CANCEL, 35), (RUNNING, 30), (DISCARD, 35)])
def test_what_was_cancelled_or_discarded_can_be_put_back_by_its_request(report, number):
    words = buttons(bulk(report))[f"Put {number} jobs back"]
    action = parse_words(split_text(words), "slack").action
    assert isinstance(action, PreviewBulk)
    assert (action.bulk, action.filter.request, action.words()) == (BulkVerb.RETRY, 17, words)
    assert action.filter.statuses == ("cancelled",)


@pytest.mark.parametrize(
    "report",
    [RETRY, RESCUE, replace(DISCARD, done=0), replace(RUNNING, done=5, became=RUNNING.became[1:])],
)
def test_there_is_no_undo_where_nothing_could_be_put_back(report):
    assert buttons(bulk(report)) == {}


@pytest.mark.parametrize(
    ("queues", "follow"),
    [
        (("webhook",), "/jobs stats webhook"),
        (("two words",), '/jobs stats "two words"'),
        ((), "/jobs stats"),
    ],
)
def test_what_runs_again_can_be_followed(queues, follow):
    assert f"back in the queue · `{follow}` shows how they go" in lines(
        bulk(replace(RETRY, queues=queues))
    )


def test_what_stays_and_what_comes_next_and_where_it_is_kept_are_lines_of_their_own():
    assert lines(bulk(replace(RETRY, remain=7))) == [
        "✅ 35 jobs of webhook retried by @U0ANA in 3 s.",
        "2 skipped: queueing lock taken (4713, 4720).",
        "7 more remain beyond the largest set of 37; run the same command again for them.",
        "back in the queue · `/jobs stats webhook` shows how they go",
        "[Preview the rest]",
        "request 17 · /jobs retry --all webhook",
    ]


@pytest.mark.parametrize(
    ("report", "shown"),
    [
        (PurgeReport({"succeeded": 1_000, "failed": 204}, 12, 3.2, True, oldest_left=NOW),
         ["✅ 1,204 jobs deleted by @U0ANA in 3 s.", "1,000 succeeded, 204 failed.",
          "The oldest remaining finished job ended 12 Mar 03:24 UTC.", "/jobs purge"]),
        (PurgeReport({}, 0, 0.1, True),
         ["🟢 No job was deleted. Requested by @U0ANA.", "/jobs purge"]),
        (PurgeReport({"succeeded": 1}, 1, 0.1, True, dry_run=True),
         ["1 job would be deleted.", "1 succeeded.", "/jobs purge"]),
    ],
)  # fmt: skip
def test_a_purge_counts_by_status_and_says_what_is_left(report, shown):
    assert lines(render_purge(report, "/jobs", by="U0ANA", words="purge")) == shown


def test_a_purge_that_was_stopped_goes_on_by_the_same_words():
    report = PurgeReport({"succeeded": 50_000}, 12, 3.2, False)
    message = render_purge(report, "/jobs", by="U0ANA", words="purge --older-than 30d")
    assert lines(message)[0] == "🟡 Stopped: 50,000 jobs deleted by @U0ANA in 3 s."
    assert "Run the same command again for the rest." in message.text
    assert buttons(message) == {"Preview the rest": "purge --older-than 30d"}
    assert buttons(render_purge(report, "/jobs", by="U0ANA")) == {}
    stopped = replace(report, stopped_by="slack:U0BOB (bo)")
    assert (
        "Stopped by <@U0BOB>. Run the same command again"
        in render_purge(stopped, "/jobs", by="U0ANA").text
    )


@pytest.mark.parametrize(
    ("progress", "title", "figures"),
    [
        (AT_WORK, "Retrying 35 jobs of webhook: 21 done",
         "██████░░░░  60 % · 100 jobs/s · about 1 s left"),
        (replace(AT_WORK, done=0, elapsed_seconds=0.0),
         "Retrying 35 jobs of webhook: 0 done", "░░░░░░░░░░  0 %"),
        (replace(AT_WORK, done=35, elapsed_seconds=0.35),
         "Retrying 35 jobs of webhook: 35 done", "██████████  100 % · 100 jobs/s"),
        (replace(AT_WORK, done=49_999, total=50_000, elapsed_seconds=500.0),
         "Retrying 50,000 jobs of webhook: 49,999 done",
         "█████████░  99 % · 100 jobs/s · about 1 s left"),
        (replace(AT_WORK, done=1, total=61, elapsed_seconds=10.0),
         "Retrying 61 jobs of webhook: 1 done",
         "░░░░░░░░░░  1 % · 6 jobs/min · about 10 min left"),
        (replace(AT_WORK, done=0, total=0), "Retrying 0 jobs of webhook: 0 done",
         "██████████  100 %"),
        (replace(AT_WORK, verb="purge", words="purge", total=None, elapsed_seconds=2.0),
         "Deleting jobs: 21 done", "10 jobs/s"),
        (replace(AT_WORK, verb="purge", words="purge", done=9, total=8, elapsed_seconds=9.0),
         "Deleting 8 jobs: 9 done", "██████████  100 % · 1 job/s"),
        (replace(AT_WORK, verb="park", words="?", total=1, done=0, elapsed_seconds=1.0),
         "Working on 1 job: 0 done", "░░░░░░░░░░  0 %"),
    ],
)  # fmt: skip
def test_progress_is_a_bar_its_rate_and_the_time_left(progress, title, figures):
    assert lines(render_progress(progress, "/jobs"))[:2] == [title, figures]


def test_an_act_at_work_can_be_stopped_once_it_has_a_number():
    assert buttons(render_progress(AT_WORK, "/jobs")) == {"Stop": "17"}
    assert "jobs_stop:17" in str(render_progress(AT_WORK, "/jobs").blocks)
    for progress in (replace(AT_WORK, audit_id=None), replace(AT_WORK, stopping=True)):
        assert buttons(render_progress(progress, "/jobs")) == {}
    stopping = render_progress(replace(AT_WORK, stopping=True), "/jobs")
    assert "Stopping after this batch." in lines(stopping)
    assert "left" not in stopping.text


def test_the_bar_is_not_read_aloud():
    text = render_progress(AT_WORK, "/jobs").text
    assert "\n60 % · 100 jobs/s" in text
    assert "█" not in text


def test_an_interrupted_act_says_how_far_it_came_and_offers_the_rest():
    skips = {"queueing_lock_taken": 11, "ran_again": 1}
    message = render_lost(replace(LOST, skips=skips), "/jobs")
    assert lines(message) == [
        "🟡 Interrupted after 500 of 1,200 jobs.",
        (
            "The bot stopped while retrying jobs of webhook: 488 retried, 11 skipped: queueing "
            "lock taken, 1 skipped: it ran again since the preview. Completed work is kept; "
            "nothing runs twice."
        ),
        "[Preview the rest]",
        "confirmed by @U0ANA at 03:24 UTC · request 17 · /jobs retry --all webhook",
    ]
    assert buttons(message) == {"Preview the rest": "retry --all webhook"}


@pytest.mark.parametrize("words", ["cancel --all webhook", "cancel --all webhook --running"])
def test_an_interrupted_cancel_offers_its_undo_without_a_number(words):
    """Others may have put some back while it ran, and until it was told."""
    message = render_lost(replace(LOST, word="cancel", words=words), "/jobs")
    assert list(buttons(message)) == ["Preview the rest", "Put them back"]


def test_what_is_told_late_has_the_words_of_what_is_told_at_once():
    back = replace(
        LOST, words="retry --all webhook --status cancelled", counts={"done": 1_200}, outcome="done"
    )
    first = lines(render_lost(back, "/jobs"))[0]
    assert first == "✅ 1,200 jobs put back into webhook."
    report = replace(RETRY, words=back.words, queues=("webhook",), done=1_200)
    assert lines(bulk(report))[0].startswith(first[:-1])
    broken = lines(render_lost(replace(back, outcome="interrupted"), "/jobs"))[1]
    assert broken.startswith(
        "The bot stopped while putting jobs back into webhook: 1,200 put back. "
    )


def test_an_interrupted_purge_does_not_count_rows_of_our_own_tables():
    counts = {"succeeded": 500, "jobs_maint_audit": 40}
    run = replace(LOST, word="purge", words="purge", counts=counts, total=None)
    assert lines(render_lost(run, "/jobs"))[0] == "🟡 Interrupted after 500 jobs."


def test_an_act_that_was_interrupted_at_once_says_so():
    assert lines(render_lost(replace(LOST, counts={}), "/jobs"))[0] == (
        "🟡 Interrupted before the first of 1,200 jobs."
    )


ONE = replace(
    LOST, words="retry 7", counts={"done": 1}, total=None, outcome="done",
    changed=((7, "put_back"),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("run", "shown", "labels"),
    [
        (ONE, ["✅ Job 7 retried.", "The bot could not say so before."], []),
        (
            replace(ONE, word="cancel", words="cancel 7", counts={"abort_requested": 1},
                    changed=((7, "abort_requested"),)),
            ["✅ Job 7 asked to abort.", "The bot could not say so before."],
            ["Put them back"],
        ),
        (
            replace(LOST, word="cancel", words="cancel 7 8", counts={"done": 2}, outcome="done"),
            ["✅ 2 jobs cancelled.", "The bot could not say so before."],
            ["Put them back"],
        ),
        (
            replace(LOST, word="cancel", words="cancel --all webhook --running", outcome="done",
                    counts={"done": 2, "abort_requested": 3}),
            [
                "✅ 2 jobs of webhook cancelled.",
                "3 more asked to abort. The bot could not say so before.",
            ],
            ["Put them back"],
        ),
        (
            replace(LOST, outcome="partly"),
            ["🟡 488 jobs of webhook retried.", "12 skipped. The bot could not say so before."],
            ["Preview the rest"],
        ),
        (
            replace(LOST, word="purge", words="purge", total=600, outcome="done",
                    counts={"succeeded": 400, "failed": 88}),
            ["✅ 488 jobs deleted.", "The bot could not say so before."],
            [],
        ),
        (
            replace(LOST, outcome="failed", error="the disk is full"),
            [
                "🔴 Stopped by an error after 500 of 1,200 jobs.",
                "The disk is full.",
                f"488 retried, 12 skipped. {KEPT}. The bot could not say so before.",
            ],
            ["Preview the rest"],
        ),
        (
            replace(LOST, outcome="refused", counts={"skipped": 1_200}),
            ["🟡 No job of webhook retried.", "1,200 skipped. The bot could not say so before."],
            [],
        ),
    ],
    ids=["one", "abort", "set", "some running", "partly", "purge", "failed", "none"],
)  # fmt: skip
def test_an_act_of_which_nobody_was_told_says_what_it_did(run, shown, labels):
    message = render_lost(run, "/jobs")
    assert lines(message)[: len(shown)] == shown
    assert list(buttons(message)) == labels


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("take 7", "✅ The error of job 7 was taken by @U0ANA."),
        (
            "mute E-4f2a --above 9/h",
            "✅ E-4f2a was muted by @U0ANA until it fails more than 9 times an hour.",
        ),
        ("soothe E-4f2a", "✅ Done by @U0ANA."),  # of another version
    ],
)
def test_a_change_of_no_jobs_is_told_late_too(words, said):
    word = words.partition(" ")[0]
    run = replace(LOST, word=word, words=words, counts={}, total=None, outcome="done")
    message = render_lost(run, "/jobs")
    assert lines(message)[:2] == [said, "The bot could not say so before."]
    assert f"/jobs {words}" in message.text


def test_how_far_an_act_came_is_no_exact_number_while_the_database_does_not_answer():
    unsure = replace(AT_WORK, done=500, total=1_200, certain=False)
    [first, *_] = lines(render_broken(unsure, "/jobs", reason="nobody answers"))
    assert first == "🔴 Stopped by an error after about 500 of 1,200 jobs."
    at_once = replace(unsure, done=0)
    [first, *_] = lines(render_broken(at_once, "/jobs", reason="nobody answers"))
    assert first == "🔴 Stopped by an error in the first batch of 1,200 jobs."


def test_who_asked_is_no_mention_where_the_id_is_none_of_slack():
    message = render_lost(replace(LOST, actor_id="root> <!channel"), "/jobs")
    assert "<!channel" not in str(message.blocks) + message.text


def test_an_act_that_broke_says_why_and_offers_the_rest():
    broken = replace(AT_WORK, done=500, total=1_200)
    message = render_broken(broken, "/jobs", reason="the jobs database is not there")
    assert lines(message)[:3] == [
        "🔴 Stopped by an error after 500 of 1,200 jobs.",
        "The jobs database is not there.",
        "Completed work is kept; nothing runs twice. Once that is fixed, preview the rest.",
    ]
    assert buttons(message) == {"Preview the rest": "retry --all webhook"}
    assert "request 17" in message.text


def test_an_act_that_broke_says_why_jobs_failed_in_it_the_three_most_frequent_reasons():
    counts = {"done": 480, "skipped": 2, "failed": 18}
    failures = tuple(SkipGroup("error", f"reason {n}", n) for n in (8, 6, 3, 1))
    skips = {"queueing_lock_taken": 2}
    broken = replace(AT_WORK, done=500, total=1_200, counts=counts, skips=skips, failures=failures)
    assert lines(render_broken(broken, "/jobs", reason="nobody answers"))[2].startswith(
        "480 retried, 2 skipped: queueing lock taken; 8 failed: reason 8; 6 failed: reason 6; "
        "3 failed: reason 3; 1 failed for other reasons. Completed work is kept;"
    )


@pytest.mark.parametrize(
    ("words", "counts", "said", "undo"),
    [
        ("retry --all webhook", {"done": 488, "skipped": 12}, "488 retried, 12 skipped. ", []),
        ("retry --all webhook --status cancelled", {"done": 500}, "500 put back. ", []),
        ("cancel --all webhook", {"done": 500}, "500 cancelled. ", ["Put 500 jobs back"]),
        (
            "cancel --all webhook --running",
            {"done": 1, "abort_requested": 499},
            "1 cancelled, 499 asked to abort. ",
            ["Put 1 job back"],
        ),
        ("cancel --all webhook --running", {"abort_requested": 500}, "500 asked to abort. ", []),
        ("discard --all webhook", {"done": 499, "failed": 1}, "499 discarded, 1 failed. ",
         ["Put 499 jobs back"]),
        ("purge", {"succeeded": 400, "failed": 100}, "500 deleted. ", []),
        ("rescue 7 8 9", {"done": 2, "skipped": 498}, "2 rescued, 498 skipped. ", []),
        ("cancel --all webhook", {}, "", []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("certain", [True, False])
def test_an_act_that_broke_says_what_was_done_and_how_to_undo_it(
    words, counts, said, undo, certain
):
    broken = replace(
        AT_WORK, verb=words.split()[0], words=words, done=500, total=1_200, counts=counts,
        certain=certain,
    )  # fmt: skip
    message = render_broken(broken, "/jobs", reason="the disk is full")
    if not certain:
        said, undo = f"About {said}" if said else "", ["Put them back" for _ in undo]
    assert lines(message)[2].startswith(f"{said}Completed work is kept; ")
    assert list(buttons(message)) == ["Preview the rest", *undo]
    if undo:
        assert buttons(message)[undo[0]] == "retry --status cancelled --request 17"


def test_a_preview_that_was_put_off_can_be_had_again():
    message = render_dropped("retry --all webhook", "/jobs", by="U0ANA")
    assert lines(message)[:2] == [
        "Nothing was changed. Dismissed by @U0ANA.", "/jobs retry --all webhook",
    ]  # fmt: skip
    assert buttons(message) == {"New preview": "retry --all webhook"}


def test_a_preview_is_offered_again_only_when_its_time_was_over():
    late = render_too_late("purge", "/jobs", why="late")
    assert "🟡 This preview is older than ten minutes; nothing was changed." in lines(late)
    assert buttons(late) == {"New preview": "purge"}
    replaced = render_too_late("purge", "/jobs", why="replaced")
    assert "🟡 Replaced by a newer preview. This one changed nothing." in lines(replaced)
    assert buttons(replaced) == {}


@pytest.mark.parametrize(
    ("found", "says", "labels"),
    [
        ({"succeeded": 31, "failed": 4, "error": "httpx.ConnectTimeout", "errors": 1,
          "failed_ids": (5, 6)},
         "🔴 35 jobs of webhook retried: 31 succeeded, 4 failed again (ConnectTimeout).",
         ["Preview retry of 4", "Details"]),
        ({"failed": 1, "pending": 34, "errors": 2, "error": "E", "failed_ids": (5,)},
         "🔴 35 jobs of webhook retried: 1 failed again (mostly E), 34 still to end.",
         ["Retry job 5", "Details"]),
        ({"succeeded": 35}, "✅ 35 jobs of webhook retried: all succeeded.", []),
        ({"succeeded": 30, "pending": 5},
         "🟡 35 jobs of webhook retried: 30 succeeded, 5 still to end.", []),
        ({"succeeded": 30, "ended": 2, "gone": 3},
         "🟡 35 jobs of webhook retried: 30 succeeded, 2 cancelled or aborted, 3 deleted since.",
         []),
    ],
)  # fmt: skip
def test_nothing_stays_green_that_failed_again(found, says, labels):
    after = Aftermath(NOW, **found)
    message = bulk(replace(RETRY, skips=(), requested=35), after=after)
    assert lines(message)[0] == f"{says} Requested by @U0ANA, as of 03:24 UTC."
    assert list(buttons(message)) == labels
    if "Preview retry of 4" in labels:
        words = buttons(message)["Preview retry of 4"]
        wanted = parse_words(split_text(words), "slack").action.filter
        assert (wanted.request, wanted.statuses) == (17, ("failed",))
    # A set that was not done as a whole is not green, whatever became of what was done.
    partly = bulk(replace(RETRY, requested=36, failures=(BROKEN,)), after=after)
    assert lines(partly)[0][0] in "🟡🔴"


@pytest.mark.parametrize(
    ("found", "says", "labels"),
    [
        ({"failed": 1, "error": "httpx.ConnectTimeout", "errors": 1, "failed_ids": (216,)},
         "🔴 Job 216 failed again (ConnectTimeout).", ["Retry job 216", "Details"]),
        ({"succeeded": 1}, "✅ Job 216 was retried and succeeded.", ["Details"]),
        ({"gone": 1}, "✅ Job 216 was retried and deleted since.", ["Details"]),
        ({"pending": 1}, "🟡 Job 216 was retried and has not ended yet.", ["Details"]),
        ({"ended": 1}, "🟡 Job 216 was retried and stopped.", ["Details"]),
    ],
)  # fmt: skip
def test_one_retried_job_says_how_it_ended(found, says, labels):
    item = ItemResult(216, ItemOutcome.DONE, "put_back", "", "webhook", "app.deliver")
    message = render_job_after(item, Aftermath(NOW, **found), by="U0ANA")
    assert lines(message)[:2] == [
        says, "deliver in webhook, retried by @U0ANA, as of 03:24 UTC."
    ]  # fmt: skip
    assert list(buttons(message)) == labels


def test_a_button_that_was_used_says_by_whom_and_the_others_stay():
    message = bulk(replace(CANCEL, remain=7))
    words = buttons(message)["Put 35 jobs back"]
    who = Mark((tell_who("retry", "U0BOB", NOW, put_back=True),))
    marked = mark_done(message, {words: who})
    assert list(buttons(marked)) == ["Preview the rest"]
    assert "Put back by @U0BOB 03:24 UTC" in lines(marked)
    assert marked.text.endswith("Put back by <@U0BOB> 03:24 UTC")
    assert mark_done(marked, {words: who}) is marked
    both = mark_done(message, {words: who, CANCEL.words: Mark((tell_who("cancel", "U0ANA", NOW),))})
    assert buttons(both) == {}
    assert {"Put back by @U0BOB 03:24 UTC", "Cancelled by @U0ANA 03:24 UTC"} <= set(lines(both))
    full = replace(message, blocks=[*message.blocks, *({"type": "divider"} for _ in range(47))])
    assert len(mark_done(full, {words: who}).blocks) <= 50


@pytest.mark.parametrize(
    ("ran", "says"),
    [
        ({"done": 1, "requested": 1}, "Put back by <@U0ADA> 03:24 UTC"),
        ({"done": 50_000, "requested": 50_000}, "50,000 put back by <@U0ADA> 03:24 UTC"),
        ({"done": 33, "requested": 35}, "33 of 35 put back by <@U0ADA> 03:24 UTC"),
        ({"done": 5_718, "requested": 63_000, "stopped": True},
         "5,718 of 63,000 put back by <@U0ADA> 03:24 UTC, then stopped"),
    ],
)  # fmt: skip
def test_a_button_that_put_back_a_part_of_all_says_how_many(ran, says):
    report = replace(RETRY, **{"stopped": False, **ran})
    line = tell_who_ran(report, "U0ADA", NOW, put_back=True)
    assert "".join(getattr(one, "text", one) for one in line) == says


@pytest.mark.parametrize(
    ("mark", "label", "stays"),
    [
        (Mark(WHO, 2, None), "Put 4 jobs back", "Put 2 jobs back"),
        (Mark(WHO, 3, None), "Put 4 jobs back", "Put 1 job back"),
        (Mark(WHO, 4, None), "Put 4 jobs back", None),
        (Mark(WHO, 6, None), "Preview retry of 1,006", "Preview retry of 1,000"),
        (Mark(WHO, 2, 1), "Retry 3 jobs", "Retry 1 job"),
        (Mark(WHO, 2, 0), "Put 4 jobs back", None),
        (Mark(WHO, 2, None), "Put them back", "Put the rest back"),
        (
            Mark(WHO, 2, None),
            "Preview retry of all of E-7c2a",
            "Preview retry of the rest of E-7c2a",
        ),
    ],
)
def test_a_button_stays_for_what_was_not_done(mark, label, stays):
    message = pack([buttons_of(Button(label, "retry --all"))])
    assert list(buttons(mark_done(message, {"retry --all": mark}))) == ([stays] if stays else [])


@pytest.mark.parametrize(
    ("elapsed", "goes_on", "ended"),
    [
        (timedelta(0), "60 %", "in < 0.1 s."),
        (timedelta(hours=1), "about 40 min left", "in 60 min."),
        (timedelta(days=3), "about 2 d left", "in 3 d."),
    ],
)
def test_any_span_of_time_can_be_shown(elapsed, goes_on, ended):
    seconds = elapsed.total_seconds()
    at_work = lines(render_progress(replace(AT_WORK, elapsed_seconds=seconds), "/jobs"))
    assert at_work[1].endswith(f" {goes_on}")
    assert f" {ended} " in lines(bulk(replace(RETRY, elapsed_seconds=seconds)))[0]


def test_a_retry_tells_what_failed_meanwhile_and_that_nobody_runs_it():
    alone = "No worker is alive: they wait until one starts."
    report = replace(RETRY, newer=31, warnings=(alone,), skips=(), failures=(), stopped=False)
    message = render_bulk(report, "/jobs", by="U0ANA")
    shown = lines(message)
    assert alone in shown
    assert "31 more failed since the preview." in shown
    offered = [one for block in message.blocks for one in block.get("elements", ())]
    assert ("Preview retry of 31", RETRY.words) in [
        (one["text"]["text"], one["value"]) for one in offered if one["type"] == "button"
    ]
    assert "back in the queue" not in message.text
