"""What a deployment adds to the rules that always hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from jobs_maint.redaction import names

__all__ = ["DEFAULT", "HIDDEN", "Rules"]

HIDDEN = "[redacted]"


@dataclass(frozen=True)
class Rules:
    """`more_keys`: names whose values are never shown; `pii`: e-mail addresses and cards too."""

    more_keys: tuple[str, ...] = ()
    pii: bool = False

    @classmethod
    def of(cls, more_keys: Sequence[str], *, pii: bool = False) -> Rules:
        return cls(tuple(more_keys), pii)

    @cached_property
    def _patterns(self) -> tuple[list[str], ...]:
        return tuple(words for key in self.more_keys if (words := names.split(key)))

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """In every name of a secret is one of these, in small letters."""
        return (*names.STEMS, *map(names.find_stem, self.more_keys))

    def strength(self, name: str) -> names.Strength:
        """How sure a name makes that its value is a secret."""
        return _strength(name, self)

    def _look_up(self, name: str) -> names.Strength:
        words = names.split(name)
        for pattern in self._patterns:
            if any(words[i : i + len(pattern)] == pattern for i in range(len(words))):
                return names.Strength.ALWAYS
        return names.get_strength(words)


@lru_cache(maxsize=4096)
def _strength(name: str, rules: Rules) -> names.Strength:
    return rules._look_up(name[:200])  # noqa: SLF001  the cache of this class


DEFAULT = Rules()
