"""The thread of an incident's message: each step of its history, once."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from chatbot.handling.context import Services
from chatbot.messages.errors import add_note
from chatbot.messages.incident_thread import render_entries
from chatbot.messages.message import Message
from chatbot.slack.errors import SlackRefused
from chatbot.slack.own_messages import Metadata, list_thread
from chatbot.slack.posting import MAY_BE_A_REPEAT, Posted
from chatbot.watching.late import Late
from jobs_maint.errors import AlreadyRunning
from jobs_maint.models import HistoryEntry, Incident, Told

__all__ = ["Threads", "is_silent"]

log = logging.getLogger(__name__)

EVENT = "jobs_incident_steps"


def is_silent(incident: Incident, as_of: datetime) -> bool:
    """Whether it is muted: nothing new is posted about it."""
    return incident.muted_until is not None and incident.muted_until > as_of


def list_audible(incident: Incident, begin: int, as_of: datetime) -> Sequence[HistoryEntry]:
    """Its steps from there on; while it is muted, those up to the mute: a reply may notify."""
    steps = incident.history[begin:]
    if not is_silent(incident, as_of):
        return steps
    muted = [place for place, one in enumerate(steps, 1) if one.what == "muted"]
    return steps[: muted[-1] if muted else 0]


class Threads:
    """`has_watch`: whether no other bot may have the watch."""

    def __init__(self, services: Services, late: Late, has_watch: Callable[[], bool]) -> None:
        self._services = services
        self._late = late
        self._has_watch = has_watch
        self._sure: dict[int, int] = {}
        """By incident: up to which step this process certainly told it, and no further."""

    def note(self, incident_id: int, steps: int) -> None:
        self._sure[incident_id] = steps

    async def tell(self, incident: Incident, told: Told, there: Posted, as_of: datetime) -> None:
        """The steps after those that were told. One whose fate is unknown is looked up first."""
        begin, end, may_repeat = told.entries, len(incident.history), False
        if begin < end and self._sure.pop(incident.id, None) != begin:
            found = await self._find_told(there, told.key)
            begin, may_repeat = (begin, True) if found is None else (max(begin, found), False)
        if steps := list_audible(incident, begin, as_of):
            message = render_entries(incident, steps, as_of)
            if may_repeat:
                message = add_note(message, MAY_BE_A_REPEAT)

            async def before() -> None:
                if not self._has_watch():
                    raise AlreadyRunning("another bot may have the watch")

            payload = {"key": told.key, "end": end, "mark": secrets.token_urlsafe(8)}
            posted = await self._services.slack.posting.post(
                there.channel,
                message,
                metadata={"event_type": EVENT, "event_payload": payload},
                before=before,
                thread=there.ts,
            )
            if not self._has_watch():
                await self._check_twice(posted, there, payload, message)
                raise AlreadyRunning("another bot may have the watch")
        self._sure[incident.id] = end

    async def _check_twice(
        self, posted: Posted, there: Posted, payload: dict[str, Any], message: Message
    ) -> None:
        """This bot was suspended: another one may have told the same meanwhile."""
        end = await self._find_told(there, payload["key"], but=payload["mark"])
        if end is None:
            self._late.doubt(posted, message)
        elif end >= payload["end"]:
            self._late.withdraw(posted)

    async def _find_told(self, there: Posted, key: str, but: str = "") -> int | None:
        """Up to which step the thread tells it, `but` in one reply; None: the app may not look."""

        def read(metadata: Metadata) -> int:
            payload = metadata.get("event_payload") or {}
            is_ours = metadata.get("event_type") == EVENT and payload.get("key") == key
            is_ours = is_ours and payload.get("mark") != but
            return int(payload.get("end", 0)) if is_ours else 0

        try:
            there_are = await list_thread(self._services.slack.web, there.channel, there.ts)
            return max(map(read, there_are), default=0)
        except SlackRefused as exc:
            log.info("chatbot.incident_not_looked_up channel=%s reason=%s", there.channel, exc)
            return None
