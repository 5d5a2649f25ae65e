"""What an act on named jobs leaves to be told: by whom its button was used, how the job ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from chatbot.handling.delivery import Answer
from chatbot.handling.follow_ups import Followed
from chatbot.inbound.slack_request import SlackRequest
from chatbot.messages.aftermath import render_job_after
from chatbot.messages.group import say_done
from chatbot.messages.marking import Mark, tell_part, tell_who
from chatbot.messages.parts import Line, when
from chatbot.messages.people import name_actor, tell_taken_off
from jobs_maint.actions import Action, FollowJobs, RetryJobs
from jobs_maint.models import (
    ActReport,
    GroupReport,
    IncidentReport,
    ItemOutcome,
    RescueReport,
)

__all__ = ["add_what_follows"]


_DONE = {
    "taken": "On it: ",
    "dropped": "Given back by ",
    "muted": "Muted by ",
    "unmuted": "Mute ended by ",
}


_UNDOES = {"dropped": "take", "unmuted": "mute"}


def add_what_follows(
    answer: Answer, action: Action[Any], result: object, request: SlackRequest, by: str
) -> Answer:
    """The answer as it is where nothing was done; `by`: as messages name the asker."""
    if isinstance(result, GroupReport | IncidentReport):
        said = _say_in_place(result, by)
        if (word := _UNDOES.get(result.done)) is not None:
            answer = replace(answer, undone=f"{word} {_name(result)}")
        if said is None:
            return replace(answer, wakes=True)
        # What only the asker saw of an incident is not true any more.
        stale = request.clicked and request.private and isinstance(result, IncidentReport)
        # The message whose button it was says it to everybody, as does that of the incident.
        private = answer.private or request.ts is not None or stale
        used = action.words(), Mark((said,))
        return replace(answer, used=used, private=private, replaces=stale, wakes=True)
    if not isinstance(result, ActReport | RescueReport):
        return answer
    done = [item for item in result.items if item.outcome is ItemOutcome.DONE]
    if not done:
        return answer
    who = tell_part(tell_who(action.word, by, datetime.now(UTC)), len(done), len(result.items))
    mark = Mark((who,), len(done), len(result.items) - len(done))
    answer = replace(answer, used=(action.words(), mark))
    back = "put back" if isinstance(result, RescueReport) else "retried"
    is_back = isinstance(action, RetryJobs) or done[0].code == "put_back"
    if not is_back or len(done) > 1:
        return answer
    jobs = FollowJobs(job_ids=(done[0].job_id,))
    followed = Followed(jobs, lambda after: render_job_after(done[0], after, by=by, back=back))
    return replace(answer, followed=followed)


def _name(result: GroupReport | IncidentReport) -> str | None:
    return result.name if isinstance(result, GroupReport) else result.incident.name


def _say_in_place(result: GroupReport | IncidentReport, by: str) -> Line | None:
    """Of an incident until the watch puts its whole message right."""
    if isinstance(result, GroupReport):
        return say_done(result, by, datetime.now(UTC))
    whom = result.incident.history[-1].whom
    said = [_DONE[result.done], name_actor(by)] if whom is None else tell_taken_off(by, whom)
    return [*said, " ", when(result.as_of, result.as_of)]
