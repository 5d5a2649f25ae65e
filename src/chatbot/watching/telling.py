"""Incidents in Slack: one message each, kept true while it lasts, its history in the thread.

Where nobody knows whether a post arrived (Slack did not answer, or the bot died), the channel is
searched for it first. Where the app may not look, it is posted again and says that it may be a
repeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from chatbot.handling.context import Services
from chatbot.slack.editing import Target
from chatbot.slack.errors import SlackRefused
from chatbot.slack.posting import Posted
from chatbot.watching.first_posts import (
    DELETED,
    LEFT,
    NO_PLACE,
    FirstPosts,
    find_left,
    is_anew,
    render_left,
    render_told,
)
from chatbot.watching.late import Late
from chatbot.watching.threads import Threads, is_silent
from jobs_maint.actions import Action, Actor, HoldIncident, ListTold, NoteIncidentTold
from jobs_maint.errors import AlreadyRunning, JobsMaintError
from jobs_maint.models import Incident, IncidentChange, Told
from jobs_maint.perform import perform

__all__ = ["Teller"]

log = logging.getLogger(__name__)

T = TypeVar("T")
BOT = Actor.task("chatbot")
HELD = 30.0
"""Seconds after a look for which the watch is certainly still ours: the lease is longer."""
LONGEST = 10.0
"""Seconds for messages that came late: what is new is not told meanwhile."""
AGAIN = 60.0
"""Seconds before what Slack refused is tried again."""
GONE = {*DELETED, *NO_PLACE}


class Teller:
    """`clock`: monotonic seconds. `held_at`: when the watch was last ours."""

    def __init__(self, services: Services, holder: str, clock: Callable[[], float]) -> None:
        self.held_at = float("-inf")
        self._services = services
        self._holder = holder
        self._clock = clock
        self._posts = FirstPosts(services, self._hold)
        self._late = Late(services, clock)
        self._threads = Threads(services, self._late, self._has_watch)
        self._unnoted: dict[int, NoteIncidentTold] = {}
        """What Slack took while the database was away."""
        self._again_at: dict[int, float] = {}
        self._complaints: dict[int, str] = {}
        self._knows_left = False

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
        for note in list(self._unnoted.values()):
            await self._store(note)

    async def put_right(self) -> None:
        """What came late. Of a Slack that hangs it waits for LONGEST; the next one goes on."""
        await self._recall_left()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST):
                await self._late.flush()

    async def _recall_left(self) -> None:
        """What an earlier process left, also of incidents that have ended since: once."""
        if self._knows_left or not self._has_watch():
            return
        for incident, told in await self._do(ListTold(LEFT)):
            self._put_left_right(incident, told)
        self._knows_left = True

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
        told, is_unsure = change.told, False
        if told is not None and told.ts is None:
            told, is_unsure = await self._posts.find(change.incident, told)
        if told is None or told.ts is None:
            await self._post(change, told, as_of, is_unsure=is_unsure)
        else:
            await self._edit(change, told, Posted(told.channel, told.ts), as_of)

    async def _post(
        self,
        change: IncidentChange,
        missing: Told | None,
        as_of: datetime,
        *,
        is_unsure: bool = False,
        refused: SlackRefused | None = None,
    ) -> None:
        done = await self._posts.post(
            change.incident, missing, as_of, is_unsure=is_unsure, refused=refused
        )
        if done is not None:
            posted, key, problem = done
            self._put_left_right(change.incident, Told(posted.channel, key, posted.ts, 0, 0, 0))
            self._threads.note(change.incident.id, len(change.incident.history))
            await self._note_told(change, posted, key, problem)

    async def _edit(
        self, change: IncidentChange, told: Told, there: Posted, as_of: datetime
    ) -> None:
        incident, services = change.incident, self._services
        problem: str | None = None
        self._keep_watch()
        message = render_told(services, incident, told.key, there.channel, as_of)
        try:
            await self._posts.refuse_outside(there.channel)
            async with services.origins.replaced(there.channel, there.ts):
                await services.slack.editing.finish(Target(there.channel, there.ts), message)
        except SlackRefused as exc:
            problem = str(exc)
            if exc.reason in DELETED:
                self._put_left_right(incident, replace(told, error=problem))
            if exc.reason in GONE and is_silent(incident, as_of):
                raise  # a new message waits for the end of the mute
            if exc.reason in DELETED and (not is_anew(told) or incident.began_since(told.entries)):
                await self._post(change, told, as_of)
                return
            if exc.reason in NO_PLACE and find_left(told) is None:  # it moves once
                await self._post(change, told, as_of, refused=exc)
                return
            if exc.reason in NO_PLACE:
                raise  # it is made true when its channel takes edits again
            if exc.reason in DELETED:  # who deleted it twice wants to hear no more
                await self._note_told(change, there, told.key, problem)
                return
        self._put_left_right(incident, replace(told, error=problem))
        if not self._has_watch():
            self._late.put_right(incident.id, told.key, there)
        self._keep_watch()
        await self._threads.tell(incident, told, there, as_of)
        await self._note_told(change, there, told.key, problem)

    def _put_left_right(self, incident: Incident, told: Told) -> None:
        """What stands in a channel that took no edits, as soon as it does again."""
        if (left := find_left(told)) is not None:
            self._late.leave(left, render_left(incident, told, self._services.command))

    async def _hold(self, number: int, key: str, channel: str, missing: Told | None) -> None:
        before, gone = (missing.key, missing.ts) if missing else (None, None)
        if not await self._do(HoldIncident(number, self._holder, key, channel, before, gone)):
            raise AlreadyRunning("another bot has the watch")
        self.held_at = self._clock()

    def _has_watch(self) -> bool:
        """False where another bot may have it: this one may have slept."""
        return self._clock() - self.held_at <= HELD

    def _keep_watch(self) -> None:
        if not self._has_watch():
            raise AlreadyRunning("another bot may have the watch")

    async def _note_told(
        self, change: IncidentChange, there: Posted, key: str, problem: str | None
    ) -> None:
        number, steps = change.incident.id, len(change.incident.history)
        self._again_at.pop(number, None)
        self._complaints.pop(number, None)
        self._unnoted[number] = NoteIncidentTold(
            number, change.revision, steps, there.channel, there.ts, problem, key
        )
        await self._store(self._unnoted[number])

    async def _store(self, note: NoteIncidentTold) -> None:
        if not await self._do(note) and note.channel and note.ts:
            # This bot was suspended, and another one has posted meanwhile.
            self._late.withdraw(Posted(note.channel, note.ts))
        self._unnoted.pop(note.incident_id, None)

    async def _do(self, action: Action[T]) -> T:
        services = self._services
        return await perform(services.pool, BOT, action, settings=services.maint)
