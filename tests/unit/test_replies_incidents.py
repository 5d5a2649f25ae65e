"""What the message of an incident says in each state: what, since when, who, what to do."""

import shlex
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.test_replies import buttons, shown

from chatbot.access.roles import KnownActor
from chatbot.handling.offers import keep_offers
from chatbot.messages.incident import render_incident
from chatbot.messages.incident_thread import render_entries
from chatbot.messages.incidents import render_incidents
from chatbot.messages.people import name_actor
from chatbot.messages.result import render_result
from chatbot.setup.sample_incidents import (
    ANA,
    ENTRIES,
    KINDS,
    life,
    list_incidents,
    over,
    tell_story,
)
from chatbot.setup.sample_reports import NOW, ago
from jobs_maint.actions import Actor, Grant, QueueScope, Role
from jobs_maint.grammar import parse_words, read_dashes, split_text
from jobs_maint.models import Condition, HistoryEntry, IncidentKind, IncidentReport, IncidentsReport
from jobs_maint.operations.incidents.reach import limit_to
from jobs_maint.render import render_text
from jobs_maint.render.conditions import say_condition, say_incident, say_past, say_within

NO_WORKER = KINDS[0]
GROUP = next(one for one in KINDS if one.kind is IncidentKind.GROUP)
STATES = dict(life(NO_WORKER))
ACTS = {"I'm on it", "Mute for 24 h", "End the mute", "Preview retry"}


def text(incident, as_of=NOW):
    return render_incident(incident, as_of).text


def offered(message):
    return [label for label, *_ in buttons(message)]


def labels(incident, **more):
    return offered(render_incident(incident, NOW, **more))


@pytest.mark.parametrize("incident", KINDS, ids=lambda one: f"{one.kind}-{one.subject}")
def test_each_kind_says_while_it_lasts_what_since_when_who_and_what_to_do(incident):
    lines = text(incident).splitlines()
    assert lines[0].startswith("🔴 ")
    # A worker may have lived for a beat after it was last heard.
    heard = {
        IncidentKind.NO_WORKER: "None heard since ",
        IncidentKind.JOBS_STUCK: "Not heard of since ",
        IncidentKind.RECORDER_SILENT: "No beat since ",
    }
    since = heard.get(incident.kind, "Since ")
    assert lines[1].startswith(since)
    told = render_text(replace(list_incidents(), open=(incident,)))
    assert f"  {since[0].lower()}{since[1:]}" in told
    assert "Nobody is on it yet." in lines
    group = " · E-4f2a" if incident is GROUP else ""
    assert lines[-1] == f"{incident.name}{group} · as of 12:00 UTC"
    assert {"Details", "I'm on it", "Mute for 24 h"} <= set(labels(incident))
    assert shown(render_incident(incident, NOW)).splitlines()[0].startswith("🔴")


@pytest.mark.parametrize("incident", KINDS, ids=lambda one: f"{one.kind}-{one.subject}")
def test_each_kind_says_once_it_is_over_for_how_long_it_was_and_offers_no_act(incident):
    lines = text(over(incident)).splitlines()
    assert lines[0].startswith("🟢 ")
    assert any(word in lines[0] for word in (" after ", " late.", " 49 min.", ": 9 in 15 min, "))
    assert lines[1].startswith("From ")
    assert not ACTS & set(labels(over(incident)))


ODD = "a\n\u202ec"


@pytest.mark.parametrize("incident", KINDS, ids=lambda one: f"{one.kind}-{one.subject}")
def test_a_line_break_or_a_mark_in_a_name_is_an_escape_and_draws_no_line(incident):
    ours = not incident.subject or incident.kind is IncidentKind.GROUP  # E-4f2a
    subject = incident.subject if ours else ODD
    odd = replace(incident, subject=subject, facts={**incident.facts, "task": ODD})
    for state, plain in ((odd, incident), (over(odd), over(incident))):
        assert len(text(state).splitlines()) == len(text(plain).splitlines())
        assert ODD not in text(state)
        assert say_condition(state).count("\n") == say_past(state).count("\n") == 0
    if subject == ODD:
        assert r"a\u{a}\u{202e}c" in text(odd)


@pytest.mark.parametrize("incident", KINDS, ids=lambda one: f"{one.kind}-{one.subject}")
def test_what_the_buttons_run_is_understood(incident):
    for label, words, _ in buttons(render_incident(incident, NOW)):
        assert parse_words(split_text(words), "slack").action.words() == words, label


