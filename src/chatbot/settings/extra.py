"""What the extra `[slack]` installs, and the sentence for those who lack it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jobs_maint.errors import InvalidSettings

__all__ = ["needs_extra"]

_PACKAGES = {"aiohttp", "slack_bolt", "slack_sdk"}


@contextmanager
def needs_extra(what: str) -> Iterator[None]:
    """Around an import: raises InvalidSettings where a package of the extra is missing or old."""
    try:
        yield
    except ImportError as exc:
        name = exc.name or ""
        package = name.partition(".")[0]
        if package not in _PACKAGES:
            raise
        missing = isinstance(exc, ModuleNotFoundError) and name == package
        raise InvalidSettings(
            f"{package} is {'not installed' if missing else f'of another version ({exc})'}; "
            f"{what} needs the extra: pip install 'procrastinate-ops[slack]'"
        ) from None
