"""What the operations return: frozen, complete, also when nothing was done.

All times are aware UTC by the database's clock; spans are seconds in fields that say so.
"""

# ruff: noqa: F403  each module says in `__all__` what it offers

from jobs_maint.models.audit import *
from jobs_maint.models.base import *
from jobs_maint.models.digest import *
from jobs_maint.models.doctor import *
from jobs_maint.models.failures import *
from jobs_maint.models.help import *
from jobs_maint.models.incidents import *
from jobs_maint.models.jobs import *
from jobs_maint.models.locks import *
from jobs_maint.models.lost import *
from jobs_maint.models.purge import *
from jobs_maint.models.reasons import *
from jobs_maint.models.rescue import *
from jobs_maint.models.rescue_words import *
from jobs_maint.models.schema import *
from jobs_maint.models.sets import *
from jobs_maint.models.settled import *
from jobs_maint.models.silent_workers import *
from jobs_maint.models.slots import *
from jobs_maint.models.stats import *
from jobs_maint.models.unlike import *
from jobs_maint.models.watched import *
from jobs_maint.models.worker_counts import *
