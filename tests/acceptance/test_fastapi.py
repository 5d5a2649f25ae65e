"""A FastAPI app set up as the page on FastAPI says, from the page's own code."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from pathlib import Path

import psycopg
import pytest
from tests.support.forkserver import ROOT, SOURCES
from tests.support.waiting import wait_until

pytestmark = pytest.mark.environments

pytest.importorskip("fastapi", reason="FastAPI is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")

PAGE = (ROOT / "docs/how-to/fastapi.md").read_text(encoding="utf-8")
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def write_files(folder: Path) -> list[str]:
    """Each block that begins with a file's name, as that file."""
    written = []
    for name, code in re.findall(r"```python\n# (\S+\.py)\n(.*?)```", PAGE, re.DOTALL):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code, encoding="utf-8")
        written.append(name)
    return written


def call(method: str, url: str) -> dict:
    with OPENER.open(urllib.request.Request(url, method=method), timeout=60) as answer:
        return json.load(answer)


def test_the_pages_web_app_and_worker_record_errors_apart_and_in_one_process(
    processes, database_url, tmp_path
):
    written = write_files(tmp_path)
    assert written == ["shop/jobs.py", "shop/web.py", "shop/web_with_worker.py"]
    assert "uvicorn shop.web:api" in PAGE
    assert "python -m procrastinate --app=shop.jobs.app worker" in PAGE
    path = os.pathsep.join([str(tmp_path), SOURCES])
    settings = {"PYTHONPATH": path, "SHOP_DATABASE_URL": database_url, "JOBS_MAINT_BEAT": "1s"}

    def start(*args: str):
        return processes.start("-m", *args, **settings)

    def wait_for(process, pattern: str) -> str:
        def look():
            assert process.popen.poll() is None, process.output
            return re.search(pattern, process.output)

        return wait_until(look, what=pattern)[1]

    with psycopg.connect(database_url, autocommit=True) as conn:

        def recorded(job_id: int) -> str | None:
            found = conn.execute(
                "SELECT message FROM jobs_maint_failures f JOIN procrastinate_jobs j"
                " ON j.id = f.job_id AND j.status = 'failed' WHERE job_id = %s",
                [job_id],
            ).fetchone()
            return found and found[0]

        def fail(web, order: int) -> str:
            """Have it defer a job that fails; where it is."""
            url = wait_for(web, r"running on (http://\S+)")
            job = call("POST", f"{url}/orders/{order}/receipt")["job_id"]
            assert (
                wait_until(lambda: recorded(job), what="the error")
                == f"order {order} has no address"
            )
            return url

        apart = start("uvicorn", "shop.web:api", "--port", "0")
        worker = start("procrastinate", "--app=shop.jobs.app", "worker")
        fail(apart, 7)
        live = conn.execute("SELECT count(*) FROM procrastinate_workers").fetchone()
        assert live == (1,)  # a web app that only defers is none
        worker.send(signal.SIGTERM)
        assert worker.wait() == 0, worker.output
        inside = start("uvicorn", "shop.web_with_worker:api", "--port", "0")
        url = fail(inside, 8)
        assert call("GET", f"{url}/health") == {"worker": "running"}
        for web in (inside, apart):
            web.send(signal.SIGTERM)
            assert web.wait() in {0, -signal.SIGTERM}, web.output  # as uvicorn has it
            assert "Application shutdown complete" in web.output
