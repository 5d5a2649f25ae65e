"""What a button or an undo line prints reads back as the same request, for every text."""

import io
import random
import shlex
import subprocess
import sys
import unicodedata
from datetime import timedelta

import pytest

from chatbot.inbound.typed_text import clean_text
from jobs_maint.actions import (
    BulkVerb,
    JobFilter,
    ListErrors,
    ListFailed,
    PreviewBulk,
    PreviewPurge,
    RetryJobs,
    ShowAudit,
    ShowDigest,
    ShowStats,
)
from jobs_maint.actions.base import quote_word
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar import parse_words, read_dashes, split_text
from jobs_maint.plain import show_on
from jobs_maint.quoting import cut_ids, in_quotes, requote, show_name, unescape
from jobs_maint.render import safe_line

INVISIBLE = [
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, 0xFEFF),
    *(*range(0x200B, 0x2010), *range(0x2028, 0x2030), *range(0x205F, 0x2070), 0xFFA0),
    *(*range(0xFE00, 0xFE10), *range(0xFFF9, 0xFFFC), 0x1D173, 0xE0001, 0xE0020, 0xE0100),
]
ALPHABET = (
    *"abcXYZ0189 \t\n",
    *"'\"`“”„‟‘’‚«»=-–—−*_~?\\#,.:;!@&<>|/()[]{}$%^+",
    *"äßé漢🙂\u00a0\u00ad\u200b\u200d\u202e\u2060\ufe0f\ufeff",
    *(
        "\r",
        "\x07",
        "\x1b",
        "\x7f",
        "\x9b",
        "\u200f",
        "\u2028",
        "\u2003",
        "  ",
        "\\*",
        "a\\b",
        "\\u{1b}",
    ),
    *"‐‑‒―−﹘﹣－‛〝〞〟＂＇‹›´",
    *map(chr, INVISIBLE),
    *("--", "--since", "--error", "--All", "&amp;", "&lt;", "<@U1>", "`a b`", "``", "''", '""'),
)
KNOWN = [
    *("", " ", "'", '"', "`", "''", '""', 'say "it\'s" now', "'\"", "\"'", "“", "can’t", "–x"),
    *("--since", "-", "--", "-1", "4711", "#1", "1,2", "*", "*a*", "`a`", "a`", "=", "='x y'"),
    *(
        "--all",
        "--All",
        "-h",
        "--help",
        "\t",
        "\x1b[2J",
        "a\\b",
        "a\\*b",
        "\\u{9}",
        "\u202ea",
        "a  b",
    ),
    *(f"{dash}{word}" for dash in "‐‑‒–—―−﹘﹣－" for word in ("since", "all", "", "dry-run=x")),
    *("—reset-attempts", "——queue", "—-yes", "–5", "\u200b—since"),
    *("\u200b", "a\u200bb", " a", "a ", "a\nb", "&amp;", "<b>", "\\*", "\\", "Retry", "help"),
]


def texts(number=150):
    made = random.Random(4711)
    yield from KNOWN
    for _ in range(number):
        yield "".join(made.choices(ALPHABET, k=made.randint(1, 9)))


