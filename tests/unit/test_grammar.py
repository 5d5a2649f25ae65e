import builtins
import contextlib
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click
import pytest
from tests.support.held import cpu_time_within

from jobs_maint.actions import (
    Actor,
    ApplySchema,
    CheckSchema,
    GetJob,
    Grant,
    ListErrors,
    ListFailed,
    RetryJobs,
    Role,
    ShowHelp,
    ShowSchemaSql,
    ShowStats,
)
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar import (
    WORDS,
    build_grammar,
    build_help,
    parse_words,
    read_dashes,
    split_text,
)
from jobs_maint.grammar.near import NEAR, list_options

LARGEST = "9223372036854775807"
SURFACES = ["shell", "slack"]
SHELL = Actor.shell("ana", "host")


def parse(text, surface="shell"):
    return parse_words(split_text(text), surface)


def assert_leads_to(meant, text, surface, says):
    """The text is refused with the line that is offered instead, and that line can be read."""
    with pytest.raises(InvalidRequest, match=says) as caught:
        parse(text, surface)
    assert caught.value.suggestion == meant
    parse(meant, surface)


def refused(text, surface="shell"):
    with pytest.raises(InvalidRequest) as caught:
        parse(text, surface)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("", ShowHelp()),
        ("--help", ShowHelp()),
        ("-h", ShowHelp()),
        ("help", ShowHelp()),
        ("help retry", ShowHelp("retry")),
        ("retry --help", ShowHelp("retry")),
        ("stats -h", ShowHelp("stats")),
        ("stats", ShowStats()),
        ("stats email", ShowStats("email")),
        ("failed", ListFailed()),
        (
            "failed email --task send --error 'timed out' --since 24h --limit 5",
            ListFailed("email", "send", "timed out", timedelta(hours=24), 5),
        ),
        ("failed --since=1h30m", ListFailed(since=timedelta(minutes=90))),
        ("failed --limit 1000", ListFailed(limit=1000)),
        ("status 4711", GetJob(4711)),
        ("status #4711", GetJob(4711)),
        ("status 0004711", GetJob(4711)),
        (f"status {LARGEST}", GetJob(2**63 - 1)),
        ("retry 1", RetryJobs((1,))),
        ("retry #4,", RetryJobs((4,))),
        ("retry 1 --reset-attempts", RetryJobs((1,), reset_attempts=True)),
    ],
)
def test_every_word_means_the_same_in_the_shell_and_in_slack(surface, text, action):
    request = parse(text, surface)
    assert request.action == action
    assert (request.as_json, request.private) == (False, False)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("status 1 --reveal", GetJob(1, reveal=True)),
        ("schema apply", ApplySchema()),
        ("schema apply --no-indexes", ApplySchema(indexes=False)),
        ("schema apply --wait 60s", ApplySchema(wait=timedelta(seconds=60))),
        ("schema status", CheckSchema()),
        ("schema sql", ShowSchemaSql()),
        ("schema --help", ShowHelp("schema")),
        ("schema apply --help", ShowHelp("schema")),
    ],
)
def test_some_words_and_options_are_for_the_shell_only(text, action):
    assert parse(text).action == action
    assert "not a known command" in refused(text, "slack") or "no option" in refused(text, "slack")


