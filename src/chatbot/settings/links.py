"""Addresses: the one that is told that all is sound, and those of the team's runbooks."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr
from pydantic_settings import NoDecode

from jobs_maint.settings import JsonText, check_names

__all__ = ["HeartbeatUrl", "Runbooks"]


def _is_heartbeat(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not _is_web(value.get_secret_value()):
        # Not the value: whoever knows the address can pretend that all is well.
        raise ValueError("it is not a web address, which begins with https:// or http://")
    return value


def _is_web(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and text.isprintable()


def _are_links(value: dict[str, str]) -> dict[str, str]:
    for glob, link in value.items():
        if not _is_web(link) or " " in link or len(link) > 2_000:
            raise ValueError(
                f"{link!r} (of {glob!r}) is not a link; write a web address of up to 2000 "
                "characters, such as https://wiki.example.com/webhooks"
            )
    return value


HeartbeatUrl = Annotated[SecretStr | None, AfterValidator(_is_heartbeat)]
Runbooks = Annotated[
    dict[str, str], NoDecode, AfterValidator(_are_links), AfterValidator(check_names), JsonText
]
"""Glob of a task or a queue → link."""
