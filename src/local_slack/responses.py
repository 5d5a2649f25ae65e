"""What the app answers to a command or a click: the body of its ack, and its response_url."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from local_slack.errors import SlackError
from local_slack.fault_answers import FAULT_STATUS, answer_fault, drop_connection
from local_slack.faults import Faults
from local_slack.journal import Journal
from local_slack.messages import Message
from local_slack.posting import MAX_TEXT, read_content
from local_slack.state import Workspace
from local_slack.views import View

RESPONSE_TYPES = {"ephemeral", "in_channel"}


@dataclass
class Origin:
    """Where an answer belongs: the typed command, or what was clicked: a message or a view."""

    user: str
    channel: str
    created_at: float
    command: str | None = None
    message: Message | None = None
    view: View | None = None
    uses: int = 0
    is_command_shown: bool = False


class Responses:
    """Every response_url that was given out, and what may still be done with it."""

    def __init__(self, workspace: Workspace, journal: Journal, faults: Faults) -> None:
        self._workspace = workspace
        self._journal = journal
        self._faults = faults
        self._limits = workspace.config.limits
        self._origins: dict[str, Origin] = {}

    def open(self, origin: Origin) -> str:
        """Return the path of a new response_url."""
        path = f"/response/{self._workspace.config.workspace.team_id}/{secrets.token_urlsafe(16)}"
        self._origins[path] = origin
        return path

    async def handle(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = {}
        origin = self._origins.get(request.path)
        channel = origin.channel if origin else None
        try:
            body = parse_answer(await request.text())
            fault = self._faults.take("response_url", channel, has_blocks=bool(body.get("blocks")))
            if fault is not None and fault.kind != "accepted_but_lost":
                self._journal.add_call("response_url", body, FAULT_STATUS[fault.kind], fault.kind)
                return await answer_fault(fault, self._faults, request, status=400)
            self._use(origin, body)
        except SlackError as error:
            self._journal.add_call("response_url", body, error.status, error.code)
            if error.is_breach:
                self._journal.add_breach(error.code, f"a response_url was answered {error.code}")
            return web.json_response(error.body, status=error.status)
        self._journal.add_call("response_url", body, 200, fault.kind if fault else None)
        return drop_connection(request) if fault else web.Response(text="ok")

    def _use(self, origin: Origin | None, body: dict[str, Any]) -> None:
        if origin is None:
            raise SlackError("invalid_url", status=404)
        if self._workspace.clock() - origin.created_at > self._limits.response_url_seconds:
            raise SlackError("expired_url", status=404)
        if origin.uses >= self._limits.response_url_uses:
            raise SlackError("used_url", status=404)
        # As documented for incoming webhooks; we assume the same here.
        place = self._workspace.channels.get(origin.channel)
        if place is None:
            raise SlackError("channel_not_found", status=404)
        if place.is_archived:
            raise SlackError("channel_is_archived", status=410)
        self.apply(origin, body)
        origin.uses += 1

    def apply(self, origin: Origin, body: dict[str, Any]) -> None:
        """Show an answer; raise `SlackError` with status 400 when Slack would not take it."""
        try:
            self._apply(origin, body)
        except SlackError as error:
            error.status = 400
            raise

    def _apply(self, origin: Origin, body: dict[str, Any]) -> None:
        declared = body.get("response_type")
        if declared is not None and declared not in RESPONSE_TYPES:
            raise SlackError("invalid_response_type")
        if body.get("delete_original") is True and self._has_original(origin, "delete"):
            self._delete(origin)
            return
        text, blocks = read_content(self._workspace, body)
        text = (text or "")[:MAX_TEXT]
        if body.get("replace_original") is True and self._has_original(origin, "replace"):
            self._replace(origin, declared, text, blocks or [])
            return
        if declared == "in_channel":
            self.show_command(origin)
        self._workspace.add(
            Message(
                ts=self._workspace.next_ts(),
                channel=origin.channel,
                user=self._workspace.config.app.bot_user_id,
                text=text,
                blocks=blocks or [],
                ephemeral_to=None if declared == "in_channel" else origin.user,
                # Documented for `in_channel` only.
                thread_ts=body.get("thread_ts") if declared == "in_channel" else None,
                bot_id=self._workspace.config.app.bot_id,
                app_id=self._workspace.config.app.app_id,
            )
        )

    def show_command(self, origin: Origin) -> None:
        if origin.command is None or origin.is_command_shown:
            return
        origin.is_command_shown = True
        ts = self._workspace.next_ts()
        typed = Message(ts, origin.channel, origin.user, origin.command, kind="command")
        self._workspace.add(typed)

    def show_error(self, origin: Origin, text: str) -> None:
        """Show what Slack itself tells the person who acted."""
        ts = self._workspace.next_ts()
        self._workspace.add(
            Message(ts, origin.channel, "USLACKBOT", text, ephemeral_to=origin.user, kind="error")
        )

    def _has_original(self, origin: Origin, verb: str) -> bool:
        if origin.message is not None:
            return True
        self._journal.add_breach("no_original", f"cannot {verb} the command that a user typed")
        return False

    def _delete(self, origin: Origin) -> None:
        if origin.message not in self._workspace.messages:
            raise SlackError("message_not_found")
        self._workspace.delete(origin.message)

    def _replace(
        self, origin: Origin, declared: str | None, text: str, blocks: list[dict[str, Any]]
    ) -> None:
        message = origin.message
        if message is None or message not in self._workspace.messages:
            raise SlackError("message_not_found")
        now = "in_channel" if message.ephemeral_to is None else "ephemeral"
        if declared not in {None, now}:
            detail = f"a message that is {now} cannot become {declared}"
            self._journal.add_breach("response_type_changed", detail)
        message.text, message.blocks = text, blocks
        if message.ephemeral_to is None:
            message.edited_ts = self._workspace.next_ts()
        self._workspace.notify(message)


def parse_answer(body: str) -> dict[str, Any]:
    """Read the JSON object of a response_url or an ack."""
    try:
        answer = json.loads(body)
    except ValueError as exc:
        raise SlackError("invalid_payload", status=400) from exc
    if not isinstance(answer, dict):
        raise SlackError("invalid_payload", status=400)
    return answer