def test_json_is_for_the_shell_and_private_for_slack():
    for word in ("stats", "failed", "status 1", "retry 1", "help"):
        assert parse(f"{word} --json").as_json is True
        assert parse(f"{word} --private", "slack").private is True
        assert "no option --json" in refused(f"{word} --json", "slack")
        assert "no option --private" in refused(f"{word} --private")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("--json", "--json comes after a word, as in 'stats --json'; see `help`"),
        ("schema --json", "--json comes after a word, as in 'schema status --json'; see `help`"),
        ("--limit 5", "--limit comes after a word, as in 'failed --limit 5'; see `help`"),
        ("--foo", "'--foo' is not a known command; see `help`"),
    ],
)
def test_an_option_without_a_word_leads_to_one_that_takes_it(text, says):
    assert refused(text) == says


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("stat", "stats"),
        ("STAST email", "stats email"),
        ("faild --since 24h", "failed --since 24h"),
        ("retri 1 2", "retry 1 2"),
        ("schema aply", "schema apply"),
        ("failed --limt 5 --error 'a b'", 'failed --limit 5 --error "a b"'),
        ("failed --sinc=7d", "failed --since=7d"),
        ("retry 1 --reset-atempts", "retry 1 --reset-attempts"),
        ("--json stats", "stats --json"),
    ],
)
def test_a_typo_gets_the_whole_corrected_line(text, suggestion):
    with pytest.raises(InvalidRequest, match="did you mean") as caught:
        parse(text)
    assert caught.value.suggestion == suggestion
    parse(suggestion)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("statu", "'statu' is not a known command; did you mean 'stats'?"),  # status needs a job
        ("statu 5", "'statu' is not a known command; did you mean 'stats 5' or 'status 5'?"),
        ("make E-4f2a", "did you mean 'take E-4f2a'?"),
        ("reject 5", "'reject' is not a known command; see `help`"),
        ("discover 5", "'discover' is not a known command; see `help`"),
        ("fail", "did you mean 'failed'?"),
        ("failing", "did you mean 'failed'?"),
        ("errored --since 1h", "did you mean 'errors --since 1h'?"),
        ("retries", "'retries' is not a known command; see `help retry`"),
        ("cancelled 5", "did you mean 'cancel 5'?"),
        ("version", "not a known command; `jobs-maint --version` tells it"),
        ("rescue '*'", "rescue takes job ids, or none to run one pass; e.g. rescue 4711"),
        ("retry --all --until-now", "retry has no option --until-now; see `help retry`"),
    ],
)
def test_of_words_the_nearest_is_meant_or_both_or_none(text, says):
    assert says in refused(text)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("text", ["stop 87", "Stop", "stop --request 87"])
def test_stop_leads_to_the_button_as_the_number_may_be_of_a_request_or_of_a_job(text, surface):
    says = refused(text, surface)
    assert re.search("Stop in .*message.*`cancel ID` stops a job", says)
    assert "did you mean" not in says


