"""Each word is declared once, and everything that needs it is there."""

import re
from pathlib import Path

import pytest

from chatbot.messages.result import list_messages
from jobs_maint.actions import Action, Actor, ShowHelp
from jobs_maint.grammar import WORDS, build_grammar, build_help, parse_words
from jobs_maint.grammar.words import GROUPS
from jobs_maint.perform import HANDLERS
from jobs_maint.render.text import list_pages

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests/acceptance"
COMMANDS = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
EVERY = pytest.mark.parametrize("word", WORDS.values(), ids=lambda word: word.name)
NO_HANDLER = {ShowHelp}
"""Answered by the front ends themselves."""


def usages():
    """As help shows them, by word."""
    actor = Actor.shell("ana", "host")
    return {word.word: word.usage for word in build_help(actor, "shell").words}


@EVERY
def test_whatever_a_word_becomes_somebody_does_it(word):
    assert word.asks
    for action in word.asks:
        assert action in HANDLERS or action in NO_HANDLER


@EVERY
def test_both_front_ends_can_show_whatever_a_word_answers(word):
    assert word.reports
    for report in word.reports:
        assert report in list_pages()
        if word.only != "shell" and word.asks != (ShowHelp,):
            assert report in list_messages()


@EVERY
def test_the_examples_of_a_word_parse_to_one_of_its_actions(word):
    for example in word.examples:
        assert example.split()[: len(word.name.split())] == word.name.split()
        assert type(parse_words(example.split(), word.only or "slack").action) in word.asks


@EVERY
def test_a_word_says_what_it_does_in_a_sentence_and_in_a_phrase(word):
    assert re.fullmatch(r"[A-Z].*\.", word.summary)
    assert re.fullmatch(r"(?![A-Z][a-z]).*[^.]", word.short)
    assert len(word.short) <= 70


def test_the_usage_table_of_the_docs_is_that_of_the_words():
    table = re.findall(r"^\| `(.+)` \| (\w+) \| (.+) \|$", COMMANDS.split("\n## ")[0], re.MULTILINE)
    assert table == rows()


def rows():
    """What the page should hold; printed when it does not."""
    found = []
    grouped = {}
    for word in WORDS.values():
        grouped.setdefault(word.name.partition(" ")[0], []).append(word)
    for first, words in grouped.items():
        usage = usages()[first].replace("|", "\\|")
        about = (
            words[0].short if len(words) == 1 else GROUPS[first][:1].lower() + GROUPS[first][1:-1]
        )
        only = f"; the {words[0].only} only" if words[0].only else ""
        found.append((usage, str(words[0].role or "anybody"), f"{about}{only}"))
    return found


def test_every_action_that_is_done_has_a_result_that_is_declared():
    for action in HANDLERS:
        assert issubclass(action, Action)
        assert action.__orig_bases__[0] is not Action


def test_slack_knows_the_words_of_the_shell_but_those_for_the_shell_only():
    shell, slack = (set(build_grammar(surface).commands) for surface in ("shell", "slack"))
    only = {word.name.partition(" ")[0] for word in WORDS.values() if word.only == "shell"}
    assert shell - slack == only
    assert slack <= shell


@EVERY
def test_a_word_is_tried_as_a_process_in_the_shell_and_through_a_real_bot(word):
    """By name, in the tests of each front end; the runbook's commands are run too."""
    tests = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/*/test_cli*.py"))
    runbook = (ROOT / "docs/runbooks/job-queue.md").read_text(encoding="utf-8")
    words = '", "'.join(word.name.split())
    assert f'"{words}"' in tests or f"jobs-maint {word.name}" in runbook
    if word.only != "shell":
        bot = (TESTS / "test_bot_every_word.py").read_text(encoding="utf-8")
        assert re.search(rf'^    \("{word.name}[ "]', bot, re.MULTILINE)
