"""Incidents in Slack: one message each, kept true while it lasts, its history in the thread.

A message carries a random key that is stored before it is posted. Where nobody knows whether a post
arrived (Slack did not answer, or the bot died), the channel is searched for the key first. Where
the app may not look, the message is posted again and says that it may be a repeat.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from chatbot.handling.context import Services
from chatbot.messages.errors import add_note
from chatbot.messages.incident import render_incident
from chatbot.slack.editing import Target
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.own_messages import Metadata, find_own_message
from chatbot.slack.posting import MAY_BE_A_REPEAT, Posted
from chatbot.watching.threads import Threads
from jobs_maint.actions import Action, Actor, HoldIncident, NoteIncidentTold
from jobs_maint.errors import AlreadyRunning, JobsMaintError
from jobs_maint.models import IncidentChange, Told
from jobs_maint.perform import perform

__all__ = ["Teller"]

log = logging.getLogger(__name__)

T = TypeVar("T")
BOT = Actor.task("chatbot")
EVENT = "jobs_incident"
PAGES = 5
"""Of 200 messages each: how far back a channel is searched."""
HELD = 30.0
"""Seconds after a look for which the watch is certainly still ours: the lease is longer."""
AGAIN = 60.0
"""Seconds before what Slack refused is tried again."""
NO_PLACE = {"channel_not_found", "is_archived", "is_inactive", "not_in_channel", "is_ext_shared"}
GONE = {"message_not_found", "cant_update_message", *NO_PLACE}
ANEW = "-anew"
"""The end of the key of a message that stands for one that is gone."""


class Teller:
    """`clock`: monotonic seconds. `held_at`: when the watch was last ours."""

    def __init__(self, services: Services, holder: str, clock: Callable[[], float]) -> None:
        self.held_at = float("-inf")
        self._services = services
        self._holder = holder
        self._clock = clock
        self._threads = Threads(services, self._keep_watch)
        self._untaken: set[str] = set()
        """Keys of posts that Slack certainly did not take."""
        self._unnoted: dict[int, NoteIncidentTold] = {}
        """What Slack took while the database was away."""
        self._again_at: dict[int, float] = {}
        self._complaints: dict[int, str] = {}

    async def tell(self, changes: Sequence[IncidentChange], as_of: datetime) -> None:
        """What cannot be told now is still due at the next look. Raises nothing of Slack."""
        for change in changes:
            if self._again_at.get(change.incident.id, 0.0) > self._clock():
                continue
            try:
                await self._tell(change, as_of)
            except AlreadyRunning:
                return  # another bot has the watch
            except SlackRefused as exc:
                await self._complain(change, exc)
            except JobsMaintError as exc:
                await self._complain(change, exc)
                return  # Slack or the database is away

    async def flush(self) -> None:
        """Store what Slack took while the database was away; raises while it still is."""
        for incident_id, note in list(self._unnoted.items()):
            await self._do(note)
            self._unnoted.pop(incident_id, None)

    async def _complain(self, change: IncidentChange, exc: JobsMaintError) -> None:
        """For the log and for `doctor`; once for each reason."""
        number = change.incident.id
        if isinstance(exc, SlackRefused):
            self._again_at[number] = self._clock() + AGAIN
        if self._complaints.get(number) == str(exc):
            return
        self._complaints[number] = str(exc)
        log.warning("chatbot.incident_untold id=%s reason=%s", change.incident.name, exc)
        revision, steps = (change.told.revision, change.told.entries) if change.told else (0, 0)
        with contextlib.suppress(JobsMaintError):
            await self._do(NoteIncidentTold(number, revision, steps, error=str(exc)))

    async def _tell(self, change: IncidentChange, as_of: datetime) -> None:
        told, may_look = change.told, True
        if told is None:
            await self._post(change, as_of)
            return
        if told.ts is None and told.key not in self._untaken:
            told, may_look = await self._find_posted(told)
        if told.ts is None:
            is_anew = told.key.endswith(ANEW)
            await self._post(change, as_of, anew=is_anew, is_unsure=not may_look)
        else:
            await self._edit(change, told, Posted(told.channel, told.ts), as_of)

    async def _find_posted(self, told: Told) -> tuple[Told, bool]:
        """What a post of unknown fate told, if it is there; and whether the app may look at all."""

        def is_it(metadata: Metadata) -> bool:
            payload = metadata.get("event_payload") or {}
            return metadata.get("event_type") == EVENT and payload.get("key") == told.key

        try:
            web = self._services.slack.web
            found = await find_own_message(web, told.channel, is_it, pages=PAGES)
        except SlackRefused as exc:
            log.info("chatbot.incident_not_looked_up channel=%s reason=%s", told.channel, exc)
            return told, False
        if found is None:
            return told, True
        steps = int(found["metadata"]["event_payload"].get("steps", 0))
        return replace(told, ts=str(found["ts"]), entries=steps), True

    async def _post(
        self,
        change: IncidentChange,
        as_of: datetime,
        *,
        anew: bool = False,
        is_unsure: bool = False,
    ) -> None:
        incident = change.incident
        settings = self._services.settings
        place = settings.find_incident_channel(incident.queues)
        if place is None:
            return
        message = render_incident(incident, as_of, settings.runbooks)
        if is_unsure:
            message = add_note(message, MAY_BE_A_REPEAT)
        problem: str | None = None
        key = secrets.token_urlsafe(16) + (ANEW if anew else "")
        steps = len(incident.history)
        payload = {"key": key, "name": incident.name, "steps": steps}
        metadata = {"event_type": EVENT, "event_payload": payload}

        async def post(channel: str) -> Posted:
            async def before() -> None:
                if not await self._do(HoldIncident(incident.id, self._holder, key, channel)):
                    raise AlreadyRunning("another bot has the watch")

            return await self._services.slack.posting.post(
                channel, message, metadata=metadata, before=before
            )

        try:
            try:
                await self._refuse_outside(place)
                posted = await post(place)
            except SlackRefused as exc:
                audit = settings.audit_channel
                if exc.reason not in NO_PLACE or audit is None or audit == place:
                    raise
                problem = str(exc)
                message = add_note(message, f"Posted here because {place} does not take it.")
                posted = await post(audit)
        except (SlackRefused, SlackUnavailable) as exc:
            if not getattr(exc, "maybe_done", False):
                self._untaken.add(key)
            raise
        self._threads.note(incident.id, steps)
        await self._note_told(change, posted, steps, problem)

    async def _edit(
        self, change: IncidentChange, told: Told, there: Posted, as_of: datetime
    ) -> None:
        incident, services = change.incident, self._services
        problem: str | None = None
        self._keep_watch()
        message = render_incident(incident, as_of, services.settings.runbooks)
        try:
            await services.slack.editing.finish(Target(there.channel, there.ts), message)
        except SlackRefused as exc:
            problem = str(exc)
            if exc.reason in GONE:
                if change.due != "resolve" and not told.key.endswith(ANEW):
                    await self._post(change, as_of, anew=True)
                    return
                # Who deleted it twice, or before it was over, wants to hear no more.
                await self._note_told(change, there, len(incident.history), problem)
                return
        services.origins.forget(there.channel, there.ts)
        await self._threads.tell(incident, told, there, as_of)
        await self._note_told(change, there, len(incident.history), problem)

    async def _refuse_outside(self, place: str) -> None:
        if await self._services.delivery.is_outside(place):
            raise SlackRefused(
                f"The channel {place} is shared with another organisation, so no incident is told "
                "there; name another one in CHATBOT_INCIDENTS",
                reason="is_ext_shared",
            )

    def _keep_watch(self) -> None:
        """Raises AlreadyRunning where another bot may have the watch: this one may have slept."""
        if self._clock() - self.held_at > HELD:
            raise AlreadyRunning("another bot may have the watch")

    async def _note_told(
        self, change: IncidentChange, there: Posted, entries: int, problem: str | None
    ) -> None:
        number = change.incident.id
        self._again_at.pop(number, None)
        self._complaints.pop(number, None)
        note = NoteIncidentTold(number, change.revision, entries, there.channel, there.ts, problem)
        self._unnoted[number] = note
        await self._do(note)
        del self._unnoted[number]

    async def _do(self, action: Action[T]) -> T:
        services = self._services
        return await perform(services.pool, BOT, action, settings=services.maint)