@pytest.mark.parametrize("surface", SURFACES)
def test_undo_leads_to_the_retry_of_a_request(surface):
    says = refused("undo", surface)
    assert re.search("`retry --request N` undoes .* tells its number, .*`audit` to admins", says)
    assert "for a queue" not in says


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("text", "says", "meant"),
    [
        ("failed -since 1h", "-since; did you mean --since?", "failed --since 1h"),
        ("failed -sinc=1h", "-sinc; did you mean --since?", "failed --since=1h"),
        ("retry -all reports", "-all; did you mean --all?", "retry --all reports"),
        ("retry job 68, 67 and 66", "not a job id; did you mean", "retry 68, 67 66"),
        ("retry job 68, 67 und 66", "not a job id; see `help retry`", None),
    ],
)
def test_one_dash_is_meant_as_two_and_ids_among_words_as_ids(text, says, meant, surface):
    if meant is None:
        assert says in refused(text, surface)
    else:
        assert_leads_to(meant, text, surface, re.escape(says))


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("requeue 5", "retry 5"),
        ("Rerun --all webhook", "retry --all webhook"),
        ("redo webhook", "retry --all webhook"),
        ("kill 5", "cancel 5"),
        ("rm 5", "discard 5"),
        ("list", "failed"),
        ("ls webhook --since 1h", "failed webhook --since 1h"),
        ("list 5", "status 5"),
        ("show", "stats"),
        ("show stuck", "stuck"),
        ("show queues", "stats"),
        ("show queue webhook", "stats webhook"),
        ("show errors --since 1h", "errors --since 1h"),
        ("list failures", "failed"),
        ("show failed jobs", "failed"),
        ("list running jobs", "workers"),
        ("view history", "audit"),
        ("show jobs", "stats"),
        ("get 4711", "status 4711"),
        ("show job 4711", "status 4711"),
        ("show webhook", "stats webhook"),
        ("queues", "stats"),
        ("ps", "workers"),
        ("vacuum", "purge"),
        ("history", "audit"),
        ("ack E-4f2a", "take E-4f2a"),
        ("snooze I-7 --for 2h", "mute I-7 --for 2h"),
        ("health", "doctor"),
    ],
)
def test_a_word_of_other_tools_leads_to_ours(text, meant, surface):
    assert_leads_to(meant, text, surface, "is not a known command; did you mean")


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("80068", "status 80068"),
        ("#80068", "status 80068"),
        ("• 80068", "status 80068"),
        ("status job 80068", "status 80068"),
        ("retry jobs 5, 6", "retry 5, 6"),
        ("retry • 5", "retry 5"),
        ("/jobs stats", "stats"),
        ("/jobs", "help"),
        ("jobs failed webhook", "failed webhook"),
        ("jobs-maint statz", "stats"),
        ("/jobs • 80068", "status 80068"),
        ("171.", "status 171"),
        ("status 170?", "status 170"),
        ("retry job 163.", "retry 163"),
        ("cancel 5 6!", "cancel 5 6"),
        ("failed --since 1h.", "failed --since 1h"),
        ("stats; failed", "stats"),
        ("retry 5 ; stats", "retry 5"),
        ("failed webhook | head", "failed webhook"),
        ("stats && failed", "stats"),
        ("mute E-4f2a 2h", "mute E-4f2a --for 2h"),
        ("mute I-7 2h", "mute I-7 --for 2h"),
        ("failed webhook 1h", "failed webhook --since 1h"),
        ("errors webhook 1h", "errors webhook --since 1h"),
        ("failed webhook 30min", "failed webhook --since 30m"),
        ("failed 7 days", "failed --since 7d"),
        ("mute E-4f2a 2 hours", "mute E-4f2a --for 2h"),
    ],
)
def test_words_that_are_too_much_or_lack_an_option_lead_to_what_was_meant(text, meant, surface):
    assert_leads_to(meant, text, surface, "; did you mean")


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("errors since 2h", "errors --since 2h"),
        ("errors since 2 hours", "errors --since 2h"),
        ("errors last 2h", "errors --since 2h"),
        ("failed webhook in 2 hours", "failed webhook --since 2h"),
        ("retry since 2h --all", "retry --since 2h --all"),
        ("stats since 2h", "digest --since 2h"),
        ("stats webhook since 2 hours", "digest webhook --since 2h"),
        ("stats last 2h", "digest --since 2h"),
        ("stats webhook 2h", "digest webhook --since 2h"),
        ("stats --since 2h", "digest --since 2h"),
        ("stats webhook --since=2 hours", "digest webhook --since 2h"),
        ("digest since 1h", "digest --since 1h"),
        ("failed webhook since 1h limit 5", "failed webhook --since 1h --limit 5"),
        ("retry --all since 2h", "retry --all --since 2h"),
        ("mute E-4f2a for 2h", "mute E-4f2a --for 2h"),
    ],
)
def test_an_option_without_its_dashes_leads_to_the_line_that_is_read(text, meant, surface):
    assert_leads_to(meant, text, surface, "did you mean '")


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("digest --since 7days", "digest --since 7d"),
        ("digest --since 2 hours", "digest --since 2h"),
        ("digest --since=30min", "digest --since 30m"),
        ("errors --since '1 hour 30 min' webhook", "errors --since 1h30m webhook"),
        ("failed web --since 1hour --limit 5", "failed web --since 1h --limit 5"),
        ("retry --all --since 2 days --until 90 mins", "retry --all --since 2d --until 90m"),
        ("purge --older-than 30days", "purge --older-than 30d"),
        ("failed web --since 24", "failed web --since 24h"),
        ("mute E-4f2a --for 1 day", "mute E-4f2a --for 1d"),
    ],
)
def test_a_unit_that_is_spelt_out_leads_to_the_line_that_is_read(text, meant, surface):
    assert_leads_to(meant, text, surface, r"is not a duration; .*did you mean '")


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("errors --group E-4f2a", "failed --group E-4f2a"),
        ("errors --group=E-4f2a --since 1h", "failed --group=E-4f2a --since 1h"),
        ("digest --group e-4f2a", "failed --group e-4f2a"),
        ("errors web --error 'timed out'", 'failed web --error "timed out"'),
        ("incidents --group E-4f2a", "failed --group E-4f2a"),
        ("errors --incident I-7", "incidents I-7"),
        ("incidents --incident I-7", "incidents I-7"),
        ("take --group E-4f2a", "take E-4f2a"),
        ("mute --incident I-7 --for 2h", "mute I-7 --for 2h"),
        ("stats --queue webhook", "stats webhook"),
        ("stats --queue=webhook", "stats webhook"),
        ("status --job 5", "status 5"),
        ("retry --ids 5 6", "retry 5 6"),
        ("help --word retry", "help retry"),
    ],
)
def test_an_option_that_a_word_does_not_have_leads_to_where_its_value_belongs(text, meant, surface):
    with pytest.raises(InvalidRequest) as caught:
        parse(text, surface)
    assert f"; did you mean '{meant}'?" in str(caught.value)
    assert caught.value.suggestion == meant
    parse(meant, surface)


