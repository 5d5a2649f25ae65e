"""What `/jobs doctor` adds to the core's report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from chatbot.access.directory import Directory
from chatbot.messages.act_words import one_line
from chatbot.messages.words import count, sentence
from chatbot.settings.bot import ChatbotSettings
from chatbot.settings.values import EVERYBODY
from chatbot.setup.findings import find_title, mention
from chatbot.setup.one_database import check_one_database
from chatbot.setup.places import list_posted_to
from chatbot.setup.slack_checks import GrantRow, check_slack, list_grants
from chatbot.slack.client import SlackClient
from chatbot.slack.undelivered import DeliveryProblem
from jobs_maint.models import DoctorReport, Finding

__all__ = ["add_slack", "sort_findings"]

_MOST_NAMED = 20
"""Slack takes about a hundred such calls a minute, and `check_people` makes some."""
_LEVELS = ("error", "warning", "note", "ok")


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first, those on Slack with their titles."""
    titled = (replace(one, title=one.title or find_title(one.check)) for one in findings)
    return tuple(sorted(titled, key=lambda finding: _LEVELS.index(finding.level)))


async def add_slack(
    report: DoctorReport, settings: ChatbotSettings, slack: SlackClient, directory: Directory
) -> DoctorReport:
    """The core's report with Slack's findings, the roles, and recent delivery problems."""
    found = [*report.findings, *await check_slack(settings, slack.web, directory, in_slack=True)]
    posted_to = list_posted_to(settings)
    found += await check_one_database(slack, posted_to, report.as_of, in_slack=True)
    if grants := await list_grants(settings, directory):
        names = await _find_names(grants, slack.web.granted_scopes or frozenset(), directory)
        told = "; ".join(_describe_grant(row, names) for row in grants)
        found.append(Finding("slack_roles", "note", f"{told}."))
    found += [_describe_problem(one) for one in slack.posting.problems.list_problems()]
    return replace(report, findings=sort_findings(found))


async def _find_names(
    grants: Iterable[GrantRow], scopes: Collection[str], directory: Directory
) -> dict[str, str]:
    """Of the first people and all groups, by id: a mention would call them all."""
    users = dict.fromkeys(one for row in grants for one in row.users if one != EVERYBODY)
    groups = dict.fromkeys(one for row in grants for one, _ in row.usergroups)
    asked = list(users)[:_MOST_NAMED] if "users:read" in scopes else []
    asked += groups if "usergroups:read" in scopes else ()
    return {one: one_line(name) for one in asked if (name := await directory.name(one))}


def _describe_grant(row: GrantRow, names: Mapping[str, str]) -> str:
    """The id first, for a name is what people call themselves."""
    users = (f"{one} ({names[one]})" if one in names else one for one in row.users)
    groups = []
    for group, size in row.usergroups:
        members = "members unknown" if size is None else count(size, "member")
        named = f"{names[group]}, " if group in names else ""
        groups.append(f"{group} ({named}{members})")
    who = ", ".join([*users, *groups]) or "nobody"
    queues = f" on {', '.join(row.queues)}" if row.queues is not None else ""
    channels = f" in {', '.join(map(mention, row.channels))}" if row.channels is not None else ""
    return f"{row.role}: {who}{queues}{channels}"


def _describe_problem(problem: DeliveryProblem) -> Finding:
    times = "" if problem.count == 1 else f" ({problem.count} times)"
    when = f"{problem.at:%Y-%m-%d %H:%M} UTC{times}"
    text = f"{mention(problem.channel)} at {when}: {sentence(problem.text)}"
    if problem.delivered_at is not None:
        return Finding("slack_delivery", "note", f"{text} Later messages have arrived there.")
    return Finding(
        "slack_delivery", "warning", text, "Fix that; the next message shows whether it worked."
    )
