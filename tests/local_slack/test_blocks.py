import pytest

from local_slack.blocks import check_blocks, iterate_elements
from local_slack.errors import SlackError


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


CONFIRM = {
    "title": plain("x" * 100),
    "text": mrkdwn("x" * 300),
    "confirm": plain("x" * 30),
    "deny": plain("x" * 30),
}


def chart(kind="bar", **fields):
    categories = [f"{i}" * 10 for i in range(10, 30)]
    points = [{"label": label, "value": 1} for label in categories]
    drawn = {
        "type": kind,
        "series": [{"name": f"{i}", "data": points} for i in range(6)],
        "axis_config": {"categories": categories, "x_label": "x" * 50, "y_label": "y"},
    }
    return {"type": "data_visualization", "title": "x" * 50, "chart": {**drawn, **fields}}


def pie(*values):
    segments = [{"label": "x" * 20, "value": value} for value in values]
    return {
        "type": "data_visualization",
        "title": "x",
        "chart": {"type": "pie", "segments": segments},
    }


def container(*children, **fields):
    return {
        "type": "container",
        "title": plain("x" * 150),
        "child_blocks": list(children),
        **fields,
    }


def entry(**fields):
    element = {"type": "plain_text_input", "action_id": "why", "max_length": 3000}
    return {"type": "input", "label": plain("Why"), "element": element, **fields}


def rich(text="x"):
    part = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [part]}


AT_THE_LIMIT = [
    [section("x" * 3000)],
    [section("x")] * 50,
    [{"type": "section", "fields": [mrkdwn("x" * 1134)] * 10}],
    [{"type": "header", "text": plain("x" * 150)}],
    [{"type": "context", "elements": [mrkdwn("x")] * 10}],
    [actions(*(button(action_id=f"a{i}") for i in range(25)))],
    [actions(button(text=plain("x" * 75), value="v" * 2000, style="danger"))],
    [actions(button(confirm=CONFIRM))],
    [table(100, 20)],
    [table(cell={"type": "raw_number", "value": 3, "text": "3"})],
    [table(cell=rich())],
    [{"type": "data_table", "caption": "Jobs", "rows": table(101)["rows"]}],
    [chart("line"), pie(1, 2, 3, 4, 5, 6)],
    [container(*[section()] * 10, is_collapsible=True, default_collapsed=True)],
    [container(table())],
    [table(10, 10, {"type": "raw_text", "text": "x" * 100})],
    [{"type": "markdown", "text": "x" * 12_000}],
    [entry(optional=True, hint=plain("x" * 2000))],
    [{"type": "divider"}, rich(), {"type": "markdown", "text": "*x*"}],
]


@pytest.mark.parametrize("blocks", AT_THE_LIMIT)
def test_blocks_at_the_limit_are_taken(blocks):
    assert len(check_blocks(blocks)) == len(blocks)


def hours(*labels):
    points = [{"label": label, "value": 1} for label in labels]
    return chart(series=[{"name": "a", "data": points}], axis_config={"categories": list(labels)})