def test_the_states_of_one_incident():
    assert "🔴 No worker is alive; 214 jobs wait." in text(STATES["open"])
    assert "With the same cause: email is 13 min behind." in text(STATES["open"])
    # Nobody listens to pdf; that email is behind has another reason.
    pdf = replace(STATES["open"], subject="pdf", queues=("pdf",))
    step = HistoryEntry(NOW, "folded", *pdf.folded[0].key, 300.0)
    assert "Also: email is 13 min behind." in text(pdf)
    assert "Also: email is 5 min behind." in render_entries(pdf, (step,), NOW).text
    assert "ana is on it, since 11:55 UTC." in text(STATES["taken"])
    assert "Nobody" not in text(STATES["taken"])
    assert "I'm on it" not in labels(STATES["taken"])
    muted = STATES["muted"]
    assert "Muted until 24 Nov 12:00 UTC: no new message about this." in text(muted)
    assert "End the mute" in labels(muted)
    later = NOW + timedelta(hours=25)
    assert "Muted" not in text(muted, later)
    assert "It comes and goes: this is the 4th time." in text(STATES["flapping"])
    assert "It was over and is back: this is the 2nd time." in text(replace(NO_WORKER, times=2))
    calm = text(STATES["calm"])
    assert calm.startswith("🟡 Workers are back, for now.\nSince 11:56 UTC. It came 4 times since")
    assert "Start a worker" not in calm
    listed = IncidentsReport(NOW, (STATES["calm"],), (), 3600.0, watched_at=NOW)
    name, watched = STATES["calm"].name, "UTC, still watched: it comes and goes."
    message, shell = render_incidents(listed).text, " ".join(render_text(listed).split())
    assert f"{name}  Workers are back, for now.\nCalm since 11:56 {watched}" in message
    assert f"{name} no worker was alive. Calm since 11:56:00 {watched}" in shell
    assert "No worker is alive" not in message + shell
    told = f"{name} from 11:46 UTC, came 4 times, calm since 11:56 {watched[:18]}: no worker was"
    assert say_incident(STATES["calm"], NOW).startswith(f"{told} alive; nobody is")
    held = replace(over(NO_WORKER), muted_until=NOW + timedelta(hours=24))
    assert "Muted until 24 Nov 12:00 UTC" in text(held)
    assert labels(held) == ["Details", "End the mute"]
    done = text(STATES["over"])
    assert done.startswith("🟢 Workers are back after 14 min.\nFrom 11:46 UTC to 12:00 UTC.")
    assert "ana was on it." in done


@pytest.mark.parametrize("name", ["pdf", "a\tb  c", "--all", "—all", "it's"])
def test_the_words_below_an_incident_in_a_shell_name_its_queue(name):
    for kind in (IncidentKind.QUEUE_BEHIND, IncidentKind.NO_WORKER, IncidentKind.FAILURES_HIGH):
        one = replace(STATES["open"], kind=kind, subject=name, queues=(name,), folded=(), facts={})
        listed = IncidentsReport(NOW, (one,), (), 3600.0, watched_at=NOW)
        words = render_text(listed).partition("  jobs-maint ")[2].split("\n")[0]
        assert parse_words(read_dashes(shlex.split(words)), "shell").action.queue == name
        assert parse_words(split_text(words), "slack").action.queue == name


def test_what_somebody_acted_on_is_told_of_the_minute_in_which_it_was_measured():
    taken, later = STATES["taken"], NOW + timedelta(seconds=70)
    assert text(taken, later).endswith("I-12 · as of 12:00 UTC")
    assert text(replace(taken, seen_at=later), later).endswith("I-12 · as of 12:01 UTC")


def test_it_says_since_when_the_verdict_holds_and_not_since_the_first_sign():
    before = replace(NO_WORKER, since=ago(40))
    assert "None heard since 11:46 UTC, for 14 min." in text(before)
    assert text(over(before)).startswith("🟢 Workers are back after 14 min.\nFrom 11:46 UTC")
    again = text(replace(before, times=2, value=240.0))
    assert "First 11:46 UTC, 14 min ago · none heard since 11:56 UTC." in again
    ended = text(over(replace(before, times=4)))
    assert ended.startswith("🟢 Workers are back; it came 4 times in 14 min.\nFrom 11:46 UTC")


