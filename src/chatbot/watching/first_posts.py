"""The message of an incident: where it is posted, and how it is found again.

It carries a random key that is stored before it is posted.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from chatbot.handling.context import Services
from chatbot.messages.errors import add_note
from chatbot.messages.incident import render_incident
from chatbot.messages.message import Message
from chatbot.messages.packer import pack
from chatbot.messages.parts import bold, code, paragraph, plain
from chatbot.messages.parts import channel as name_channel
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.own_messages import Metadata, find_own_message
from chatbot.slack.posting import MAY_BE_A_REPEAT, Posted
from chatbot.slack.refusals import explain_reason
from jobs_maint.models import Incident, Told

__all__ = [
    "DELETED",
    "LEFT",
    "NO_PLACE",
    "FirstPosts",
    "find_left",
    "is_anew",
    "render_left",
    "render_told",
]

log = logging.getLogger(__name__)

EVENT = "jobs_incident"
PAGES = 5
"""Of 200 messages each: how far back a channel is searched."""
DELETED = {"message_not_found", "cant_update_message"}
NO_PLACE = {"channel_not_found", "is_archived", "is_inactive", "not_in_channel", "is_ext_shared"}
ANEW = "-anew"
"""In the key of a message that stands for one that somebody deleted, and of what follows it."""
AGAIN = "-again"
"""In the key of a message that may be a repeat: it says so as long as it is edited."""

LEFT = "-left."
"""In the key of a message that goes on elsewhere, before where the one is that was left."""
BECAUSE = "-because."
"""In the key of a message in the audit channel, before why its own did not take it."""

Hold = Callable[[int, str, str, Told | None], Awaitable[None]]


def is_anew(told: Told) -> bool:
    """Whether somebody deleted a message of it before: that is made good once."""
    return ANEW in told.key


def find_left(told: Told) -> Posted | None:
    """The message that this one goes on for: its channel took no edits then."""
    _, there, place = told.key.partition(LEFT)
    return Posted(*place.split("-")[0].split("/")) if there else None


def _make_key(missing: Told | None, *, is_unsure: bool, is_left: bool) -> str:
    key = secrets.token_urlsafe(16)
    if missing is None:
        return key
    if (missing.ts and not is_left) or is_anew(missing):
        key += ANEW
    if is_unsure or AGAIN in missing.key:
        key += AGAIN
    left = Posted(missing.channel, missing.ts) if is_left and missing.ts else find_left(missing)
    return f"{key}{LEFT}{left.channel}/{left.ts}" if left else key


def render_left(incident: Incident, told: Told, command: str) -> Message:
    """What the message says that was left: of its channel, for those who read it there.

    Where the one that it was left for is deleted, too, it leads to none.
    """
    left = find_left(told)
    is_here = left is not None and left.channel == told.channel
    where = plain("this channel") if is_here else name_channel(told.channel)
    if any(f"({reason})" in (told.error or "") for reason in DELETED):
        gone = bold(f"Somebody deleted the newer message of {incident.name} in ")
        listed = code(f"{command} incidents")
        return pack([paragraph([gone, where, ". ", listed, " lists it while it lasts."])])
    if is_here:
        return pack(
            [paragraph([bold(f"{incident.name} is told in a newer message of "), where, "."])]
        )
    why = "because this channel did not take messages for a while."
    if told.key.endswith(f"{BECAUSE}is_ext_shared"):
        why = "because this channel is shared with another organisation."
    return pack([paragraph([bold(f"{incident.name} is told in "), where, f", {why}"])])


def render_told(
    services: Services, incident: Incident, key: str, channel: str, as_of: datetime
) -> Message:
    """As the message with this key in this channel says it."""
    settings = services.settings
    message = render_incident(incident, as_of, settings.runbooks)
    place = settings.find_incident_channel(incident.queues)
    if place is not None and channel == settings.audit_channel != place:
        _, _, reason = key.partition(BECAUSE)
        why = f" ({reason}): {explain_reason(reason)}" if reason else ""
        own = name_channel(place)
        message = add_note(message, "Posted here because ", own, f" did not take it{why}.")
    return add_note(message, MAY_BE_A_REPEAT) if AGAIN in key else message


class FirstPosts:
    """`hold(incident, key, channel, missing)` is awaited right before each post."""

    def __init__(self, services: Services, hold: Hold) -> None:
        self._services = services
        self._hold = hold
        self._untaken: dict[int, str] = {}
        """By incident: the key of a post that Slack certainly did not take."""

    async def find(self, incident: Incident, told: Told) -> tuple[Told, bool]:
        """What a post of unknown fate told, if it is there; and whether nobody can tell."""
        if self._untaken.get(incident.id) == told.key:
            return told, False

        def is_it(metadata: Metadata) -> bool:
            payload = metadata.get("event_payload") or {}
            return metadata.get("event_type") == EVENT and payload.get("key") == told.key

        try:
            web = self._services.slack.web
            found = await find_own_message(web, told.channel, is_it, pages=PAGES)
        except SlackRefused as exc:
            log.info("chatbot.incident_not_looked_up channel=%s reason=%s", told.channel, exc)
            return told, True
        if found is None:
            return told, False
        steps = int(found["metadata"]["event_payload"].get("steps", 0))
        return replace(told, ts=str(found["ts"]), entries=steps), False

    async def post(
        self,
        incident: Incident,
        missing: Told | None,
        as_of: datetime,
        *,
        is_unsure: bool,
        refused: SlackRefused | None = None,
    ) -> tuple[Posted, str, str | None] | None:
        """Where, with which key, and why not in its own channel; None where it has no channel.

        `missing`: the message that is not there; `is_unsure`: nobody can tell whether it is;
        `refused`: it is there, and its channel takes nothing now.
        """
        place = self._services.settings.find_incident_channel(incident.queues)
        if place is None:
            return None
        key = _make_key(missing, is_unsure=is_unsure, is_left=refused is not None)
        left = missing.channel if missing is not None and refused is not None else None
        held = missing

        async def post(channel: str, key: str) -> Posted:
            async def before() -> None:
                nonlocal held
                await self._hold(incident.id, key, channel, held)
                held = Told(channel, key, None, 0, 0, 0)

            payload = {"key": key, "name": incident.name, "steps": len(incident.history)}
            metadata = {"event_type": EVENT, "event_payload": payload}
            message = render_told(self._services, incident, key, channel, as_of)
            posting = self._services.slack.posting
            return await posting.post(channel, message, metadata=metadata, before=before)

        try:
            try:
                if refused is not None and left == place:
                    raise refused
                await self.refuse_outside(place)
                return await post(place, key), key, None
            except SlackRefused as exc:
                other = self._find_other_place(exc, place)
                if other == left:
                    raise
                key += f"{BECAUSE}{exc.reason}"
                return await post(other, key), key, str(exc)
        except (SlackRefused, SlackUnavailable) as exc:
            if not getattr(exc, "maybe_done", False):
                self._untaken[incident.id] = key
            raise

    def _find_other_place(self, refused: SlackRefused, place: str) -> str:
        """The audit channel, where its own is gone; raises where that is no way out."""
        audit = self._services.settings.audit_channel
        if refused.reason not in NO_PLACE or audit is None or audit == place:
            raise refused
        return audit

    async def refuse_outside(self, place: str) -> None:
        """Raise where another organisation reads this channel."""
        if await self._services.delivery.is_outside(place):
            raise SlackRefused(
                f"The channel {place} is shared with another organisation, so no incident is told "
                "there; name another one in CHATBOT_INCIDENTS",
                reason="is_ext_shared",
            )
