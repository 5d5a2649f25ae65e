import pytest

from chatbot.local_slack.blocks import check_blocks, iterate_elements
from chatbot.local_slack.errors import SlackError


def mrkdwn(text):
    return {"type": "mrkdwn", "text": text}


def plain(text):
    return {"type": "plain_text", "text": text}


def section(text="x"):
    return {"type": "section", "text": mrkdwn(text)}


def button(**fields):
    return {"type": "button", "text": plain("Retry"), "action_id": "retry", **fields}


def actions(*elements):
    return {"type": "actions", "elements": list(elements)}


def table(rows=1, columns=1, cell=None):
    cell = cell or {"type": "raw_text", "text": "x"}
    return {"type": "table", "rows": [[cell] * columns for _ in range(rows)]}


def rich(text="x"):
    part = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [part]}


AT_THE_LIMIT = [
    [section("x" * 3000)],
    [section("x")] * 50,
    [{"type": "section", "fields": [mrkdwn("x" * 1300)] * 10}],
    [{"type": "header", "text": plain("x" * 150)}],
    [{"type": "context", "elements": [mrkdwn("x")] * 10}],
    [actions(*(button(action_id=f"a{i}") for i in range(25)))],
    [actions(button(text=plain("x" * 75), value="v" * 2000, style="danger"))],
    [actions(button(confirm={"title": plain("x" * 100), "text": mrkdwn("x" * 300)}))],
    [table(100, 20)],
    [table(cell={"type": "raw_number", "value": 3, "text": "3"})],
    [table(cell=rich())],
    [{"type": "data_table", "caption": "Jobs", "rows": table(101)["rows"]}],
    [{"type": "data_visualization", "title": "x" * 50}] * 2,
    [{"type": "container", "children": [section()] * 10}],
    [{"type": "divider"}, rich(), {"type": "markdown", "text": "*x*"}],
]


@pytest.mark.parametrize("blocks", AT_THE_LIMIT)
def test_blocks_at_the_limit_are_taken(blocks):
    assert len(check_blocks(blocks)) == len(blocks)


OVER_THE_LIMIT = [
    ([section("x")] * 51, "/blocks]"),
    ([section("x" * 3001)], "/blocks/0/text/text"),
    ([section("")], "/blocks/0/text/text"),
    ([{"type": "section"}], "missing required field: text or fields"),
    ([{"type": "section", "fields": [mrkdwn("x")] * 11}], "/blocks/0/fields"),
    ([{"type": "section", "fields": [mrkdwn("x" * 2001)]}], "/blocks/0/fields/0"),
    ([{"type": "header", "text": plain("x" * 151)}], "/blocks/0/text"),
    ([{"type": "header", "text": mrkdwn("x")}], "must be an object of type plain_text"),
    ([{"type": "context", "elements": [mrkdwn("x")] * 11}], "/blocks/0/elements"),
    ([actions()], "/blocks/0/elements"),
    ([actions(*(button(action_id=f"a{i}") for i in range(26)))], "/blocks/0/elements"),
    ([actions(button(), button())], "action_id retry already exists"),
    ([actions(button(text=plain("x" * 76)))], "/blocks/0/elements/0/text"),
    ([actions(button(text=mrkdwn("x")))], "/blocks/0/elements/0/text"),
    ([actions(button(value="v" * 2001))], "/blocks/0/elements/0/value"),
    ([actions(button(action_id="a" * 256))], "/blocks/0/elements/0/action_id"),
    ([actions(button(style="red"))], "/blocks/0/elements/0/style"),
    ([actions(button(confirm={"deny": plain("x" * 31)}))], "/confirm/deny"),
    ([actions({"text": plain("x")})], "missing required field: type"),
    ([table(101)], "/blocks/0/rows"),
    ([table(1, 21)], "/blocks/0/rows/0"),
    ([table(cell={"type": "text", "text": "x"})], "unsupported cell type: text"),
    ([table(cell={"type": "raw_number", "text": "3"})], "/blocks/0/rows/0/0/value"),
    ([table(cell={"type": "raw_text", "text": ""})], "/blocks/0/rows/0/0/text"),
    ([{"type": "data_table", "rows": table(2)["rows"]}], "/blocks/0/caption"),
    ([{"type": "data_table", "caption": "x", "rows": table(1)["rows"]}], "/blocks/0/rows"),
    ([{"type": "data_visualization", "title": "x" * 51}], "/blocks/0/title"),
    ([{"type": "data_visualization", "title": "x"}] * 3, "no more than 2"),
    ([{"type": "container", "children": [section()] * 11}], "/blocks/0/children"),
    ([{"type": "container", "children": [section(""), 7]}], "/blocks/0/children/0/text/text"),
    ([rich("")], "/blocks/0/elements/0/elements/0/text"),
    ([{"type": "rich_text", "elements": [{"type": "text", "text": "x"}]}], "rich_text"),
    ([{"type": "alert"}], "unsupported type: alert"),
    ([{"text": "x"}], "unsupported type: None"),
    ([{**section(), "block_id": "b" * 256}], "/blocks/0/block_id"),
    ([{**section(), "block_id": "b"}] * 2, "block_id already exists"),
]


@pytest.mark.parametrize(("blocks", "problem"), OVER_THE_LIMIT)
def test_blocks_over_the_limit_are_invalid_blocks_with_the_place(blocks, problem):
    with pytest.raises(SlackError) as caught:
        check_blocks(blocks)

    assert caught.value.code == "invalid_blocks"
    assert problem in caught.value.body["response_metadata"]["messages"][0]


def test_a_second_table_is_refused_as_an_attachment():
    with pytest.raises(SlackError) as caught:
        check_blocks([table(), table()])

    assert caught.value.code == "invalid_attachments"
    assert "only_one_table_allowed" in caught.value.body["errors"][0]


def test_many_characters_over_all_blocks_are_too_long():
    check_blocks([section("x" * 3000)] * 4)

    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        check_blocks([section("x" * 2700)] * 5)


def test_blocks_that_are_no_list_of_objects_have_an_invalid_format():
    for blocks in ({"type": "section"}, ["x"], "x"):
        with pytest.raises(SlackError, match="invalid_blocks_format"):
            check_blocks(blocks)


def test_a_block_that_is_not_rolled_out_here_is_invalid():
    with pytest.raises(SlackError, match="invalid_blocks"):
        check_blocks([table()], unsupported=("table",))


def test_missing_ids_are_assigned_and_given_ones_kept():
    first, second = check_blocks(
        [actions(button(), {"type": "button", "text": plain("B")}), {**section(), "block_id": "b"}]
    )

    assert first["block_id"]
    assert second["block_id"] == "b"
    assert [one["action_id"] for one in first["elements"]] == ["retry", f"{first['block_id']}-1"]


def test_buttons_are_found_in_actions_sections_and_containers():
    blocks = check_blocks(
        [
            {"type": "container", "children": [actions(button(action_id="a"))]},
            {**section(), "accessory": button(action_id="b"), "block_id": "B"},
        ]
    )

    found = list(iterate_elements(blocks))

    assert [one["action_id"] for one, _ in found] == ["a", "b"]
    assert found[1][1] == "B"