def test_failures_say_when_the_last_was_and_how_many_are_left():
    assert "for 58 min · last failure 11:58 UTC · e.g. job 4748." in text(GROUP)
    rare = over(GROUP)
    facts = {**rare.facts, "last_at": ago(5).isoformat(), "left": 3}
    assert text(replace(rare, facts=facts)).startswith(
        "🟢 ConnectTimeout in deliver_webhook has become rare: 3 failures in the last hour, "
        "20 are too many.\nFrom 11:02 UTC to 11:55 UTC · up to 37 failures in an hour."
    )
    none = {**facts, "left": 0, "last_at": None}
    assert "has stopped: no failure in the last hour." in text(replace(rare, facts=none))
    high = over(KINDS[3])
    assert text(high).startswith("🟢 webhook has fewer failures again: 9 in 15 min, usual 12.")
    old = replace(high, facts={})
    assert text(old).startswith("🟢 webhook has fewer failures again after 14 min.")


def test_times_of_another_day_say_it_at_both_ends():
    purge = next(one for one in KINDS if one.kind is IncidentKind.MAINTENANCE_OVERDUE)
    ended = text(over(replace(purge, since=ago(23 * 60))))
    assert ended.startswith("🟢 The purge has run, 23 h late.\nFrom 22 Nov 13:00 UTC to 23 Nov")
    failed = replace(purge, facts={"job_id": 7})
    assert "This can wait until the morning" in text(failed)
    assert "Its last run failed; that job says why." in text(failed)
    assert "stay stuck" in text(replace(purge, subject="rescue"))


def test_details_tell_the_story_and_what_to_do_next():
    there = IncidentReport(NOW, replace(NO_WORKER, history=ENTRIES), "shown")
    message = render_result(there, "/jobs", by="U0ANA")
    shown = message.text
    assert shown.startswith("🔴 No worker is alive; ")
    assert "Start a worker." in shown
    assert "11:51 UTC  Worse: no worker is alive, now for 5 min." in shown
    assert [words for _, words, _ in buttons(message)][:2] == ["stats", "workers"]
    ended = render_result(IncidentReport(NOW, over(NO_WORKER), "shown"), "/jobs", by="U0ANA")
    assert ended.text.startswith("🟢 Workers are back after 14 min.")


@pytest.mark.parametrize("one", KINDS, ids=lambda one: one.kind)
def test_what_shows_more_says_so(one):
    """Details show the incident; each other button is called what it does."""
    words = {label: words for label, words, _ in buttons(render_incident(one, NOW))}
    assert words.pop("Details") == f"incidents {one.name}"
    assert {"I'm on it", "Mute for 24 h"} < set(words)
    assert [label for label in words if label.startswith(("Show ", "Run doctor", "Preview "))]


@pytest.mark.parametrize(
    ("grant", "offered"),
    [
        (Grant(Role.VIEWER), False),
        (Grant(Role.ADMIN, queues=("web",)), False),
        (Grant(Role.ADMIN), True),
    ],
    ids=["viewer", "admin of one queue", "admin"],
)
def test_details_offer_the_doctor_only_to_whom_it_answers(grant, offered):
    purge = next(one for one in KINDS if one.kind is IncidentKind.MAINTENANCE_OVERDUE)
    report = IncidentReport(NOW, purge, "shown")
    message = render_result(report, "/jobs", by="U0ANA")
    actor = Actor("slack", "U0ANA", grants=(grant,))
    kept = keep_offers(message.blocks, KnownActor(actor), report)
    assert "Run doctor" in [label for label, *_ in buttons(message)]
    labels = [label for label, *_ in buttons(replace(message, blocks=kept))]
    assert ("Run doctor" in labels) is offered


@pytest.mark.parametrize("narrowed", [True, False])
def test_an_error_of_queues_out_of_reach_too_is_offered_to_nobody_who_cannot_take_it(narrowed):
    part = replace(GROUP, queues=("webhook",), folded=())
    report = replace(list_incidents(), open=(part,), narrowed=(part.id,) * narrowed)
    actor = Actor("slack", "U0ANA", grants=(Grant(Role.OPERATOR, queues=("webhook",)),))
    kept = str(keep_offers(render_incidents(report).blocks, KnownActor(actor), report))
    assert ("I'm on it" in kept, "Mute for 24 h" in kept) == (not narrowed, not narrowed)


