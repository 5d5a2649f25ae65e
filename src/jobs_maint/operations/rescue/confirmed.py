"""A rescue that a person confirmed after its preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs_maint.actions import QueueScope
from jobs_maint.call import Call
from jobs_maint.database import Conn, transaction
from jobs_maint.models import ItemResult
from jobs_maint.operations.following import follow_unless_set, list_policies
from jobs_maint.operations.noticing import notice_stalled_jobs
from jobs_maint.operations.rescue import named
from jobs_maint.operations.sets.batches import Act

__all__ = ["build_act"]


async def build_act(call: Call[Any], taken: Mapping[str, Any], scope: QueueScope) -> Act:
    """What a confirmed rescue does with its jobs: exactly the runs that were shown.

    A worker may have died since the preview, so suspects are looked for once more first.
    """
    actor, params = call.actor, taken["params"]
    claims = {int(job_id): (run[0], run[1]) for job_id, run in params["claims"].items()}
    forced_by = actor.label if params["force"] else None
    async with call.pool.connection() as conn, transaction(conn):
        await notice_stalled_jobs(conn)
        mine = await follow_unless_set(conn, actor.kind, call.settings)
        others = await list_policies(conn, actor.kind, call.settings)

    async def act(conn: Conn, job_ids: Sequence[int]) -> tuple[ItemResult, ...]:
        return await named.rescue_jobs(
            conn, job_ids, mine, others, scope=scope, claims=claims, forced_by=forced_by
        )

    return act
