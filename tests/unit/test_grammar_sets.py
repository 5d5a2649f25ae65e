"""The words on sets of jobs: ids, filters, `--yes` and `--dry-run`."""

from datetime import timedelta

import pytest

from jobs_maint.actions import (
    BulkVerb,
    CancelJobs,
    DiscardJobs,
    JobFilter,
    PreviewBulk,
    PreviewRescue,
    RescueJobs,
    RescueStalled,
    RetryJobs,
    Role,
    ShowDigest,
)
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar import parse_words, split_text


def parse(text, surface="shell"):
    return parse_words(split_text(text), surface)


@pytest.mark.parametrize("surface", ["shell", "slack"])
@pytest.mark.parametrize("verb", list(BulkVerb))
def test_several_ids_are_a_set_and_one_is_not(verb, surface):
    single = {"retry": RetryJobs, "cancel": CancelJobs, "discard": DiscardJobs}[verb]
    assert parse(f"{verb} 7", surface).action == single((7,))
    wanted = JobFilter(job_ids=(3, 1, 2, 4), statuses=verb.statuses)
    assert parse(f"{verb} 3,1,2 1 #4", surface).action == PreviewBulk(verb, wanted)


def test_a_retry_of_named_jobs_can_be_limited_to_those_that_are_still_failed():
    for text, action in (
        ("retry 7 --status failed", RetryJobs((7,), statuses=("failed",))),
        ("retry 3 1 --status failed,aborted --reset-attempts",
         PreviewBulk(BulkVerb.RETRY,
                     JobFilter(job_ids=(3, 1), statuses=("failed", "aborted")), True)),
        ("retry 7 --status failed --dry-run",
         PreviewBulk(BulkVerb.RETRY, JobFilter(job_ids=(7,), statuses=("failed",)),
                     dry_run=True)),
    ):  # fmt: skip
        assert parse(text).action == action
        assert action.words() == text
    for text in ("discard 7 8 --status failed", "retry 7 --task send", "retry --status failed"):
        with pytest.raises(InvalidRequest, match="needs --all"):
            parse(text)


@pytest.mark.parametrize("verb", list(BulkVerb))
def test_a_dry_run_never_parses_into_an_act(verb):
    request = parse(f"{verb} 7 --dry-run")
    assert request.dry_run
    wanted = JobFilter(job_ids=(7,), statuses=verb.statuses)
    assert request.action == PreviewBulk(verb, wanted, dry_run=True)
    again = parse("retry 7 --dry-run --reset-attempts").action
    assert again.reset_attempts
    assert again.words() == "retry 7 --reset-attempts --dry-run"
    assert parse("purge --dry-run").action.words() == "purge --dry-run"
    assert parse("cancel --all q --running --dry-run").action.words() == (
        "cancel --all q --dry-run --running"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("retry --all", JobFilter(statuses=("failed",))),
        ("retry --all 'its; 100%'", JobFilter("its; 100%", ("failed",))),
        ("retry --all web* --status aborted,failed", JobFilter("web*", ("aborted", "failed"))),
        (
            "retry --all --task send --error 'timed out' --since 24h --until 1h",
            JobFilter(None, ("failed",), "send", "timed out", timedelta(hours=24),
                      timedelta(hours=1)),
        ),
        ("retry --request 17", JobFilter(statuses=BulkVerb.RETRY.statuses, request=17)),
        ("cancel --all email", JobFilter("email", ("todo",))),
        ("cancel --all email --running", JobFilter("email", ("todo", "doing"))),
        ("discard --all '*'", JobFilter("*", ("failed",))),
        ("retry --all --queue 123", JobFilter("123", ("failed",))),
        ("cancel --all --queue=--all", JobFilter("--all", ("todo",))),
    ],
)  # fmt: skip
def test_filters_of_a_set(text, wanted):
    request = parse(f"{text} --yes")
    assert request.action == PreviewBulk(BulkVerb(text.split()[0]), wanted)
    assert (request.yes, request.dry_run) == (True, False)


@pytest.mark.parametrize("surface", ["shell", "slack"])
@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("rescue", RescueStalled()),
        ("rescue 7", RescueJobs((7,))),
        ("rescue 7 #8,9 7", PreviewRescue((7, 8, 9))),
        ("rescue 7 --dry-run", PreviewRescue((7,), dry_run=True)),
        ("rescue --force 7", PreviewRescue((7,), force=True)),
        ("rescue 7 --force --dry-run", PreviewRescue((7,), force=True, dry_run=True)),
        ("digest", ShowDigest()),
        ("digest email --since 7d", ShowDigest("email", timedelta(days=7))),
    ],
)
def test_rescue_and_digest_mean_the_same_in_the_shell_and_in_slack(surface, text, action):
    assert parse(text, surface).action == action


def test_a_force_takes_an_admin_and_a_rescue_an_operator():
    assert parse("rescue --force 7").action.role is Role.ADMIN
    assert {parse(f"rescue {ids}").action.role for ids in ("", "7", "7 8")} == {Role.OPERATOR}