def test_what_misses_time_after_time_began_with_the_first():
    tick = next(one for one in KINDS if one.kind is IncidentKind.TICK_MISSED)
    assert "Since 11:30 UTC, for 30 min." in text(replace(tick, value=600.0))


def test_how_long_it_lasts_is_told_of_the_moment_of_its_other_numbers():
    seen = NOW - timedelta(seconds=7)
    since = seen - timedelta(seconds=51)
    behind = replace(KINDS[2], value=51.0, seen_at=seen, since=since, history=())
    told = text(behind)
    assert "webhook is 51 s behind" in told
    assert ", for 51 s" in told


def test_the_number_moves_and_the_worst_is_kept():
    behind = replace(KINDS[2], value=600.0, worst=1500.0)
    assert "webhook is 10 min behind" in text(behind)
    assert "up to 25 min behind" in text(behind)
    assert "up to" not in text(replace(behind, worst=610.0))
    assert "up to 240 failures in 15 min" in text(over(KINDS[3]))


def test_what_became_part_of_another_incident_is_no_green():
    merged = HistoryEntry(NOW, "merged", IncidentKind.QUEUE_BEHIND, "webhook", 1380.0, "I-12")
    part = replace(over(KINDS[2]), history=(*KINDS[2].history, merged))
    assert text(part).startswith("🟡 webhook is 23 min behind: part of I-12 now.")
    part = replace(part, facts={**part.facts, "cause": ["no_worker", ""]})
    told = '🟡 webhook is 23 min behind: part of I-12 now, "no worker is alive".'
    assert text(part).splitlines()[0] == told


def test_parts_that_are_over_are_lines_of_the_one_story():
    one, done = tell_story()
    assert text(one).startswith("🔴 webhook is 23 min behind; at least 1,000 jobs wait.\n")
    assert "Over since 11:56 UTC: email was up to 27 min behind." in text(one)
    assert text(done).splitlines()[:3] == [
        "🟢 email is no longer behind: its jobs were cancelled.",
        "From 11:37 UTC to 11:56 UTC · up to 27 min behind.",
        "Also: webhook was up to 25 min behind, until 12:00 UTC.",
    ]


def test_an_error_is_quoted_and_its_jobs_are_found_from_its_beginning_on():
    message = render_incident(GROUP, NOW)
    assert "ConnectTimeout: POST https://hooks.example.com/orders/88123 timed out" in message.text
    words = {label: words for label, words, _ in buttons(message)}
    assert words["Preview retry"] == "retry --all --group E-4f2a --since 2h"
    assert words["Details"] == "incidents I-16"
    more = render_result(IncidentReport(NOW, GROUP, "shown"), "/jobs", by="U0ANA")
    words = {label: words for label, words, _ in buttons(more)}
    assert words["Show failed jobs"] == "failed --group E-4f2a --since 2h"
    assert list(words) == ["Show failed jobs", "Preview retry", "I'm on it", "Mute for 24 h"]
    longer = replace(GROUP, since=ago(185))
    assert "--since 5h" in str(buttons(render_incident(longer, NOW)))


def test_foreign_names_neither_mention_nor_link():
    evil = replace(KINDS[2], subject="<!channel> `x` *y*", queues=("<!channel>",))
    assert "<!channel>" not in render_incident(evil, NOW).text
    told = replace(NO_WORKER, folded=(replace(NO_WORKER.folded[0], subject="<!here>" * 40),))
    assert "<!here>" not in render_incident(told, NOW).text
    by = replace(NO_WORKER, taken_by="<!channel>@host")
    assert "<!channel>" not in render_incident(by, NOW).text


def test_the_thread_tells_each_step_in_a_line():
    lines = render_entries(NO_WORKER, ENTRIES, NOW).text.splitlines()
    assert lines == [
        "11:48 UTC  With the same cause: email is 5 min behind.",
        "11:51 UTC  Worse: no worker is alive, now for 5 min.",
        "11:55 UTC  <@U0ANA> is on it.",
        "11:56 UTC  <@U0ANA> muted it.",
        "11:57 UTC  Again: no worker is alive.",
        "11:58 UTC  The cause: no worker listens to reports.",
        "11:59 UTC  No worker listened to reports, but its jobs were cancelled.",
        "11:59 UTC  What remains: email is 12 min behind.",
        "11:59 UTC  Nobody watched from 11:38 UTC to 11:59 UTC: the database or the bot was away.",
        "12:00 UTC  Workers are back.",
    ]
    cause = next(one for one in ENTRIES if one.what == "cause")
    told = "11:58 UTC  Again: no worker listens to reports."
    ended = HistoryEntry(ago(3), "over", *KINDS[1].key, 1.0)
    assert render_entries(replace(NO_WORKER, history=(ended,)), [cause], NOW).text == told
    many = render_entries(NO_WORKER, ENTRIES * 5, NOW).text.splitlines()
    assert many[0] == "30 earlier changes, not shown"
    assert len(many) == 21


