"""The life of incidents, pass by pass: what opens, is folded, comes back, flaps and ends."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.watching import NIGHT, PASS, Watch

from chatbot.messages.incident import render_incident
from chatbot.messages.incident_end import say_over
from chatbot.messages.incident_thread import render_entries
from jobs_maint.durations import format_age
from jobs_maint.models import Condition, IncidentKind, IncidentsReport
from jobs_maint.render import render_text, say_incident

NO_WORKER, BEHIND, FAILURES, GROUP, STUCK, TICK, SILENT = (
    IncidentKind.NO_WORKER, IncidentKind.QUEUE_BEHIND, IncidentKind.FAILURES_HIGH,
    IncidentKind.GROUP, IncidentKind.JOBS_STUCK, IncidentKind.TICK_MISSED,
    IncidentKind.RECORDER_SILENT,
)  # fmt: skip


def bad(kind, subject="", value=900.0, *, limit=900.0, since=None, queues=None, **facts):
    named = (subject,) if queues is None and kind in {BEHIND, FAILURES} else queues or ()
    return Condition(kind, subject, value, limit, since, named, facts)


OVERDUE = IncidentKind.MAINTENANCE_OVERDUE
OWN_IDLE = bad(NO_WORKER, "ours", queues=("ours",), own=True)
RESCUE, DIGEST = bad(OVERDUE, "rescue"), bad(IncidentKind.DIGEST_OVERDUE, "ops")


def steps(watch):
    return [one.what for one in watch.all[1].incident.history]


@pytest.fixture
def watch():
    return Watch()


def test_what_two_passes_see_opens_and_what_two_do_not_see_is_over(watch):
    late = bad(BEHIND, "email", since=NIGHT - timedelta(minutes=15), task="app.send")
    assert watch.see(late) == []
    [one] = watch.see(late)
    assert (one.kind, one.subject, one.state, one.times) == (BEHIND, "email", "open", 1)
    assert (one.since, one.opened_at) == (NIGHT - timedelta(minutes=15), NIGHT + 2 * PASS)
    assert (one.queues, one.facts) == (("email",), {"task": "app.send"})
    [one] = watch.see(bad(BEHIND, "email", 1_000.0))
    assert (one.value, one.worst) == (1_000.0, 1_000.0)
    assert len(watch.see()) == 1
    assert watch.see(bad(BEHIND, "email", 950.0))[0].worst == 1_000.0
    assert len(watch.see()) == 1
    assert watch.see() == []
    ended = watch.all[1].incident
    assert ended.resolved_at == watch.now - PASS  # when it was first not seen
    assert steps(watch) == ["opened", "resolved"]


def no_worker(since, seen_at):
    return bad(NO_WORKER, value=(seen_at - since).total_seconds(), limit=60.0, since=since)


def stuck_jobs(since, seen_at):
    seconds = (seen_at - since).total_seconds()
    return bad(STUCK, value=seconds, limit=60.0, since=since, queues=("reports",), jobs=3)


def test_what_the_last_pass_saw_gone_is_not_told_as_what_remains(watch):
    for _ in range(2):
        now = watch.now + PASS
        watch.see(no_worker(NIGHT, now), stuck_jobs(NIGHT + PASS, now))
    watch.see(stuck_jobs(NIGHT + PASS, watch.now + PASS))
    revision = watch.all[1].revision
    [one] = watch.see()  # the jobs are put back as well
    assert (one.kind, steps(watch)) == (NO_WORKER, ["opened", "folded"])
    assert watch.all[1].revision == revision  # no edit
    assert watch.see() == []
    assert steps(watch) == ["opened", "folded", "over", "resolved"]
    over = watch.all[1].incident
    assert (over.ended_at, over.resolved_at) == (NIGHT + 3 * PASS, NIGHT + 4 * PASS)


def test_what_remains_is_told_once_a_pass_finds_it_again(watch):
    for _ in range(2):
        now = watch.now + PASS
        watch.see(no_worker(NIGHT, now), stuck_jobs(NIGHT + PASS, now))
    watch.see(stuck_jobs(NIGHT + PASS, watch.now + PASS))
    watch.see()
    [one] = watch.see(stuck_jobs(NIGHT + PASS, watch.now + PASS))
    assert (one.kind, steps(watch)) == (STUCK, ["opened", "folded", "over", "remains"])
    assert one.history[2].at == NIGHT + 3 * PASS


def test_what_remains_unseen_is_told_as_of_the_pass_that_saw_it(watch):
    """It could not be looked at any more after the workers were back."""
    for _ in range(2):
        now = watch.now + PASS
        watch.see(no_worker(NIGHT, now), stuck_jobs(NIGHT + PASS, now))
    watch.see(stuck_jobs(NIGHT + PASS, watch.now + PASS))
    seen_at = watch.now
    [one] = watch.see(end=lambda part: None if part.kind is STUCK else "good")
    assert (one.kind, one.seen_at, one.lead.since) == (STUCK, seen_at, NIGHT + PASS)


def test_what_one_pass_sees_now_and_then_is_none(watch):
    for _ in range(40):
        assert watch.see(bad(BEHIND, "email")) == []
        assert watch.see() == []


def test_a_kind_that_could_not_be_looked_at_stays_as_it_was(watch):
    watch.see(bad(BEHIND, "email"), bad(SILENT, "web-1 pid 7"), passes=2)
    seen = watch.see(passes=10, end=lambda one: None if one.kind is BEHIND else "good")
    assert [one.kind for one in seen] == [BEHIND]
    assert watch.see(passes=2) == []


def test_what_could_not_be_looked_at_began_when_it_did_though_what_follows_from_it_is_seen(watch):
    cause, queue = bad(NO_WORKER, "", 60.0, limit=60.0), bad(BEHIND, "email", 1_000.0)
    [before] = watch.see(cause, queue, passes=2)
    [one] = watch.see(queue, passes=6, end=lambda _: None)
    assert (one.kind, one.value, one.seen_at) == (NO_WORKER, before.value, before.seen_at)


def test_queues_behind_for_want_of_a_worker_are_one_incident_and_one_message(watch):
    """First a queue is behind; then the cause shows; then it is gone before the backlog is."""
    queues = [bad(BEHIND, name, 1_000.0) for name in ("email", "web")]
    watch.see(queues[0], passes=2)
    cause = bad(NO_WORKER, "", 60.0, limit=60.0, waiting=214)
    watch.see(cause, *queues)
    [one] = watch.see(cause, *queues, bad(TICK, "app.sync"), passes=2)
    assert (one.kind, one.subject, one.value) == (NO_WORKER, "", 60.0)
    assert {other.key for other in one.folded} == {
        (BEHIND, "email"), (BEHIND, "web"), (TICK, "app.sync")
    }  # fmt: skip
    [one] = watch.see(*queues, passes=2)
    assert (one.id, one.kind, one.subject) == (1, BEHIND, "email")
    assert [other.subject for other in one.folded] == ["web"]
    assert watch.see(passes=2) == []
    assert len(watch.all) == 1
    assert steps(watch) == ["opened", "cause", "folded", "folded", "over", "remains", "resolved"]


def test_an_incident_tells_one_story_to_its_end(watch):
    """Of what it is named after, with what else there was, each with its worst."""
    mail, web, pdf = (lambda value, name=name: bad(BEHIND, name, value) for name in ("m", "w", "p"))
    watch.see(mail(960.0), web(900.0), pdf(900.0), passes=2)
    watch.see(mail(1_000.0), web(950.0), passes=3)
    watch.see(mail(1_000.0), web(950.0), pdf(910.0), passes=2)  # told already
    begun = watch.now
    [one] = watch.see(web(920.0), pdf(1_200.0), passes=2)
    assert (one.subject, [part.subject for part in one.past]) == ("p", ["m"])
    [one] = watch.see(web(980.0), pdf(930.0))
    assert (one.value, one.worst, one.folded[0].worst) == (930.0, 1_200.0, 980.0)
    watch.now += timedelta(minutes=20)
    [one] = watch.see(web(980.0), pdf(930.0), mail(901.0), passes=2)  # later than others open
    assert {part.subject for part in one.folded} == {"w", "m"}
    assert watch.see(web(980.0), passes=2)[0].subject == "w"
    assert watch.see(passes=2) == []
    [case] = watch.all.values()
    one = case.incident
    assert (one.subject, one.worst, one.queues) == ("m", 1_000.0, ("m",))
    assert {part.subject: part.worst for part in one.past} == {"p": 1_200.0, "w": 980.0}
    assert begun < one.ended_at < one.resolved_at == watch.now - PASS
    told = [(step.what, step.subject) for step in one.history]
    assert told == [
        ("opened", "m"), ("folded", "p"), ("folded", "w"), ("over", "m"), ("remains", "p"),
        ("folded", "m"), ("over", "p"), ("over", "m"), ("remains", "w"), ("resolved", "m"),
    ]  # fmt: skip
    [one] = watch.see(web(901.0), passes=2)
    assert (one.id, one.subject, one.times, one.spells) == (1, "w", 2, 2)
    assert [(part.subject, part.worst) for part in one.past] == [("m", 1_000.0), ("p", 1_200.0)]
    assert one.since <= one.began_at < begun  # when it came first
    assert watch.see(passes=2) == []
    [case] = watch.all.values()
    assert case.incident.subject == "w"
    assert {part.subject for part in case.incident.past} == {"m", "p"}


def test_what_comes_again_while_something_else_lasts_is_told_from_its_first_time(watch):
    """The workers die twice; a job of the first time is stuck until long after."""
    stuck, begun = bad(STUCK), NIGHT + PASS
    for minutes in (0, 10):
        start = begun + timedelta(minutes=minutes)
        watch.now = start - PASS
        for _ in range(20):
            age = (watch.now + PASS - start).total_seconds()
            watch.see(bad(NO_WORKER, value=age), stuck)
        [one] = watch.open
        assert one.began_at == begun
        watch.see(stuck, passes=4)
    watch.see(passes=2)
    [case] = watch.all.values()
    one = case.incident
    assert (one.kind, one.times, one.spells) == (NO_WORKER, 1, 2)
    assert (one.began_at, one.ended_at) == (begun, begun + timedelta(minutes=15))
    assert say_over(one) == "Workers are back; it came 2 times in 15 min."
    report = IncidentsReport(watch.now, (), (one,), 3600.0, watched_at=watch.now)
    [line] = [line for line in render_text(report).splitlines() if "I-1" in line]
    assert line.endswith("no worker was alive; came 2 times in 15 min.")


@pytest.mark.parametrize(
    ("kind", "with_it"), [(NO_WORKER, BEHIND), (STUCK, OVERDUE), (SILENT, None)]
)
def test_it_lasts_since_it_began_though_what_is_bad_now_is_younger(watch, kind, with_it):
    """The first jobs were cancelled and others wait; so too where something else leads."""

    def there(kind, since):
        age = (watch.now + PASS - since).total_seconds()
        return bad(kind, "rescue" if kind is OVERDUE else "b", age, since=since, queues=("b",))

    begun = NIGHT - timedelta(minutes=15)
    younger = begun + timedelta(minutes=14)
    for since in (begun, begun, *[younger] * 8):
        seen = [there(kind, since)] + ([there(with_it, begun)] if with_it else [])
        watch.see(*seen)
    [one] = watch.open
    assert one.since == begun
    parts = {part.kind: part for part in (one.lead, *one.folded)}
    assert parts[kind].since == begun
    assert parts[kind].value == parts[kind].worst == (watch.now - begun).total_seconds()
    end = watch.now + PASS
    for _ in range(6):
        watch.see(*([there(with_it, begun)] if with_it else []))
    assert watch.see(passes=2) == []
    one = watch.all[1].incident
    if one.kind is kind:
        assert (one.began_at, one.ended_at) == (begun, end)
        assert " after 18 min." in say_over(one)
        report = IncidentsReport(watch.now, (), (one,), 3600.0, watched_at=watch.now)
        assert "; lasted 18 min." in render_text(report)
        assert "From 01:45 UTC to 02:02 UTC." in render_incident(one, watch.now).text


@pytest.mark.parametrize(
    ("kind", "subject"),
    [(IncidentKind.DIGEST_OVERDUE, "hourly"), (OVERDUE, "purge"), (TICK, "app.sync")],
)
def test_what_remains_began_when_it_did_and_not_when_it_was_noticed(watch, kind, subject):
    """The same in the message, its thread and the shell."""
    begun, grace = NIGHT, timedelta(minutes=16)

    def see(*causes, passes=1):
        for _ in range(passes):
            age = (watch.now + PASS - begun).total_seconds()
            late = bad(kind, subject, age, since=begun) if watch.now - begun >= grace else None
            watch.see(*causes, *filter(None, [late]))

    cause = bad(NO_WORKER, value=960.0, since=begun - timedelta(minutes=20))
    see(cause, passes=70)
    [one] = watch.open
    assert (one.kind, one.folded[0].since) == (NO_WORKER, begun)
    see(passes=12)
    [one] = watch.open
    assert (one.key, one.began_at, one.lead.since) == ((kind, subject), begun, begun)
    age = format_age(watch.now - begun)
    assert f"Since 02:00 UTC, for {age}." in render_incident(one, watch.now).text
    report = IncidentsReport(watch.now, (one,), (), 3600.0, watched_at=watch.now)
    assert f"since 02:00:00 UTC, {age}" in render_text(report)
    [remains] = [step for step in one.history if step.what == "remains"]
    assert remains.at - timedelta(seconds=remains.value) == begun
    see(cause, passes=2)  # it follows from that again
    assert watch.open[0].folded[0].since == begun


def test_an_error_that_remains_began_when_it_came_up(watch):
    begun = NIGHT - timedelta(minutes=40)
    errors = [bad(GROUP, name, 40.0, limit=20.0, since=begun + i * PASS, queues=("a",))
              for i, name in enumerate(("E-1", "E-2"))]  # fmt: skip
    watch.see(*errors, passes=2)
    [one] = watch.open
    first, left = errors if one.subject == "E-1" else reversed(errors)
    assert one.began_at == first.since
    [one] = watch.see(left, passes=2)
    assert (one.subject, one.began_at, one.since) == (left.subject, left.since, begun)


def test_what_leads_did_not_begin_with_a_part_of_it_that_is_older(watch):
    begun = NIGHT - timedelta(minutes=15)
    rescue = bad(OVERDUE, "rescue", since=begun)
    digest = bad(IncidentKind.DIGEST_OVERDUE, "daily", since=begun - timedelta(hours=22))
    [one] = watch.see(rescue, digest, passes=2)
    assert (one.subject, one.began_at) == ("rescue", begun)


def test_after_a_pause_of_the_watch_nothing_new_opens_and_what_is_over_ends(watch):
    digest, other = bad(IncidentKind.DIGEST_OVERDUE, "ops"), bad(SILENT, "web-1 pid 7")
    pause = {"unsettled": {DIGEST.kind, STUCK}}
    watch.see(digest, passes=2)
    watch.see(digest, bad(STUCK), other, passes=4, **pause)
    assert [one.kind for one in watch.open] == [DIGEST.kind, SILENT]
    end = watch.now + PASS
    watch.see(bad(STUCK), passes=2, **pause)
    assert watch.open == []
    assert watch.all[1].incident.resolved_at == end
    watch.see(bad(STUCK))
    assert [one.kind for one in watch.see(bad(STUCK))] == [STUCK]


def test_after_a_pause_jobs_of_workers_on_their_way_back_are_not_told_as_stuck(watch):
    watch.see(bad(STUCK, queues=("a",), jobs=1), passes=2)
    all_of_them = bad(STUCK, value=1_000.0, queues=("a", "b"), jobs=50)
    [one] = watch.see(all_of_them, passes=4, unsettled={STUCK})
    assert (one.value, one.facts, one.queues) == (1_000.0, {"jobs": 1}, ("a",))
    [one] = watch.see(all_of_them)
    assert (one.facts, one.queues) == ({"jobs": 50}, ("a", "b"))


def test_why_it_is_over_is_of_what_it_is_named_after(watch):
    watch.see(bad(BEHIND, "m", 960.0), bad(BEHIND, "w"), passes=2)
    watch.see(bad(BEHIND, "w"), passes=2, end=lambda one: "cancelled")
    watch.see(passes=2)
    assert (watch.all[1].incident.subject, watch.all[1].incident.why) == ("m", "cancelled")


def test_an_incident_that_turns_out_to_be_part_of_another_is_merged_into_the_older(watch):
    both = [bad(BEHIND, "email"), bad(BEHIND, "web")]
    watch.see(both[0], passes=2)
    watch.now += timedelta(minutes=10)
    assert len(watch.see(*both, passes=2)) == 2
    [one] = watch.see(bad(NO_WORKER, limit=60.0), *both, passes=2)
    assert (one.id, one.kind, {other.subject for other in one.folded}) == (
        1, NO_WORKER, {"email", "web"}
    )  # fmt: skip
    last = watch.all[2].incident
    assert (last.state, last.history[-1].what, last.history[-1].by) == ("resolved", "merged", "I-1")


def test_a_cause_is_not_waited_for_when_what_it_leads_to_was_seen_twice(watch):
    watch.see(bad(BEHIND, "email"))
    [one] = watch.see(bad(BEHIND, "email"), bad(NO_WORKER, limit=60.0))
    assert (one.kind, [other.kind for other in one.folded]) == (NO_WORKER, [BEHIND])


@pytest.mark.parametrize(
    ("cause", "other", "one"),
    [
        (bad(NO_WORKER), bad(STUCK), True),
        (bad(NO_WORKER, "email", queues=("email",)), bad(BEHIND, "email"), True),
        (bad(NO_WORKER, "email", queues=("email",)), bad(BEHIND, "web"), False),
        (bad(NO_WORKER, "email", queues=("email",)), bad(STUCK, queues=("email",)), True),
        (bad(NO_WORKER, "email", queues=("email",)), bad(STUCK, queues=("email", "web")), False),
        (bad(NO_WORKER), bad(NO_WORKER, "email", queues=("email",)), True),
        (bad(NO_WORKER), bad(FAILURES, "email"), False),
        (bad(NO_WORKER), bad(IncidentKind.DIGEST_OVERDUE, "ops", error=None), True),
        (bad(NO_WORKER), bad(IncidentKind.DIGEST_OVERDUE, "ops", error="Slack is away"), False),
        (bad(IncidentKind.MAINTENANCE_OVERDUE, "rescue"), bad(STUCK), True),
        (bad(IncidentKind.MAINTENANCE_OVERDUE, "purge"), bad(STUCK), False),
        (bad(FAILURES, "email"), bad(GROUP, "E-1", queues=("email",)), True),
        (bad(FAILURES, "email"), bad(GROUP, "E-1", queues=("web",)), False),
        (bad(BEHIND, "email"), bad(STUCK), False),
        (OWN_IDLE, RESCUE, True),
        (OWN_IDLE, DIGEST, True),
        (OWN_IDLE, bad(STUCK), True),
        (OWN_IDLE, bad(TICK, "app.tick"), False),
        (OWN_IDLE, replace(RESCUE, facts={"job_id": 7}), False),
        (OWN_IDLE, replace(DIGEST, facts={"error": "Slack is away"}), False),
        (bad(NO_WORKER, "email", queues=("email",)), RESCUE, False),
        (bad(BEHIND, "ours", own=True), RESCUE, True),
        (bad(BEHIND, "ours", own=True), bad(STUCK), False),
        (RESCUE, DIGEST, True),
        (replace(RESCUE, facts={"job_id": 7}), DIGEST, False),
        (bad(OVERDUE, "purge"), DIGEST, False),
        (bad(STUCK, job_ids=[7, 8]), bad(BEHIND, "email", holder=8), True),
        (bad(STUCK, job_ids=[7, 8]), bad(BEHIND, "email", holder=9), False),
        (bad(STUCK, job_ids=[7, 8]), bad(BEHIND, "email"), False),
    ],
    ids=str,
)
def test_causes(watch, cause, other, one):
    assert len(watch.see(cause, other, passes=3)) == (1 if one else 2)


def test_jobs_of_other_queues_are_not_stuck_for_want_of_a_worker_of_this_one(watch):
    cause = bad(NO_WORKER, "ours", 60.0, limit=60.0, queues=("ours",), own=True)
    said = {}
    for queues in (("ours",), ("web",), ("ours", "web")):
        [one] = Watch().see(cause, bad(STUCK, queues=queues), passes=3)
        entries = render_entries(one, one.history, watch.now).text
        said[queues] = render_incident(one, watch.now).text, entries
    message, thread = said["ours",]
    assert "With the same cause: 1 job is stuck" in message
    assert "With the same cause: jobs are stuck" in thread
    for queues in (("web",), ("ours", "web")):
        message, thread = said[queues]
        assert "Also: 1 job is stuck" in message
        assert "same cause" not in message + thread


def test_parts_have_causes_too_and_are_causes_too(watch):
    """No worker listens to b and c: they are one incident, and so it is when both are behind."""
    one, other = (bad(NO_WORKER, name, 60.0, limit=60.0, queues=(name,)) for name in "bc")
    watch.see(one, other, passes=2)
    [both] = watch.see(one, other, bad(BEHIND, "b"), bad(BEHIND, "c"), passes=2)
    assert (both.subject, len(both.folded)) == ("b", 3)
    late = Watch()
    late.see(bad(BEHIND, "b"), bad(BEHIND, "c"), passes=2)
    late.now += timedelta(minutes=10)
    [both] = late.see(bad(BEHIND, "b"), bad(BEHIND, "c"), other, passes=2)
    assert (both.kind, both.subject, len(both.folded)) == (NO_WORKER, "c", 2)
    late.now += timedelta(minutes=10)
    [both] = late.see(bad(BEHIND, "b"), bad(BEHIND, "c"), one, other, passes=2)
    assert (both.subject, len(both.folded)) == ("c", 3)


def test_no_worker_at_all_is_no_new_incident_where_none_listened_to_a_queue(watch):
    queue = bad(NO_WORKER, "b", 60.0, limit=60.0, queues=("b",))
    watch.see(queue, passes=2)
    [one] = watch.see(queue, bad(NO_WORKER, limit=60.0), passes=2)
    assert (one.subject, [part.subject for part in one.folded]) == ("", ["b"])


def test_many_of_one_kind_are_not_as_many_messages(watch):
    """300 groups in a bad night: together is one incident, and never more than three are open."""
    groups = [bad(GROUP, f"E-{n}", 25.0, limit=20.0, queues=("email",)) for n in range(300)]
    watch.see(*groups[:20], passes=2)
    assert [len(one.folded) for one in watch.open] == [19]
    for n in range(20, 300, 20):
        watch.now += timedelta(minutes=20)
        watch.see(*groups[: n + 20], passes=2)
    assert sorted(len(one.folded) for one in watch.open) == [19, 19, 259]
    assert len(watch.all) == 3


def test_what_is_dealt_with_holds_no_place_that_a_live_error_needs(watch):
    def error(name, **standing):
        return bad(GROUP, name, 25.0, limit=20.0, queues=("email",), standing=standing)

    def all_succeed(name):
        return error(name, failed_now=0, retried_since=25, succeeded_since=25)

    for n in range(3):
        watch.see(*(error(f"E-{i}") for i in range(n + 1)), passes=2)
        watch.now += timedelta(minutes=6)
    green = [all_succeed(f"E-{n}") for n in range(3)]
    assert len(watch.see(*green)) == 3
    [*old, new] = watch.see(*green, error("E-a"), error("E-b"), passes=2)
    assert [one.subject for one in old] == ["E-0", "E-1", "E-2"]
    assert not any(one.folded for one in old)
    assert (new.subject, [part.subject for part in new.folded]) == ("E-a", ["E-b"])
    # Within five minutes, too.
    green += [all_succeed("E-a"), all_succeed("E-b")]
    *old, new = watch.see(*green, error("E-c"), passes=2)
    assert (new.subject, new.folded, len(old)) == ("E-c", (), 4)
    # There is an end to it.
    for n in range(20):
        watch.now += timedelta(minutes=6)
        watch.see(*green, error(f"E-x{n}"), passes=2)
        green.append(all_succeed(f"E-x{n}"))
        watch.see(*green)
    assert len(watch.open) == 10
    # Those whose jobs are failed are three, as ever.
    live = Watch()
    live.see(*green[:3], passes=2)
    for n in range(5):
        live.now += timedelta(minutes=6)
        live.see(*green[:3], *(error(f"E-y{i}") for i in range(n + 1)), passes=2)
    assert [one.subject for one in live.open] == ["E-0", "E-y0", "E-y1", "E-y2"]
    assert len(live.open[-1].folded) == 2


@pytest.mark.parametrize("ends", [True, False])
def test_what_remains_is_not_what_was_dealt_with_before(watch, ends):
    """What leads it is over, or it is muted and all of its jobs succeed."""

    def error(name, **facts):
        return bad(GROUP, name, 25.0, limit=20.0, **facts)

    done = {"failed_now": 0, "retried_since": 25, "succeeded_since": 25}
    given_up = error("E-b", standing={"failed_now": 0, "discarded_since": 25})
    muted = {"muted_until": (watch.now + timedelta(days=1)).isoformat()}
    watch.see(error("E-a"), error("E-b"), passes=2)
    watch.see(error("E-a", **muted), given_up, passes=2)
    [one] = watch.see(*([] if ends else [error("E-a", **muted, standing=done)]), given_up, passes=2)
    assert one.subject == "E-b"
    assert steps(watch)[-1] == ("over" if ends else "settled")
    assert "remains" not in steps(watch)


def test_an_error_that_is_live_leads_those_that_are_dealt_with(watch):
    def error(name, value=25.0, **standing):
        facts = {"task": f"app.{name}", "exception_type": "ValueError", "state": "new"}
        return bad(GROUP, name, value, limit=20.0, **facts, standing=standing)

    done = {"failed_now": 0, "retried_since": 25, "succeeded_since": 25}
    watch.see(error("a", 90.0), error("b"), error("c", 30.0), passes=2)
    [one] = watch.see(error("a", 90.0, **done), error("b"), error("c", 30.0, **done))
    assert (one.subject, [part.subject for part in one.folded]) == ("b", ["a", "c"])
    assert render_incident(one, watch.now).text.startswith("🔴 ValueError in b is new")
    [one] = watch.see(error("a", 90.0, **done), error("b", **done), error("c", 30.0, **done))
    assert one.subject == "b"
    assert steps(watch) == ["opened", "folded", "folded", "settled", "remains", "settled"]


def test_a_muted_error_leads_only_where_all_are_muted(watch):
    def error(name, value, **facts):
        facts = {"task": f"app.{name}", "exception_type": "ValueError", "state": "new", **facts}
        return bad(GROUP, name, value, limit=20.0, **facts)

    muted = {"muted_until": (watch.now + timedelta(hours=2)).isoformat()}
    watch.see(error("a", 90.0), error("b", 25.0), error("c", 30.0), passes=2)
    [one] = watch.see(error("a", 90.0, **muted), error("b", 25.0), error("c", 30.0))
    assert (one.subject, one.muted_until) == ("c", None)
    [one] = watch.see(error("a", 90.0, **muted), error("b", 25.0), error("c", 30.0, **muted))
    assert (one.subject, one.muted_until) == ("b", None)
    [one] = watch.see(*(error(name, 25.0, **muted) for name in "abc"))
    assert one.subject == "b"
    watch.see(error("a", 90.0, **muted), passes=2)
    [one] = watch.see(error("a", 90.0, **muted))
    assert (one.subject, one.muted_until is None) == ("a", False)


def test_what_comes_back_soon_is_the_same_incident_and_flaps_from_the_third_time_on(watch):
    dead = bad(NO_WORKER, limit=60.0)
    for times in (1, 2):
        [one] = watch.see(dead, passes=2)
        assert (one.id, one.times, one.flapping) == (1, times, False)
        assert watch.see(passes=2) == []
    [one] = watch.see(dead, passes=2)
    assert (one.times, one.flapping) == (3, True)
    minute = int(timedelta(minutes=1) / PASS)
    assert len(watch.see(passes=15 * minute)) == 1  # only the quiet time ends it now
    [one] = watch.open
    assert one.calm_since == watch.now - (15 * minute - 1) * PASS  # when it was first not seen
    [one] = watch.see(dead)
    assert (one.times, one.calm_since) == (4, None)
    [one] = watch.see()
    assert one.calm_since is None  # what one pass does not see may be there
    [one] = watch.see(dead)
    assert one.times == 4
    assert len(watch.see(passes=15 * minute)) == 1
    assert watch.see() == []
    assert steps(watch) == ["opened", "resolved", "back", "resolved", "back", "resolved"]
    watch.see(passes=15 * minute)
    [one] = watch.see(dead, passes=2)
    assert (one.id, one.times) == (2, 1)


def flap(watch, *found):
    for _ in range(3):
        watch.see(*found, passes=2)
        watch.see(passes=2)
    [one] = watch.open
    assert one.flapping
    assert one.calm_since is not None


def test_what_leads_one_that_flaps_is_over_at_once_where_something_else_of_it_is_there(watch):
    """Else it says for the quiet time that no worker is alive, while workers are."""
    mail, web = bad(NO_WORKER, "mail", 60.0), bad(NO_WORKER, "web", 60.0)
    flap(watch, mail)
    watch.see(mail, passes=2)
    watch.see(bad(NO_WORKER, limit=60.0), passes=2, end=lambda _one: None)
    [one] = watch.open
    assert (one.key, one.spells) == ((NO_WORKER, ""), 1)
    watch.see(bad(NO_WORKER, limit=60.0), web, passes=2, end=lambda _one: None)
    watch.see(web, passes=3)
    [one] = watch.open
    assert (one.subject, one.folded) == ("web", ())
    assert [part.subject for part in one.past] == ["", "mail"]
    minute = int(timedelta(minutes=1) / PASS)
    assert len(watch.see(passes=14 * minute)) == 1  # all of it waits for the quiet time
    assert watch.see(passes=2 * minute) == []


def say_everywhere(one, at):
    """The message of an incident, its line in the list of the shell and that in a digest."""
    closed = not one.is_open
    lists = {"open": () if closed else (one,), "recent": (one,) if closed else ()}
    report = IncidentsReport(as_of=at, since_seconds=3_600.0, watched_at=at, paused=False, **lists)
    return [
        render_incident(one, at).text,
        render_text(report, width=400),
        say_incident(one, at),
    ]


def test_one_that_flaps_says_that_its_jobs_were_cancelled_until_a_worker_listens(watch):
    news, cancelled = bad(NO_WORKER, "news", 60.0, queues=("news",)), {"end": lambda _: "cancelled"}
    for _ in range(3):
        watch.see(news, passes=2)
        watch.see(passes=2, **cancelled)
    [one] = watch.open
    revision = watch.all[1].revision
    for said in say_everywhere(one, watch.now):
        assert "its jobs were cancelled" in said
        assert "listens to news again" not in said
    verdict = render_incident(one, watch.now).text.splitlines()[0]
    assert verdict == "🟡 No worker listened to news, but its jobs were cancelled."
    [one] = watch.see()  # a worker that listens to it was started
    assert watch.all[1].revision == revision + 1
    verdict = render_incident(one, watch.now).text.splitlines()[0]
    assert verdict == "🟡 A worker listens to news again, for now."
    assert not [said for said in say_everywhere(one, watch.now) if "cancelled" in said]


def test_a_part_of_it_says_that_its_jobs_were_cancelled(watch):
    """Workers are back, and none of them is known to listen to the queue."""
    dead, news = bad(NO_WORKER, limit=60.0), bad(NO_WORKER, "news", 60.0, queues=("news",))
    watch.see(dead, news, passes=2)
    [one] = watch.see(dead, passes=2, end=lambda _: "cancelled")
    message = render_incident(one, watch.now).text
    assert "Over since 02:00 UTC: no worker listened to news; its jobs were cancelled." in message
    assert watch.see(passes=2) == []
    message = render_incident(watch.all[1].incident, watch.now).text
    assert message.startswith("🟡 Workers are back")
    assert "Also: no worker listened to news; its jobs were cancelled." in message


def test_its_thread_says_why_the_part_is_over_that_ended_last(watch):
    dead, news = bad(NO_WORKER, limit=60.0), bad(NO_WORKER, "news", 60.0, queues=("news",))
    watch.see(news, passes=2)
    watch.see(dead, passes=2, end=lambda _: None)
    watch.see(news, passes=3)
    assert watch.see(passes=2, end=lambda _: "cancelled") == []
    one = watch.all[1].incident
    assert (one.subject, one.why) == ("", "good")
    message = render_incident(one, watch.now).text
    assert message.startswith("🟡 Workers are back")
    assert "Also: no worker listened to news, until 02:02 UTC; its jobs were cancelled." in message
    thread = render_entries(one, one.history, watch.now).text
    said = "All of it is over: no worker listened to news; its jobs were cancelled."
    assert said in thread


def test_while_one_that_flaps_is_gone_a_total_outage_is_an_incident_of_its_own(watch):
    """Whoever is on call is notified of a new message only."""
    flap(watch, bad(NO_WORKER, "mail", 60.0))
    watch.see(bad(NO_WORKER, limit=60.0), passes=2)
    assert [(one.id, one.subject) for one in watch.open] == [(1, "mail"), (2, "")]


def test_what_comes_while_one_that_flaps_is_gone_does_not_make_it_red(watch):
    """Workers are back, and nobody listens to one queue: that is what the red message says."""
    flap(watch, bad(NO_WORKER, limit=60.0, waiting=7))
    lonely = bad(NO_WORKER, "lonely", 60.0, limit=60.0, queues=("lonely",), waiting=4)
    for n in range(4):
        watch.see(lonely)
        calm, *others = watch.open
        assert render_incident(calm, watch.now).text.startswith("🟡 Workers are back, for now.")
        assert len(others) == (n > 0)
    [one] = others
    assert (one.subject, one.folded, one.past) == ("lonely", (), ())
    said = render_incident(one, watch.now).text
    assert said.startswith("🔴 No worker listens to lonely; 4 jobs wait.")
    assert "alive" not in said


def test_a_part_that_is_back_leads_one_that_flaps_and_is_gone(watch):
    dead = bad(NO_WORKER, limit=60.0, waiting=7)
    lonely = bad(NO_WORKER, "lonely", 60.0, limit=60.0, queues=("lonely",), waiting=4)
    watch.see(dead, lonely, passes=2)
    watch.see(passes=2)
    for _ in range(2):
        watch.see(dead, passes=2)
        watch.see(passes=2)
    [one] = watch.see(lonely)
    assert one.calm_since is not None
    assert [part.subject for part in one.past] == ["lonely"]
    gone = one.calm_since
    [one] = watch.see(lonely)
    assert (one.id, one.subject, one.times, one.spells) == (1, "lonely", 4, 2)
    assert (one.calm_since, one.flapping) == (None, True)
    assert [(part.subject, part.over_at) for part in one.past] == [("", gone)]
    for said in say_everywhere(one, watch.now):
        assert "o worker listens to lonely; 4 jobs wait" in said
        assert "No worker is alive" not in said
    thread = render_entries(one, one.history[-2:], watch.now).text
    assert "Workers are back.\n" in thread
    assert thread.endswith("Again: no worker listens to lonely.")
    assert len(watch.see(passes=20)) == 1
    [one] = watch.open
    assert render_incident(one, watch.now).text.startswith("🟡 A worker listens to lonely again")


def test_what_joins_an_incident_leads_it_where_what_led_it_was_just_seen_over(watch):
    """The first pass that sees workers again is the second that sees the queue behind."""
    dead, late = bad(NO_WORKER, value=900.0, limit=60.0, waiting=7), bad(BEHIND, "email", waiting=9)
    watch.see(dead, passes=2)
    watch.pending = frozenset({late.key})
    [one] = watch.see(late)
    assert (one.id, one.key, one.folded) == (1, late.key, ())
    for said in say_everywhere(one, watch.now):
        assert "email is 15 min behind" in said
        assert "No worker is alive" not in said
    thread = render_entries(one, one.history[1:], watch.now).text
    assert ["Also: email is 15 min behind." in thread, "Workers are back." in thread,
            "What remains: email is 15 min behind." in thread] == [True] * 3  # fmt: skip
    [one] = watch.see(late)
    assert one.key == late.key
    [one] = watch.see(dead, late, passes=2)  # they die again
    assert (one.key, one.spells) == (dead.key, 2)


def test_none_heard_since_the_last_sign_of_a_worker_before_now(watch):
    """The workers die at 02:00 and again, after some minutes, at 02:05; a queue loses its own."""

    def see(subject, since, seconds):
        queues = (subject,) if subject else ()
        for _ in range(seconds // 15):
            age = (watch.now + PASS - since).total_seconds()
            heard = {"heard_at": since.isoformat()}
            watch.see(bad(NO_WORKER, subject, age, limit=60.0, since=since, queues=queues, **heard))
        [one] = watch.open
        return one

    def tell(one):
        message, shell, digest = say_everywhere(one, watch.now)
        return message.splitlines()[1], shell, digest

    first, second = NIGHT, NIGHT + timedelta(minutes=5)
    watch.now += timedelta(minutes=1)
    line, shell, digest = tell(see("", first, 60))
    assert line == "None heard since 02:00 UTC, for 2 min."
    assert "none heard since 02:00:00 UTC, 2 min." in shell
    assert digest.startswith("I-1 since 02:00 UTC: no worker is alive")
    watch.see(passes=2)
    watch.now = second + timedelta(minutes=1)
    line, shell, digest = tell(see("", second, 60))
    assert line == "First 02:00 UTC, 7 min ago · none heard since 02:05 UTC."
    said = "first 02:00:00 UTC, 7 min ago; none heard since 02:05:00 UTC, 2 min; came 2 times."
    assert said in shell
    assert digest.startswith("I-1 from 02:00 UTC, came 2 times: no worker is alive")
    watch.see(passes=2)
    one = watch.all[1].incident
    _, shell, digest = tell(one)
    assert digest == "I-1, 02:00 to 02:07 UTC, came 2 times: no worker was alive"
    assert "came 2 times in 7 min." in shell


def test_where_no_worker_was_ever_heard_it_is_dated_from_when_jobs_wait(watch):
    for subject in ("", "web"):
        since = watch.now - timedelta(seconds=165)
        watch.see(bad(NO_WORKER, subject, 180.0, since=since), passes=2)
        message, shell, _ = say_everywhere(watch.open[-1], watch.now)
        none = "; no worker was heard in that time" * (not subject)
        assert f"\nJobs have waited since {since:%H:%M} UTC, for 3 min{none}." in message
        assert f"jobs have waited since {since:%H:%M}" in shell
        assert f" UTC, 3 min{none}." in shell
        assert "heard since" not in message + shell
        watch.see(passes=2)


@pytest.mark.parametrize("passes", [1, 2])
def test_what_flaps_is_dated_from_the_last_sign_also_where_its_history_says_nothing(watch, passes):
    flap(watch, bad(NO_WORKER, limit=60.0))
    watch.see(bad(NO_WORKER, limit=60.0, since=watch.now), passes=4)
    watch.see(passes=passes)
    heard = watch.now
    [one] = watch.see(bad(NO_WORKER, value=15.0, limit=60.0, since=heard))
    assert (one.value, one.lead.since) == (15.0, heard)


def test_a_worker_that_no_pass_saw_counts_where_it_was_heard(watch):
    """Jobs that were cancelled while others wait do not: nobody was there."""

    def dead(since, heard_at):
        age = (watch.now + PASS - since).total_seconds()
        at = heard_at.isoformat()
        return bad(NO_WORKER, "b", age, limit=60.0, since=since, queues=("b",), heard_at=at)

    heard, later = NIGHT - timedelta(minutes=10), NIGHT - timedelta(minutes=2)
    for since in (heard, heard, later):
        watch.see(dead(since, heard))
    assert watch.open[0].lead.since == heard
    watch.see(dead(later, later))
    [one] = watch.open
    assert one.lead.since == later
    assert "None heard since 01:58 UTC, for 3 min" in render_incident(one, watch.now).text


def test_it_is_known_again_by_whatever_led_it(watch):
    dead, late = bad(NO_WORKER, limit=60.0), bad(BEHIND, "email")
    watch.see(dead, late, passes=2)
    watch.see(late, passes=2)
    assert watch.see(passes=2) == []
    [one] = watch.see(dead, passes=2)
    assert (one.id, one.times, one.kind) == (1, 2, NO_WORKER)


def test_in_a_planned_pause_nothing_opens_and_what_is_open_may_end(watch):
    watch.see(bad(BEHIND, "email"), passes=2)
    [one] = watch.see(bad(BEHIND, "email"), bad(SILENT, "web-1 pid 7"), passes=8, paused=True)
    assert one.kind == BEHIND
    assert watch.see(passes=2, paused=True) == []
    assert watch.see(bad(SILENT, "web-1 pid 7")) == []
    assert len(watch.see(bad(SILENT, "web-1 pid 7"))) == 1


def test_what_was_muted_is_muted_when_it_comes_again(watch):
    until = NIGHT + timedelta(hours=24)
    watch.muted = {(BEHIND, "email"): until, (BEHIND, "web"): NIGHT}
    [one] = watch.see(bad(BEHIND, "email"), passes=2)
    assert one.muted_until == until
    watch.now += timedelta(minutes=10)
    watch.see(bad(BEHIND, "email"))
    _, other = watch.see(bad(BEHIND, "email"), bad(BEHIND, "web"), passes=2)
    assert other.muted_until is None


def test_whoever_mutes_a_slow_queue_hears_of_the_workers_that_die_and_of_other_queues(watch):
    def see(*names):
        late = [bad(BEHIND, name) for name in names]
        return watch.see(*late, *dead, passes=2)

    dead = []
    see("email")
    muted = replace(watch.all[1].incident, muted_until=NIGHT + timedelta(hours=24))
    watch.all[1] = replace(watch.all[1], incident=muted)
    assert [one.subject for one in see("email", "web")] == ["email", "web"]
    dead = [bad(NO_WORKER, limit=60.0)]
    mail, cause = see("email", "web", "pdf")
    assert (mail.subject, mail.folded, mail.muted_until) == ("email", (), muted.muted_until)
    assert (cause.kind, cause.muted_until) == (NO_WORKER, None)
    assert {one.subject for one in cause.folded} == {"web", "pdf"}


def test_what_is_told_in_another_place_is_another_incident(watch):
    """Two queues break at once, then their workers die: each channel hears of its own."""

    def place(queues):
        return "C0MAIL" if queues and all(name.startswith("mail") for name in queues) else "C0OPS"

    def see(*found):
        return watch.see(*found, passes=2, place=place)

    groups = [bad(GROUP, "E-1", 20, queues=("mail",)), bad(GROUP, "E-2", 40, queues=("web",))]
    late = [bad(BEHIND, "mail-out"), bad(BEHIND, "web")]
    assert {one.queues for one in see(*groups)} == {("mail",), ("web",)}
    found = see(*groups, *late, bad(NO_WORKER, limit=60.0))
    assert {(one.kind, one.subject): [part.subject for part in one.folded] for one in found} == {
        (GROUP, "E-1"): [], (GROUP, "E-2"): [], (NO_WORKER, ""): ["web"], (BEHIND, "mail-out"): [],
    }  # fmt: skip


def test_a_number_alone_is_worth_an_edit_a_minute_and_fewer_as_hours_pass(watch):
    def revisions(span):
        before = watch.all[1].revision
        for n in range(int(span / PASS)):
            watch.see(bad(NO_WORKER, "", 60.0 + n, limit=60.0))
        return watch.all[1].revision - before

    watch.see(bad(NO_WORKER, limit=60.0), passes=2)
    assert watch.all[1].revision == 1
    assert revisions(timedelta(minutes=10)) == 10
    watch.now += timedelta(hours=5)
    assert 9 <= revisions(timedelta(hours=1)) <= 12
    before = watch.all[1].revision
    watch.see(bad(NO_WORKER, limit=60.0), bad(BEHIND, "email"), passes=2)
    assert watch.all[1].revision == before + 1  # news is not waited for


def test_how_long_it_lasts_is_kept_true_though_its_number_stays(watch):
    watch.see(bad(FAILURES, "email", 30.0, limit=20.0), passes=2)
    before = watch.all[1].revision
    watch.see(bad(FAILURES, "email", 30.0, limit=20.0), passes=12)
    assert watch.all[1].revision == before + 3  # in three minutes
    watch.see(passes=12, end=lambda _: None)
    assert watch.all[1].revision == before + 3  # nobody looked


def test_twice_the_number_is_told_but_not_that_time_passes(watch):
    for value in (20.0, 20.0, 39.0, 41.0, 60.0, 90.0):
        watch.see(bad(FAILURES, "email", value, limit=20.0))
    assert steps(watch) == ["opened", "worse", "worse"]
    other = Watch()
    for value in (60.0, 75.0, 150.0, 500.0):
        other.see(bad(NO_WORKER, "", value, limit=60.0))
    assert steps(other) == ["opened"]
