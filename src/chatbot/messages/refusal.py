"""A refusal: what is missing, and whom to ask."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.messages.message import Message
from chatbot.messages.packer import pack
from chatbot.messages.parts import Line, Part, Span, bold, channel, context, paragraph
from chatbot.messages.people import name_people
from chatbot.messages.words import sentence
from jobs_maint.actions import Grant
from jobs_maint.actions.base import EVERY_QUEUE
from jobs_maint.errors import NotPermitted
from jobs_maint.quoting import few

__all__ = ["render_refusal"]


def render_refusal(
    refusal: NotPermitted,
    *,
    users: Sequence[str] = (),
    usergroups: Sequence[str] = (),
    problems: Sequence[str] = (),
    passing: bool = True,
    elsewhere: Sequence[Grant] = (),
    is_held: bool = False,
    act: bool = True,
    audited: bool = True,
) -> Message:
    """`users`, `usergroups`: who holds the role here; `is_held`: whether somebody does anywhere.

    `problems`: why it is unknown whether the asker holds it, and whether they are `passing`;
    `elsewhere`: the grants by which the asker may do it in other channels, the best first; `act`:
    whether it would change something; `audited`: whether the refusal is in the audit.
    """
    what, _, why = str(refusal).partition(": ")
    notes: list[Line] = [["This refusal was recorded in the audit."]] if audited else []
    if problems:
        return _render_unknown(what, users, problems, notes, passing=passing, act=act)
    lines: list[Line] = [["⛔ ", bold(sentence(what)), *_why(refusal, why)]]
    if elsewhere:
        lines.append(_elsewhere(elsewhere))
    else:
        lines.append(_ask(refusal, users, usergroups, " in this channel" if is_held else ""))
    return pack([paragraph(*lines), *([context(*notes)] if notes else [])])


def _render_unknown(
    what: str,
    users: Sequence[str],
    problems: Sequence[str],
    notes: Sequence[Line],
    *,
    passing: bool,
    act: bool,
) -> Message:
    """Slack does not say who is who, which does not mean that a role is missing.

    Nobody is sent to a user group, whose members are unknown too.
    """
    because = " Slack did not say whether you hold a role that allows it"
    end = "; nothing was changed." if act else "."
    lines: list[Line] = [["⛔ ", bold(f"{what} now."), because + end]]
    what_to_do = "Try again in a minute" if passing else "Whoever runs the bot can fix this"
    or_ask = name_people(users, ())
    lines.append([what_to_do, *([", or ask ", *or_ask] if or_ask else []), "."])
    parts: list[Part] = [paragraph(*lines)]
    reasons: list[Line] = [[sentence(problem)] for problem in problems[:5]]
    return pack([*parts, context(*reasons, *notes)])


def _elsewhere(grants: Sequence[Grant]) -> Line:
    """The first of them: which role it gives, on which queues, where."""
    grant = grants[0]
    queues = f" on {few(grant.queues, 3)}" if grant.queues is not None else ""
    line: list[Span | str] = ["You hold ", bold(str(grant.role)), f"{queues} in "]
    same = [one for one in grants if (one.role, one.queues) == (grant.role, grant.queues)]
    channels = list(dict.fromkeys(place for one in same for place in one.channels or ()))
    for i, one in enumerate(channels[:3]):
        line += [", " if i else "", channel(one)]
    if more := len(channels[3:]):
        line.append(f" and {more:,} more")
    return [*line, "; run the command there."]


def _why(refusal: NotPermitted, why: str) -> list[Span | str]:
    if not why:
        return []
    text = sentence(why)
    spans: list[Span | str] = [" "]
    for role in (refusal.needs, refusal.has):
        before, found, after = text.partition(str(role)) if role else ("", "", "")
        if found:
            spans += [before, bold(str(role))]
            text = after
    return [*spans, text]


def _where(queues: Sequence[str]) -> str:
    if EVERY_QUEUE in queues:
        return "on every queue"
    return "on its queue" if len(queues) == 1 else "on all of its queues"


def _ask(refusal: NotPermitted, users: Sequence[str], groups: Sequence[str], here: str) -> Line:
    people = name_people(users, groups)
    if not people:
        reaches = f" {_where(refusal.queues)}" if refusal.queues else ""
        role = f"the role {refusal.needs}{reaches}" if refusal.needs else "a role that reaches it"
        return [f"Nobody holds {role}{here}; whoever runs the bot can grant it in CHATBOT_ROLES."]
    return ["Ask ", *people, "."]