def test_the_list_says_how_many_and_who_is_on_them():
    taken = replace(KINDS[2], taken_by=ANA, taken_at=ago(5))

    def first(*there, **more):
        message = render_result(list_incidents(*there, **more), "/jobs", by="U0ANA")
        return message.text.splitlines()[:2]

    assert first(NO_WORKER, taken) == [
        "🔴 2 incidents now.",
        "I-12  No worker is alive; 214 jobs wait.",
    ]
    assert "ana is on it, since" in render_result(list_incidents(taken), "/jobs", by="U").text
    assert first()[0] == "🟢 No incident now."
    assert first(watched_at=None) == [
        "🟡 No bot has watched these jobs yet.",
        "jobs-chatbot run watches, unless CHATBOT_INCIDENTS is off; the local one does not.",
    ]
    past = render_result(list_incidents(recent=(over(GROUP),)), "/jobs", by="U0ANA").text
    assert (
        "12:00 UTC  I-16  ConnectTimeout in deliver_webhook has stopped: no failure for 49 min."
        in past
    )
    old = list_incidents(watched_at=ago(30), hidden_incidents=2)
    told = render_result(old, "/jobs", by="U0ANA").text
    assert "no bot has watched since 11:30 UTC" in told
    assert "2 more incidents of queues that your role does not reach" in told


def test_who_acts_outside_slack_has_one_name_wherever_it_is_told():
    """As in the page of `jobs-chatbot local`, where everybody is the shell's user."""
    label = "shell:root@vm"
    taken = replace(KINDS[2], taken_by=label, taken_at=ago(5))
    told = render_result(IncidentReport(NOW, taken, "taken"), "/jobs", by=label).text
    assert "✅ I-14 is taken by root@vm." in told
    assert "root@vm is on it" in text(taken)
    assert name_actor("task:jobs_maint:purge_finished_jobs") == "the task purge_finished_jobs"


def test_who_types_it_is_answered():
    taken = replace(KINDS[2], taken_by=ANA, taken_at=NOW, muted_until=NOW + timedelta(hours=24))

    def answer(done, before=None):
        report = IncidentReport(NOW, taken, done, before)
        return render_result(report, "/jobs", by="U0ANA").text.splitlines()

    told = "webhook is 23 min behind; at least 1,000 jobs wait."
    assert answer("taken") == ["✅ I-14 is taken by <@U0ANA>.", told]
    assert answer("taken", "shell:bob@host")[1] == "Before that, bob@host was on it."
    assert answer("taken", ANA) == answer("taken")
    again = (HistoryEntry(ago(9), "taken", *NO_WORKER.key, 1.0, "shell:bob@host"),)
    ended = over(replace(NO_WORKER, taken_by=ANA, history=(*NO_WORKER.history, *again)))
    assert "bob@host, then ana were on it." in text(ended)
    assert answer("muted")[0] == "✅ I-14 is muted by <@U0ANA> until 24 Nov 12:00 UTC."
    free = IncidentReport(NOW, replace(taken, taken_by=None), "dropped", ANA)
    lines = render_result(free, "/jobs", by="U0ANA").text.splitlines()
    assert lines[:2] == ["✅ I-14 was given back by <@U0ANA>.", "Nobody is on it now."]


@pytest.mark.parametrize(
    ("done", "label", "words"),
    [
        ("taken", "Give it back", "take I-14 --drop"),
        ("dropped", "I'm on it", "take I-14"),
        ("muted", "End the mute", "mute I-14 --off"),
    ],
)
def test_the_answer_to_who_takes_or_mutes_one_offers_the_way_back(done, label, words):
    report = IncidentReport(NOW, replace(KINDS[2], taken_by=ANA, taken_at=NOW), done)
    answer = render_result(report, "/jobs", by="U0ANA")
    assert offered(answer) == [label]
    assert answer.blocks[-1]["elements"][0]["value"] == words
    gone = replace(report, incident=over(KINDS[2]))
    assert offered(render_result(gone, "/jobs", by="U0ANA")) == [label] * (done == "muted")


