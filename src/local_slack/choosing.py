"""What a person picks in a menu: of a message, or of a modal."""

from typing import Any

from local_slack.blocks import iterate_elements
from local_slack.core import Core
from local_slack.delivery import CommandResult
from local_slack.errors import ControlError
from local_slack.form import FIELDS, pick, read_values
from local_slack.payloads import build_action, build_block_actions
from local_slack.responses import Origin
from local_slack.view_payloads import build_view_click
from local_slack.views import State

MENUS = {**FIELDS, "overflow": ("selected_option", "")}


class Choosing(Core):
    async def choose(
        self, user: str, channel: str, ts: str, action_id: str, value: Any
    ) -> CommandResult:
        """Pick in a menu of a message; an option by its value, several as a list of values."""
        person, place = self._workspace.get_person(user, channel)
        message = self._workspace.find(channel, ts)
        if message is None or not message.is_seen_by(user):
            raise ControlError(f"{user} cannot see a message {ts} in #{place.name}")
        action = self._choose(message.blocks, action_id, value)
        origin = Origin(user, channel, self._workspace.clock(), message=message)
        payload = build_block_actions(
            self.config,
            person,
            message,
            action,
            channel_name=place.name,
            thread_ts=self._workspace.find_thread(message),
            response_url=self.url + self._responses.open(origin),
            trigger_id=self._modals.issue_trigger(user),
        )
        payload["state"] = {"values": _put(read_values(message.blocks), action)}
        return await self._delivery.send("interactive", payload, origin)

    async def choose_in_view(self, user: str, action_id: str, value: Any) -> CommandResult:
        """Pick in a menu of the view on top that is not an input of its form."""
        person, view = self._workspace.get_actor(user), self._modals.get_top(user)
        if view is None:
            raise ControlError(f"{user} has no modal open")
        action = self._choose(view.blocks, action_id, value)
        view.values = _put(view.values, action)
        trigger_id = self._modals.issue_trigger(user, view)
        payload = build_view_click(self.config, person, view, action, trigger_id)
        origin = Origin(user, "", self._workspace.clock(), view=view)
        return await self._delivery.send("interactive", payload, origin)

    def _choose(self, blocks: list[dict[str, Any]], action_id: str, value: Any) -> dict[str, Any]:
        for element, block_id in iterate_elements(blocks):
            if element["action_id"] == action_id and element["type"] in MENUS:
                key, _ = MENUS[element["type"]]
                action = build_action(element, block_id, self._workspace.next_ts())
                return {**action, key: pick(element, key, value)}
        raise ControlError(f"there is no menu {action_id!r}")


def _put(values: State, action: dict[str, Any]) -> State:
    """The values with what was picked; an overflow menu keeps nothing."""
    if action["type"] not in FIELDS:
        return values
    key, _ = FIELDS[action["type"]]
    chosen = {"type": action["type"], key: action[key]}
    block_id, action_id = action["block_id"], action["action_id"]
    return {**values, block_id: {**values.get(block_id, {}), action_id: chosen}}
