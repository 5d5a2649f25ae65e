"""A sample of each message and modal: for pictures, for tests, and to ask Slack about them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from chatbot import messages as replies
from chatbot.messages import Message
from chatbot.messages.marking import Mark, mark_done, tell_who_ran
from chatbot.messages.result import render_result
from chatbot.setup import sample_reports as reports
from chatbot.setup.sample_acts import messages_of_acts
from chatbot.setup.sample_digests import messages_of_digests
from chatbot.setup.sample_doctor import doctor, sound
from chatbot.setup.sample_groups import messages_of_groups
from chatbot.setup.sample_incidents import messages_of_incidents
from jobs_maint.actions import Actor, Grant, RetryJobs, Role, permit
from jobs_maint.errors import InvalidRequest, JobNotFound, NotPermitted
from jobs_maint.grammar import build_help
from jobs_maint.models import (
    ActReport,
    BulkReport,
    FailedJobsReport,
    ItemOutcome,
    ItemResult,
    Report,
    RescueReport,
    StuckReport,
    WorkersReport,
)

__all__ = ["actor", "all_messages", "all_views"]

COMMAND = "/jobs"
NOW = reports.NOW
RAN = BulkReport("retry", "", 214, 4, 4, (), (), 0.2)


def _holders(_role: Role, _whole: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return ("U0ANA",), ("S0ONCALL",)


def actor(role: Role | None) -> Actor:
    return Actor("slack", "U0VERA", "vera", "C0OPS", (Grant(role),) if role else ())


def _refused() -> NotPermitted:
    try:
        permit(actor(Role.VIEWER), RetryJobs((7,)))
    except NotPermitted as exc:
        return exc
    raise AssertionError("a viewer may retry")


def _helped(role: Role | None, about: str | None = None) -> Message:
    return replies.render_help(build_help(actor(role), "slack", about), COMMAND, _holders)


def all_messages() -> Iterator[tuple[str, str, bool, Message]]:
    """Each message by its title, with what was typed, and whether only one person sees it."""

    def shown(
        title: str, typed: str, result: Report, page: int = 1
    ) -> tuple[str, str, bool, Message]:
        private = typed.startswith("/jobs status")
        return title, typed, private, render_result(result, COMMAND, by="U0ANA", page=page)

    yield shown("stats", "/jobs stats", reports.stats())
    yield shown("errors", "/jobs errors --since 1h", reports.errors())
    yield shown("errors: of a digest", "", reports.past_errors())
    yield shown("errors: none", "/jobs errors", reports.no_errors())
    yield shown("errors: more than a page", "/jobs errors webhook", reports.many_errors())
    yield shown("failed: all alike", "/jobs failed --since 1h", reports.failed())
    yield shown("failed: several errors", "/jobs failed --since 1h", reports.failed_differently())
    title, _, private, message = shown("failed: one of them used", "", reports.failed_differently())
    [row] = [b["elements"] for b in message.blocks if "Preview retry of 4'" in str(b)]
    used = mark_done(message, {row[0]["value"]: Mark((tell_who_ran(RAN, "U0ANA", NOW),))})
    yield title, "/jobs failed --since 1h", private, used
    books = {"*webhook*": "https://wiki.example.com/webhooks"}
    linked = render_result(reports.failed(), COMMAND, by="U0ANA", runbooks=books)
    yield "failed: with a runbook", "/jobs failed --since 1h", False, linked
    settled = FailedJobsReport(NOW, (), 0, 20, since_seconds=3600.0, retried_since=3)
    yield shown("failed: retried since", "/jobs failed --since 1h", settled)
    yield shown("stuck", "/jobs stuck", reports.stuck())
    yield shown("stuck: a silent worker", "/jobs stuck", reports.silent())
    yield shown("stuck: none", "/jobs stuck", StuckReport(NOW, (), ()))
    yield shown("workers", "/jobs workers", reports.workers())
    yield shown("workers: none", "/jobs workers", WorkersReport(NOW, ()))
    yield shown("audit", "/jobs audit", reports.audit())
    yield shown("doctor", "/jobs doctor", doctor())
    yield shown("doctor: sound", "/jobs doctor", sound())
    yield shown("digest", "/jobs digest", reports.digest())
    some = reports.digest(only_queues=("webhook", "email*"), only_tasks=("team.tasks.deliver_*",))
    yield shown("digest: some queues", "", some)
    yield shown("digest: after an outage", "", reports.digest(since=NOW - timedelta(hours=25.5)))
    yield shown("status", "/jobs status 4711", reports.details())
    yield shown(
        "retry",
        "/jobs retry 4711",
        ActReport(
            (ItemResult(4711, ItemOutcome.DONE, "put_back", "", "webhook", "t.deliver_webhook"),),
            0.1,
        ),
    )
    yield shown("rescue", "/jobs rescue", reports.rescue())
    yield shown("rescue: none", "/jobs rescue", RescueReport((), 0, 0.1))
    for role in (Role.ADMIN, Role.VIEWER, None):
        yield f"help: {role or 'no role'}", "/jobs help", True, _helped(role)
    yield "help retry", "/jobs help retry", True, _helped(Role.OPERATOR, "retry")
    typo = InvalidRequest("there is no word 'stas'; did you mean 'stats'?", suggestion="stats")
    wrong = replies.render_error(typo, COMMAND, "stas", suggestion="stats")
    yield "did you mean", "/jobs stas", True, wrong
    none = replies.render_error(JobNotFound("no job has the id 7"), COMMAND, "status 7")
    yield "no such job", "/jobs status 7", True, none
    refusal = replies.render_refusal(_refused(), users=["U0ANA"], usergroups=["S0ONCALL"])
    yield "refusal", "/jobs retry 7", True, refusal
    broken = replies.render_unexpected("a1b2c3d4", COMMAND, "retry 7", act=True)
    yield "unexpected", "/jobs retry 7", True, broken
    yield from messages_of_acts()
    yield from messages_of_digests()
    yield from messages_of_groups()
    yield from messages_of_incidents()


def all_views() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each modal by its title."""
    yield "details: modal", replies.render_details_view(reports.details(), channel="C0OPS")
    yield "details: modal, loading", replies.render_loading_view(4711)
