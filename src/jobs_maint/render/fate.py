"""What became of the jobs of one group of errors, as both front ends say it."""

from __future__ import annotations

from jobs_maint.models import DigestReport, ErrorGroup, ErrorsReport

__all__ = ["say_fate"]


def say_fate(group: ErrorGroup, report: DigestReport | ErrorsReport) -> str:
    """What became of the jobs of one of the groups of `report`; empty where all are failed now.

    How many have succeeded is known of all groups together. Of a job that is gone nobody knows
    whether it was retried before.
    """
    failed_now = group.failed_now
    if failed_now is None or failed_now == group.count:
        return ""
    became, more = report.others_how, ""
    settled = [one for one in report.groups if one.failed_now != one.count and one.count]
    if settled == [group] and not report.failures_not_shown and not report.all_succeeded:
        more = report.say_succeeded()
    others = group.count - failed_now - group.deleted
    if not failed_now and not group.deleted:
        return f"{became} since{more}"
    if not failed_now and others <= 0:
        return f"{'its job was' if group.count == 1 else 'their jobs were'} deleted since"
    since = [(group.deleted, "deleted"), (others, became)]
    told = [f"{jobs:,} {how}" for jobs, how in since if jobs > 0]
    parts = [f"{failed_now:,} failed now"] * bool(failed_now) + told
    return f"{', '.join(parts)}{f' since{more}' * bool(told)}"
