"""The words on sets of jobs: ids, filters, `--yes` and `--dry-run`."""

from datetime import timedelta

import pytest

from jobs_maint.actions import (
    BulkVerb,
    CancelJobs,
    DiscardJobs,
    JobFilter,
    PreviewBulk,
    RetryJobs,
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


@pytest.mark.parametrize("verb", list(BulkVerb))
def test_a_dry_run_never_parses_into_an_act(verb):
    request = parse(f"{verb} 7 --dry-run")
    assert request.dry_run
    assert request.action == PreviewBulk(verb, JobFilter(job_ids=(7,), statuses=verb.statuses))
    again = parse("retry 7 --dry-run --reset-attempts").action
    assert again.reset_attempts


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
    ],
)  # fmt: skip
def test_filters_of_a_set(text, wanted):
    request = parse(f"{text} --yes")
    assert request.action == PreviewBulk(BulkVerb(text.split()[0]), wanted)
    assert (request.yes, request.dry_run) == (True, False)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("retry 1 --all", "retry takes ids or --all, not both: '1' is an id"),
        ("retry webhook", "'webhook' is not a job id; did you mean 'retry --all webhook'?"),
        ("retry --all a b", "retry --all takes one queue; 'b' is too much"),
        ("retry --task x", "retry --task needs --all"),
        ("retry 1 --request 2", "retry --request needs --all"),
        (
            "retry --all --status doing",
            "retry --status 'doing': it can be failed, cancelled, abort",
        ),
        ("retry --all --request x", "'x' is not the id of a request; `audit` lists them"),
        ("retry --all --yes --dry-run", "retry takes --yes or --dry-run, not both"),
        ("cancel --all", "cancel --all needs a queue or a filter; `cancel --all '*'`"),
        ("discard --all", "discard --all needs a queue or a filter"),
        ("cancel --all x --status todo", "cancel has no option --status"),
        ("cancel", "cancel takes one or more job ids"),
        ("purge --older-than 0d", "'0d' is not a span of time"),
        ("purge email", "purge takes no words; 'email' is too much"),
        ("purge --yes --dry-run", "purge takes --yes or --dry-run, not both"),
        ("errors --limit 1000000", "'1000000' is not a limit"),
        ("stuck now", "stuck takes no words"),
    ],
)
def test_a_set_that_makes_no_sense_is_refused_with_one_clear_sentence(text, says):
    with pytest.raises(InvalidRequest) as caught:
        parse(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
