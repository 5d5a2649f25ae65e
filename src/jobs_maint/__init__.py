"""Operations for Procrastinate job queues: `jobs_maint.register(app)` and the code behind it.

Names are loaded on first use, so that importing an error class does not load the world.
"""

TYPE_CHECKING = False  # not from typing: nothing is imported before `interrupts`

if TYPE_CHECKING:
    from typing import Any

    from jobs_maint.actions import Actor
    from jobs_maint.errors import JobsMaintError
    from jobs_maint.perform import perform
    from jobs_maint.settings import MaintSettings
    from jobs_maint.tasks import register

__all__ = ["Actor", "JobsMaintError", "MaintSettings", "__version__", "perform", "register"]

__version__ = "0.1.0"

_HOMES = {
    "Actor": "jobs_maint.actions",
    "JobsMaintError": "jobs_maint.errors",
    "MaintSettings": "jobs_maint.settings",
    "perform": "jobs_maint.perform",
    "register": "jobs_maint.tasks",
}


def __getattr__(name: str) -> "Any":
    if name not in _HOMES:
        raise AttributeError(f"module 'jobs_maint' has no attribute {name!r}")
    import importlib  # noqa: PLC0415  see above

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
