"""One id for each request from Slack, in all its log lines and in the error that it shows."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import secrets
import sys
from collections.abc import Iterator

__all__ = ["RequestIdFilter", "find_request_id", "identified", "set_up_logging"]

LINE = "%(asctime)s %(levelname)s %(message)s%(request)s"

# Each task has its own copy: only the tasks that a request starts log its id.
_request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")


def find_request_id() -> str:
    """The id of the request that this task works for; empty outside of any."""
    return _request_id.get()


@contextlib.contextmanager
def identified() -> Iterator[str]:
    """Give the code inside it a request id: a new one, unless it already has one."""
    present = _request_id.get()
    if present:
        yield present
        return
    token = _request_id.set(secrets.token_hex(4))
    try:
        yield _request_id.get()
    finally:
        _request_id.reset(token)


class RequestIdFilter(logging.Filter):
    """Lets every record pass, with ` request=…` for the end of its line."""

    def filter(self, record: logging.LogRecord) -> bool:
        found = _request_id.get()
        record.request = f" request={found}" if found else ""
        return True


def set_up_logging(level: int = logging.INFO) -> None:
    """Log to stderr from `level` up, unless the process already has handlers; those get the id."""
    root = logging.getLogger()
    if not root.handlers:
        stream = logging.StreamHandler(sys.stderr)
        stream.setFormatter(logging.Formatter(LINE))
        root.addHandler(stream)
        root.setLevel(level)
    for handler in root.handlers:
        handler.addFilter(RequestIdFilter())
    # aiohttp's own lines repeat what we log, with addresses of requests.
    logging.getLogger("aiohttp").setLevel(logging.ERROR)
