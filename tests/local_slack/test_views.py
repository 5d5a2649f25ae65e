"""Which modals the local Slack takes, and what a user can fill in."""

import pytest

from local_slack import ControlError
from local_slack.errors import SlackError
from local_slack.form import fill_in, read_values
from local_slack.view_checks import check_view
from local_slack.views import View


def plain(text):
    return {"type": "plain_text", "text": text}


def section(text="x"):
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def modal(**fields):
    return {"type": "modal", "title": plain("x" * 24), "blocks": [section()], **fields}


def option(value):
    return {"text": plain(value), "value": value}


def entry(kind, *, optional=False, **fields):
    element = {"type": kind, "action_id": "what", **fields}
    return {
        "type": "input",
        "block_id": "entry",
        "label": plain("What"),
        "element": element,
        "optional": optional,
    }


def view(*blocks):
    content = check_view(modal(blocks=list(blocks), submit=plain("Go")))
    return View("V1", "U1", content, "1.a", "V1", None, read_values(content["blocks"]))


def fill(block, value):
    return fill_in(view(block), {"what": value})["entry"]["what"]


AT_THE_LIMIT = [
    modal(blocks=[section()] * 100),
    modal(submit=plain("x" * 24), close=plain("x" * 24), clear_on_close=True),
    modal(private_metadata="x" * 3000, callback_id="x" * 255, external_id="x" * 255),
    modal(blocks=[section("x" * 2000)] * 100),
    modal(blocks=[entry("plain_text_input")], submit=plain("Go")),
]


@pytest.mark.parametrize("given", AT_THE_LIMIT)
def test_modals_at_the_limit_are_taken(given):
    assert all(block["block_id"] for block in check_view(given)["blocks"])


OVER_THE_LIMIT = [
    (modal(type="home"), "/view/type"),
    (modal(title=plain("x" * 25)), "/view/title/text"),
    (modal(title={"type": "mrkdwn", "text": "x"}), "/view/title]"),
    (modal(submit=plain("x" * 25)), "/view/submit/text"),
    (modal(close=plain("x" * 25)), "/view/close/text"),
    (modal(private_metadata="x" * 3001), "/view/private_metadata"),
    (modal(private_metadata={}), "/view/private_metadata"),
    (modal(callback_id="x" * 256), "/view/callback_id"),
    (modal(external_id="x" * 256), "/view/external_id"),
    (modal(notify_on_close="yes"), "/view/notify_on_close"),
    (modal(colour="red"), "invalid additional property: colour"),
    (modal(blocks=[section()] * 101), "/view/blocks]"),
    (modal(blocks=[section("")]), "/view/blocks/0/text/text"),
    (modal(blocks="x"), "/view/blocks]"),
    (modal(blocks=[entry("plain_text_input")]), "/view/submit]"),
    ("x", "/view]"),
]


@pytest.mark.parametrize(("given", "problem"), OVER_THE_LIMIT)
def test_modals_over_the_limit_are_invalid_arguments_with_the_place(given, problem):
    with pytest.raises(SlackError) as caught:
        check_view(given)

    assert caught.value.code == "invalid_arguments"
    assert caught.value.is_breach
    assert any(problem in one for one in caught.value.body["response_metadata"]["messages"])


def test_a_modal_of_more_than_250_kb_is_too_large():
    with pytest.raises(SlackError, match="view_too_large"):
        check_view(modal(blocks=[section("x" * 3000)] * 90))


def test_a_block_that_is_not_rolled_out_is_no_breach_in_a_modal_either():
    alert = {"type": "alert", "text": plain("x")}
    with pytest.raises(SlackError, match="invalid_arguments") as caught:
        check_view(modal(blocks=[alert]), ("alert",))

    assert not caught.value.is_breach


FILLED = [
    (entry("plain_text_input"), "why", {"value": "why"}),
    (entry("email_text_input"), "a@b.example", {"value": "a@b.example"}),
    (entry("number_input", is_decimal_allowed=False), 7, {"value": "7"}),
    (
        entry("static_select", options=[option("a"), option("b")]),
        "b",
        {"selected_option": option("b")},
    ),
    (entry("radio_buttons", options=[option("a")]), "a", {"selected_option": option("a")}),
    (
        entry("checkboxes", options=[option("a"), option("b")]),
        ["a", "b"],
        {"selected_options": [option("a"), option("b")]},
    ),
    (entry("datepicker"), "2026-11-23", {"selected_date": "2026-11-23"}),
    (entry("users_select"), "U1", {"selected_user": "U1"}),
]


@pytest.mark.parametrize(("block", "value", "state"), FILLED)
def test_each_input_keeps_its_value_as_slack_names_it(block, value, state):
    assert fill(block, value) == {"type": block["element"]["type"], **state}


def test_what_stands_in_an_input_first_is_its_initial_value():
    there = view(
        entry("static_select", options=[option("a")], initial_option=option("a"), optional=True)
    )

    assert fill_in(there, {}) == there.values
    assert there.values["entry"]["what"]["selected_option"] == option("a")


def test_a_choice_that_is_not_offered_cannot_be_made():
    with pytest.raises(ControlError, match="what has no choice 'c'; it has: a, b"):
        fill(entry("static_select", options=[option("a"), option("b")]), "c")


@pytest.mark.parametrize("value", ["", None])
def test_a_required_input_cannot_be_left_empty_and_an_optional_one_can(value):
    with pytest.raises(ControlError, match="'What' must be filled in before the submit"):
        fill(entry("plain_text_input"), value)
    assert fill(entry("plain_text_input", optional=True), value)["value"] is None


def test_an_update_keeps_what_was_typed_where_the_ids_stay():
    typed = fill_in(view(entry("plain_text_input")), {"entry": "kept"})
    same = check_view(modal(blocks=[entry("plain_text_input")], submit=plain("Go")))["blocks"]
    other = check_view(modal(blocks=[entry("datepicker")], submit=plain("Go")))["blocks"]

    assert read_values(same, typed) == typed
    assert read_values(other, typed)["entry"]["what"] == {
        "type": "datepicker",
        "selected_date": None,
    }
