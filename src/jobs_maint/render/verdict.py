"""The first two lines of `stats`: what is wrong, with its number, then what is fine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jobs_maint.durations import format_age, format_time
from jobs_maint.models import (
    Expiring,
    Preview,
    PurgeReport,
    QueueStats,
    StatsReport,
    WorkerCounts,
    say_abandoned,
    say_idle,
    say_silent,
    say_stuck,
    say_workers,
)
from jobs_maint.quoting import show_name
from jobs_maint.render.coverage import say_reach
from jobs_maint.render.levels import Level, judge_failures
from jobs_maint.render.remembered import say_quiet
from jobs_maint.verbs import find_state

__all__ = [
    "Verdict",
    "build_verdict",
    "count_in_trouble",
    "count_noun",
    "format_rate",
    "say_expiring",
    "say_rescued",
    "sort_queues",
    "tell_statuses",
    "tell_survey",
    "tell_times",
]

BEHIND_SECONDS = 60
"""A queue is behind when its oldest ready job has waited so long."""
FAR_BEHIND_SECONDS = 600
"""So far behind is red."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Raw text: queue names in it are foreign, each front end escapes them its own way."""

    level: Level
    headline: str
    second_line: str


def say_expiring(expiring: Expiring) -> str:
    """`41 failed jobs reach their 90 days within 3 days and are deleted then.`"""
    which = "Up to " if expiring.at_most else ""
    jobs = count_noun(expiring.jobs, "failed job")
    reach = "reaches its" if expiring.jobs == 1 else "reach their"
    then = "is deleted" if expiring.jobs == 1 else "are deleted"
    age, span = say_quiet(expiring.keep_seconds), say_quiet(expiring.within_seconds)
    return f"{which}{jobs} {reach} {age} within {span} and {then} then."


def count_noun(count: int, noun: str, plural: str | None = None) -> str:
    """`1 job`, `1,204 jobs`, `no jobs`."""
    word = noun if count == 1 else plural or f"{noun}s"
    return f"{count or 'no'} {word}" if count < 1000 else f"{count:,} {word}"


def say_rescued(jobs: int, times: int, when: str = "") -> str:
    """`9 jobs put back after their worker was lost`, `9 jobs put back 22 times after …`."""
    often = f" {times:,} times" if times > jobs else ""
    whose = "its" if jobs == 1 else "their"
    return f"{count_noun(jobs, 'job')} put back{often}{when} after {whose} worker was lost"


def format_rate(per_second: float) -> str:
    """`21 jobs/s`, `1 job/s`, `30 jobs/min`, `less than 1 job/min`."""
    per_minute = per_second * 60
    if per_minute < 0.5:
        return "less than 1 job/min"
    number, unit = (per_minute, "min") if per_minute < 59.5 else (per_second, "s")
    return f"{count_noun(round(number), 'job')}/{unit}"


def sort_queues(queues: Iterable[QueueStats]) -> tuple[QueueStats, ...]:
    """The worst first: far behind, then most failures, then most waiting; then by name."""
    return tuple(
        sorted(
            queues,
            key=lambda queue: (
                -_behind(queue),
                -queue.failed_last_hour,
                -queue.failed_last_day,
                -queue.ready,
                -queue.failed,
                queue.queue,
            ),
        )
    )


def count_in_trouble(queues: Iterable[QueueStats]) -> int:
    """How many are behind or had failures in the last hour: `sort_queues` puts them first."""
    return sum(1 for queue in queues if _behind(queue) or queue.failed_last_hour)


