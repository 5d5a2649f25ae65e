"""`jobs-chatbot doctor`: the core's findings and Slack's, and who holds which role."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from chatbot.access.directory import Directory
from chatbot.messages.packer import pack
from chatbot.messages.parts import bold, paragraph
from chatbot.settings.bot import ChatbotSettings
from chatbot.setup.doctor_in_slack import sort_findings
from chatbot.setup.one_database import check_one_database
from chatbot.setup.places import list_posted_to
from chatbot.setup.slack_checks import GrantRow, check_slack, list_grants
from chatbot.setup.validation import validate_samples
from chatbot.slack.client import SlackClient
from jobs_maint.actions import RunDoctor
from jobs_maint.cli.login import find_actor
from jobs_maint.database import identify_database, open_pool
from jobs_maint.errors import InvalidRequest, InvalidSettings, JobsMaintError
from jobs_maint.models import DoctorReport, Finding
from jobs_maint.perform import perform
from jobs_maint.render import build_data, render_text, safe_word
from jobs_maint.render.page import Column, Page
from jobs_maint.settings import MaintSettings

__all__ = ["examine", "render_page"]


async def examine(
    settings: ChatbotSettings,
    maint: MaintSettings,
    *,
    post: str | None = None,
    validate: bool = False,
) -> tuple[DoctorReport, tuple[GrantRow, ...]]:
    """Check both halves; one that cannot be reached is a finding, and the other is still checked.

    `post`: a channel for a test message; `validate`: let Slack check a sample of each message.
    Raises InvalidRequest if the channel is not a channel ID.
    """
    if post is not None and not re.fullmatch(r"[CGD][A-Z0-9]{1,30}", post, re.ASCII):
        raise InvalidRequest(
            f"{post!r} is not a channel ID; write the ID (C…, at the end of the channel's details)"
        )
    report, database = await _ask_core(maint)
    async with _open_slack(settings, maint) as slack:
        grants: tuple[GrantRow, ...] = ()
        found = [*report.findings]
        if slack is None:
            found += await check_slack(settings, None)
        else:
            directory = Directory(slack.web, time.time)
            found += await check_slack(settings, slack.web, directory)
            slack.stamp.database = database
            found += await check_one_database(slack, list_posted_to(settings), report.as_of)
            grants = await list_grants(settings, directory)
            if validate:
                found += await validate_samples(slack)
            if post is not None:
                found.append(await _post(slack, post))
    return DoctorReport(report.as_of, sort_findings(found)), grants


async def _ask_core(maint: MaintSettings) -> tuple[DoctorReport, str]:
    """The findings, and the mark of the database; empty when nobody knows."""
    try:
        async with open_pool(maint.require_database_url(), max_size=2) as pool:
            report: DoctorReport = await perform(pool, find_actor(), RunDoctor(), settings=maint)
            return report, await identify_database(pool, maint.environment or "")
    except JobsMaintError as exc:
        fix = "Fix that, then run the doctor again; nothing else about the jobs could be checked."
        found = (Finding("postgresql", "error", str(exc), fix, "Database"),)
        return DoctorReport(datetime.now(UTC), found), ""


@contextlib.asynccontextmanager
async def _open_slack(
    settings: ChatbotSettings, maint: MaintSettings
) -> AsyncIterator[SlackClient | None]:
    try:
        settings.require_bot_token()
    except InvalidSettings:
        yield None
        return
    slack = SlackClient(settings, environment=maint.environment)
    try:
        yield slack
    finally:
        await slack.close()


async def _post(slack: SlackClient, channel: str) -> Finding:
    who = "🟢 "
    what = "This is a test message from the job queue's bot. No action needed."
    try:
        await slack.posting.post(channel, pack([paragraph([who, bold(what)])]))
    except JobsMaintError as exc:
        fix = "Fix that; digests and audit messages are posted the same way."
        why = str(exc).rstrip(".")
        return Finding("slack_post", "error", f"The test message was not posted: {why}.", fix)
    return Finding("slack_post", "ok", f"A test message was posted to {channel}.")


def render_page(
    report: DoctorReport,
    grants: Sequence[GrantRow],
    *,
    as_json: bool,
    width: int,
    styled: bool,
) -> str:
    """One line for each grant, then the report as `jobs-maint doctor` shows it."""
    if as_json:
        roles = [{**asdict(row), "usergroups": dict(row.usergroups)} for row in grants]
        return json.dumps({**build_data(report), "roles": roles}, indent=2)
    text = render_text(report, width=width, styled=styled)
    if not grants:
        return text
    page = Page(width, styled=styled)
    page.line("Roles", "bold")
    page.table(
        [
            Column("Role", [row.role for row in grants]),
            Column("Users", [_join(row.users, "–") for row in grants], may_shrink=True),
            Column("Groups", [_groups(row) for row in grants], may_shrink=True),
            Column("Queues", [_join(row.queues, "all") for row in grants], 1, may_shrink=True),
            Column("Channels", [_join(row.channels, "all") for row in grants], 2, may_shrink=True),
        ]
    )
    return f"{page.text()}\n\n{text}"


def _join(names: Sequence[str] | None, nothing: str) -> str:
    return ", ".join(map(safe_word, names)) if names else nothing


def _groups(row: GrantRow) -> str:
    parts = [
        f"{group} (unknown)" if count is None else f"{group} ({count})"
        for group, count in row.usergroups
    ]
    return ", ".join(parts) or "–"
