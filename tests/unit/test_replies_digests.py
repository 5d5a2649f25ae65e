"""A digest: short in the channel, whole in its thread, and its totals add up."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from chatbot.messages import render_digest, render_errors, render_failed, render_thread
from chatbot.messages.digest import list_errors_of
from chatbot.messages.incident import render_incident
from chatbot.messages.incident_words import say_kind
from chatbot.messages.incidents import render_incidents
from chatbot.setup import sample_digests as samples
from chatbot.setup import sample_reports
from chatbot.setup.sample_incidents import KINDS, list_incidents, over
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import IncidentKind, Settled, find_slots
from jobs_maint.render import build_verdict, render_text
from local_slack.text import render_blocks

COUNTED = re.compile(r"^([\d,]+)  \w", re.MULTILINE)


def shown(message):
    return render_blocks(message.blocks, 200)


def with_groups(number, beyond=0):
    report = samples._bad_night()
    groups = report.groups[:number]
    failures = sum(group.count for group in groups)
    return replace(
        report, groups=groups, groups_not_shown=beyond, failures_not_shown=10 * beyond,
        failed=failures + 10 * beyond, new_groups=min(number, 20),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("report", "lines"),
    [(with_groups(1), 1), (with_groups(4), 4), (with_groups(5), 4), (with_groups(30, 270), 4)],
)
def test_the_channel_gets_few_lines_whose_numbers_add_up_to_the_verdict(report, lines):
    text = shown(render_digest(report, "/jobs", has_thread=True))
    counts = [int(one.replace(",", "")) for one in COUNTED.findall(text)]
    assert len(counts) == lines
    assert sum(counts) == report.failed
    assert ("more group" in text) == (len(report.groups) + report.groups_not_shown > 4)
    assert "purged" not in text


@pytest.mark.parametrize("seconds", [-31, -30, -29, -1, 0, 29, 30, 31])
@pytest.mark.parametrize("later", [-1, 0, 1])
def test_the_chart_and_the_footer_are_of_the_same_window_to_the_minute(seconds, later):
    """A digest ends some seconds beside the minute that its cron means."""
    until = samples.NOW + timedelta(seconds=seconds)
    since = until - timedelta(hours=24, seconds=later)
    report = sample_reports.digest(since=since, until=until, window_id=1)
    message = render_digest(report, "/jobs")
    ends = re.findall(r"\d\d:\d\d", message.blocks[1]["title"])
    footer = message.text.splitlines()[-1]
    assert re.findall(r"\d\d:\d\d", footer)[:2] == ends
    found = {"since_seconds": (until - since).total_seconds(), "until": until}
    for answer in (  # to which its buttons lead
        render_errors(replace(sample_reports.errors(), **found)),
        render_failed(sample_reports.failed(**found), "/jobs"),
    ):
        [line] = [one for one in answer.text.splitlines() if one.startswith("From ")]
        assert re.findall(r"\d\d:\d\d", line) == ends
    thread = render_thread(report, "/jobs")[-1].text
    assert f"as of {ends[1]} UTC" in thread
    now = replace(report, since=since.replace(microsecond=7), until=until.replace(microsecond=7))
    told = render_digest(now, "/jobs")
    ends = re.findall(r"\d\d:\d\d", told.blocks[1]["title"])
    assert re.findall(r"\d\d:\d\d", told.text.splitlines()[-1])[:2] == ends
    assert ends[1] == f"{now.until:%H:%M}"  # never a minute that is not there yet
    asked = parse_words(split_text(list_errors_of(now).words()), "slack").action
    answer = render_errors(
        replace(
            sample_reports.errors(), since_seconds=asked.since.total_seconds(), until=asked.until
        )
    )
    [line] = [one for one in answer.text.splitlines() if one.startswith("From ")]
    assert re.findall(r"\d\d:\d\d", line) == ends


@pytest.mark.parametrize(
    ("minutes", "micro", "ends"),
    [
        (4, 7, "11:56:23 UTC to 12:00:23 UTC"),
        (5, 7, "11:55:23 UTC to 12:00:23 UTC"),
        (10, 7, "11:50:23 UTC to 12:00:23 UTC"),
        (30, 7, "11:30 UTC to 12:00 UTC"),
        (5, 0, "11:55 UTC to 12:00 UTC"),  # by its cron: it means that minute
    ],
)
def test_a_short_digest_that_ends_now_names_its_ends_to_the_second(minutes, micro, ends):
    until = samples.NOW.replace(second=23, microsecond=micro)
    count, _ = find_slots(timedelta(minutes=minutes))
    report = sample_reports.digest(
        since=until - timedelta(minutes=minutes), until=until, slots=(50, 5, *[0] * (count - 2)),
        groups=(),
    )  # fmt: skip
    message = render_digest(report, "/jobs")
    assert message.text.splitlines()[-1].startswith(ends)
    [chart] = [one["chart"] for one in message.blocks if one["type"] == "data_visualization"]
    within = "minute in which a slot begins, UTC"
    assert (chart["axis_config"]["x_label"] == within) == (micro > 0)


def test_a_digest_is_red_while_an_incident_is_and_yellow_once_it_is_over():
    quiet = replace(with_groups(0), queues=(), failed=0, failed_before=0)

    def dot(*incidents):
        return shown(render_digest(replace(quiet, incidents=incidents), "/jobs"))[0]

    since = quiet.until - timedelta(minutes=20)
    there = replace(KINDS[2], since=since)
    after = replace(over(there), resolved_at=quiet.until + timedelta(minutes=1))
    before = replace(over(there), resolved_at=quiet.until - timedelta(minutes=1))
    # What was over when the digest was posted is not told as if it went on.
    assert [dot(), dot(there), dot(after), dot(before)] == ["🟢", "🔴", "🟡", "🟡"]


def test_where_incidents_are_cut_to_a_few_the_worst_come_first_then_the_oldest():
    error = replace(next(one for one in KINDS if one.kind is IncidentKind.GROUP), history=())
    done = {"failed_now": 0, "retried_since": 37, "succeeded_since": 37}

    def told(number, minutes, **standing):
        facts = {**error.facts, "standing": standing}
        return replace(error, id=number, since=samples.ago(minutes), facts=facts)

    greens = [told(number, 60 - number, **done) for number in (1, 2, 3)]
    ended = replace(over(KINDS[0]), id=4, resolved_at=samples.ago(5))
    yellow, reds = told(5, 50, **{**done, "succeeded_since": 36}), [told(6, 30), told(7, 9)]

    def list_names(text):
        return re.findall(r"Incident I-(\d)", text)

    few = shown(render_digest(replace(samples._night(), incidents=(*greens, ended)), "/jobs"))
    assert list_names(few) == ["4", "1", "2"]
    report = replace(samples._night(), incidents=(*greens, ended, yellow, *reds))
    digest = shown(render_digest(report, "/jobs"))
    assert list_names(digest) == ["6", "7", "5"]
    assert "\n4 more incidents." in digest
    assert list_names(render_text(report)) == ["6", "7", "5", "1", "2", "3", "4"]
    there = list_incidents(*greens, yellow, *reds)
    for text in (shown(render_incidents(there)), render_text(there)):
        assert re.findall(r"^I-(\d)", text, re.MULTILINE) == ["6", "7", "5", "1", "2", "3"]


def lines_of(report, **fields):
    return shown(render_digest(replace(report, **fields), "/jobs")).splitlines()


@pytest.mark.parametrize(
    ("retrying", "told"),
    [(1, "1 attempt failed and was retried"), (8, "8 attempts failed and were retried")],
)
def test_failed_attempts_whose_retries_were_made_are_told_in_the_past(retrying, told):
    report = samples._idle(retrying=retrying)
    assert f"{told}." in shown(render_digest(report, "/jobs"))
    assert told in render_text(report)


def test_what_is_wrong_at_the_end_comes_before_the_failures_with_its_day_and_who_is_on_it():
    purge = next(one for one in KINDS if one.kind is IncidentKind.MAINTENANCE_OVERDUE)
    yesterday = replace(purge, since=samples.NOW - timedelta(hours=23))
    first, advice, *_, incident, _, _ = lines_of(samples._idle(incidents=(yesterday,)))
    assert first == "🔴 The purge of old jobs is overdue; no job failed in the last hour."
    assert advice.endswith(say_kind(purge).advice)
    assert incident == "Incident I-19 since 22 Nov 13:00 UTC: nobody is on it."
    taken = replace(yesterday, taken_by="slack:U0ANA (ana)")
    none = replace(KINDS[0], since=samples.ago(20))
    lines = lines_of(samples._night(), incidents=(taken, none))
    assert lines[0].startswith("🔴 No worker is alive; 57 failures in the last 24 hours, up from")
    assert "Incident I-12 since 11:46 UTC: nobody is on it." in lines
    again = lines_of(samples._night(), incidents=(replace(none, times=2),))
    assert "Incident I-12 from 11:46 UTC, came 2 times: nobody is on it." in again
    assert any(one.endswith("the purge of old jobs is overdue; ana is on it.") for one in lines)
    assert "[Show 57 failures] [Show incidents]" in lines
    group = next(one for one in KINDS if one.kind is IncidentKind.GROUP)
    assert lines_of(samples._night(), incidents=(group,))[0].startswith("🔴 57 failures in")


def test_a_group_says_what_became_of_its_jobs_as_the_headline_does():
    done = {"failed_now": 0, "retried_since": 57, "succeeded_since": 57}
    groups = tuple(replace(one, failed_now=0) for one in samples._night().groups if one.count)
    report = replace(samples._night(groups=groups), **done)
    [first, *lines] = lines_of(report)
    assert first.endswith("All jobs have succeeded since.")
    assert "37  deliver_webhook  ConnectTimeout, new, succeeded since" in lines
    thread = "\n".join(shown(one) for one in render_thread(report, "/jobs"))
    assert thread.count("succeeded since") == len(groups)
    seven = Settled(retried_since=7, succeeded_since=5)
    some = replace(groups[0], failed_now=30, settled=seven)
    lines = lines_of(replace(report, groups=(some, *groups[1:]), failed_now=30, succeeded_since=5))
    line = "37  deliver_webhook  ConnectTimeout, new, 30 failed now, 7 retried since"
    assert f"{line}, 5 have succeeded" in lines


def test_its_button_opens_the_incidents_without_a_number_that_the_list_would_not_have():
    ended = replace(over(KINDS[0]), resolved_at=samples.ago(5))
    report = samples._night(incidents=(ended,))
    assert "[Show 57 failures] [Show incidents]" in lines_of(report)
    week = replace(report, since=report.until - timedelta(days=7))
    values = [one["value"] for block in render_digest(week, "/jobs").blocks
              for one in block.get("elements", ()) if block["type"] == "actions"]  # fmt: skip
    assert "incidents --since 7d" in values


DEALT = {"failed_now": 0, "retried_since": 27, "succeeded_since": 27, "deleted_since": 3}
DELETED = {"failed_now": 0, "deleted_since": 30}
ADVICE = "Retry the jobs only once"


@pytest.mark.parametrize(
    "mark", [{}, {"taken_by": "slack:U0ANA (ana)"}, {"muted_until": samples.NOW}]
)
def test_an_error_whose_jobs_are_dealt_with_is_no_headline_of_a_quiet_digest(mark):
    group = next(one for one in KINDS if one.kind is IncidentKind.GROUP)

    def tell(standing, folded=()):
        facts = {**group.facts, "standing": standing}
        one = replace(group, facts=facts, folded=folded, **mark)
        report = samples._idle(incidents=(one,))
        lines = lines_of(report)
        return lines[0], lines[1:], render_text(report, width=200, styled=True), one

    quiet = "No job ran in the last hour"
    what = "ConnectTimeout in deliver_webhook is new: 37 failures in the last hour"
    first, lines, shell, one = tell(DEALT)
    assert first.startswith(f"🟡 {quiet}")
    said = f"{what}, all retried or deleted since, 27 have succeeded; "
    assert any(said in line for line in lines)
    assert said in shell
    assert "\x1b[1;31mIncident" not in shell
    assert ADVICE not in "".join(lines)
    first, lines, shell, _ = tell(DELETED)  # a worker that deletes each job leaves no other
    assert first.startswith(f"🔴 {what}, all deleted since; no job failed in the last hour.")
    assert "\x1b[1;31mIncident" in shell
    assert ADVICE not in "".join(lines)
    other = replace(group, subject="E-1111", facts={**group.facts, "task": "app.mail"}).lead
    first, lines, _, one = tell(DEALT, (other,))
    assert first.startswith(
        "🔴 ConnectTimeout in mail is new: 37 failures in the last hour; no job"
    )
    assert any(said in line for line in lines)
    assert ADVICE in lines[0]
    assert ADVICE in render_incident(one, samples.NOW).text


def test_failures_that_have_stopped_rise_no_more():
    def told(ago):
        last = samples.ago(ago)
        group = replace(samples.GROUPS[1], last_at=last)
        report = samples._idle(failed=15, failed_before=2, groups=(group,), last_failed_at=last)
        thread = shown(render_thread(report, "/jobs")[0])
        return lines_of(report)[0], "rising" in "".join(lines_of(report)), "rising" in thread

    verdict = "🔴 15 failures in the last hour, up from 2 the hour before."
    assert told(2) == (verdict, True, True)
    assert told(47) == (f"{verdict} None since 11:13 UTC.", False, False)
    thread = shown(render_thread(samples._idle(groups=samples.GROUPS[:2]), "/jobs")[0])
    new, rising = thread.split("rising")
    assert "first 11:29 UTC" in new
    assert "first" not in rising


def test_an_hour_without_a_job_says_what_shows_life():
    assert lines_of(samples._idle())[:2] == [
        "🟢 No job ran in the last hour.", "1 worker is alive; no job waits.",
    ]  # fmt: skip
    first, life, *_ = lines_of(samples._idle(running=2))
    assert first == "🟢 No job failed in the last hour, none the hour before."
    assert life == "1 worker is alive; 2 jobs run; no job waits."
    page = render_text(samples._idle())
    assert "No job ran; 1 worker is alive." in page


def test_what_a_sample_tells_adds_up_with_its_table():
    for report in (samples._night(), samples._bad_night()):
        assert report.failed == sum(queue.failed_last_day for queue in report.queues)
        assert report.failed == sum(report.slots)


def test_the_thread_has_every_group_with_its_buttons_the_queues_and_what_is_deleted_next():
    report = with_groups(30, 270)
    *groups, rest = [shown(one) for one in render_thread(report, "/jobs")]
    for group in report.groups:
        [page] = [page for page in groups if f"`{group.name}`" in page]
        assert f"Preview retry of {group.count}]" in page
    assert "270 more groups, 2,700 failures, not shown" in rest
    assert "41 failed jobs reach their 90 days within 3 days" in rest
    assert all(queue.queue in rest for queue in report.queues)


@pytest.mark.parametrize(
    ("failed", "succeeded", "level"),
    [(0, 0, "green"), (9, 0, "yellow"), (10, 30, "red"), (10, 31, "yellow"), (74, 999, "yellow")],
)
def test_failures_have_one_colour_in_stats_and_digests(failed, succeeded, level):
    dot = {"red": "🔴", "yellow": "🟡", "green": "🟢"}[level]
    report = samples.digest(failed=failed, succeeded=succeeded, groups=())
    assert render_digest(report, "/jobs").text.startswith(dot)
    news = replace(report, failed=failed or 1, groups=samples.digest().groups)
    assert render_digest(news, "/jobs").text.startswith("🔴")  # as `errors` is
    [queue, *_] = sample_reports.stats().queues
    queue = replace(
        queue, failed_last_hour=failed, done_last_hour=succeeded, oldest_ready_seconds=None
    )
    there = replace(
        sample_reports.stats(), queues=(queue,), maintenance=(),
        workers=replace(sample_reports.stats().workers, live=1, silent=0),
    )  # fmt: skip
    assert build_verdict(there).level == level


def test_the_buttons_of_a_digest_find_the_failures_of_its_window_whenever_they_are_pressed():
    report = samples.digest()
    asked = [
        element["value"]
        for message in render_thread(report, "/jobs")
        for block in message.blocks
        for element in block.get("elements", ())
        if " --since " in str(element.get("value"))
    ]
    assert asked
    window = report.until - report.since
    found = [parse_words(split_text(words), "slack").action for words in asked]
    wanted = [getattr(one, "filter", one) for one in found]
    assert {(one.since, one.until) for one in wanted} == {(window, report.until)}