def build_verdict(report: StatsReport) -> Verdict:
    """What a person on call must know first. Levels: `docs/reference/commands.md`."""
    reach = say_reach(report.limited_to_queues)
    behind = [queue for queue in sort_queues(report.queues) if _behind(queue)]
    failed = sum(queue.failed_last_hour for queue in report.queues)
    done = sum(queue.done_last_hour for queue in report.queues)
    ready = sum(queue.ready for queue in report.queues)
    unserved = ready > 0 and not report.workers.listening
    about = ""
    if any("ready" in fields for fields in report.estimated.values()):
        about, ready = "≈", int(float(f"{ready:.3g}"))  # a sum of estimates is one
    bad_maintenance = [run.task for run in report.maintenance if not run.succeeded]

    level = judge_failures(failed, done, report, news=report.new_errors > 0)
    doubts = behind or bad_maintenance or report.stuck_jobs
    if level == "green" and (doubts or report.limited_to_queues is not None):
        level = "yellow"
    if level == "green":
        level = "yellow" if report.unheard_queues else _worker_level(report)
    nobody = unserved or report.unserved_queues or report.rescue_idle
    if nobody or (behind and _behind(behind[0]) >= FAR_BEHIND_SECONDS):
        level = "red"
    headline = _headline(report, behind, failed, f"{about}{_wait(ready)}" if unserved else "")
    stuck_first = bool(report.rescue_idle and report.queues) and not (unserved or behind)
    return Verdict(
        level,
        f"{headline[:-1]},{reach}." if reach else headline,
        _second_line(report, behind, failed, bad_maintenance, stuck_first=stuck_first),
    )


def _behind(queue: QueueStats) -> float:
    waited = queue.oldest_ready_seconds or 0.0
    return waited if queue.ready and waited >= BEHIND_SECONDS else 0.0


def _headline(report: StatsReport, behind: list[QueueStats], failed: int, waits: str) -> str:
    if not report.queues:
        asked = report.queue
        where = f"in queue {show_name(asked)}" if asked is not None else "in the job tables"
        return f"No job is {where}{', apart from those of our own tasks' * bool(report.own_jobs)}."
    failures = f"{_say_failed(report, failed)} in the last hour{_settled(report, failed)}"
    if waits:
        start = f"No worker {_lives(report)} and {waits}"
    elif len(behind) == 1:
        start = f"{_name(behind[0])} is {format_age(_behind(behind[0]))} behind"
    elif behind:
        worst = f"{_name(behind[0])} the most ({format_age(_behind(behind[0]))})"
        start = f"{len(behind)} queues are behind, {worst}"
    elif report.rescue_idle:
        start = f"{say_stuck(report.stuck_jobs)} and nobody rescues"
        start += " it" if report.stuck_jobs == 1 else " them"
    elif failed and report.workers.listening:
        return f"{failures[:1].upper()}{failures[1:]}; no queue is behind."
    elif not report.workers.listening:
        start = f"No worker {_lives(report)} and no job waits"
    else:
        return f"{_keep_up(report)}; no job failed in the last hour."
    return f"{start}; {failures if failed else 'no job failed in the last hour'}."


def _say_failed(report: StatsReport, failed: int) -> str:
    """`37 jobs failed`; `4 jobs failed 6 times`, where some were retried and failed again."""
    jobs = failed
    if report.failed_now is not None:
        jobs = min(failed, report.failed_now + report.settled) or failed
    times = f" {failed:,} times" if jobs < failed else ""
    return f"{count_noun(jobs, 'job')} failed{times}"


def _settled(report: StatsReport, failed: int) -> str:
    all_deleted = report.failed_now is None and report.deleted_since >= failed
    if failed and report.failed_now and report.settled:
        return f", {report.failed_now:,} {'is' if report.failed_now == 1 else 'are'} failed now"
    if not failed or not (report.none_failed or all_deleted):
        return ""
    return f", {report.say_whole(several=(report.settled or failed) > 1)}"


def _lives(report: StatsReport) -> str:
    return "listens" if report.workers.live else "is live"


def _wait(ready: int) -> str:
    return f"{count_noun(ready, 'job')} {'waits' if ready == 1 else 'wait'}"


def _name(queue: QueueStats) -> str:
    return show_name(queue.queue)


def _keep_up(report: StatsReport) -> str:
    queues = report.queues
    if report.unheard_queues:  # nobody takes these jobs, or a worker that starts just now
        return "No queue is behind yet"
    if len(queues) == 1:
        return f"{_name(queues[0])} keeps up"
    return f"All {len(queues)} queues keep up"


