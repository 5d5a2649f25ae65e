"""The built page of the local Slack is of its source, and the bot's words reach its composer."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from jobs_maint.grammar import WORDS, build_completion

ROOT = Path(__file__).parents[2]
WEB = ROOT / "src/local_slack/web"
BUILT = ROOT / "src/local_slack/page/built"
BESIDE = ("build.mjs", "index.html", "package-lock.json", "package.json", "tsconfig.json")


def hash_of(*parts):
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()


def read_meta(name):
    page = (BUILT / "index.html").read_text(encoding="utf-8")
    return re.search(rf'<meta name="{name}" content="(\w+)">', page)[1]


def test_the_built_page_is_not_older_than_its_source():
    files = [path for path in (WEB / "src").rglob("*") if path.is_file()]
    names = sorted([*BESIDE, *(path.relative_to(WEB).as_posix() for path in files)])
    parts = [part for name in names for part in (f"{name}\n".encode(), (WEB / name).read_bytes())]
    assert read_meta("source") == hash_of(*parts), "the page is older than its source: make web"


def test_the_built_page_was_built_and_not_edited():
    parts = [(BUILT / name).read_bytes() for name in ("app.css", "app.js")]
    assert read_meta("built") == hash_of(*parts), "edit src/local_slack/web, then: make web"


@pytest.mark.environments
def test_make_web_builds_the_page_again_byte_for_byte(tmp_path):
    if not (shutil.which("npm") and shutil.which("make")):
        pytest.skip("needs make, Node and npm")
    web = tmp_path / WEB.relative_to(ROOT)
    shutil.copytree(WEB, web, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copy(ROOT / "Makefile", tmp_path)
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    got = subprocess.run(install, cwd=web, capture_output=True, text=True, timeout=300, check=False)
    if got.returncode:
        pytest.skip(f"npm could not get what package-lock.json names: {got.stderr[-500:]}")
    made = subprocess.run(
        ["make", "web"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    built = tmp_path / BUILT.relative_to(ROOT)
    names = {path.name for path in BUILT.iterdir()}
    assert {path.name for path in built.iterdir()} == names
    for name in names:
        assert (built / name).read_bytes() == (BUILT / name).read_bytes(), name


def test_the_built_page_loads_nothing_and_runs_no_text_as_code():
    page = (BUILT / "index.html").read_text(encoding="utf-8")
    addresses = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert {one for one in addresses if not one.startswith("data:")} == {"/app.css", "/app.js"}
    assert not re.search(r"<script(?! type=\"module\" src=)|<style|\son\w+=| style=", page)
    assert not re.search(r"url\(|@import", (BUILT / "app.css").read_text(encoding="utf-8"))
    for path in (WEB / "src").rglob("*.ts*"):
        assert "innerhtml" not in path.read_text(encoding="utf-8").lower(), path


def test_completion_offers_every_word_of_slack_with_its_options():
    words = {one["name"]: one for one in build_completion("slack")}
    assert set(words) == {word.name for word in WORDS.values() if word.only in {None, "slack"}}
    assert words["retry"]["usage"].startswith("retry ID…")
    options = {one["name"]: one for one in words["retry"]["options"]}
    assert options["--since"]["takes"] == "SPAN"
    assert options["--all"]["takes"] == ""
    assert "--yes" not in options
    assert all(one["about"] and "`" not in one["about"] for one in words.values())