@pytest.mark.parametrize("surface", SURFACES)
def test_since_without_dashes_leads_every_word_that_takes_it_to_its_option(surface):
    commands = build_grammar(surface).commands
    takes = [name for name, one in commands.items() if "--since" in list_options(one)]
    assert {"failed", "errors", "digest", "incidents", "audit", "retry", "discard"} < {*takes}
    for name in takes:
        for words in (f"{name} since 2h", f"{name} since 2 hours"):
            with pytest.raises(InvalidRequest) as caught:
                parse(words, surface)
            line = f"{name} --all" if "--all" in list_options(commands[name]) else name
            assert caught.value.suggestion == f"{line} --since 2h"
            assert f"did you mean '{line} --since 2h'?" in str(caught.value)


def test_what_may_be_a_queue_leads_to_its_numbers_and_to_no_button():
    with pytest.raises(
        InvalidRequest, match=r"; see `help`, or stats webhook for a queue$"
    ) as caught:
        parse("webhook", "slack")
    assert caught.value.suggestion is None


@pytest.mark.parametrize("text", ["webhook 1h; stats", "hook; stats", "1; 2", "retry --all a b"])
def test_nothing_is_suggested_that_cannot_be_read(text):
    with pytest.raises(InvalidRequest) as caught:
        parse(text, "slack")
    if caught.value.suggestion is not None:
        parse(caught.value.suggestion, "slack")


def test_a_long_line_is_not_looked_at_for_long():
    with cpu_time_within(5):
        for long in ("1" * 4_000 + "x", "1," * 2_000 + "x", ";" * 4_000 + "x", "| " * 2_000):
            for word in ("retry", "status", ""):
                with pytest.raises(InvalidRequest):
                    parse(f"{word} {long}", "slack")


