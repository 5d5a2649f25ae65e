"""What went wrong, as a message to the person who asked."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Any

from chatbot.access.roles import KnownActor
from chatbot.handling.context import Services
from chatbot.handling.delivery import Answer
from chatbot.handling.holders import find_holders
from chatbot.inbound.slack_request import SlackRequest
from chatbot.messages import Message, render_error, render_refusal, render_unexpected
from chatbot.messages.parts import Line
from chatbot.messages.people import name_people
from chatbot.runtime.logs import find_request_id
from jobs_maint.actions import (
    EVERY_QUEUE,
    Action,
    Actor,
    Grant,
    PreviewBulk,
    QueueScope,
    Role,
    ShowAudit,
    ShowStats,
    permit,
)
from jobs_maint.durations import format_age
from jobs_maint.errors import (
    DatabaseUnavailable,
    InvalidRequest,
    JobsMaintError,
    NotPermitted,
    SchemaMismatch,
)
from jobs_maint.grammar import WORDS, parse_words, split_text

__all__ = ["explain_error", "explain_refusal", "explain_unexpected", "refuse_late"]

log = logging.getLogger(__name__)

_NO_DATABASE = (
    "The bot cannot use the jobs database now, so nothing was done. Try again in a few minutes; "
    "whoever runs the bot finds out more with doctor."
)


def refuse_late(request: SlackRequest) -> InvalidRequest:
    """Of what came while the bot was suspended: whoever read that it failed may have gone on."""
    return InvalidRequest(
        f"the bot was suspended for {format_age(request.slept)}, and Slack said that this failed; "
        "nothing was done. Ask again"
    )


async def explain_refusal(
    services: Services,
    exc: NotPermitted,
    action: Action[Any],
    known: KnownActor,
    *,
    audited: bool = True,
) -> Message:
    """What is missing, and whom to request."""
    needed = Role(exc.needs or action.role or Role.VIEWER)
    # Of what the asker may not see, and of an earlier request, whose queues nobody has looked up:
    # those who reach it wherever it is, if there are any.
    wanted = action.filter if isinstance(action, PreviewBulk) else None
    is_unknown = exc.unseen or (wanted is not None and wanted.request is not None)
    where = (EVERY_QUEUE,) if is_unknown else exc.queues
    users, groups = await find_holders(services, needed, known.actor, where)
    if is_unknown and not (users or groups):
        users, groups = await find_holders(services, needed, known.actor)
    # A button without a command works where its message is, and nowhere else.
    elsewhere = _find_elsewhere(known.actor, needed, where) if _can_run(action.words()) else []
    return render_refusal(
        exc,
        users=users,
        usergroups=groups,
        problems=known.problems,
        passing=known.passing,
        elsewhere=elsewhere,
        is_held=any(services.roles.holders(needed, known.actor, exc.queues, anywhere=True)),
        act=action.act,
        audited=audited,
    )


def _find_elsewhere(actor: Actor, needed: Role, queues: Sequence[str]) -> list[Grant]:
    """Grants of other channels by which the asker may do it there, on all of these queues."""
    here = actor.scope(needed)
    if here is not None and all(map(here.covers, queues)):
        return []
    found = [
        grant
        for grant in actor.grants
        if grant.channels
        and grant.role.covers(needed)
        and all(map(QueueScope(grant.queues).covers, queues))
    ]
    return sorted(found, key=lambda grant: list(Role).index(grant.role), reverse=True)


async def explain_error(services: Services, exc: JobsMaintError, request: SlackRequest) -> Answer:
    """What is wrong with the database, and where that is, is for those who may read here.

    The others are refused, as they are when it answers.
    """
    if not isinstance(exc, DatabaseUnavailable | SchemaMismatch):
        return _explain(services, exc, request, await _find_whom(services, exc, request))
    known = await services.find_actor(request, ShowStats())
    if known.actor.scope(Role.VIEWER) is not None:
        return _explain(services, exc, request)
    try:
        action = parse_words(split_text(request.words), "slack").action
    except InvalidRequest as invalid:
        return _explain(services, invalid, request)
    try:
        permit(known.actor, action)
    except NotPermitted as refusal:
        message = await explain_refusal(services, refusal, action, known, audited=False)
        return Answer(message, private=True)
    return _explain(services, DatabaseUnavailable(_NO_DATABASE), request)


async def _find_whom(services: Services, exc: JobsMaintError, request: SlackRequest) -> Line | None:
    """Whom to ask where the error leads to a word that the asker may not use; None: it does not."""
    leads_to = exc.leads_to if isinstance(exc, InvalidRequest) else None
    role = WORDS[leads_to].role if leads_to is not None else None
    if role is None:
        return None
    known = await services.find_actor(request, ShowAudit())
    if known.actor.scope(role) is not None or known.problems:
        return None
    return name_people(*await find_holders(services, role, known.actor))


def _explain(
    services: Services, exc: JobsMaintError, request: SlackRequest, whom: Line | None = None
) -> Answer:
    suggestion = exc.suggestion if isinstance(exc, InvalidRequest) else None
    if suggestion is not None and not _can_run(suggestion):
        suggestion = None
    message = render_error(exc, services.command, request.words, suggestion=suggestion, whom=whom)
    return Answer(message, private=True)


def explain_unexpected(
    services: Services, exc: Exception, request: SlackRequest, *, act: bool
) -> Answer:
    """Shows the request's id, which is in all its log lines."""
    error_id = find_request_id() or secrets.token_hex(4)
    log.error(
        "chatbot.request_failed error_id=%s user=%s channel=%s",
        error_id,
        request.user,
        request.channel,
        exc_info=exc,
    )
    message = render_unexpected(error_id, services.command, request.words, act=act)
    return Answer(message, private=True)


def _can_run(words: str) -> bool:
    try:
        parse_words(split_text(words), "slack")
    except InvalidRequest:
        return False
    return True