OVER_THE_LIMIT = [
    ([hours("08", "10", "08")], "must not repeat a category [json-pointer:/blocks/0/chart"),
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
    ([actions(button(confirm={**CONFIRM, "title": plain("x" * 101)}))], "/confirm/title/text"),
    ([actions(button(confirm={**CONFIRM, "text": plain("x" * 301)}))], "/confirm/text/text"),
    ([actions(button(confirm={**CONFIRM, "confirm": plain("x" * 31)}))], "/confirm/confirm/text"),
    ([actions(button(confirm={**CONFIRM, "deny": plain("x" * 31)}))], "/confirm/deny/text"),
    ([actions(button(confirm={"title": plain("x"), "text": plain("x")}))], "/confirm/confirm]"),
    ([actions(button()), actions(button())], "/blocks/1/elements/0/action_id"),
    ([actions({"type": "plain_text_input"})], "belongs in an input block"),
    ([{**section(), "colour": "red"}], "invalid additional property: colour"),
    ([{"type": "section", "text": {**mrkdwn("x"), "emoji": True}}], "property: emoji"),
    ([entry(label=mrkdwn("x"))], "/blocks/0/label"),
    ([entry(element=button())], "unsupported element in input: button"),
    ([entry(element={"type": "plain_text_input", "max_length": 3001})], "from 1 to 3000"),
    ([actions({"text": plain("x")})], "missing required field: type"),
    ([table(101)], "/blocks/0/rows"),
    ([table(1, 21)], "/blocks/0/rows/0"),
    ([table(cell={"type": "text", "text": "x"})], "unsupported cell type: text"),
    ([table(cell={"type": "raw_number", "text": "3"})], "/blocks/0/rows/0/0/value"),
    ([table(cell={"type": "raw_text", "text": ""})], "/blocks/0/rows/0/0/text"),
    ([{"type": "data_table", "rows": table(2)["rows"]}], "/blocks/0/caption"),
    ([{"type": "data_table", "caption": "x", "rows": table(1)["rows"]}], "/blocks/0/rows"),
    (
        [
            {
                "type": "data_table",
                "caption": "x",
                "rows": [[*table(1, 2)["rows"][0]], *table()["rows"]],
            }
        ],
        "same number of cells",
    ),
    ([{"type": "data_table", "caption": "x", "rows": [[rich()], [rich()]]}], "/blocks/0/rows/0/0"),
    ([{"type": "data_visualization", "title": "x"}], "/blocks/0/chart"),
    ([{**chart(), "title": "x" * 51}], "/blocks/0/title"),
    ([chart("donut")], "must be an object of type area, bar, line, pie"),
    ([chart(series=chart()["chart"]["series"] * 2)], "/blocks/0/chart/series]"),
    ([chart(series=[chart()["chart"]["series"][0]] * 2)], "two series have the same name"),
    ([chart(series=[{"name": "x" * 21, "data": []}])], "/blocks/0/chart/series/0/name"),
    ([chart(axis_config={"categories": ["a"]})], "one point for each of the categories"),
    ([chart(axis_config={"categories": ["a"] * 21})], "/axis_config/categories]"),
    ([chart(axis_config={"categories": ["x" * 21]})], "/axis_config/categories/0"),
    ([pie(1, 2, 3, 4, 5, 6, 7)], "/blocks/0/chart/segments"),
    ([pie(0)], "must be more than 0"),
    ([chart()] * 3, "no more than 2"),
    ([container(*[section()] * 11)], "/blocks/0/child_blocks"),
    ([container(section(""))], "/blocks/0/child_blocks/0/text/text"),
    ([container(container(section()))], "unsupported type in a container: container"),
    ([{"type": "container", "child_blocks": [section()]}], "title or rich_text_title"),
    ([container(section(), default_collapsed=True)], "requires is_collapsible"),
    ([table(10, 10, {"type": "raw_text", "text": "x" * 101})], "more than 10000 characters"),
    ([{"type": "markdown", "text": "x" * 6_001}] * 2, "more than 12000 characters"),
    ([{**table(), "column_settings": [{"align": "up"}]}], "/blocks/0/column_settings/0/align"),
    (
        [
            {
                "type": "rich_text",
                "elements": [{"type": "rich_text_section", "elements": [{"type": "link"}]}],
            }
        ],
        "missing required field: url",
    ),
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
    check_blocks([section("x" * 2835)] * 4)

    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        check_blocks([*[section("x" * 2835)] * 4, section("x")])


def test_blocks_that_are_no_list_of_objects_have_an_invalid_format():
    for blocks in ({"type": "section"}, ["x"], "x"):
        with pytest.raises(SlackError, match="invalid_blocks_format"):
            check_blocks(blocks)


def test_a_block_that_is_not_rolled_out_here_is_invalid_but_no_breach_of_the_app():
    with pytest.raises(SlackError, match="invalid_blocks") as caught:
        check_blocks([container(table())], unsupported=("table",))

    assert "/blocks/0/child_blocks/0/type" in caught.value.body["errors"][0]
    assert not caught.value.is_breach


def test_what_is_wrong_anyway_stays_a_breach_where_a_block_is_not_rolled_out():
    with pytest.raises(SlackError, match="invalid_blocks") as caught:
        check_blocks([table(), section("")], unsupported=("table",))

    assert caught.value.is_breach


def test_a_modal_takes_a_hundred_blocks_and_alerts_but_no_tables_and_charts():
    alert = {"type": "alert", "text": mrkdwn("x"), "level": "warning"}

    assert len(check_blocks([alert] * 100, surface="modal")) == 100
    for blocks in ([alert] * 101, [table()], [pie(1)], [container(section())]):
        with pytest.raises(SlackError, match="invalid_blocks"):
            check_blocks(blocks, surface="modal")


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
            container(actions(button(action_id="a"))),
            {**section(), "accessory": button(action_id="b"), "block_id": "B"},
        ]
    )

    found = list(iterate_elements(blocks))

    assert [one["action_id"] for one, _ in found] == ["a", "b"]
    assert found[1][1] == "B"