def test_a_word_of_other_tools_leads_only_to_words_that_are_there():
    for text in ("migrate", "schema upgrade", "init"):
        assert "did you mean 'schema apply'?" in refused(text)
        assert refused(text, "slack").endswith(" is not a known command; see `help`")
    for text in ("pause", "resume", "suspend webhook"):
        assert refused(text).endswith(" is not a known command; see `help`")
    for word in build_grammar("shell").commands:
        assert word not in {near for words in NEAR.values() for near in words.split(", ")}
    assert set(NEAR) <= set(WORDS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("frobnicate", "'frobnicate' is not a known command; see `help`"),
        ("requeue", "'requeue' is not a known command; see `help retry`"),
        ("ps aux", "'ps' is not a known command; see `help workers`"),
        ("stats --nope", "stats has no option --nope; see `help stats`"),
        ("help --all", "help has no option --all; see `help`"),
        ("stats -x", "stats has no option -x; see `help stats`"),
        ("stats a b", "stats takes at most one argument; unexpected: 'b'; see `help stats`"),
        ("help a b", "help takes at most one argument; unexpected: 'b'"),
        ("schema", "schema takes one of: apply, status, sql"),
        (
            "schema apply now",
            "schema apply takes no arguments; unexpected: 'now'; see `help schema`",
        ),
        ("failed --limit", "failed: option '--limit' requires an argument; see `help failed`"),
        ("failed --limit 0", "'0' is not a limit; write a number from 1 to 1000"),
        ("failed --limit 1001", "'1001' is not a limit"),
        ("failed --limit -3", "'-3' is not a limit"),
        ("failed --limit 0000000010000000000", "is not a limit"),
        ("failed --limit x", "'x' is not a limit"),
        ("failed --since soon", "'soon' is not a duration"),
        ("failed --since never", "'never' is not a span of time"),
        ("status", "status takes one job id, 0 were given"),
        ("status 1 2", "status takes one job id, 2 were given"),
        ("status x", "'x' is not a job id; ids are whole numbers such as 4711"),
        ("status -5", "'-5' is not a job id"),
        ("status 1.5", "'1.5' is not a job id"),
        ("status ٣", "'٣' is not a job id"),
        ("status 0", "0 is not a possible job id; ids go from 1 to 9223372036854775807"),
        ("status 9223372036854775808", "9223372036854775808 is not a possible job id"),
        (f"status {'0' * 19}{'9' * 30}", "is not a possible job id"),
        ("retry", "retry takes job ids, or --all; e.g. retry 4711"),
        ("retry ,", "retry takes job ids, or --all; e.g. retry 4711"),
        ("retry 1 x", "'x' is not a job id"),
    ],
)
def test_nonsense_is_refused_with_one_clear_sentence(text, says):
    assert says in refused(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("retry E-f9c1", "retry --all --group E-f9c1"),
        ("cancel e-F9C1", "cancel --all --group E-f9c1"),
        ("discard all E-f9c1", "discard --all --group E-f9c1"),
        ("retry 1 E-f9c1", "failed --group E-f9c1"),
        ("status `E-f9c1`", "failed --group E-f9c1"),
        ("rescue E-f9c1", "failed --group E-f9c1"),
        ("incidents E-f9c1", "failed --group E-f9c1"),
        ("E-f9c1", "failed --group E-f9c1"),
        ("retry I-7", "incidents I-7"),
        ("status I-7", "incidents I-7"),
        ("rescue I-7", "incidents I-7"),
        ("failed --group I-7", "incidents I-7"),
        ("I-7", "incidents I-7"),
        # These may be queues.
        ("retry E-mail", "retry --all E-mail"),
        ("retry i7", "retry --all i7"),
    ],
)
def test_the_name_of_an_error_or_incident_elsewhere_leads_to_what_takes_it(text, meant):
    with pytest.raises(InvalidRequest) as refusal:
        parse_words(split_text(text), "slack")
    assert refusal.value.suggestion == meant
    assert str(refusal.value).endswith(f"did you mean '{meant}'?")


def test_a_retry_of_too_many_is_refused_with_the_numbers():
    ids = ",".join(map(str, range(1, 502)))
    assert "at most 500 job ids at once, 501 were given" in refused(f"retry {ids}")


def test_options_are_not_abbreviated():
    assert "no option" in refused("failed --lim 5")


@pytest.mark.parametrize("word", ["9" * 5000, "x" * 5000, "--" + "x" * 5000])
def test_a_huge_word_makes_no_huge_message(word):
    for text in (word, f"status {word}", f"failed --limit {word}", f"stats {word} {word}"):
        assert len(refused(text)) < 250


def test_control_characters_are_not_echoed_raw():
    for text in ("\x1b[31m", "stats a \x1b]0;x\x07", "status \u202e1", "retry \x7f"):
        with pytest.raises(InvalidRequest) as caught:
            parse_words(text.split(), "shell")
        assert str(caught.value).isprintable()


