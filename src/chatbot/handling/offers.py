"""What only one person reads offers that person no button that would be refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatbot.access.roles import KnownActor
from chatbot.messages.message import Block
from jobs_maint.actions import (
    Action,
    Actor,
    MuteIncident,
    QueueScope,
    RetryJobs,
    TakeIncident,
    permit,
)
from jobs_maint.errors import InvalidRequest, NotPermitted
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import Incident, IncidentKind, IncidentReport, IncidentsReport, JobDetails

__all__ = ["keep_offers"]

_RUNS = ("jobs_run:", "jobs_refresh:")


def keep_offers(blocks: Sequence[Block], known: KnownActor, shown: object) -> list[Block]:
    """The blocks with the buttons that `known` may press; all, where their roles are not certain.

    `shown`: the report that the blocks show.
    """
    if known.problems:
        return list(blocks)
    kept: list[Block] = []
    for block in blocks:
        if block["type"] != "actions":
            kept.append(block)
            continue
        there = [one for one in block["elements"] if _may_press(one, known.actor, shown)]
        if there:
            kept.append({**block, "elements": there})
    return kept


def _may_press(element: Block, actor: Actor, shown: object) -> bool:
    if not str(element.get("action_id", "")).startswith(_RUNS):
        return True
    try:
        action: Action[Any] = parse_words(split_text(element["value"]), "slack").action
        scope = permit(actor, action)
    except InvalidRequest:
        return True
    except NotPermitted:
        return False
    if scope.globs is None:
        return True
    if isinstance(action, RetryJobs) and isinstance(shown, JobDetails):
        return scope.covers(shown.queue)
    if isinstance(action, TakeIncident | MuteIncident):
        if isinstance(shown, IncidentReport):
            return _may_act_on(shown.incident, action, scope, narrowed=shown.narrowed)
        if isinstance(shown, IncidentsReport):
            one = next((one for one in shown.open if one.id == action.incident_id), None)
            narrowed = action.incident_id in shown.narrowed
            return one is None or _may_act_on(one, action, scope, narrowed=narrowed)
    return True


def _may_act_on(
    one: Incident, action: TakeIncident | MuteIncident, scope: QueueScope, *, narrowed: bool
) -> bool:
    if isinstance(action, TakeIncident):  # of an error, in all queues where it occurs
        whole = one.kind is IncidentKind.GROUP and narrowed
        return not whole and (not one.queues or any(map(scope.covers, one.queues)))
    parts = (one.lead, *one.folded)
    in_reach = (bool(part.queues) and all(map(scope.covers, part.queues)) for part in parts)
    return not narrowed and all(in_reach)
