"""One frozen dataclass per request: what was asked, and the role it needs.

A front end turns words into an action; `perform` checks, does and audits it.
"""

from jobs_maint.actions.actor import ALL_QUEUES, Actor, Grant, QueueScope, Role, like_pattern
from jobs_maint.actions.base import Action, permit, quote_word
from jobs_maint.actions.bulk import (
    BulkVerb,
    CancelJobs,
    ConfirmSelection,
    DiscardJobs,
    JobFilter,
    ListErrors,
    ListStuck,
    ListWorkers,
    PreviewBulk,
    PreviewPurge,
    ShowAudit,
)
from jobs_maint.actions.doctor import RunDoctor
from jobs_maint.actions.requests import (
    ApplySchema,
    CheckSchema,
    CloseDigest,
    GetJob,
    ListFailed,
    OpenDigest,
    PurgeFinished,
    RescueStalled,
    RetryJobs,
    ShowHelp,
    ShowSchemaSql,
    ShowStats,
)
from jobs_maint.actions.runs import CloseRun, DropSelection, StopRun, TakeLostRuns

__all__ = [
    "ALL_QUEUES",
    "Action",
    "Actor",
    "ApplySchema",
    "BulkVerb",
    "CancelJobs",
    "CheckSchema",
    "CloseDigest",
    "CloseRun",
    "ConfirmSelection",
    "DiscardJobs",
    "DropSelection",
    "GetJob",
    "Grant",
    "JobFilter",
    "ListErrors",
    "ListFailed",
    "ListStuck",
    "ListWorkers",
    "OpenDigest",
    "PreviewBulk",
    "PreviewPurge",
    "PurgeFinished",
    "QueueScope",
    "RescueStalled",
    "RetryJobs",
    "Role",
    "RunDoctor",
    "ShowAudit",
    "ShowHelp",
    "ShowSchemaSql",
    "ShowStats",
    "StopRun",
    "TakeLostRuns",
    "like_pattern",
    "permit",
    "quote_word",
]