def test_a_nul_character_is_refused():
    with pytest.raises(InvalidRequest, match="NUL"):
        parse_words(["stats", "a\0b"], "shell")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  a   b\t\nc ", ["a", "b", "c"]),
        ("'a b' c", ["a b", "c"]),
        ('--error "timed out" x', ["--error", "timed out", "x"]),
        ('--error="timed out" x', ["--error=timed out", "x"]),
        ("can't stop", ["can't", "stop"]),
        ("--error can't connect, won't", ["--error", "can't", "connect,", "won't"]),
        ("O'Brien's ’x", ["O'Brien's", "’x"]),
        ('"" x', ["", "x"]),
        ("'it's' x", ["it's", "x"]),
    ],
)
def test_quotes_group_and_an_unpaired_apostrophe_is_text(text, words):
    assert split_text(text) == words


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('failed --task "charge', "the quote \" before 'charge' is not closed; end it with \""),
        ("retry --all --error “timed out", "the quote “ before 'timed out' is not closed; .* ”$"),
        ("errors --task='charge", "the quote ' before 'charge' is not closed"),
        ("status `5", "the backtick before '5' is not closed; add another at the end"),
    ],
)
def test_a_quote_that_is_not_closed_is_refused_and_not_looked_for(text, says):
    with pytest.raises(InvalidRequest, match=says):
        parse(text, "slack")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("failed --error Connect call failed", '--error "Connect call failed"'),
        ("retry --all mail --error Connect call", '--error "Connect call"'),
        ("audit --actor Ana Maria --since 1h", '--actor "Ana Maria"'),
    ],
)
def test_words_too_many_after_a_text_lead_to_quotes(text, value):
    with pytest.raises(InvalidRequest, match=f"several words goes in quotes: {value}$"):
        parse(text, "slack")
    with pytest.raises(InvalidRequest) as caught:
        parse("failed one two", "slack")
    assert "quotes" not in str(caught.value)


@pytest.mark.parametrize("surface", SURFACES)
def test_parsing_reads_no_environment_prints_nothing_and_never_exits(surface, monkeypatch, capfd):
    for name in (
        "STATS_QUEUE",
        "JOBS_STATS_QUEUE",
        "JOBS_QUEUE",
        "FAILED_LIMIT",
        "JOBS_FAILED_LIMIT",
    ):
        monkeypatch.setenv(name, "7")
    for name in ("_JOBS_COMPLETE", "_JOBS_MAINT_COMPLETE", "_STATS_COMPLETE"):
        monkeypatch.setenv(name, "bash_source")
    monkeypatch.setenv("COMP_WORDS", "jobs stats")
    monkeypatch.setenv("COMP_CWORD", "1")

    def forbidden(*_args, **_kwargs):
        raise AssertionError("parsing must not read files or ask")

    monkeypatch.setattr(builtins, "input", forbidden)
    monkeypatch.setattr(builtins, "open", forbidden)
    before = dict(os.environ)
    assert parse("stats", surface).action == ShowStats()
    assert parse("failed", surface).action == ListFailed()
    for text in ("--help", "stats --help", "nope", "stats --nope", "retry", "--version"):
        with contextlib.suppress(InvalidRequest):
            parse(text, surface)
    assert capfd.readouterr() == ("", "")
    assert dict(os.environ) == before


def test_every_word_and_option_has_a_help_text():
    for surface in SURFACES:
        commands = list(build_grammar(surface).commands.values())
        for command in commands:
            if isinstance(command, click.Group):
                commands += command.commands.values()
            assert command.help, command.name
            for param in command.params:
                if isinstance(param, click.Option):
                    assert param.help, (command.name, param.name)


def test_help_lists_every_word_of_its_surface():
    for surface in SURFACES:
        words = [word.word for word in build_help(SHELL, surface).words]
        assert words == list(build_grammar(surface).commands)
    assert "schema" not in [word.word for word in build_help(SHELL, "slack").words]


