"""`help`: what this person may do, and whom to ask for the rest."""

from __future__ import annotations

from chatbot.access.roles import KnownActor
from chatbot.handling.context import Services
from chatbot.handling.delivery import Answer
from chatbot.handling.holders import Holders, find_holders
from chatbot.messages import render_help
from jobs_maint.actions import EVERY_QUEUE, Role, ShowHelp
from jobs_maint.grammar import build_help

__all__ = ["answer_help"]


async def answer_help(services: Services, action: ShowHelp, known: KnownActor) -> Answer:
    report = build_help(known.actor, "slack", action.about)
    missing = {
        (Role(word.role), word.every_queue)
        for word in report.words
        if word.role and not word.allowed
    }
    found = {
        (role, whole): await find_holders(
            services, role, known.actor, (EVERY_QUEUE,) if whole else ()
        )
        for role, whole in missing
    }

    def holders(role: Role, whole: bool) -> Holders:
        return found.get((role, whole), ((), ()))

    message = render_help(report, services.command, holders, known.problems)
    return Answer(message, private=True)
