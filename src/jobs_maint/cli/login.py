"""Whoever runs a command in a shell."""

from __future__ import annotations

import getpass
import os
import socket

from jobs_maint.actions import Actor

__all__ = ["find_actor"]


def find_actor() -> Actor:
    """The login name on this host; by number for a container's user without a name."""
    try:
        login = getpass.getuser()
    except (OSError, KeyError, ImportError):
        login = f"uid{os.getuid()}"
    return Actor.shell(login, socket.gethostname())
