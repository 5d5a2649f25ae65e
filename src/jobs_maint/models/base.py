"""What all results have in common."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["Report"]


class Report:
    """The frozen answer of one action; `kind` names it in JSON (`docs/reference/json.md`)."""

    __slots__ = ()
    kind: ClassVar[str]

    def computed(self) -> dict[str, Any]:
        """What JSON shows besides the fields: numbers that follow from them."""
        return {}
