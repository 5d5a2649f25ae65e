"""`audit --actor` finds somebody by every spelling under which somebody is shown."""

from __future__ import annotations

import pytest

from chatbot.messages.people import list_actor, name_actor
from jobs_maint.actions import Actor, Grant, RescueStalled, Role, ShowAudit
from jobs_maint.audit import record_alone
from jobs_maint.grammar import parse_words
from jobs_maint.models import say_person
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ADMIN = Actor.shell("root", "vm")
ACTORS = {
    "shell": ADMIN,
    "task": Actor.task("jobs_maint:rescue_stalled_jobs"),
    "slack": Actor("slack", "U0EVE", "Eve  (admin)", None, (Grant(Role.ADMIN),)),
    "long": Actor("slack", "U0LONG", "l" * 80, None, (Grant(Role.ADMIN),)),
    "other": Actor.shell("bo", "host"),
}


async def find(pool, typed):
    """Who is found by these words."""
    action = parse_words(["audit", "--actor", typed], "shell").action
    report = await perform(pool, ADMIN, action, settings=MaintSettings())
    return {entry.actor for entry in report.entries}


@pytest.mark.parametrize("who", ACTORS)
async def test_an_actor_is_found_by_each_spelling_that_is_shown(pool, who):
    for actor in ACTORS.values():
        await record_alone(pool, actor, RescueStalled(), "done")
    actor = ACTORS[who]
    shown = actor.label
    bare = [shown.partition(":")[2], actor.id, actor.name, f"@{actor.name}", say_person(shown)]
    spellings = {shown, shown.upper(), *filter(lambda one: one.strip("@"), bare)}
    spellings |= {one for one in (list_actor(shown), name_actor(shown)) if isinstance(one, str)}
    report = await perform(pool, ADMIN, ShowAudit(), settings=MaintSettings())
    spellings |= {
        line.split("  ")[2]
        for width in (80, 60)
        for line in render_text(report, width=width).split("\n")
        if line.split("  ")[2:] and line.split("  ")[2].startswith(shown[:9])
    }
    for typed in spellings:
        assert await find(pool, typed) == {shown}, typed
    assert await find(pool, "slack:U0NOBODY") == set()
