"""Tables that the modules of a package hold, put together: a new module needs no list."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

__all__ = ["collect"]


def collect(package: str, table: str) -> dict[Any, Any]:
    """The dicts of this name in all modules of the package; a key may stand in one of them only."""
    home = importlib.import_module(package)
    found: dict[Any, Any] = {}
    for info in pkgutil.iter_modules(home.__path__, f"{package}."):
        here = getattr(importlib.import_module(info.name), table, {})
        if twice := found.keys() & here.keys():
            raise RuntimeError(f"{info.name}.{table} holds what another module holds: {twice}")
        found |= here
    return found
