"""What a person does and sees in a channel."""

from collections.abc import Callable
from typing import Any

from local_slack.blocks import iterate_elements
from local_slack.core import Core
from local_slack.delivery import CommandResult, RawResponse
from local_slack.errors import ControlError
from local_slack.messages import Message, SeenMessage
from local_slack.payloads import build_action, build_block_actions, build_slash_command
from local_slack.responses import Origin
from local_slack.waiting import wait_for


class Acting(Core):
    async def command(self, user: str, channel: str, text: str) -> CommandResult:
        """Type a slash command (`/jobs stats`); return once the app acked or failed to."""
        person, place = self._workspace.get_person(user, channel)
        origin = Origin(user, channel, self._workspace.clock(), command=text.strip())
        payload = build_slash_command(
            self._workspace,
            person,
            place,
            text,
            response_url=self.url + self._responses.open(origin),
            trigger_id=self._modals.issue_trigger(user),
        )
        return await self._delivery.send("slash_commands", payload, origin)

    async def click(
        self, user: str, channel: str, ts: str, button: str, *, value: str | None = None
    ) -> CommandResult:
        """Press a button by its action_id or its text; `value` picks one among several."""
        person, place = self._workspace.get_person(user, channel)
        message = self._workspace.find(channel, ts)
        if message is None or not message.is_seen_by(user):
            raise ControlError(f"{user} cannot see a message {ts} in #{place.name}")
        element, block_id = get_button(message.blocks, button, value)
        origin = Origin(user, channel, self._workspace.clock(), message=message)
        payload = build_block_actions(
            self.config,
            person,
            message,
            build_action(element, block_id, self._workspace.next_ts()),
            channel_name=place.name,
            thread_ts=self._workspace.find_thread(message),
            response_url=self.url + self._responses.open(origin),
            trigger_id=self._modals.issue_trigger(user),
        )
        return await self._delivery.send("interactive", payload, origin)

    async def replay(self, request_id: str) -> CommandResult:
        """Deliver an earlier request again, byte for byte (`CommandResult.request_id`)."""
        return await self._delivery.replay(request_id)

    async def post_raw(
        self,
        body: str,
        *,
        secret: str | None = None,
        age: float = 0.0,
        headers: dict[str, str] | None = None,
    ) -> RawResponse:
        """Post a body to the app's request_url, signed with `secret` `age` seconds ago.

        `headers` replace Slack's; an empty value leaves the header out.
        """
        all_headers = {**self._delivery.sign(body, secret=secret, age=age), **(headers or {})}
        sent = {name: value for name, value in all_headers.items() if value}
        return await self._delivery.post_raw(body, sent)

    def messages(self, channel: str, as_user: str | None = None) -> list[SeenMessage]:
        """Return what the user sees there, oldest first; without a user: everything."""
        return [message.seen() for message in self._workspace.list_seen(channel, as_user)]

    async def wait_for_message(
        self,
        channel: str,
        predicate: Callable[[SeenMessage], bool],
        timeout: float = 30.0,  # noqa: ASYNC109 - the wait is the point
        as_user: str | None = None,
    ) -> SeenMessage:
        """Return the first message that matches; a TimeoutError lists what was there."""

        async def look(since: int | None, wait: float) -> tuple[int, list[SeenMessage]]:
            if since is not None:
                await self.wait_for_change(since, wait)
            return self.changes, self.messages(channel, as_user)

        return await wait_for(look, predicate, timeout, what="message")

    def post_as_user(
        self, user: str, channel: str, text: str, *, thread_ts: str | None = None
    ) -> SeenMessage:
        """Write an ordinary message, as a person does."""
        self._workspace.get_person(user, channel)
        message = Message(self._workspace.next_ts(), channel, user, text, thread_ts=thread_ts)
        return self._workspace.add(message).seen()

    def delete_message(self, channel: str, ts: str) -> None:
        """As a person does who may delete what the app posted; replies stay."""
        message = self._workspace.find(channel, ts)
        if message is None:
            raise ControlError(f"there is no message {ts} in {channel}")
        self._workspace.delete(message)

    def open_dm(self, user: str) -> str:
        """Return the channel of this person's direct messages with the bot."""
        return self._workspace.open_im(self._workspace.get_actor(user)).id


def get_button(
    blocks: list[dict[str, Any]], button: str, value: str | None
) -> tuple[dict[str, Any], str]:
    """Return the one button of that action_id or text, with the block_id of its block."""
    there = [(one, block) for one, block in iterate_elements(blocks) if one["type"] == "button"]
    found = [
        (element, block_id)
        for element, block_id in there
        if button in {element["action_id"], element.get("text", {}).get("text")}
        and value in {None, element.get("value")}
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ControlError(f"{len(found)} buttons are {button!r}; choose one by its value")
    names = [f"{one.get('text', {}).get('text')} ({one['action_id']})" for one, _ in there]
    raise ControlError(f"there is no button {button!r}; there are: {', '.join(names) or '-'}")
