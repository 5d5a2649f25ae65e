"""What Slack checks in buttons, menus and inputs.

The limits are those of `docs.slack.dev/reference/block-kit/block-elements`. Where an element may
be used is checked only for inputs and buttons: the app has no others.
"""

from typing import Any

from local_slack.check_parts import (
    Check,
    Found,
    check_choice,
    check_fields,
    check_id,
    check_items,
    check_range,
    check_string,
    check_text,
)

MAX_BUTTON_TEXT = 75
MAX_BUTTON_VALUE = 2000
MAX_PLACEHOLDER = 150
MAX_OPTION_TEXT = 75
MAX_OPTION_VALUE = 150
MAX_INPUT = 3000
CONFIRM_LIMITS = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
STYLES = ("danger", "primary")
BUTTON = (
    "type",
    "text",
    "action_id",
    "url",
    "value",
    "style",
    "confirm",
    "accessibility_label",
)
INPUT = ("type", "action_id", "initial_value", "dispatch_action_config", "focus_on_load")


def check_element(element: dict[str, Any], where: str) -> Found:
    kind = element.get("type")
    if not isinstance(kind, str):
        yield where, "missing required field: type"
        return
    yield from check_id(element, "action_id", where)
    check = CHECKS.get(kind)
    if check is None:
        yield f"{where}/type", f"unsupported type: {kind}"
        return
    yield from check(element, where)
    if "placeholder" in element:
        yield from check_text(element, "placeholder", where, MAX_PLACEHOLDER, plain=True)
    if "confirm" in element:
        yield from _confirm(element["confirm"], f"{where}/confirm")


def _button(element: dict[str, Any], where: str) -> Found:
    yield from check_fields(element, BUTTON, where)
    yield from check_text(element, "text", where, MAX_BUTTON_TEXT, plain=True)
    if "value" in element:
        yield from check_string(element, "value", where, MAX_BUTTON_VALUE)
    if "url" in element:
        yield from check_string(element, "url", where, 3000)
    yield from check_choice(element, "style", where, STYLES)


def _confirm(confirm: Any, where: str) -> Found:
    """The reference requires all four texts; the SDK's own class fills in two of them."""
    if not isinstance(confirm, dict):
        yield where, "must be an object"
        return
    yield from check_fields(confirm, (*CONFIRM_LIMITS, "style"), where)
    for key, limit in CONFIRM_LIMITS.items():
        yield from check_text(confirm, key, where, limit, plain=key != "text")
    yield from check_choice(confirm, "style", where, STYLES)


def _text_input(element: dict[str, Any], where: str) -> Found:
    known = (*INPUT, "placeholder", "multiline", "min_length", "max_length")
    yield from check_fields(element, known, where)
    if "min_length" in element:
        yield from check_range(element, "min_length", where, 0, MAX_INPUT)
    if "max_length" in element:
        yield from check_range(element, "max_length", where, 1, MAX_INPUT)


def _line_input(element: dict[str, Any], where: str) -> Found:
    """An e-mail address or a URL."""
    yield from check_fields(element, (*INPUT, "placeholder"), where)


def _number_input(element: dict[str, Any], where: str) -> Found:
    known = (*INPUT, "placeholder", "is_decimal_allowed", "min_value", "max_value")
    yield from check_fields(element, known, where)
    if not isinstance(element.get("is_decimal_allowed"), bool):
        yield f"{where}/is_decimal_allowed", "must be a boolean"


def _menu(element: dict[str, Any], where: str) -> Found:
    if "option_groups" not in element:
        yield from check_items(element, "options", where, 1, 100, _option)


def _choices(element: dict[str, Any], where: str) -> Found:
    """Radio buttons and check boxes; an option may be mrkdwn."""
    yield from check_items(element, "options", where, 1, 10, _rich_option)


def _option(option: dict[str, Any], where: str) -> Found:
    yield from check_text(option, "text", where, MAX_OPTION_TEXT, plain=True)
    yield from check_string(option, "value", where, MAX_OPTION_VALUE)


def _rich_option(option: dict[str, Any], where: str) -> Found:
    yield from check_text(option, "text", where, MAX_OPTION_TEXT)
    yield from check_string(option, "value", where, MAX_OPTION_VALUE)


def _anything(_element: dict[str, Any], _where: str) -> Found:
    yield from ()


CHECKS: dict[str, Check] = {
    "button": _button,
    "channels_select": _anything,
    "checkboxes": _choices,
    "conversations_select": _anything,
    "datepicker": _anything,
    "datetimepicker": _anything,
    "email_text_input": _line_input,
    "image": _anything,
    "multi_static_select": _menu,
    "number_input": _number_input,
    "overflow": _menu,
    "plain_text_input": _text_input,
    "radio_buttons": _choices,
    "static_select": _menu,
    "timepicker": _anything,
    "url_text_input": _line_input,
    "users_select": _anything,
}
INPUTS = frozenset(CHECKS) - {"button", "image", "overflow"}
"""What an `input` block may hold."""
ONLY_INPUTS = frozenset({"email_text_input", "number_input", "plain_text_input", "url_text_input"})
"""What only an `input` block may hold."""
