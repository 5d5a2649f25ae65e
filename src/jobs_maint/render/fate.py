"""What became of the jobs of one group of errors, as both front ends say it."""

from __future__ import annotations

from jobs_maint.models import DigestReport, ErrorGroup, ErrorsReport

__all__ = ["say_fate"]


def say_fate(group: ErrorGroup, report: DigestReport | ErrorsReport) -> str:
    """What became of the jobs of one of the groups of `report`; empty where all are failed now.

    Where nobody looked at those of this group, it is known of all groups together, without numbers:
    a job that failed again counts twice among the failures. Of a job that is gone nobody knows
    whether it was retried before.
    """
    failed_now = group.failed_now
    if failed_now is None or failed_now == group.count:
        return ""
    settled = group.settled or report
    became = settled.others_how
    more = settled.say_succeeded() if group.settled and not settled.all_succeeded else ""
    deleted = group.settled.deleted_since if group.settled else group.deleted
    if group.settled:
        alive = group.settled.settled - deleted
    else:
        alive = 0 if failed_now else group.count - deleted
    if not failed_now and not deleted:
        return f"{became} since{more}"
    if not failed_now and alive <= 0:
        return f"{'its job was' if group.count == 1 else 'their jobs were'} deleted since"
    since = [(deleted, "deleted"), (alive, became)]
    told = [f"{jobs:,} {how}" for jobs, how in since if jobs > 0]
    parts = [f"{failed_now:,} failed now"] * bool(failed_now) + told
    return f"{', '.join(parts)}{f' since{more}' * bool(told)}"