def test_help_says_what_this_person_may_do():
    viewer = Actor("slack", "U1", grants=(Grant(Role.VIEWER),))
    may = {word.word for word in build_help(viewer, "slack").words if word.allowed}
    for_viewers = {word.name for word in WORDS.values() if word.role in {None, Role.VIEWER}}
    assert may == for_viewers
    assert may > {"stats", "failed", "help"}
    stranger = build_help(Actor("slack", "U2"), "slack")
    assert [word.word for word in stranger.words if word.allowed] == ["help"]
    assert stranger.role is None


def test_help_of_one_word_shows_its_usage_and_options():
    report = build_help(SHELL, "shell", "failed")
    assert report.word == "failed"
    assert report.text.startswith("failed [QUEUE] [--task TEXT]")
    assert "--since SPAN: " in report.text
    assert "--private" not in report.text


def test_help_of_words_of_two_shows_the_options_of_each():
    lines = build_help(SHELL, "shell", "schema").text.splitlines()
    named = [line.strip().partition(":")[0] for line in lines[2:]]
    assert named == [
        "schema apply", "schema apply --no-indexes", "schema apply --wait SPAN", "schema status",
        "schema sql", "schema drop", "schema drop --yes", "schema drop --dry-run", "--help",
        "--json",
    ]  # fmt: skip


@pytest.mark.parametrize("surface", SURFACES)
def test_help_says_what_the_spans_of_a_set_look_back_to(surface):
    for word in ("retry", "discard"):
        text = build_help(SHELL, surface, word).text
        assert "--since SPAN: Only jobs that ended in this span." in text
    text = build_help(SHELL, surface, "cancel").text
    assert "--since SPAN: Only jobs that were deferred or started in this span." in text
    before = "Only jobs that were deferred or started before this span, or up to this time in UTC"
    assert f"--until SPAN|TIME: {before}, such as 2026-03-29T06:00Z" in text


def test_help_of_an_unknown_word_suggests_the_one_meant():
    with pytest.raises(InvalidRequest, match="did you mean 'help retry'"):
        build_help(SHELL, "shell", "retri")
    for nothing in ("me", "please"):
        with pytest.raises(InvalidRequest, match="did you mean 'help'"):
            build_help(SHELL, "slack", nothing)
    with pytest.raises(InvalidRequest, match="not a known command"):
        build_help(SHELL, "slack", "schema")


def test_errors_of_a_span_that_is_over_read_back_as_they_are_spelt():
    until = datetime(2026, 3, 29, 6, 0, 31, tzinfo=UTC)
    asked = ListErrors(None, timedelta(hours=23), 10, until, ("web*", "mail"), ("app.*",))
    assert parse_words(split_text(asked.words()), "slack").action == asked
    typed = parse_words(["errors", "--until", "2026-03-29T06:00"], "shell").action
    assert typed.until == until.replace(second=0)
    with pytest.raises(InvalidRequest, match="'soon' is not a time; write one in UTC such as"):
        parse_words(["errors", "--until", "soon"], "shell")
    for early in ("0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"):
        with pytest.raises(InvalidRequest, match="is not a time; write one in UTC"):
            parse_words(["errors", "--until", early], "shell")
    with pytest.raises(InvalidRequest, match="is before 1970, and so is every job"):
        parse_words(["errors", "--until", "0001-01-01T00:00Z", "--since", "7d"], "shell")


