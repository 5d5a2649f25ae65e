"""Whole days of a team's queues, pass by pass: no false incident, and no fault that is missed.

Seeded, without a database or a clock: what is measured is judged and lived through as by a bot.
"""

from datetime import timedelta

import pytest
from tests.support.watching import NIGHT, PASS, Team, Watch

from jobs_maint.actions import DigestPlan
from jobs_maint.models import IncidentKind
from jobs_maint.operations.incidents import measured as m
from jobs_maint.operations.incidents.schedules import judge_digests

MINUTE = timedelta(minutes=1)


def healthy_day(seed, weekday):
    """Deploys that kill or stop all workers for up to 50 s, bursts, hiccups, late digests."""
    begin = NIGHT + timedelta(days=weekday)
    team, watch = Team(seed, begin), Watch()
    watch.now = begin
    rng = team.rng

    def now_and_then(times):
        """Passes of the day, one in each part of it, and not too close to the next."""
        part = 5_700 // times
        return [n * part + rng.randint(0, part // 2) for n in range(times)]

    deploys = {n: rng.randint(1, 3) for n in now_and_then(8)}
    bursts = {n: rng.choice(team.queues[:2]) for n in now_and_then(6)}
    hiccups = {n: rng.choice(team.queues) for n in now_and_then(20)}
    back, well = -1, {}
    for n in range(5_760):
        at = watch.now + PASS
        if n in deploys:
            team.live, back = 0, n + deploys[n]
            if rng.random() < 0.5:  # killed: the rescue finds what they ran
                team.stuck += [m.Stuck(n, "email", "app.send", at)]
        if n == back:
            team.live = 3
        if n in hiccups:
            hiccups[n].share, well[n + 4] = 0.25, hiccups[n]
        if n in well:
            well[n].share = 0.01
        team.digest_late = {"team": timedelta(minutes=9)} if 2_000 < n < 2_400 else {}
        team.work(at, bursts.get(n))
        watch.see(*team.judge(at))
    return watch


def test_a_healthy_noisy_day_has_no_incident():
    assert healthy_day(0, weekday=0).all == {}


def break_workers(team, _at):
    team.live = 0


def block_queue(team, _at):
    team.queues[1].capacity = 0.0


def forget_queue(team, _at):
    team.queues[0].listened = False


def fail_much(team, _at):
    team.queues[0].share = 0.9


def new_error(team, at):
    failures = int((at - team.fault_at) / MINUTE * 2)
    team.group = m.Group("E-4f2a", "app.send", ("email",), "ConnectTimeout", "timed out", failures,
                         team.fault_at, 7, None)  # fmt: skip


def stick(team, _at):
    team.rescues, team.stuck = False, [m.Stuck(7, "pdf", "app.print", team.fault_at)]


def stop_ticks(team, _at):
    team.broken_ticks = {"app.sync"}


def stop_rescue(team, _at):
    team.rescues = False


def stop_digest(team, _at):
    team.digest_late = {"team": timedelta(hours=9)}


def hush(team, _at):
    team.recorder_at = team.fault_at


FAULTS = {
    break_workers: IncidentKind.NO_WORKER,
    block_queue: IncidentKind.QUEUE_BEHIND,
    forget_queue: IncidentKind.NO_WORKER,
    fail_much: IncidentKind.FAILURES_HIGH,
    new_error: IncidentKind.GROUP,
    stick: IncidentKind.JOBS_STUCK,
    stop_ticks: IncidentKind.TICK_MISSED,
    stop_rescue: IncidentKind.MAINTENANCE_OVERDUE,
    stop_digest: IncidentKind.DIGEST_OVERDUE,
    hush: IncidentKind.RECORDER_SILENT,
}


def mend(team):
    team.live, team.queues[1].capacity, team.queues[0].share = 3, 100.0, 0.01
    team.queues[0].listened, team.group, team.stuck, team.recorder_at = True, None, [], None
    team.broken_ticks, team.rescues, team.digest_late = set(), True, {}


def live_through(fault, seed):
    """A fault on a working day, mended after a while; asserts what must hold of its incident."""
    begin = NIGHT + timedelta(hours=6 + seed % 11)
    team, watch = Team(seed, begin), Watch()
    watch.now = begin
    calm, lasts = team.rng.randint(4, 60), team.rng.randint(100, 300)
    lasts += 220 * (fault is stop_digest)  # an hour, at least
    first_bad = None
    wanted = FAULTS[fault]
    for n in range(calm + lasts + 300):
        at = watch.now + PASS
        if n == calm:
            team.fault_at = at
        if calm <= n < calm + lasts:
            fault(team, at)
        if n == calm + lasts:
            mend(team)
        team.work(at)
        conditions = team.judge(at)
        if first_bad is None and wanted in {one.kind for one in conditions}:
            first_bad = at
        watch.see(*conditions)
        if n >= calm + lasts and first_bad and not conditions and not watch.open:
            break
    told = [case.incident for case in watch.all.values()]
    assert first_bad is not None, (fault, seed)
    assert len(told) == 1, (fault, seed, told)
    [one] = told
    assert one.state == "resolved", (fault, seed, one)
    noticed = [entry.at for entry in one.history if entry.kind is wanted]
    assert min(noticed) - first_bad <= PASS, (fault, seed)  # within two passes
    assert one.since <= one.opened_at < one.resolved_at <= watch.now


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_every_fault_is_one_incident_noticed_at_once_and_over_when_it_is_mended(fault):
    for seed in range(3):
        live_through(fault, seed)


@pytest.mark.parametrize("minutes", [5, 10, 20, 60])
@pytest.mark.parametrize("held", [0.5, 10.5])
def test_a_digest_is_overdue_a_quarter_of_an_hour_after_its_time_also_after_a_held_one(
    minutes, held
):
    """A window may end ten minutes before it is sent, for failures that are not stored yet."""
    sent_at = NIGHT + timedelta(seconds=5)
    digest = m.Digest("team", NIGHT - held * MINUTE, sent_at, None)
    plan = DigestPlan("team", f"*/{minutes} * * * *" if minutes < 60 else "0 * * * *")
    due = NIGHT + minutes * MINUTE + timedelta(minutes=15)

    def judge_at(at):
        return list(judge_digests(m.Measured(at, plans=(plan,), digests=(digest,)), m.Memory()))

    assert judge_at(due - timedelta(seconds=1)) == []
    assert [one.since for one in judge_at(due)] == [NIGHT + minutes * MINUTE]


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_so_are_hundreds(fault):
    for seed in range(3, 33):
        live_through(fault, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(14))
def test_healthy_days_of_two_weeks_have_no_incident(seed):
    assert healthy_day(100 + seed, seed).all == {}
