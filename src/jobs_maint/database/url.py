"""The address of the jobs database, as people and hosts write it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import psycopg

from jobs_maint.errors import InvalidSettings

__all__ = ["normalise_url", "parse_url"]

_DRIVER = re.compile(r"^(postgres|postgresql)(\+\w+)?://")
_NAME = re.compile(r"[a-zA-Z_]{1,40}")


def normalise_url(url: str) -> str:
    """`postgres://` and SQLAlchemy's `postgresql+driver://` as libpq wants them."""
    return _DRIVER.sub("postgresql://", url.strip())


_ESCAPES = (
    "In a password write / as %2F, @ as %40, : as %3A, ? as %3F, # as %23, a space as %20 and "
    "% as %25"
)


def parse_url(url: str, setting: str = "JOB_QUEUE_DATABASE_URL") -> dict[str, Any]:
    """Its parts; raises InvalidSettings, which names the setting and never shows the URL."""
    try:
        params = psycopg.conninfo.conninfo_to_dict(normalise_url(url))
    except psycopg.ProgrammingError:
        if unknown := _find_unknown(url):
            raise InvalidSettings(
                f"{setting} has a parameter that PostgreSQL does not know: {unknown}. Take it out; "
                "a schema is chosen with ?options=-csearch_path%3DNAME"
            ) from None
        # The cause quotes the connection string, password included: it must not be chained.
        hint = f". {_ESCAPES}" if "://" in url else ""
        raise InvalidSettings(
            f"{setting} is not the URL of a PostgreSQL database; write it as "
            f"postgresql://user:password@host:5432/jobs{hint}"
        ) from None
    if _is_torn(url, params):
        raise InvalidSettings(
            f"{setting} cannot be read; its password may have a character that ends it. {_ESCAPES}"
        )
    return params


def _is_torn(url: str, params: Mapping[str, Any]) -> bool:
    """Whether a part may be a piece of the password, which we would then show."""
    ports = str(params.get("port") or "").split(",")
    hosts = f"{params.get('host') or ''},{params.get('hostaddr') or ''}".split(",")
    path = _DRIVER.sub("", normalise_url(url)).partition("?")[0].partition("/")[2]
    return (
        any(
            port and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65_536)
            for port in ports
        )
        or any("@" in host[1:] for host in hosts if not host.startswith("/"))
        or ("://" in url and "@" in path)
    )


def _find_unknown(url: str) -> str:
    """The first parameter that libpq does not know; empty where it may be of a password."""
    address, _, query = normalise_url(url).partition("?")
    if "@" in query:
        return ""
    try:
        psycopg.conninfo.conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        return ""
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    names = (part.partition("=")[0] for part in query.split("&"))
    return next((name for name in names if _NAME.fullmatch(name) and name not in known), "")