@pytest.mark.parametrize("surface", SURFACES)
def test_a_span_may_end_at_a_time_and_looks_back_from_it_or_from_now(surface):
    """`errors` says what it makes of what lies in the future; in the others nothing is there."""
    spans = [
        (name, option)
        for name, command in build_grammar(surface).commands.items()
        for option in ("--since", "--until", "--older-than")
        if any(option in param.opts for param in command.params)
    ]
    assert len(spans) > 8
    ends = {(name, option) for name, option in spans if option == "--until"}
    assert {name for name, _ in ends} == {"errors", "failed", "retry", "cancel", "discard"}
    for word in ("errors", "failed", "retry --all", "cancel --all mail", "discard --all"):
        line = f"{word} --since 1h --until 2026-11-23T12:00:31Z"
        asked = parse_words(split_text(line), surface).action
        wanted = getattr(asked, "filter", asked)
        assert wanted.until == datetime(2026, 11, 23, 12, 0, 31, tzinfo=UTC)
        assert wanted.since == timedelta(hours=1)
        assert parse_words(split_text(asked.words()), surface).action == asked
        # Nothing of it is left out, and what ends within a second is not told as at a whole one.
        for micro, second in ((1, "30.001"), (250_000, "30.250"), (999_500, "31.001")):
            part = datetime(2026, 11, 23, 12, 0, 30, micro, tzinfo=UTC)
            to_part = {"until": part}
            if wanted is not asked:
                to_part = {"filter": replace(wanted, until=part)}
            words = replace(asked, **to_part).words()
            assert f"--until 2026-11-23T12:00:{second}Z" in words
            assert parse_words(split_text(words), surface).action.words() == words
    for name, option in set(spans) - ends:
        line = {"retry": "retry --all", "cancel": "cancel --all", "discard": "discard --all"}.get(
            name, name
        )
        for ahead in ("2099-01-01T00:00Z", "-1h"):
            assert "is not a duration" in refused(f"{line} {option} {ahead}", surface), name


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("retry 4711 --al", "retry has no option --al; did you mean --all? See `help retry`"),
        ("rescue 5 --fo", "rescue has no option --fo; did you mean --force?"),
        ("failed --si 1h", "failed has no option --si; did you mean --since?"),
        ("retry 4711 --q web", "retry has no option --q; see `help retry`"),
    ],
)
def test_the_begin_of_an_option_suggests_it_though_the_line_would_not_read(typed, told):
    with pytest.raises(InvalidRequest) as refused:
        parse_words(split_text(typed), "shell")
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("retry @U0ANA 35", "retry expects job ids, or --all and a queue, not a person"),
        ("cancel 35 @U0ANA", "cancel expects job ids, or --all and a queue, not a person"),
        ("retry --all @U0ANA", "retry expects job ids, or --all and a queue, not a person"),
        ("retry --all --queue=#C0OPS", "retry expects a queue, not a channel"),
        ("status @U0ANA", "status expects job ids, not a person"),
        ("stats #C0OPS", "stats expects a queue, not a channel"),
        ("take @U0ANA", "take expects the name of a group of errors or of an incident"),
        ("@U0ANA", "'@U0ANA' is not a known command; see `help`"),
    ],
)
@pytest.mark.parametrize("surface", ["shell", "slack"])
def test_a_mention_is_no_job_and_no_queue(text, says, surface):
    with pytest.raises(InvalidRequest) as refused:
        parse_words(split_text(text), surface)
    assert str(refused.value).startswith(says)
    assert refused.value.suggestion is None
    assert "--all U0ANA" not in str(refused.value)


def test_whose_acts_are_audited_may_be_a_mention():
    assert parse_words(["audit", "--actor", "@U0ANA"], "slack").action.actor == "U0ANA"
    assert parse_words(["failed", "--error", "@U0ANA"], "slack").action.error == "@U0ANA"
    assert parse_words(["stats", "--", "@U0ANA"], "slack").action.queue == "@U0ANA"


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (["failed", "—since", "1h"], ["failed", "--since", "1h"]),
        (["failed", "–Since=1h"], ["failed", "--since=1h"]),
        (["failed", "–sinse", "1h"], ["failed", "--sinse", "1h"]),
        (["retry", "--all", "—dry-run"], ["retry", "--all", "--dry-run"]),
        (["—version"], ["--version"]),
        (["stats", "—json"], ["stats", "--json"]),
        (["failed", "--error", "—since"], ["failed", "--error", "—since"]),
        (
            ["failed", "—error", "—a", "—limit", "1"],
            ["failed", "--error", "—a", "--limit", "1"],
        ),
        (["failed", "--", "—since"], ["failed", "--", "—since"]),
        (["failed", "—mail"], ["failed", "—mail"]),
        (["failed", "—"], ["failed", "—"]),
    ],
)
def test_a_shell_reads_the_dash_of_a_phone_before_an_option(typed, read):
    assert read_dashes(typed) == read