@pytest.mark.parametrize(
    "text",
    [
        "retry --request 17", "retry --all email --request 17", "cancel --request 17 --running",
        "discard --status failed --request 17", "retry --all --queue 123",
        "cancel --all --queue --all", "cancel --all 'a b'", "rescue --force 7", "rescue 7 8",
        "digest email --since 2d",
    ],
)  # fmt: skip
def test_a_request_is_shown_in_the_words_that_were_typed(text):
    action = parse(text).action
    assert action.words().replace('"', "'") == text
    assert parse(action.words()).action == action


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("retry 1 --all", "retry takes ids or --all, not both: '1' is an id"),
        ("retry all", "'all' is not a job id; did you mean 'retry --all'?"),
        ("cancel All email", "did you mean 'cancel --all email'?"),
        ("retry failed", "'failed' is not a job id; did you mean 'retry --all --status failed'?"),
        (
            "discard all failed",
            "'all' is not a job id; did you mean 'discard --all --status failed'?",
        ),
        ("cancel waiting", "'waiting' is not a job id; see `help cancel`"),
        ("cancel running", "'running' is not a job id; see `help cancel`"),
        ("retry webhook", "'webhook' is not a job id; did you mean 'retry --all webhook'?"),
        ("retry --all 123", "a queue of that name is --queue 123"),
        ("retry --queue 123", "retry --queue needs --all"),
        ("retry --all a --queue b", "retry --all takes one queue, not two: 'a' and 'b'"),
        ("rescue --force", "rescue --force takes one job id, 0 were given"),
        ("rescue --force 1 2", "rescue --force takes one job id, 2 were given"),
        ("rescue --dry-run", "rescue --dry-run needs job ids"),
        ("rescue email", "rescue: 'email' is not a job id"),
        ("rescue 1 --yes --dry-run", "rescue takes --yes or --dry-run, not both"),
        ("digest --since 0h", "'0h' is not a span of time"),
        ("retry --all a b", "retry --all takes one queue, not two: 'a' and 'b'"),
        ("retry --task x", "retry --task needs --all"),
        ("retry 1 --request 2", "retry takes ids or --request, not both"),
        (
            "retry --all --status doing",
            "retry --status 'doing': it can be failed, cancelled, abort",
        ),
        ("retry --all --request x", "'x' is not the id of a request; `audit` lists them"),
        ("retry --all --yes --dry-run", "retry takes --yes or --dry-run, not both"),
        ("cancel --all", "cancel --all needs a queue or a filter; `cancel --all '*'`"),
        ("discard --all", "discard --all needs a queue or a filter"),
        # As of a variable that is not set: each would match every job.
        ('cancel --all --error ""', "--error is empty, which would match everything"),
        ('discard --all --task " "', "--task is empty"),
        ('retry --all webhook --error ""', "--error is empty"),
        ('failed --queues ""', "--queues is empty, which would match nothing; write a name"),
        ('errors --tasks " "', "--tasks is empty"),
        ('discard --all --queues email --queues ""', "--queues is empty"),
        ("cancel --all x --status todo", "cancel has no option --status"),
        ("cancel", "cancel takes job ids, or --all"),
        ("purge --older-than 0d", "'0d' is not a span of time"),
        ("purge email", "purge takes no arguments; unexpected: 'email'"),
        ("purge --yes --dry-run", "purge takes --yes or --dry-run, not both"),
        ("errors --limit 1000000", "'1000000' is not a limit"),
        ("stuck now", "stuck takes no arguments"),
        (
            "--yes stats",
            "options come after the word, and stats has no option --yes; see `help stats`",
        ),
    ],
)
def test_a_set_that_makes_no_sense_is_refused_with_one_clear_sentence(text, says):
    with pytest.raises(InvalidRequest) as caught:
        parse(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("surface", ["shell", "slack"])
@pytest.mark.parametrize("more", ["retry --reset-attempts", "cancel", "discard --task app.*"])
def test_a_span_that_ends_before_it_begins_is_refused_with_the_order_that_was_meant(more, surface):
    with pytest.raises(InvalidRequest, match=r"did you mean .* --since 2h --until 1h") as refused:
        parse(f"{more} --all email --since 1h --until 2h", surface)
    meant = parse(f"{more} --all email --since 2h --until 1h", surface)
    assert parse(refused.value.suggestion, surface) == meant
    with pytest.raises(InvalidRequest, match="is an empty span"):
        parse(f"{more} --all --since 90m --until 1h30m", surface)


@pytest.mark.parametrize("until", ["tomorrow", "14:05", "never"])
def test_until_takes_a_span_or_a_time_and_says_both(until):
    with pytest.raises(InvalidRequest, match="is neither a span nor a time; write a span such as"):
        parse(f"retry --all webhook --until {until}")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("retry --group E-a662", "retry --all --group E-a662"),
        ("discard webhook --task 'a b' --dry-run", 'discard --all webhook --task "a b" --dry-run'),
        ("retry all --since 1h --reset-attempts", "retry --all --since 1h --reset-attempts"),
        ("retry failed --since 1h", "retry --all --status failed --since 1h"),
        ("retry E-a662 --since 1h", "retry --all --group E-a662 --since 1h"),
        ("retry 4711 --since 1h", None),
        ("retry a b --since 1h", None),
        ("retry I-7 --since 1h", None),
        ("cancel --running", None),
        ("incidents I-7 --since 1h", "incidents I-7"),
        ("rescue --dry-run", "stuck"),
    ],
)
def test_what_can_mean_one_thing_only_is_refused_with_the_words_for_that(typed, meant):
    with pytest.raises(InvalidRequest) as caught:
        parse_words(split_text(typed), "slack")
    assert caught.value.suggestion == meant
    assert (meant or "") in str(caught.value)
