"""One frozen dataclass per request: what was asked, and the role it needs.

A front end turns words into an action; `perform` checks, does and audits it.
"""

from jobs_maint.actions.actor import (
    ALL_QUEUES,
    Actor,
    Grant,
    QueueScope,
    Role,
    escape_glob,
    like_pattern,
    plain_name,
)
from jobs_maint.actions.audit import CloseRun, ShowAudit, StopRun, TakeLostRuns
from jobs_maint.actions.base import Action, permit, quote_word
from jobs_maint.actions.digest import CloseDigest, OpenDigest, ShowDigest
from jobs_maint.actions.doctor import RunDoctor
from jobs_maint.actions.failures import ListErrors, ListFailed
from jobs_maint.actions.help import ShowHelp
from jobs_maint.actions.jobs import CancelJobs, DiscardJobs, GetJob, RetryJobs
from jobs_maint.actions.purge import PreviewPurge, PurgeFinished
from jobs_maint.actions.rescue import (
    ListStuck,
    ListWorkers,
    PreviewRescue,
    RescueJobs,
    RescueStalled,
)
from jobs_maint.actions.schema import ApplySchema, CheckSchema, ShowSchemaSql
from jobs_maint.actions.sets import (
    BulkVerb,
    ConfirmSelection,
    DropSelection,
    JobFilter,
    PreviewBulk,
)
from jobs_maint.actions.stats import ShowStats

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
    "PreviewRescue",
    "PurgeFinished",
    "QueueScope",
    "RescueJobs",
    "RescueStalled",
    "RetryJobs",
    "Role",
    "RunDoctor",
    "ShowAudit",
    "ShowDigest",
    "ShowHelp",
    "ShowSchemaSql",
    "ShowStats",
    "StopRun",
    "TakeLostRuns",
    "escape_glob",
    "like_pattern",
    "permit",
    "plain_name",
    "quote_word",
]
