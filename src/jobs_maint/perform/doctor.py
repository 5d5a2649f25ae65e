"""The doctor: what it may know of this machine is given to it here."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from jobs_maint import upstream
from jobs_maint.models import DoctorReport
from jobs_maint.operations.doctor import Situation, examine
from jobs_maint.perform.call import Call

__all__ = ["run_doctor"]


async def run_doctor(request: Call) -> DoctorReport:
    situation = Situation(
        settings=request.settings,
        clock=lambda: datetime.now(UTC),
        procrastinate_version=upstream.procrastinate_version(),
        environ=os.environ,
    )
    return await examine(request.pool, situation)