def escape(text):
    """As Slack delivers what was typed."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def read_in_shell(words):
    """As the command reads what a shell made of them."""
    return parse_words(read_dashes(shlex.split(words)), "shell").action


def requests(text):
    day = timedelta(1)
    # An empty part, which is in every text, is refused, and so is an empty glob.
    part = text if text.strip() else "x"
    failed, every = ("failed",), BulkVerb.RETRY.statuses
    yield ListFailed(error=part)
    yield ListFailed(text, part, part, day, 5, (part, "a*"), (part,))
    yield PreviewBulk(BulkVerb.RETRY, JobFilter(None, failed, queues=(part,), tasks=(part, part)))
    yield PreviewBulk(BulkVerb.RETRY, JobFilter(text, failed, part, part, day))
    yield PreviewBulk(BulkVerb.RETRY, JobFilter(None, every, part, part, request=7), True)
    yield PreviewBulk(BulkVerb.CANCEL, JobFilter(text, ("todo", "doing"), error=part))
    yield PreviewBulk(BulkVerb.DISCARD, JobFilter(text, failed))
    yield PreviewPurge(timedelta(days=30), include_failed=True, queue=text)
    yield ListFailed(text, error=part, group="E-4f2a")
    yield PreviewBulk(BulkVerb.RETRY, JobFilter(text, failed, part, group="E-4f2a", since=day))
    yield PreviewBulk(BulkVerb.CANCEL, JobFilter(None, ("todo",), group="E-4f2a"))
    actor = text.lstrip("@")  # as a mention has it
    yield ShowAudit(actor if actor.strip() else "x", day, 9)
    yield from (ShowStats(text), ShowDigest(text), ListErrors(text))


def test_what_a_button_carries_and_what_is_printed_read_back_as_the_same_request():
    for text in texts():
        for action in requests(text):
            words = action.words()
            assert safe_line(words) == words, text  # nothing is left to be shown otherwise
            clicked = split_text(words)
            assert split_text(clean_text(escape(words))) == clicked, (text, words)  # typed
            assert parse_words(clicked, "slack").action == action, (text, words)
            if not isinstance(action, ShowDigest):
                assert read_in_shell(words) == action, (text, words)


def test_a_shell_reads_what_is_printed_as_the_same_words():
    known = list(texts())
    line = " ".join([*map(quote_word, known), *(in_quotes(text, len(text)) for text in known)])
    script = f"printf '%s\\0' {line}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert [unescape(word) for word in done.stdout.decode().split("\0")[:-1]] == 2 * known


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_output_that_lacks_characters_gets_the_same_words_in_those_it_has(encoding):
    show_on(io.TextIOWrapper(io.BytesIO(), encoding))
    try:
        for text in texts():
            stats = requote(ShowStats(text).words())
            for words in (stats, f"stats -- {quote_word(text)}"):
                assert words.encode(encoding).decode(encoding) == words
                assert read_in_shell(words) == ShowStats(text), words
                assert parse_words(split_text(words), "slack").action == ShowStats(text), words
    finally:
        show_on(None)


def test_a_quoted_word_is_a_name_whatever_it_looks_like():
    def read(line):
        return parse_words(split_text(line), "slack").action

    for name in ("--all", "--since", "-h", "-1"):
        assert read(f'retry --all "{name}" --since 1h').filter.queue == name
        assert read(f"stats '{name}'") == ShowStats(name)
        assert read(f"failed '{name}' -- ").queue == name
        assert read(f'failed --error "{name}"').error == name
    assert read("stats -- --all") == ShowStats("--all")


@pytest.mark.parametrize("surface", ["slack", "shell"])
def test_an_option_that_is_given_twice_is_refused(surface):
    """In a shell nobody sees the quotes of `retry --all "--all"`, which is every failed job."""
    for line in ("retry --all --all", "failed --since 1h --since 2h", "errors --limit=1 --limit 2"):
        with pytest.raises(InvalidRequest, match=r"is given twice; .*after --"):
            parse_words(line.split(), surface)
    assert parse_words(["failed", "--queues", "a", "--queues", "b"], surface).action.queues == (
        "a",
        "b",
    )
    assert parse_words(["failed", "--error", "--error"], surface).action.error == "--error"


@pytest.mark.parametrize(
    "typed",
    ["`4711`", "*4711*", "_4711_", "~4711~", "\u200b4711\u200b", "#4711", "`#4711`", "Retry 4711"],
)
def test_an_id_is_understood_as_slack_shows_it(typed):
    line = typed if typed.startswith("Retry") else f"retry {typed}"
    assert parse_words(split_text(line), "slack").action == RetryJobs((4711,))


@pytest.mark.parametrize(
    "typed",
    [
        "retri --sinse 1h", "retyr can't", "faild --limt 5", "failde --limit x", "stast a b",
        "retry webhook", "retry \"a\" 'b", "retry it's", "--limit failed", "--private failed x",
        "cancle --all --runing", "retry --al 'two words'", 'retry "two words"', "Retri «a b»",
        "retry 'a\\b'", "retry 'a\\*b'", "retry 'a\tb'", "Retri --all 'a\\b'",
        'retri --all "--all"',
    ],
)  # fmt: skip
def test_a_suggestion_reads_as_a_request(typed):
    with pytest.raises(InvalidRequest) as caught:
        parse_words(split_text(typed), "slack")
    if (line := caught.value.suggestion) is not None:
        parse_words(split_text(line), "slack")
        said = str(caught.value).partition("did you mean ")[2].rstrip("?")
        assert said in (f"'{line}'", line) or "…" in said or said.startswith("--")
    else:
        assert "did you mean" not in str(caught.value)


def test_of_a_long_list_of_ids_the_first_are_shown_and_the_others_counted():
    ids = " ".join(map(str, range(12, 129)))
    assert cut_ids(f"/jobs retry {ids} --yes") == (
        "/jobs retry 12 13 14 15 16 17 18 19 20 21 … and 107 more --yes"
    )
    for whole in ("retry 1 2 3 4 5 6 7 8 9 10", "retry --all q1 --since 1d1h", "status 12"):
        assert cut_ids(whole) == whole


def test_of_all_characters_odd_blanks_and_those_without_a_shape_have_a_name_quoted():
    for char in map(chr, range(sys.maxunicode + 1)):
        kind, name = unicodedata.category(char), f"a{char}b"
        hidden = kind in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} and char not in "\u200c\u200d"
        odd = hidden or (kind == "Zs" and char != " ")
        assert show_name(name) == (in_quotes(name) if odd else name), hex(ord(char))
    for name in (" ", " a", "a ", "a  b", "\na", "a\n", "\t"):
        assert show_name(name) == in_quotes(name)
        assert unescape(shlex.split(show_name(name))[0]) == name
    assert show_name("") == '""'
