"""Where the message that was clicked can be edited."""

from __future__ import annotations

from chatbot.access.directory import Directory
from chatbot.inbound.slack_request import SlackRequest
from chatbot.slack.editing import Target

__all__ = ["find_target", "target_of_click"]


async def find_target(directory: Directory, request: SlackRequest) -> Target:
    """The message itself, or the address of the click to replace it by."""
    if request.ts is not None and await directory.is_bot_there(request.channel):
        return Target(request.channel, request.ts, user=request.user)
    return target_of_click(request)


def target_of_click(request: SlackRequest) -> Target:
    return Target(
        request.channel,
        response_url=request.response_url,
        user=request.user,
        in_channel=not request.private,
        replaces=True,
        thread=request.thread,
    )
