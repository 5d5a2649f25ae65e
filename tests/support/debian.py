"""What Debian's packages add to the tests: an older PostgreSQL that speaks German, a standby of it,
and PgBouncer.

Each part is looked for; a test whose part is not there is skipped and says which package has it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.server import Server
from tests.support.waiting import wait_until

POSTGRESQL = Path("/usr/lib/postgresql/15/bin")
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
GERMAN = "de_DE.UTF-8"
PORT = 6432


def _account() -> int | None:
    """The servers refuse to run as root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    pytest.skip("needs a user other than root to run a server")


@contextlib.contextmanager
def _folder(account: int | None) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="deb", dir="/tmp"))
    try:
        if account is not None:
            shutil.chown(path, account)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _running(command: list[str], account: int | None, env: dict[str, str]) -> Iterator[None]:
    with subprocess.Popen(
        command, user=account, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.send_signal(2)  # SIGINT: both servers end at once, in good order
            process.wait(30)


def make_german_locale(folder: Path) -> dict[str, str]:
    """The environment in which the locale is known; made in the folder, not on the machine."""
    if not Path("/usr/share/i18n/locales/de_DE").exists():
        pytest.skip("needs the package locales for German messages")
    subprocess.run(
        ["localedef", "--no-archive", "-f", "UTF-8", "-i", "de_DE", str(folder / GERMAN)],
        check=False, capture_output=True, timeout=120,
    )  # fmt: skip
    assert (folder / GERMAN).is_dir()
    return {"LOCPATH": str(folder)}


@contextlib.contextmanager
def german_postgresql() -> Iterator[Server]:
    """PostgreSQL 15 with lc_messages = de_DE.UTF-8, reached by its socket."""
    _need_postgresql()
    if not Path("/usr/share/locale/de/LC_MESSAGES/postgres-15.mo").exists():
        pytest.skip("needs the German messages of the package postgresql-15")
    account = _account()
    with _folder(account) as folder:
        env = {"PATH": os.environ["PATH"], **make_german_locale(folder)}
        with _primary(folder, account, env, f"--lc-messages={GERMAN}") as server:
            yield server


@contextlib.contextmanager
def replicated_postgresql() -> Iterator[tuple[Server, Server]]:
    """PostgreSQL 15 and a hot standby that follows it by streaming."""
    _need_postgresql("pg_basebackup")
    account, env = _account(), {"PATH": os.environ["PATH"]}
    with _folder(account) as folder, _primary(folder, account, env) as primary:
        copy = folder / "standby"
        _call("pg_basebackup", "-h", folder, "-U", "postgres", "-D", copy, "-R", "-c", "fast",
              account=account, env=env)  # fmt: skip
        options = ("-c", f"port={Standby.port}")
        with _running(_command(copy, folder, *options), account, env):
            standby = Standby(str(folder))
            wait_until(lambda: _answers(standby.url("postgres")), what="the standby")
            yield primary, standby


def _need_postgresql(tool: str = "initdb") -> None:
    if not (POSTGRESQL / tool).exists():
        pytest.skip("needs the package postgresql-15")


@contextlib.contextmanager
def _primary(
    folder: Path, account: int | None, env: dict[str, str], *options: str
) -> Iterator[Server]:
    data = folder / "data"
    _call("initdb", "-D", data, "-U", "postgres", "-N", "-E", "UTF8", "--locale=C", *options,
          account=account, env=env)  # fmt: skip
    with _running(_command(data, folder), account, env):
        server = Server(str(folder))
        wait_until(lambda: _answers(server.url("postgres")), what="PostgreSQL 15")
        yield server


def _call(tool: str, *words: object, account: int | None, env: dict[str, str]) -> None:
    command = [str(POSTGRESQL / tool), *map(str, words)]
    subprocess.run(command, user=account, env=env, check=True, capture_output=True, timeout=120)


def _command(data: Path, folder: Path, *options: str) -> list[str]:
    return [
        str(POSTGRESQL / "postgres"), "-D", str(data), "-k", str(folder),
        "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_prepared_transactions=5", *options,
    ]  # fmt: skip


@contextlib.contextmanager
def pgbouncer(server: Server, **settings: object) -> Iterator[Server]:
    """PgBouncer in transaction mode before a server; its databases have the same names."""
    if PGBOUNCER is None:
        pytest.skip("needs the package pgbouncer")
    # Nobody but the server's own account may enter its folder.
    account = Path(server.folder).stat().st_uid if os.getuid() == 0 else None
    with _folder(account) as folder:
        lines = {
            "listen_addr": "", "unix_socket_dir": folder, "listen_port": PORT,
            "auth_type": "any", "pool_mode": "transaction", "default_pool_size": 1,
            "max_client_conn": 50, "server_check_delay": 0, **settings,
        }  # fmt: skip
        config = folder / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n* = host={server.folder} port=5432 user=postgres\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in lines.items())
        )
        with _running([PGBOUNCER, "-q", str(config)], account, dict(os.environ)):
            proxy = Proxy(str(folder))
            wait_until(lambda: _answers(proxy.url("postgres")), what="PgBouncer")
            yield proxy


class Proxy(Server):
    port = PORT

    def url(self, database: str) -> str:
        return f"{super().url(database)}&port={self.port}"


class Standby(Proxy):
    port = 5433


def _answers(url: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=30).close()
        return True
    return False