def _second_line(
    report: StatsReport,
    behind: list[QueueStats],
    failed: int,
    bad_maintenance: list[str],
    *,
    stuck_first: bool,
) -> str:
    parts = [_say_stuck_jobs(report, told=stuck_first)] if report.stuck_jobs else []
    if news := report.new_errors:
        errors = f"{count_noun(news, 'error')} {'is' if news == 1 else 'are'} new or back."
        parts.append(f"At least {errors}" if report.new_errors_at_least else errors)
    elif report.new_errors_at_least:
        parts.append("Some failures are not counted yet: errors may be new.")
    unknown = report.failed_now is None and report.settled < failed
    if report.settled and (report.failed_now or unknown):
        parts.append(report.say_part(f"{report.settled:,} of the failed"))
    others = len(report.queues) - len(behind) - len(report.unheard_queues)
    if behind and others and report.workers.listening:
        what = "The other queue keeps" if others == 1 else f"The other {others} queues keep"
        parts.append(f"{what} up.")
    if report.workers.listening and (none := (*report.unserved_queues, *report.unheard_queues)):
        more = f" and {count_noun(len(none) - 3, 'more queue')}" if len(none) > 3 else ""
        names = ", ".join(map(show_name, none[:3]))
        parts.append(f"No live worker listens to {names}{more}.")
    if report.workers.live or stuck_first or not report.queues:  # else the headline said it
        told = bool(report.queues) and not stuck_first
        parts.append(_workers(report.workers, told=told))
    if report.silent_workers:
        parts.append(say_silent(report.silent_workers))
    done = sum(queue.done_last_day for queue in report.queues)
    if done:
        least = "At least " if report.workers.deleting else ""
        parts.append(f"{least}{count_noun(done, 'job')} done in the last 24 hours.")
    if bad_maintenance:
        names = ", ".join(task.rsplit(":", 1)[-1] for task in bad_maintenance)
        parts.append(f"The last run of {names} failed.")
    return " ".join(parts)


def _say_stuck_jobs(report: StatsReport, *, told: bool) -> str:
    """`told`: the headline counts them."""
    if report.rescue_idle is None:
        return f"{say_stuck(report.stuck_jobs)}; stuck says when the rescue acts."
    return (say_idle(report.rescue_idle) if told
            else say_abandoned(report.stuck_jobs, report.rescue_idle))  # fmt: skip


def _worker_level(report: StatsReport) -> Level:
    workers = report.workers
    return "yellow" if workers.silent or workers.late or not workers.listening else "green"


def _workers(workers: WorkerCounts, *, told: bool) -> str:
    """`told`: the headline says that none listens, if that is so."""
    if not workers.live:
        return "No worker is live."
    return f"{say_workers(workers, told=told)}."


def tell_times(preview: Preview) -> str:
    """Which jobs a retry does not run now; nothing where it runs all of them."""
    if not preview.later:
        return ""
    if preview.later == preview.count == 1:
        return "It runs at the time it was scheduled for."
    if preview.later >= preview.count:
        return "They run at the times they were scheduled for."
    keep = "keeps its scheduled time" if preview.later == 1 else "keep their scheduled times"
    others = "the other runs" if preview.count - preview.later == 1 else "the others run"
    return f"{preview.later:,} of them {keep}; {others} at once."


def tell_statuses(preview: Preview) -> str:
    """Of a retry or discard, how many have not failed; nothing where it says so anyway."""
    others = {status: jobs for status, jobs in preview.by_status.items() if status != "failed"}
    if preview.verb == "purge" or not others:
        return ""
    if len(others) == 1 and preview.by_status.keys() == others.keys():
        which = "It was" if preview.count == 1 else "They were"
        return f"{which} {find_state(next(iter(others)))}."
    told = (f"{jobs:,} were {find_state(status)}" for status, jobs in sorted(others.items()))
    return f"Of the {preview.count:,}, {' and '.join(told)}.".replace(" 1 were ", " 1 was ")


def tell_survey(report: Preview | PurgeReport) -> str:
    """Whether a purge looked behind younger jobs too; nothing where it looked at all of them."""
    what = "Old jobs with high ids, as imports leave them,"
    if report.surveyed_at is not None:
        return f"{what} are looked for once a night, last at {format_time(report.surveyed_at)}."
    if report.turns > 1:
        turns = f"{report.turns} turns, one a day"
        return f"{what} are looked for in {turns}; this counts those of today."
    return ""
