"""Results → text for people, JSON for programs, and the verdict that both front ends say.

Nothing here reads the database, the environment or the clock: "now" is the report's `as_of`.
"""

from __future__ import annotations

from jobs_maint.models import Preview
from jobs_maint.render.acted import say_acted, say_names
from jobs_maint.render.audited import say_counts, tell_counts, tell_outcome
from jobs_maint.render.conditions import (
    count_more,
    find_shared_mute,
    find_sign,
    is_good,
    is_old,
    list_parts,
    list_takers,
    say_calm,
    say_condition,
    say_failures,
    say_incident,
    say_past,
    say_past_why,
    say_reason,
    say_settled,
    say_since,
    say_times,
    say_unheard,
    say_unwatched,
    say_watched,
    say_with_end,
    say_within,
)
from jobs_maint.render.coverage import (
    FATES_UNKNOWN,
    UNTIL_IN_FUTURE,
    say_aside,
    say_coverage,
    say_deleting,
    say_own,
    say_reach,
    say_task,
)
from jobs_maint.render.data import build_data, render_json
from jobs_maint.render.fate import say_fate
from jobs_maint.render.foretold import name_alike, tell_becomes
from jobs_maint.render.levels import (
    Level,
    find_red,
    is_news,
    judge_failures,
    judge_incident,
    judge_incidents,
    sort_incidents,
)
from jobs_maint.render.remembered import say_person, say_state
from jobs_maint.render.safe import safe_block, safe_line, safe_word, short_task
from jobs_maint.render.unlike import say_tasks
from jobs_maint.render.verdict import (
    Verdict,
    build_verdict,
    count_in_trouble,
    count_noun,
    format_rate,
    say_expiring,
    sort_queues,
    tell_statuses,
    tell_survey,
    tell_times,
)

__all__ = [
    "FATES_UNKNOWN",
    "UNTIL_IN_FUTURE",
    "Level",
    "Verdict",
    "build_data",
    "build_verdict",
    "count_in_trouble",
    "count_more",
    "count_noun",
    "find_red",
    "find_shared_mute",
    "find_sign",
    "format_rate",
    "is_good",
    "is_news",
    "is_old",
    "judge_failures",
    "judge_incident",
    "judge_incidents",
    "list_parts",
    "list_takers",
    "name_alike",
    "render_json",
    "render_question",
    "render_text",
    "safe_block",
    "safe_line",
    "safe_word",
    "say_acted",
    "say_aside",
    "say_calm",
    "say_condition",
    "say_counts",
    "say_coverage",
    "say_deleting",
    "say_expiring",
    "say_failures",
    "say_fate",
    "say_incident",
    "say_names",
    "say_own",
    "say_past",
    "say_past_why",
    "say_person",
    "say_reach",
    "say_reason",
    "say_settled",
    "say_since",
    "say_state",
    "say_task",
    "say_tasks",
    "say_times",
    "say_unheard",
    "say_unwatched",
    "say_watched",
    "say_with_end",
    "say_within",
    "short_task",
    "sort_incidents",
    "sort_queues",
    "tell_becomes",
    "tell_counts",
    "tell_outcome",
    "tell_statuses",
    "tell_survey",
    "tell_times",
]


def render_question(preview: Preview) -> str:
    """The prompt of a preview: `Retry 35 jobs?`."""
    from jobs_maint.render.sets import ask_for  # noqa: PLC0415  see render_text

    return ask_for(preview)


def render_text(result: object, *, width: int = 80, styled: bool = False) -> str:
    """A result as lines for a person; `styled` adds bold and colour (a terminal wants them).

    Tables are no wider than `width`; what had to be left out is said. Raises TypeError for a
    result that no word of the shell returns.
    """
    from jobs_maint.render.text import render_result  # noqa: PLC0415  rich costs 60 ms; JSON and Slack need none of it

    return render_result(result, width=width, styled=styled)
