"""What the operations return: frozen, complete, also when nothing was done.

All times are aware UTC by the database's clock; spans are seconds in fields that say so.
"""

from jobs_maint.models.audit import AuditEntry, AuditReport, LostRun
from jobs_maint.models.base import Report
from jobs_maint.models.digest import DigestReport
from jobs_maint.models.doctor import DoctorReport, Finding
from jobs_maint.models.failures import ErrorGroup, ErrorsReport, FailedJob, FailedJobsReport
from jobs_maint.models.help import HelpReport, HelpWord
from jobs_maint.models.jobs import (
    ActReport,
    FailedRun,
    ItemOutcome,
    ItemResult,
    JobDetails,
    JobEvent,
)
from jobs_maint.models.purge import PurgeReport
from jobs_maint.models.rescue import RescueReport, StuckJob, StuckReport, WorkersReport, WorkerView
from jobs_maint.models.schema import SchemaReport
from jobs_maint.models.sets import BulkReport, Preview, SetGroup, SkipGroup
from jobs_maint.models.stats import MaintenanceRun, QueueStats, StatsReport, WorkerCounts

__all__ = [
    "ActReport",
    "AuditEntry",
    "AuditReport",
    "BulkReport",
    "DigestReport",
    "DoctorReport",
    "ErrorGroup",
    "ErrorsReport",
    "FailedJob",
    "FailedJobsReport",
    "FailedRun",
    "Finding",
    "HelpReport",
    "HelpWord",
    "ItemOutcome",
    "ItemResult",
    "JobDetails",
    "JobEvent",
    "LostRun",
    "MaintenanceRun",
    "Preview",
    "PurgeReport",
    "QueueStats",
    "Report",
    "RescueReport",
    "SchemaReport",
    "SetGroup",
    "SkipGroup",
    "StatsReport",
    "StuckJob",
    "StuckReport",
    "WorkerCounts",
    "WorkerView",
    "WorkersReport",
]