def test_only_who_is_on_an_incident_is_offered_to_give_it_back_in_its_details():
    taken = IncidentReport(NOW, replace(KINDS[2], taken_by=ANA, taken_at=NOW), "shown")
    mine, theirs = (offered(render_result(taken, "/jobs", by=who)) for who in ("U0ANA", "U0BOB"))
    assert mine == [*theirs, "Give it back"]
    assert "Give it back" not in theirs
    free = replace(taken, incident=KINDS[2])
    assert "Give it back" not in offered(render_result(free, "/jobs", by="U0ANA"))
    ended = replace(taken, incident=over(taken.incident))
    assert "Give it back" not in offered(render_result(ended, "/jobs", by="U0ANA"))


def test_the_thread_names_each_error_and_tells_none_twice():
    """Of two errors the one that it is named after stops first."""
    other = Condition(
        IncidentKind.GROUP, "E-2", 40.0, 20.0, facts={"task": "app.pay", "exception_type": "K"},
        worst=40.0, over_at=NOW,
    )  # fmt: skip
    kind, name = GROUP.key
    steps = (
        HistoryEntry(ago(59), "opened", kind, name, 25.0),
        HistoryEntry(ago(58), "folded", kind, "E-2", 40.0),
        HistoryEntry(ago(57), "worse", kind, name, 50.0),
        HistoryEntry(ago(1), "over", kind, name, 50.0, why="good"),
        HistoryEntry(ago(1), "remains", kind, "E-2", 34.0),
        HistoryEntry(NOW, "resolved", kind, name, 0.0, why="good"),
    )
    ended = replace(over(GROUP), past=(other,), history=steps)
    name = "ConnectTimeout in deliver_webhook"
    assert render_entries(ended, steps[1:], NOW).text.splitlines() == [
        "11:02 UTC  Also: the error K in pay, 40 failures in an hour (E-2).",
        f"11:03 UTC  Worse: the error {name}, now 50 failures in an hour.",
        f"11:59 UTC  {name} has stopped: no failure for 48 min.",
        "11:59 UTC  Now it is about the error K in pay, 34 failures in an hour (E-2).",
        "12:00 UTC  All of it is over: K in pay had up to 40 failures in an hour.",
    ]
    acts = (
        HistoryEntry(ago(9), "taken", kind, GROUP.subject, 50.0, by=ANA),
        HistoryEntry(ago(8), "muted", kind, GROUP.subject, 50.0, by=ANA),
        HistoryEntry(ago(8), "muted", kind, "E-2", 40.0, by=ANA),
        HistoryEntry(ago(7), "settled", kind, GROUP.subject, 50.0),
    )
    led_by_either = (
        replace(GROUP, folded=(other,), history=acts),
        replace(GROUP, subject="E-2", folded=(GROUP.lead,), history=acts),
    )
    for one in led_by_either:
        assert render_entries(one, acts, NOW).text.splitlines() == [
            f"11:51 UTC  <@U0ANA> is on {GROUP.subject}.",
            f"11:52 UTC  <@U0ANA> muted 2 errors: {GROUP.subject} and E-2.",
            f"11:53 UTC  All jobs of {GROUP.subject} have succeeded.",
        ]
    taken = replace(other, facts={**other.facts, "taken_by": ANA})
    both = replace(GROUP, folded=(taken,))
    assert "Also: K in pay is new: 40 failures in the last hour (E-2), ana is on it." in text(both)
    assert text(replace(both, taken_by=ANA)).count("is on it") == 1
    free = replace(GROUP, folded=(taken, replace(other, subject="E-3")), taken_by=ANA)
    assert "(E-3), nobody is on it (take E-3)." in text(free)
    assert "I'm on E-3" in labels(free)
    assert "'value': 'take E-3'" in str(render_incident(free, NOW).blocks)
    assert "I'm on E-3" not in labels(replace(free, taken_by=None))  # that takes it, too
    assert not [one for one in labels(replace(both, taken_by=ANA)) if one.startswith("I'm on")]


