import itertools
import re
import shlex
import subprocess
from datetime import timedelta

import pytest

from jobs_maint.actions import (
    ALL_QUEUES,
    EVERY_QUEUE,
    Actor,
    ApplySchema,
    BulkVerb,
    CancelJobs,
    DiscardJobs,
    GetJob,
    Grant,
    JobFilter,
    ListErrors,
    ListFailed,
    ListIncidents,
    ListStuck,
    ListWorkers,
    PreviewBulk,
    PreviewPurge,
    PurgeFinished,
    QueueScope,
    RetryJobs,
    Role,
    ShowAudit,
    ShowHelp,
    ShowStats,
    escape_glob,
    permit,
    plain_name,
)
from jobs_maint.errors import NotPermitted
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.quoting import unescape


def slack(*grants, channel="C1"):
    return Actor("slack", "U1", "ana", channel, grants)


@pytest.mark.parametrize(
    ("held", "covered"),
    [
        (Role.VIEWER, {Role.VIEWER}),
        (Role.OPERATOR, {Role.VIEWER, Role.OPERATOR}),
        (Role.ADMIN, {Role.VIEWER, Role.OPERATOR, Role.ADMIN}),
    ],
)
def test_a_role_covers_itself_and_those_below(held, covered):
    assert {role for role in Role if held.covers(role)} == covered


def test_nobody_is_granted_anything_by_default():
    stranger = slack()
    assert stranger.role is None
    for action in (ShowStats(), ListFailed(), GetJob(1), RetryJobs((1,)), ApplySchema()):
        with pytest.raises(NotPermitted, match="you have no role here") as caught:
            permit(stranger, action)
        assert caught.value.needs == action.role
        assert caught.value.has is None


def test_help_is_for_everybody():
    assert permit(slack(), ShowHelp()) is ALL_QUEUES


def test_a_refusal_names_what_is_missing_and_what_is_held():
    with pytest.raises(NotPermitted) as caught:
        permit(slack(Grant(Role.VIEWER)), RetryJobs((1,)))
    assert str(caught.value) == (
        "You may not retry jobs: this requires the role operator; your role is viewer."
    )
    assert (caught.value.needs, caught.value.has) == ("operator", "viewer")


def test_the_shell_and_our_tasks_hold_every_role():
    for actor in (Actor.shell("ana", "host"), Actor.task("jobs_maint:purge")):
        assert actor.role is Role.ADMIN
        assert permit(actor, PurgeFinished()) is ALL_QUEUES
    assert Actor.shell("ana", "host").id == "ana@host"


def test_a_grant_for_queues_reaches_only_those():
    scope = permit(slack(Grant(Role.OPERATOR, queues=("email*", "web?"))), RetryJobs((1,)))
    reached = [q for q in ("email", "email-bulk", "webs", "web", "webhook", "E") if scope.covers(q)]
    assert reached == ["email", "email-bulk", "webs"]


def test_grants_add_up_and_an_unlimited_one_wins():
    limited = Grant(Role.OPERATOR, queues=("a",))
    more = Grant(Role.ADMIN, queues=("b", "a"))
    assert slack(limited, more).scope(Role.OPERATOR) == QueueScope(("a", "b"))
    assert slack(limited, Grant(Role.OPERATOR)).scope(Role.OPERATOR) is ALL_QUEUES


def test_a_lower_grant_does_not_widen_a_higher_one():
    actor = slack(Grant(Role.VIEWER), Grant(Role.OPERATOR, queues=("a",)))
    assert actor.scope(Role.VIEWER) is ALL_QUEUES
    assert actor.scope(Role.OPERATOR) == QueueScope(("a",))
    assert actor.scope(Role.ADMIN) is None


def test_a_grant_for_channels_holds_only_there():
    grant = Grant(Role.OPERATOR, channels=("C1", "C2"))
    assert slack(grant, channel="C1").role is Role.OPERATOR
    assert slack(grant, channel="C3").role is None
    assert slack(grant, channel=None).role is None


def test_an_act_on_everything_needs_an_unlimited_grant():
    with pytest.raises(NotPermitted, match="on every queue; you have it on email"):
        permit(slack(Grant(Role.ADMIN, queues=("email",))), PurgeFinished())
    # Whoever is an admin of some queues cannot do it for a viewer either.
    for act in (PurgeFinished(), ShowAudit()):
        with pytest.raises(NotPermitted, match="role admin on every queue; your") as refused:
            permit(slack(Grant(Role.VIEWER)), act)
        assert refused.value.queues == (EVERY_QUEUE,)


