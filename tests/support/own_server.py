"""A server that a test may restart."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator

from tests.support.server import Server, embedded_server

__all__ = ["OwnServer", "open_own_server"]


class OwnServer(Server):
    """Of one test module, which may restart it."""

    def __init__(self, embedded):
        super().__init__(str(embedded.pgdata))
        self._embedded = embedded

    def create_lasting(self, template: str) -> str:
        """A database that survives a crash as it is.

        A sequence copied from a template writes no log for its next values, so a crash before the
        next checkpoint would set it back.
        """
        name = self.create(template)
        self.execute("CHECKPOINT")
        return name

    def control(self, *words):
        subprocess.run(
            [self._embedded.bin_path / "pg_ctl", "-D", self.folder, "-w", "-t", "60", *words],
            cwd="/", user=self._embedded.system_user, check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def crash(self):
        self.control("restart", "-m", "immediate", "-l", f"{self.folder}/again")

    async def restart(self, how):
        await asyncio.to_thread(self.control, "restart", "-m", how, "-l", f"{self.folder}/again")


@contextlib.contextmanager
def open_own_server() -> Iterator[OwnServer]:
    with embedded_server() as embedded:
        own = OwnServer(embedded)
        try:
            own.make_templates()
            yield own
        finally:
            own.control("stop", "-m", "immediate")
