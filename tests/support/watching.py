"""What the database does between two passes of the watch, and a team's queues to be watched."""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from jobs_maint.actions import DigestPlan, Limits
from jobs_maint.crons import find_last_tick
from jobs_maint.operations.incidents import measured as m
from jobs_maint.operations.incidents.judging import judge
from jobs_maint.operations.incidents.life import Known, Look, advance

NIGHT = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)  # a Monday
QUIET = timedelta(minutes=15)
PASS = timedelta(seconds=15)


class Watch:
    """Keeps the cases, as the table does."""

    def __init__(self):
        self.now, self.all = NIGHT, {}
        self.pending, self.muted = frozenset(), {}

    def see(self, *conditions, passes=1, **look):
        """So many passes that see these; returns the open incidents, the oldest first."""
        for _ in range(passes):
            self.now += PASS
            cases = tuple(self.all.values())[-200:]
            known = Known(
                tuple(case for case in cases if case.is_open),
                tuple(case for case in cases if not case.is_open
                      and self.now - case.incident.resolved_at < QUIET),
                self.pending, self.muted,
            )  # fmt: skip
            after, self.pending = advance(known, Look(self.now, conditions, **look), QUIET)
            for case in after:
                number = case.incident.id or len(self.all) + 1
                self.all[number] = replace(case, incident=replace(case.incident, id=number))
        return self.open

    @property
    def open(self):
        return [case.incident for case in self.all.values() if case.is_open]


class Queue:
    """Jobs come by the hour and the day of the week, are run in order, and fail now and then."""

    def __init__(self, name, per_minute, capacity, rng):
        self.name, self.per_minute, self.capacity, self.rng = name, per_minute, capacity, rng
        self.waiting, self.ends = deque(), deque()
        self.ended = self.failed = 0  # in the last 15 minutes
        self.share, self.listened = 0.01, True

    def rhythm(self, at):
        daily = 1.0 + 0.8 * math.sin((at.hour + at.minute / 60 - 9) / 24 * 2 * math.pi)
        weekly = 0.3 if at.weekday() >= 5 else 1.5 if at.weekday() == 0 else 1.0
        nightly = 8.0 if at.hour == 3 and at.minute < 10 else 1.0  # what a cron defers
        return daily * weekly * nightly

    def some(self, expected):
        """About so many."""
        return int(expected) + (self.rng.random() < expected % 1)

    def work(self, at, extra=0):
        if arrived := self.some(self.per_minute / 4 * self.rhythm(at)) + extra:
            self.waiting.append([at, arrived])
        room = self.capacity / 4 if self.listened else 0.0
        ran = 0
        while self.waiting and ran < room:
            taken = min(self.waiting[0][1], math.ceil(room - ran))
            ran += taken
            self.waiting[0][1] -= taken
            if not self.waiting[0][1]:
                self.waiting.popleft()
        self.ends.append((ran, self.some(ran * self.share)))
        self.ended += ran
        self.failed += self.ends[-1][1]
        if len(self.ends) > 60:
            ran, failed = self.ends.popleft()
            self.ended -= ran
            self.failed -= failed

    def usual(self, at):
        """What failed at this time of other days, as healthy as this one."""
        found = {}
        for ago in (*range(1, 8), 14):
            expected = 15 * self.per_minute * self.rhythm(at - timedelta(days=ago)) * 0.01
            found[ago] = self.some(max(0.0, self.rng.gauss(expected, math.sqrt(expected))))
        return found


CRONS = {"app.sync": "*/5 * * * *", "app.bill": "0 6 * * 1-5", "app.report": "30 7-19/2 * * *"}
LIMITS = Limits(digests=(DigestPlan("team", "0 * * * *"), DigestPlan("day", "0 9 * * *")))


class Team:
    """Queues, workers and what runs by the clock. Faults are set from outside."""

    def __init__(self, seed, at=NIGHT):
        self.rng = rng = random.Random(seed)
        self.queues = [Queue("email", 6, 60, rng), Queue("web", 12, 100, rng),
                       Queue("pdf", 1, 8, rng), Queue("mail*2", 0.1, 8, rng)]  # fmt: skip
        self.live, self.seen, self.begun = 3, at, at
        self.ticks = {task: find_last_tick(cron, "UTC", at) for task, cron in CRONS.items()}
        self.broken_ticks: set[str] = set()
        self.rescued, self.rescues = at, True
        self.digests = {plan.name: find_last_tick(plan.cron, "UTC", at) for plan in LIMITS.digests}
        self.digest_late: dict[str, timedelta] = {}
        self.stuck: list[m.Stuck] = []
        self.recorder_at: datetime | None = None
        self.group: m.Group | None = None

    def work(self, at, burst=None):
        for queue in self.queues:
            served = queue.listened
            queue.listened = served and self.live > 0
            queue.work(at, 500 if queue is burst else 0)
            queue.listened = served
        if not self.live:
            return
        self.seen = at
        for task, cron in CRONS.items():
            if task not in self.broken_ticks:
                self.ticks[task] = find_last_tick(cron, "UTC", at)
        if self.rescues and at - self.rescued >= timedelta(minutes=5):
            self.rescued = at
            old = at - timedelta(minutes=5)
            self.stuck = [one for one in self.stuck if one.since > old]
        for plan in LIMITS.digests:
            late = self.digest_late.get(plan.name, timedelta(seconds=20))
            tick = find_last_tick(plan.cron, "UTC", at - late)
            self.digests[plan.name] = max(self.digests[plan.name], tick)

    def measure(self, at):
        unheard = {queue.name for queue in self.queues if not queue.listened}
        names = frozenset(queue.name for queue in self.queues) - unheard
        ready = [m.Ready(queue.name, queue.waiting[0][0], 1, "app.task")
                 for queue in self.queues if queue.waiting]  # fmt: skip
        failures = []
        for queue in self.queues:
            usual = queue.usual(at) if queue.failed >= LIMITS.few else {}
            failures.append(m.Failures(queue.name, queue.failed, usual, queue.ended))
        ticks = [m.Tick(task, "", cron, self.begun, self.ticks[task], False)
                 for task, cron in CRONS.items()]  # fmt: skip
        digests = [m.Digest(name, tick - timedelta(seconds=30), tick, None)
                   for name, tick in self.digests.items()]  # fmt: skip
        recorders = [m.SilentRecorder(7, "web-1", 12, self.recorder_at)] * bool(self.recorder_at)
        return m.Measured(
            now=at,
            fleet=m.Fleet(
                self.live, self.seen, dict.fromkeys(names, self.seen) if unheard else None
            ),
            waiting={
                queue.name: sum(number for _, number in queue.waiting)
                for queue in self.queues
                if not self.live
            },
            ready=tuple(ready),
            failures=tuple(failures),
            groups=(self.group,) if self.group else (),
            stuck=tuple(self.stuck),
            ticks=tuple(ticks),
            maintenance=(m.Maintenance("rescue", "*/5 * * * *", self.rescued, None),),
            plans=LIMITS.digests,
            digests=tuple(digests),
            recorders=tuple(recorders),
        )

    def judge(self, at):
        return judge(self.measure(at), LIMITS, m.Memory(worker_at=self.seen))