def like(pattern, text):
    """PostgreSQL's LIKE with its default escape."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    plain = {"%": ".*", "_": "."}
    regex = "".join(plain.get(part) or re.escape(part.removeprefix("\\")) for part in parts)
    return re.fullmatch(regex, text, re.DOTALL) is not None


GLOBS = [
    "*",
    "?",
    "",
    "a*",
    "*a",
    "a?c",
    "a_c",
    "a%c",
    "50%*",
    "a\\*",
    "a\\?*",
    "a\\\\*",
    "a\\b",
    "[ab]",
    "a.c",
    "(x",
    "a\nb*",
    "**",
]
TEXTS = ["", "a", "ab", "abc", "a_c", "a%c", "axc", "50%", "50% off", "a\\", "a\\b", "[ab]", "b",
         "a*", "a?", "a?b", "a\\*", "a.c", "(x", "a\nb", "a\nbc", "A"]  # fmt: skip


@pytest.mark.parametrize("glob", GLOBS)
def test_the_database_and_python_understand_a_glob_alike(glob):
    scope = QueueScope((glob,))
    [pattern] = scope.like_patterns
    for text in TEXTS:
        assert scope.covers(text) is like(pattern, text), (glob, text)


@pytest.mark.parametrize("name", ["a*", "a?", "a\\", "a\\b", "a\\*", "a%_", "", "plain", "a\nb*"])
def test_a_name_with_wildcards_in_it_can_be_meant(name):
    glob = escape_glob(name)
    assert plain_name(glob) == name
    assert [text for text in {*TEXTS, name} if QueueScope((glob,)).covers(text)] == [name]


@pytest.mark.parametrize("glob", ["*", "a*", "?", "a\\*b*"])
def test_a_glob_with_a_wildcard_means_no_single_name(glob):
    assert plain_name(glob) is None


@pytest.mark.parametrize("glob", GLOBS)
def test_what_a_grant_reaches_of_a_glob_is_told_by_the_two_alone(glob):
    for other in GLOBS:
        grant, asked = QueueScope((other,)), QueueScope((glob,))
        both = [text for text in TEXTS if grant.covers(text) and asked.covers(text)]
        assert grant.overlaps(glob) or not both, (glob, other, both)
        beyond = [text for text in TEXTS if asked.covers(text) and not grant.covers(text)]
        assert not (grant.includes(glob) and beyond), (glob, other, beyond)
    assert QueueScope((glob,)).includes(glob)


@pytest.mark.parametrize(
    ("grant", "asked", "part", "whole"),
    [
        ("email", "email", True, True),
        ("email", "web*", False, False),
        ("email", "*", True, False),
        ("mail*", "mail-??*", True, True),
        ("mail*", "*-eu", True, False),
        ("a*c", "ab?", True, False),
        ("a?", "a*", True, False),
        ("a\\*", "a\\*", True, True),
        ("a\\*", "ab", False, False),
        ("*", "**", True, True),
    ],
)
def test_a_glob_is_in_reach_in_part_or_wholly_or_not(grant, asked, part, whole):
    scope = QueueScope((grant,))
    assert (scope.overlaps(asked), scope.includes(asked)) == (part, whole)
    assert ALL_QUEUES.overlaps(asked)
    assert ALL_QUEUES.includes(asked)


def test_no_limit_has_no_patterns_and_an_empty_limit_reaches_nothing():
    assert ALL_QUEUES.like_patterns is None
    assert QueueScope(()).like_patterns == []
    assert not QueueScope(()).covers("email")


@pytest.mark.parametrize(
    "action",
    [
        ShowStats(),
        ShowStats("email"),
        ShowStats("two words"),
        ListFailed(),
        ListFailed("email", "mail", "can't connect", timedelta(hours=24), 5),
        ListFailed(error='say "hi" now'),
        ListFailed(error="'quoted'"),
        GetJob(4711),
        GetJob(4711, reveal=True),
        RetryJobs((1,)),
        RetryJobs((1,), reset_attempts=True),
        CancelJobs((1,)),
        DiscardJobs((1,)),
        PreviewBulk(BulkVerb.RETRY, JobFilter(job_ids=(1, 2), statuses=BulkVerb.RETRY.statuses)),
        PreviewBulk(BulkVerb.RETRY, JobFilter("two words", ("failed",)), reset_attempts=True),
        PreviewBulk(
            BulkVerb.RETRY,
            JobFilter(
                "web*", ("aborted", "failed"), "send", "can't", timedelta(1), timedelta(0, 60)
            ),
        ),
        PreviewBulk(BulkVerb.RETRY, JobFilter(statuses=BulkVerb.RETRY.statuses, request=7)),
        PreviewBulk(BulkVerb.CANCEL, JobFilter("email", ("todo", "doing"))),
        PreviewBulk(BulkVerb.DISCARD, JobFilter("*", ("failed",))),
        PreviewPurge(),
        PreviewPurge(timedelta(days=30), include_failed=True, queue="two words"),
        ListErrors("email", timedelta(hours=2), 5),
        ListStuck(),
        ListWorkers(),
        ListIncidents(timedelta(days=2)),
        ShowAudit("ana", timedelta(days=2), 9),
        ShowHelp("retry"),
        ApplySchema(),
    ],
)
def test_what_the_audit_shows_can_be_typed_again(action):
    assert parse_words(split_text(action.words()), "shell").action == action


def test_printed_words_say_the_same_to_a_shell_and_to_slack():
    """A queue `#hash`, typed bare into a shell, would be every queue."""
    texts = [
        *("#hash", "a;b", "`id`", "$HOME", "$(id)", "it's", "=cmd()", "a\\b", "a|b", "a&", "x>y"),
        *("~root", "*", "web*", "a?", "[x]", "{a,b}", "!!", "wow!", "'", "''", '"', "' '", '" "'),
        *(
            "it's $5",
            "'$x'",
            "x$'",
            "it' s `id`",
            "''$''",
            "\\'",
            "'\\''$",
            'say "it\'s" $1',
            "é’s",
            "-x",
        ),
        *("".join(pair) for pair in itertools.product("'\"\\$ a", repeat=4)),
    ]
    texts = [text for text in texts if text.strip()]
    said = [PreviewBulk(BulkVerb.CANCEL, JobFilter(text, ("todo",))).words() for text in texts]
    errors = [ListFailed(error=text).words() for text in texts]
    for text, words, error in zip(texts, said, errors, strict=True):
        assert parse_words(split_text(words), "slack").action.filter.queue == text
        assert parse_words(split_text(error), "slack").action.error == text
        assert text in map(unescape, shlex.split(words))
    script = "".join(f"printf '%s\\0' {words}\n" for words in said)
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    words = map(unescape, shown.split("\0"))
    read = [text for text in words if text not in {"cancel", "--all", "--queue", ""}]
    assert read == texts
