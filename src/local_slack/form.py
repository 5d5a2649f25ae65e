"""What the inputs of a view contain, and how a user fills them in."""

from typing import Any

from local_slack.blocks import iterate_elements
from local_slack.errors import ControlError
from local_slack.views import State, View

FIELDS = {
    "channels_select": ("selected_channel", "initial_channel"),
    "checkboxes": ("selected_options", "initial_options"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "datepicker": ("selected_date", "initial_date"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "email_text_input": ("value", "initial_value"),
    "multi_static_select": ("selected_options", "initial_options"),
    "number_input": ("value", "initial_value"),
    "plain_text_input": ("value", "initial_value"),
    "radio_buttons": ("selected_option", "initial_option"),
    "static_select": ("selected_option", "initial_option"),
    "timepicker": ("selected_time", "initial_time"),
    "url_text_input": ("value", "initial_value"),
    "users_select": ("selected_user", "initial_user"),
}
"""Where the state keeps an element's value, and where the element keeps its initial value."""


def read_values(blocks: list[dict[str, Any]], before: State | None = None) -> State:
    """Return what the inputs contain; `before` is kept where block_id and action_id are."""
    values: State = {}
    for element, block_id in iterate_elements(blocks):
        if element["type"] not in FIELDS:
            continue
        key, initial = FIELDS[element["type"]]
        empty: list[Any] | None = [] if key == "selected_options" else None
        kept = (before or {}).get(block_id, {}).get(element["action_id"], {})
        if kept.get("type") != element["type"]:
            kept = {"type": element["type"], key: element.get(initial, empty)}
        values.setdefault(block_id, {})[element["action_id"]] = kept
    return values


def fill_in(view: View, given: dict[str, Any]) -> State:
    """Return the state with `given` (by action_id or block_id) typed and picked by the user.

    A choice is given by its value. Raise `ControlError` for what Slack's own form would not let
    through: an unknown input or choice, a required input left empty, a text too long or too short.
    """
    values = {block: dict(fields) for block, fields in view.values.items()}
    elements = {}
    for element, block_id in iterate_elements(view.blocks):
        if element["type"] in FIELDS:
            elements[element["action_id"]] = elements[block_id] = (element, block_id)
    for name, value in given.items():
        if name not in elements:
            there = ", ".join(elements) or "-"
            raise ControlError(f"the modal has no input {name!r}; it has: {there}")
        element, block_id = elements[name]
        key, _ = FIELDS[element["type"]]
        filled = {"type": element["type"], key: pick(element, key, value)}
        values[block_id][element["action_id"]] = filled
    _check_required(view.blocks, values)
    return values


def pick(element: dict[str, Any], key: str, value: Any) -> Any:
    """Return what the state holds under `key` when the user gives `value`."""
    if key == "value":
        return _type_in(element, value)
    if key == "selected_options":
        return [_get_option(element, one) for one in value]
    return _get_option(element, value) if key == "selected_option" else value


def _type_in(element: dict[str, Any], value: Any) -> str | None:
    text = "" if value is None else str(value)
    least, most = element.get("min_length", 0), element.get("max_length", 3000)
    if text and not least <= len(text) <= most:
        raise ControlError(f"the input takes {least} to {most} characters, not {len(text)}")
    return text or None


def _get_option(element: dict[str, Any], value: Any) -> dict[str, Any]:
    groups = element.get("option_groups", [])
    options = [*element.get("options", []), *(one for group in groups for one in group["options"])]
    for option in options:
        if option["value"] == value:
            return dict(option)
    there = ", ".join(option["value"] for option in options)
    raise ControlError(f"{element['action_id']} has no choice {value!r}; it has: {there}")


def _check_required(blocks: list[dict[str, Any]], values: State) -> None:
    for block in blocks:
        if block["type"] != "input" or block.get("optional"):
            continue
        element = block["element"]
        key, _ = FIELDS[element["type"]]
        if not values[block["block_id"]][element["action_id"]][key]:
            raise ControlError(f"{block['label']['text']!r} must be filled in before the submit")
