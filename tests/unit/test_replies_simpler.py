"""A message without the blocks that a workspace does not take."""

import pytest

from chatbot.messages import Message
from chatbot.messages.packer import MOST_CHARACTERS, measure
from chatbot.messages.parts import paragraph, table
from chatbot.messages.simpler import find_simpler, list_kinds, shorten_text, without
from local_slack.blocks import check_blocks

CHART = {
    "type": "data_visualization",
    "title": "Failures",
    "chart": {"type": "bar", "series": [{"name": "failed", "data": [{"label": "08", "value": 3}]}]},
}
DATA_TABLE = {
    "type": "data_table",
    "caption": "Queues",
    "rows": [
        [{"type": "raw_text", "text": "Queue"}, {"type": "raw_text", "text": "Failed"}],
        [{"type": "raw_text", "text": "email"}, {"type": "raw_number", "value": 9, "text": "9"}],
        [{"type": "raw_text", "text": "web"}, {"type": "raw_number", "value": 1, "text": "1,204"}],
    ],
}  # fmt: skip
WORDS = paragraph(["37 jobs failed."]).blocks[0]
TABLE = table(["Queue", "Failed"], [["email", "9"], ["webhook", "1,204"]], bold_rows=1).blocks[0]
CHARTS = frozenset({"data_visualization", "data_table"})
TABLES = CHARTS | {"table"}


def message(*blocks):
    return Message("all of it in words", list(blocks))


def kinds(simpler):
    return [block["type"] for block in simpler.blocks]


def pre(block):
    return block["elements"][0]["elements"][0]["text"]


def test_a_chart_is_left_out_and_the_rest_stays_as_it_is():
    simpler = without(message(WORDS, CHART, TABLE), CHARTS)
    assert simpler == message(WORDS, TABLE)


def test_a_data_table_becomes_a_table_with_its_numbers_at_the_right():
    simpler = without(message(WORDS, DATA_TABLE), CHARTS)
    assert kinds(simpler) == ["rich_text", "context", "table"]
    assert simpler.blocks[1]["elements"][0]["text"] == "Queues"
    assert simpler.blocks[2]["column_settings"] == [{}, {"align": "right"}]
    assert simpler.blocks[2]["rows"][2][1] == {"type": "raw_text", "text": "1,204"}
    check_blocks(simpler.blocks)


@pytest.mark.parametrize("there", [[TABLE, DATA_TABLE], [DATA_TABLE, DATA_TABLE]])
def test_beside_a_table_a_data_table_becomes_rows_since_slack_takes_one_table(there):
    simpler = without(message(*there), CHARTS)
    assert sorted(kinds(simpler)).count("table") == 1
    assert any("web     1,204" in pre(b) for b in simpler.blocks if b["type"] == "rich_text")
    check_blocks(simpler.blocks)


def test_a_table_becomes_aligned_preformatted_rows():
    simpler = without(message(WORDS, TABLE), TABLES)
    assert pre(simpler.blocks[1]).splitlines() == [
        "Queue    Failed",
        "email         9",
        "webhook   1,204",
    ]
    check_blocks(simpler.blocks)


def test_wide_characters_keep_the_columns_aligned():
    rows = [["名前", "1"], ["email", "20"]]
    simpler = without(message(table(["Queue", "N"], rows).blocks[0]), TABLES)
    assert pre(simpler.blocks[0]).splitlines() == ["Queue   N", "名前    1", "email  20"]


def test_a_container_is_looked_into_and_an_empty_one_goes():
    full = {"type": "container", "child_blocks": [WORDS, CHART]}
    empty = {"type": "container", "child_blocks": [CHART]}
    assert list_kinds(message(full)) == {"container", "rich_text", "data_visualization"}
    simpler = without(message(full, empty), CHARTS)
    assert simpler == message({"type": "container", "child_blocks": [WORDS]})


def test_without_a_kind_that_nothing_replaces_the_text_stays_alone():
    full = message(WORDS, {"type": "container", "child_blocks": [WORDS]})
    assert without(full, frozenset({"container"})) == message()


def test_rows_that_are_too_long_for_slack_leave_the_text_alone():
    wide = table(["Queue", "Error"], [[f"q{i}", "x"] for i in range(80)] + [["last", "x" * 400]])
    assert measure(list(wide.blocks)) < MOST_CHARACTERS
    assert without(message(*wide.blocks), TABLES) == message()


def test_what_is_given_up_comes_in_steps_and_what_slack_names_comes_first():
    full = message(WORDS, CHART, TABLE)
    assert find_simpler(full, frozenset()) == {"data_visualization"}
    assert find_simpler(full, frozenset({"table", "call"})) == {"table"}
    assert find_simpler(message(WORDS, TABLE), frozenset()) == {"table"}
    assert find_simpler(message(WORDS), frozenset()) == frozenset()


def test_a_message_without_the_refused_kinds_is_the_same():
    same = message(WORDS)
    assert without(same, TABLES) is same


def test_a_text_too_long_for_an_edit_ends_at_a_line_and_says_how_many_are_left_out():
    lines = [f"job {i} failed" for i in range(1_000)]
    shorter = shorten_text(Message("\n".join(lines), [WORDS]), 4_000)
    assert len(shorter.text) <= 4_000
    *kept, last = shorter.text.splitlines()
    assert kept == lines[: len(kept)]
    assert last == f"… {1_000 - len(kept)} more lines, not in this text"
    assert shorter.blocks == [WORDS]
    assert len(shorten_text(Message("x" * 9_000, []), 4_000).text) <= 4_000
    assert shorten_text(Message("short", []), 4_000).text == "short"
