"""`doctor`: what it may know of this machine is given to it here."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from jobs_maint import upstream
from jobs_maint.actions import RunDoctor
from jobs_maint.call import Call, Handlers
from jobs_maint.models import DoctorReport
from jobs_maint.operations.doctor.examine import Situation, examine
from jobs_maint.operations.following import name_asker

__all__ = ["HANDLERS"]


async def run_doctor(call: Call[RunDoctor]) -> DoctorReport:
    situation = Situation(
        settings=call.settings,
        clock=lambda: datetime.now(UTC),
        procrastinate_version=upstream.procrastinate_version(),
        environ=os.environ,
        asker=name_asker(call.actor.kind),
    )
    return await examine(call.pool, situation)


HANDLERS: Handlers = {RunDoctor: run_doctor}
