"""The question before an act on a set: what it asks, what will not happen, who may say yes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chatbot.messages.preview import render_preview
from jobs_maint.models import Preview, SetError, SetErrors, SetGroup, SkipGroup
from local_slack.blocks import check_blocks
from local_slack.text import render_blocks

NOW = datetime(2026, 3, 12, 3, 24, tzinfo=UTC)
WEBHOOK = (SetGroup("webhook", "demo.tasks.deliver_webhook", 37),)
LOCK = SkipGroup(
    "queueing_lock_taken", "a job with the same queueing lock is already waiting", 2, (4713, 4720)
)
MISSING = SkipGroup("wrong_status", "not there, or in a status that does not fit", 1, (9,))
RETRY = Preview("retry", "retry --all webhook", "k3y", 37, 0, WEBHOOK, (LOCK,), NOW)
CANCEL = replace(RETRY, verb="cancel", words="cancel --all webhook", skips=())
DISCARD = replace(RETRY, verb="discard", words="discard --all webhook", skips=())
RESCUE = replace(RETRY, verb="rescue", words="rescue 12 13", count=2, skips=())
PURGE = Preview(
    "purge", "purge", "k3y", 12_044, 0, (), (), NOW,
    cutoffs={"succeeded": NOW - timedelta(days=30), "failed": NOW - timedelta(days=90)},
    by_status={"succeeded": 12_040, "failed": 4},
)  # fmt: skip
FORCE = Preview(
    "rescue", "rescue --force 4711", "k3y", 1, 0, (SetGroup("reports", "demo.build_report", 1),),
    (), NOW, warnings=("Worker 3 runs it since 02:10.",
                       "If that worker still runs it, the job will run twice."),
    risk=True,
)  # fmt: skip


def render(preview, **options):
    message = render_preview(preview, "/jobs", by="U0ANA", **options)
    check_blocks(message.blocks)
    return message


def lines(preview, **options):
    return render_blocks(render(preview, **options).blocks, 500).splitlines()


def elements(preview, **options):
    return [
        element
        for block in render(preview, **options).blocks
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def test_a_preview_asks_then_says_what_will_not_happen_and_who_may_confirm_until_when():
    assert lines(RETRY) == [
        "Retry 35 failed jobs of webhook?",
        (
            "2 of the 37 stay failed: a job with the same queueing lock is already waiting "
            "(4713, 4720)."
        ),
        "Task: deliver_webhook",
        "[Retry 35 jobs] [Not now]",
        "Only @U0ANA can confirm, until 03:24 UTC. Nothing beyond these 37 is touched.",
        "/jobs retry --all webhook",
    ]


ERRORS = SetErrors(
    10_000, (SetError(9_000, "ValueError: bad address", "E-4f2a"), SetError(900, None)), 2, 5,
    NOW - timedelta(hours=3), NOW - timedelta(minutes=5),
)  # fmt: skip


def test_a_preview_says_what_the_jobs_failed_with_and_when():
    shown = lines(replace(DISCARD, errors=ERRORS))
    at = shown.index("9,000 × ValueError: bad address  E-4f2a")
    assert shown[at + 1 : at + 5] == [
        "900 × error not recorded",
        "and 2 more errors, 100 jobs",
        "and 5 older jobs, whose errors were not read",
        "The newest 10,000 jobs failed from 00:24 UTC to 03:19 UTC.",
    ]
    whole = replace(ERRORS, jobs_not_read=0)
    named = "\n".join(lines(replace(DISCARD, errors=whole, error="ValueError: bad address")))
    assert "9,000 ×" not in named  # it is of one error, which is told already
    assert "Failed from" in named


def test_one_cause_in_several_tasks_names_the_task_in_each_line():
    groups = tuple(
        SetError(count, "ConnectionError: refused", f"E-1ba{count}", task=f"shop.{where}.sync")
        for count, where in ((8, "a"), (7, "b"))
    )
    shown = lines(replace(DISCARD, errors=SetErrors(15, groups)))
    at = shown.index("8 × shop.a.sync: ConnectionError: refused  E-1ba8")
    assert shown[at + 1] == "7 × shop.b.sync: ConnectionError: refused  E-1ba7"


def test_where_nothing_is_skipped_the_set_is_promised():
    assert "These 37 and no others will run." in lines(replace(RETRY, skips=()))[-2]
    later = lines(replace(RETRY, skips=(), later=37))
    assert "They run at the times they were scheduled for." in later
    assert "These 37 and no others are touched." in later[-2]


@pytest.mark.parametrize(
    ("preview", "title", "label"),
    [
        (replace(RETRY, words="retry --all"), "Retry 35 failed jobs of webhook?", "Retry 35 jobs"),
        (replace(RETRY, words="retry --all --status failed,aborted"),
         "Retry 35 jobs of webhook?", "Retry 35 jobs"),
        (replace(RETRY, words="retry 7 8", count=2, skips=()),
         "Retry 2 jobs of webhook?", "Retry 2 jobs"),
        (replace(RETRY, count=1, skips=()), "Retry 1 failed job of webhook?", "Retry 1 job"),
        (replace(RETRY, count=50_000, skips=()),
         "Retry 50,000 failed jobs of webhook?", "Retry 50,000 jobs"),
        (CANCEL, "Cancel 37 waiting jobs of webhook?", "Cancel 37 jobs"),
        (replace(CANCEL, words="cancel --all webhook --running", running=5),
         "Cancel or abort 37 jobs of webhook?", "Cancel or abort 37 jobs"),
        (replace(CANCEL, words="cancel --all webhook --running", running=37),
         "Abort 37 jobs of webhook?", "Abort 37 jobs"),
        (DISCARD, "Discard 37 failed jobs of webhook?", "Discard 37 jobs"),
        (RESCUE, "Rescue 2 jobs of webhook?", "Rescue 2 jobs"),
        (FORCE, "Rescue job 4711 of reports by force?", "Rescue job 4711 by force"),
        (PURGE, "Delete 12,044 finished jobs?", "Delete 12,044 jobs"),
        (replace(PURGE, words="purge --queue email"),
         "Delete 12,044 finished jobs of email?", "Delete 12,044 jobs"),
        (replace(RETRY, verb="park", words="park --all"), "Park 35 jobs of webhook?",
         "Park 35 jobs"),
    ],
)  # fmt: skip
def test_title_and_button_say_the_same_verb_and_number(preview, title, label):
    assert lines(preview)[0] == title
    assert elements(preview)[0]["text"]["text"] == label


@pytest.mark.parametrize(
    ("preview", "says"),
    [
        (CANCEL, ("Jobs that run now go on. Those that start before they are cancelled are asked "
                  "to abort. The outcome says how to undo this.")),
        (replace(CANCEL, words="cancel --all webhook --running", running=5),
         ("32 are waiting and will be cancelled; 5 are running and will be asked to abort. "
         "The outcome says how to undo this.")),
        (replace(CANCEL, words="cancel 7 8", running=1, count=2),
         ("1 is waiting and will be cancelled; 1 is running and will be asked to abort. "
         "The outcome says how to undo this.")),
        (DISCARD,
         "They become cancelled and stay until the purge. The outcome says how to undo this."),
        (PURGE, "This cannot be undone."),
        (replace(RETRY, skips=(), words="retry --all --request 17", later=3),
         "3 of them keep their scheduled times; the others run at once."),
        (FORCE, "If that worker still runs it, the job will run twice."),
        (replace(RETRY, skips=(MISSING,)),
         "1 left out (job 9): not there, or in a status that does not fit."),
        (replace(RETRY, count=50_000, remain=1_204),
         ("1,204 more remain beyond the largest set of 50,000; "
          "run the same command again for them.")),
        (replace(RETRY, skips=tuple(replace(LOCK, reason=str(i)) for i in range(8))),
         "6 more stay as they are for other reasons."),
    ],
)  # fmt: skip
def test_what_will_and_will_not_happen_is_said_before_the_confirmation(preview, says):
    assert says in lines(preview)


def test_confirm_and_not_now_carry_the_key_and_the_words():
    yes, no = elements(RETRY)
    assert (yes["action_id"], no["action_id"]) == ("jobs_confirm:k3y", "jobs_dismiss:k3y")
    assert yes["value"] == no["value"] == "k3y retry --all webhook"
    assert yes["style"] == "primary"
    assert "style" not in no
    assert "confirm" not in yes


@pytest.mark.parametrize("words", ["retry --all --error " + "x" * 3_000, "retry --all \u202eq"])
def test_words_that_a_button_cannot_carry_leave_the_key(words):
    yes, no = elements(replace(RETRY, words=words))
    assert yes["value"] == no["value"] == "k3y"


@pytest.mark.parametrize(
    ("preview", "sure"),
    [
        (PURGE, "12,044 finished jobs will be deleted for good. This cannot be undone."),
        (FORCE, "If that worker still runs it, the job will run twice."),
    ],
)
def test_what_cannot_be_undone_is_red_and_asks_once_more(preview, sure):
    yes, no = elements(preview)
    assert yes["style"] == "danger"
    assert yes["confirm"]["text"]["text"] == sure
    assert yes["confirm"]["title"]["text"] == yes["text"]["text"]
    assert no["text"]["text"] == yes["confirm"]["deny"]["text"] == "Not now"


ALONE = replace(RESCUE, warnings=("No worker is alive: they wait until one starts.",))


@pytest.mark.parametrize("preview", [RETRY, CANCEL, DISCARD, RESCUE, ALONE])
def test_what_can_be_undone_is_green(preview):
    assert [element.get("style") for element in elements(preview)] == ["primary", None]


def test_a_purge_says_how_many_of_each_status_and_how_old_they_are():
    assert lines(PURGE)[1:5] == [
        "This cannot be undone.",
        "12,040  succeeded  ended before 10 Feb 03:24 UTC",
        "4  failed  ended before 12 Dec 03:24 UTC",
        "Kept regardless of age: cancelled, aborted jobs.",
    ]


def test_a_few_groups_are_listed_and_the_rest_adds_up():
    groups = tuple(SetGroup(f"q{number}", f"app.t{number}", 10) for number in range(9))
    shown = lines(replace(RETRY, count=90, skips=(), groups=groups))
    assert shown[0] == "Retry 90 failed jobs of 9 queues?"
    assert shown[1:7] == [f"10  t{n}  in q{n}" for n in range(5)] + ["and 4 more groups, 40 jobs"]


@pytest.mark.parametrize(
    ("preview", "says"),
    [
        (replace(RETRY, key=None, count=0, groups=(), skips=()),
         "🟢 Nothing to retry. No failed job of webhook matches."),
        (replace(CANCEL, key=None, count=0, groups=()),
         "🟢 Nothing to cancel. No waiting job of webhook matches."),
        (replace(PURGE, key=None, count=0, by_status={}),
         "🟢 Nothing to delete. No finished job is old enough."),
        (replace(PURGE, key=None, count=0, by_status={}, turns=3), "🟢 Found nothing to delete."),
        (replace(DISCARD, words="discard 9", key=None, count=0, groups=(), skips=(MISSING,)),
         "🟡 Job 9 cannot be discarded now."),
        (replace(RESCUE, key=None, count=0, groups=(), skips=(replace(MISSING, count=2),)),
         "🟡 None of these jobs can be rescued now."),
        (replace(RETRY, count=2), "🟡 None of the 2 jobs of webhook can be retried now."),
        (replace(RETRY, count=1, skips=(replace(LOCK, count=1),)),
         "🟡 Job 4713 of webhook cannot be retried now."),
        (replace(RETRY, count=1, skips=(replace(LOCK, count=1, sample=()),)),
         "🟡 1 job of webhook cannot be retried now."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dry_run", [True, False])
def test_where_nothing_can_be_done_there_is_nothing_to_press(preview, says, dry_run):
    shown = lines(preview, dry_run=dry_run)
    assert shown[0] == says
    assert "nothing was changed" in shown[-1]
    assert elements(preview, dry_run=dry_run) == []


def test_where_nothing_can_be_done_the_reason_is_told():
    assert lines(replace(RETRY, count=2))[1] == (
        "2 of the 2 stay failed: a job with the same queueing lock is already waiting (4713, 4720)."
    )


def test_a_dry_run_is_only_a_look():
    shown = lines(RETRY, dry_run=True)
    assert shown[0] == "35 of 37 failed jobs of webhook would be retried."
    assert "Dry run: nothing was changed." in shown[-1]
    assert elements(RETRY, dry_run=True) == []
    assert "Leave out --dry-run to confirm it." in shown[-1]
    one = replace(RETRY, words="retry 7 --dry-run", count=1, skips=())
    assert "Without --dry-run it is done at once." in lines(one, dry_run=True)[-1]


def test_the_plain_text_has_all_that_the_blocks_say():
    message = render(replace(RETRY, remain=3))
    for line in lines(replace(RETRY, remain=3)):
        plain = line.replace("@U0ANA", "<@U0ANA>")
        assert plain in message.text or line.startswith("[")


def test_warnings_that_are_left_out_are_counted_and_those_of_a_rescue_are_not():
    """A rescue has nine at most; the last says that jobs may run twice."""
    warned = replace(RESCUE, warnings=tuple(f"Warning {number}." for number in range(9)))
    assert "Warning 8." in render_preview(warned, "/jobs", by="U0ANA").text
    warned = replace(RESCUE, warnings=tuple(f"Warning {number}." for number in range(13)))
    assert "3 more warnings not shown." in render_preview(warned, "/jobs", by="U0ANA").text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x7f", r"'\u{7f}'"),
        ("a\nb", r"'a\u{a}b'"),
        ("\u202ertl", r"'\u{202e}rtl'"),
        (" l", "' l'"),
    ],
)
def test_a_name_is_spelt_in_one_way_in_the_headline_and_in_the_lines_of_queues_and_tasks(
    name, shown
):
    groups = (SetGroup(name, f"app.{name}", 2), SetGroup("web", "app.send", 1))
    [first, *rest] = lines(replace(CANCEL, count=2, groups=groups[:1]))
    assert first.startswith(f"Cancel 2 waiting jobs of {shown}?")
    assert f"Task: {shown}" in rest
    assert f"2  {shown}  in {shown}" in lines(replace(CANCEL, count=3, groups=groups))