def test_what_ends_the_mute_of_several_errors_of_one_kind_is_said_once():
    muted = {**GROUP.facts, "muted_until": ago(-60).isoformat(), "muted_as": "E-11b0bf"}
    parts = [replace(GROUP.lead, subject=name, facts=muted) for name in ("E-2", "E-3", "E-4")]
    whole = replace(parts[0], subject="E-11b0bf", facts={**muted, "muted_as": None})
    for one in (replace(GROUP, folded=tuple(parts)), replace(GROUP, folded=(*parts, whole))):
        shell = render_text(IncidentsReport(NOW, (one,), (), 3600.0, watched_at=NOW), width=300)
        for told in (text(one), shell):
            assert told.count("mute E-11b0bf --off") == 1
            assert told.count("muted as E-11b0bf") == len(one.folded) - 1


def test_jobs_that_wait_are_counted_up_to_a_thousand():
    for waiting in (1_000, 1_199):  # 199 of another queue
        many = replace(NO_WORKER, facts={"waiting": waiting})
        assert text(many).startswith("🔴 No worker is alive; at least 1,000 jobs wait.")
    assert text(replace(NO_WORKER, facts={"waiting": 1})).startswith(
        "🔴 No worker is alive; 1 job waits."
    )
    queue = text(KINDS[1])
    assert queue.startswith("🔴 No worker listens to reports; 3 jobs wait.")
    assert "the oldest is job 4690" in queue


def test_who_reaches_one_queue_is_told_who_is_on_the_error_of_that_queue():
    """Not who took the incident, which began with an error of another queue."""
    part = Condition(
        IncidentKind.GROUP, "E-2", 31.0, 10.0, queues=("reports",),
        facts={"task": "app.report", "failures": 31, "by_queue": {"reports": {"failures": 31}}},
    )  # fmt: skip
    whole = replace(
        GROUP, folded=(part,), taken_by=ANA, taken_at=ago(5), muted_until=ago(-60),
        queues=("bulk",), facts={**GROUP.facts, "by_queue": {"bulk": {"failures": 40}}},
    )  # fmt: skip
    [theirs] = limit_to(QueueScope(("reports",)), [whole])
    assert (theirs.subject, theirs.taken_by, theirs.muted_until) == ("E-2", None, None)
    by = {"taken_by": "slack:U0BOB", "taken_at": ago(3).isoformat()}
    mine = replace(whole, folded=(replace(part, facts={**part.facts, **by}),))
    [theirs] = limit_to(QueueScope(("reports",)), [mine])
    assert (theirs.taken_by, theirs.taken_at) == ("slack:U0BOB", ago(3))
    [all_of_it] = limit_to(QueueScope(None), [whole])
    assert all_of_it.taken_by == ANA
    kind, name = GROUP.key
    steps = (
        HistoryEntry(ago(30), "opened", kind, name, 40.0),
        HistoryEntry(ago(20), "folded", kind, "E-2", 31.0),
        HistoryEntry(ago(10), "over", kind, name, 40.0, why="good"),
        HistoryEntry(ago(10), "remains", kind, "E-2", 31.0),
    )
    [theirs] = limit_to(QueueScope(("reports",)), [replace(whole, history=steps)])
    assert theirs.spells == 1, "how it was opened is not shown; it did not come again"


def test_the_name_of_a_queue_stays_as_it_is_typed_where_it_reads_like_a_word_of_ours():
    behind = next(one for one in KINDS if one.kind is IncidentKind.QUEUE_BEHIND)
    for name in ("errors", "The mail"):
        entry = HistoryEntry(NOW, "resolved", behind.kind, name, 1_380.0, why="cancelled")
        whole = replace(behind, subject=name, history=(*behind.history, entry))
        told = render_entries(whole, (replace(entry, what="began"),), NOW).text
        assert f"{name} is " in told, told
        assert f"{name} is " in say_within(whole)


def test_a_failed_run_of_the_purge_is_offered_only_to_a_role_that_reaches_its_queue():
    late = next(one for one in KINDS if one.kind is IncidentKind.MAINTENANCE_OVERDUE)
    failed = replace(late, facts={**late.facts, "job_id": 71, "job_queue": "maintenance"})
    for queue, is_offered in (("maintenance", True), ("webhook", False)):
        [theirs] = limit_to(QueueScope((queue,)), [failed])
        assert ("Show job 71" in labels(theirs)) == is_offered
        assert ("71" in text(theirs)) == is_offered
