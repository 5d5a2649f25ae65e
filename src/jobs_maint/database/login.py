"""Why the server refuses a login, by its code, and in words."""

from __future__ import annotations

import os
import re
import select
import time

import psycopg
from psycopg import pq

__all__ = ["find_reason", "find_refusal"]

SECONDS = 5.0
_CODE = re.compile(rb'ErrorResponse\t S "[^"]*"(?: V "[^"]*")? C "([0-9A-Z]{5})"')
_TRIED = re.compile(r"(?:connection failed: )?connection to server (?:at|on) [^\n]*? failed: ")


def find_refusal(conninfo: str) -> str | None:
    """The SQLSTATE with which the server refuses this login; None if it lets in or is not known.

    libpq tells only the words of such an error, which are translated. Its trace of the protocol has
    the code, so the login is tried once more; the trace stays in memory. Blocks for some seconds.
    """
    if not hasattr(os, "memfd_create"):
        return None
    place = os.memfd_create("trace")
    conn = pq.PGconn.connect_start(conninfo.encode())
    try:
        conn.trace(place)
        _connect(conn)
        conn.untrace()
        os.lseek(place, 0, os.SEEK_SET)
        found = _CODE.findall(os.read(place, 1_000_000))
    except (psycopg.Error, OSError):
        return None
    finally:
        conn.finish()
        os.close(place)
    return found[-1].decode() if found else None


def _connect(conn: pq.abc.PGconn) -> None:
    deadline = time.monotonic() + SECONDS
    waits = {pq.PollingStatus.READING: (1, 0), pq.PollingStatus.WRITING: (0, 1)}
    while (wanted := waits.get(pq.PollingStatus(conn.connect_poll()))) is not None:
        left = deadline - time.monotonic()
        read, write = ([conn.socket] * number for number in wanted)
        if left <= 0 or not any(select.select(read, write, [], left)):
            return


def find_reason(exc: psycopg.Error) -> str:
    """What the server said last, or libpq where it gave up by itself; without how it was tried."""
    words = str(exc).strip()
    lines = words.splitlines() or [""]
    # Two blanks follow the severity of a server's error, in every language.
    if ":  " in lines[-1]:
        lines = [lines[-1].rpartition(":  ")[2]]
    else:
        lines = _TRIED.split(words)[-1].splitlines()
    return ". ".join(line.strip().rstrip(".") for line in lines) or type(exc).__name__
