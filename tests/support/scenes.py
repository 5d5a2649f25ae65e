"""What the pictures in `docs/pictures` show: messages of the samples, and their words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chatbot import messages as replies
from chatbot.messages import Message
from chatbot.messages.incident import render_incident
from chatbot.messages.result import render_result
from chatbot.setup import sample_acts as acts
from chatbot.setup import sample_incidents, sample_messages
from chatbot.setup import sample_reports as reports
from jobs_maint.actions import Action, Role, TakeIncident, permit
from jobs_maint.errors import NotPermitted
from jobs_maint.models import Aftermath, Report, count_reasons
from local_slack import App, Channel, Config, Team, User, Usergroup
from local_slack.text import render_blocks

NOW = reports.NOW
COMMAND = "/jobs"
ANA, VERA, BOT, OPS = "U0ANA", "U0VERA", "U0BOT", "C0OPS"
NAMES = {ANA: "ana", VERA: "vera", BOT: "jobs", "S0ONCALL": "on-call"}

NEW, RISING, STEADY, *_, GONE = reports.GROUPS
GROUPS = (
    replace(NEW, slots=(*[0] * 11, 37)),
    replace(RISING, first_at=reports.ago(1342), slots=(1, 0, 0, 2, 0, 0, 0, 1, 0, 1, 3, 7)),
    replace(
        STEADY, first_at=reports.ago(1287), last_at=reports.ago(131),
        slots=(0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0),
    ),
    GONE,
)  # fmt: skip
"""The failures of a day that `reports.stats()` counts."""
FAILED = sum(one.count for one in GROUPS)
BEFORE = sum(one.count_before for one in GROUPS)

WORKSPACE = Config(
    workspace=Team("T0LOCAL"),
    channels=(Channel(OPS, "ops", (ANA, VERA, BOT)),),
    users=(User(ANA, "ana"), User(VERA, "vera")),
    usergroups=(Usergroup("S0ONCALL", "on-call", (ANA,)),),
    app=App(bot_token="xoxb-local", bot_user_id=BOT, signing_secret="local", mode="http"),
)


@dataclass(frozen=True)
class Scene:
    """One picture; `typed` is seen above a message that everybody sees."""

    name: str
    message: Message
    typed: str = ""
    user: str = ANA
    minutes: float = 0
    """After `NOW`."""
    private: bool = False
    answer: Message | None = None
    """What only `user` sees, who pressed a button of it."""
    replies: tuple[Message, ...] = ()
    opened: bool = False
    """The thread with the replies is what the picture shows."""
    phone: bool = False
    """As wide as a phone, and dark."""

    @property
    def at(self) -> datetime:
        return NOW + timedelta(minutes=self.minutes)

    @property
    def words(self) -> list[str]:
        """What a reader in UTC reads there on the day of `NOW`, a line each."""
        used = [f"{NAMES[self.user]} used {self.typed}"] if self.typed else []
        only = ["Only visible to you"] if self.private else []
        if self.opened:
            return [word for reply in self.replies for word in _list_words(reply.blocks)]
        words = [*used, *only, *_list_words(self.message.blocks)]
        if self.replies:
            words.append("1 reply" if len(self.replies) == 1 else f"{len(self.replies)} replies")
        if self.answer is not None:
            words += ["Only visible to you", *_list_words(self.answer.blocks)]
        return words


def all_scenes() -> Iterator[Scene]:
    """A bad morning: what is seen, what is done about it, and what the digest says of it."""
    stats = _shown(reports.stats())
    yield Scene("stats", stats, f"{COMMAND} stats")
    yield Scene("stats-phone", stats, f"{COMMAND} stats", phone=True)
    errors = replace(
        reports.no_errors(), groups=GROUPS, failed=FAILED, failed_before=BEFORE,
        reasons=count_reasons(GROUPS),
    )  # fmt: skip
    yield Scene("errors", _shown(errors), f"{COMMAND} errors", minutes=1)
    confirm_by = NOW + timedelta(minutes=11)
    preview = replace(acts.RETRY, expires_at=confirm_by, errors=acts.errors_of(NOW))
    yield Scene(
        "preview",
        replies.render_preview(preview, COMMAND, by=ANA),
        f"{COMMAND} {preview.words}",
        minutes=1,
    )
    many = replace(
        acts.AT_WORK, words="retry --all newsletter", done=13_000, total=50_000, elapsed_seconds=41
    )
    yield Scene("progress", replies.render_progress(many, COMMAND), minutes=1)
    done = replace(acts.DONE, words=preview.words)
    after = Aftermath(
        NOW + timedelta(minutes=4), 31, 4, error="httpx.ConnectTimeout", errors=1,
        failed_ids=(4711, 4715, 4716, 4717),
    )  # fmt: skip
    outcome = replies.render_bulk(done, COMMAND, by=ANA, after=after)
    yield Scene("outcome", outcome, minutes=1)
    refused = next(one for title, *_, one in sample_messages.all_messages() if title == "refusal")
    yield Scene("refusal", refused, user=VERA, minutes=2, private=True)
    slots = tuple(map(sum, zip(*(one.slots for one in GROUPS), strict=True)))
    there = reports.digest(
        groups=GROUPS, slots=slots, failed=FAILED, failed_before=BEFORE,
        queues=reports.stats().queues, maintenance=reports.stats().maintenance,
    )  # fmt: skip
    digest = replies.render_digest(there, COMMAND, has_thread=True)
    thread = tuple(replies.render_thread(there, COMMAND))
    yield Scene("digest", digest, replies=thread)
    yield Scene("digest-phone", digest, replies=thread, phone=True)
    yield Scene("digest-thread", digest, replies=thread, opened=True, phone=True)
    dead = sample_incidents.KINDS[0]
    may_not = replies.render_refusal(
        _refuse(TakeIncident(dead.id)), users=[ANA], usergroups=["S0ONCALL"]
    )
    yield Scene("incident", render_incident(dead, NOW), user=VERA, answer=may_not)


def _refuse(action: Action[Any]) -> NotPermitted:
    """What somebody gets who may only look."""
    try:
        permit(sample_messages.actor(Role.VIEWER), action)
    except NotPermitted as exc:
        return exc
    raise AssertionError("a viewer may do it")


def _shown(report: Report) -> Message:
    return render_result(report, COMMAND, by=ANA)


def _list_words(blocks: list[dict[str, Any]]) -> Iterator[str]:
    for block in blocks:
        if block["type"] == "data_visualization":
            yield from _list_numbers(block)
        elif block["type"] != "divider":
            text = render_blocks([_as_read(block)], width=10_000)
            yield from (line.strip() for line in text.splitlines())


def _list_numbers(block: dict[str, Any]) -> Iterator[str]:
    chart = block["chart"]
    yield block["title"]
    yield chart["axis_config"]["x_label"]
    yield " ".join(one["name"] for one in chart["series"])
    for points in zip(*(one["data"] for one in chart["series"]), strict=True):
        yield " ".join([points[0]["label"], *(f"{one['value']:,}" for one in points)])


def _as_read(part: Any) -> Any:
    """With people by name, and times as their clock shows them."""
    if isinstance(part, list):
        return [_as_read(one) for one in part]
    if isinstance(part, str):
        shown = re.sub(r"<!date\^(\d+)\^([^|]*)\|[^>]*>", lambda one: _date(*one.groups()), part)
        return re.sub(r"<(?:@|!subteam\^)(\w+)>", lambda one: f"@{NAMES[one[1]]}", shown)
    if not isinstance(part, dict):
        return part
    kind = part.get("type")
    if kind == "date":
        return {"type": "text", "text": _date(part["timestamp"], part["format"])}
    if kind in {"user", "usergroup"}:
        return {"type": "text", "text": f"@{NAMES[part[f'{kind}_id']]}"}
    return {key: _as_read(one) for key, one in part.items()}


def _date(timestamp: int | str, shown: str) -> str:
    at = datetime.fromtimestamp(int(timestamp), UTC)
    days = {0: "Today", -1: "Yesterday"} if shown[0] == "{" else {0: "today", -1: "yesterday"}
    day = days.get((at.date() - NOW.date()).days, f"{at:%b %-d}")
    return shown.format(time=f"{at:%-I:%M %p}", date_short_pretty=day)
