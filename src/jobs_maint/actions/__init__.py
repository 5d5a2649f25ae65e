"""One frozen dataclass per request: what was asked, and the role it needs.

A front end turns words into an action; `perform` checks, does and audits it.
"""

# ruff: noqa: F403  each module says in `__all__` what it offers

from jobs_maint.actions.actor import *
from jobs_maint.actions.audit import *
from jobs_maint.actions.base import *
from jobs_maint.actions.digest import *
from jobs_maint.actions.doctor import *
from jobs_maint.actions.failures import *
from jobs_maint.actions.groups import *
from jobs_maint.actions.help import *
from jobs_maint.actions.incidents import *
from jobs_maint.actions.jobs import *
from jobs_maint.actions.named import *
from jobs_maint.actions.purge import *
from jobs_maint.actions.rescue import *
from jobs_maint.actions.schema import *
from jobs_maint.actions.sets import *
from jobs_maint.actions.stats import *
