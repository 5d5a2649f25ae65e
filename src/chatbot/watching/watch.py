"""The watch: every 15 s it looks for trouble, and tells of it where this bot has the lease.

Of several bots one has it. A look that fails is made up for by the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from chatbot.handling.context import Services
from chatbot.settings.incidents import IncidentsSetting
from chatbot.watching.limits import build_limits
from chatbot.watching.telling import Teller
from jobs_maint.actions import Actor, ListIncidents, WatchIncidents
from jobs_maint.errors import JobsMaintError
from jobs_maint.models import Condition, Incident, IncidentChange, IncidentsReport, WatchReport
from jobs_maint.perform import perform
from jobs_maint.render import build_data

__all__ = ["EVERY", "Watch"]

log = logging.getLogger(__name__)

EVERY = 15.0
STALE = 60.0
"""Seconds without a look that succeeded: the watch is not sound."""
BOT = Actor.task("chatbot")


class Watch:
    """`clock`: monotonic seconds."""

    def __init__(
        self,
        services: Services,
        incidents: IncidentsSetting | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._services = services
        self._clock = clock
        self._limits = build_limits(incidents, services.settings)
        holder = f"{socket.gethostname()[:60]} pid {os.getpid()} {secrets.token_hex(4)}"
        self._holder = holder
        self._teller = Teller(services, holder, clock)
        self._looked_at = clock()
        self._problem = ""
        """Why the last look failed, as it was logged."""
        self._is_telling = self._is_behind = False
        """`_is_behind`: something else was seen while it was told."""

    def find_problem(self) -> str | None:
        """Why the watch is not sound; None while it is."""
        since = self._clock() - self._looked_at
        return f"the jobs were not looked at for {since:.0f} s" if since > STALE else None

    async def run(self, every: float = EVERY) -> None:
        """Until cancelled. `Services.woken` makes it look at once."""
        woken = self._services.woken
        while True:
            woken.clear()
            report = await self._try_to_look()
            if not self._is_telling:
                self._is_telling = True
                self._services.work.start(self._tell(report))
            elif report is not None and report.changes:
                self._is_behind = True
            try:
                async with asyncio.timeout(every):
                    await woken.wait()
            except TimeoutError:
                continue

    async def wind_down(self, every: float = EVERY) -> None:
        """Where nothing is watched any more: end what is open, and say so in its message."""
        with contextlib.suppress(JobsMaintError):
            services = self._services
            there = await perform(services.pool, BOT, ListIncidents(), settings=services.maint)
            if not there.open:
                return
        while True:
            report = await self._try_to_look()
            await self._tell(report)
            if report is not None and not report.open and not any(map(_is_posted, report.changes)):
                return
            await asyncio.sleep(every)

    async def look(self) -> WatchReport | None:
        """One pass; None while another bot has the watch."""
        await self._teller.flush()
        services = self._services
        action = WatchIncidents(self._holder, self._limits)
        report = await perform(services.pool, BOT, action, settings=services.maint)
        self._looked_at = self._clock()
        if report is None:
            self._teller.held_at = float("-inf")
            return None
        self._teller.held_at = self._looked_at
        await asyncio.to_thread(_log_news, report)  # of thousands of queues they are long
        return report

    async def pass_once(self) -> WatchReport | None:
        """Look, and tell what there is to tell."""
        report = await self.look()
        await self._tell(report)
        return report

    async def _try_to_look(self) -> WatchReport | None:
        try:
            report = await self.look()
        except JobsMaintError as exc:
            if str(exc) != self._problem:
                self._problem = str(exc)
                log.warning("chatbot.watch_failed reason=%s", exc)
            return None
        except Exception as exc:
            if repr(exc) != self._problem:
                self._problem = repr(exc)
                log.exception("chatbot.watch_broken")
            return None
        if self._problem:
            log.info("chatbot.watch_back")
            self._problem = ""
        return report

    async def _tell(self, report: WatchReport | None) -> None:
        """Beside the looks, so that a Slack that hangs delays none of them.

        A bot that has lost the watch still puts right what it told too late.
        """
        try:
            if report is not None:
                await self._teller.tell(report.changes, report.as_of)
            with contextlib.suppress(JobsMaintError):  # of the database: the next look says so
                await self._teller.put_right()
        finally:
            self._is_telling = False
            if self._is_behind:
                self._is_behind = False
                self._services.woken.set()


def _log_news(report: WatchReport) -> None:
    for incident in report.opened:
        log.warning("chatbot.incident_opened incident=%s", _as_json(incident, report.as_of))
    for incident in report.resolved:
        log.info("chatbot.incident_resolved incident=%s", _as_json(incident, report.as_of))


def _is_posted(change: IncidentChange) -> bool:
    return change.told is not None and change.told.ts is not None


def _without_texts(one: Condition) -> Condition:
    return replace(one, facts={name: fact for name, fact in one.facts.items() if name != "message"})


def _as_json(incident: Incident, as_of: datetime) -> str:
    """One line, in the shape of `incidents --json`, without the texts of errors."""
    lead, *parts = (_without_texts(one) for one in (incident.lead, *incident.folded))
    past = tuple(map(_without_texts, incident.past))
    incident = replace(incident, facts=lead.facts, folded=tuple(parts), past=past)
    report = IncidentsReport(as_of, (incident,), (), since_seconds=0.0, watched_at=as_of)
    return json.dumps(build_data(report)["open"][0])
