"""What `make docs` gives to the site's generator: every page in its place, every link leads on."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def load_script():
    spec = importlib.util.spec_from_file_location("build_site", ROOT / "scripts/dev/build_site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The script, with the pages and the list of them written to a folder of the tests."""
    script = load_script()
    script.PAGES = tmp_path_factory.mktemp("pages")
    script.SITE = tmp_path_factory.mktemp("site")
    script.write_pages()
    script.write_llms_txt()
    return script


def sections_of_the_site():
    """Section → (title, page) in order."""
    first, *sections = CONFIG["nav"]
    assert first == {"Overview": "index.md"}
    return {
        name: [next(iter(page.items())) for page in pages]
        for section in sections
        for name, pages in section.items()
    }


def test_the_navigation_and_the_overview_and_llms_txt_have_the_same_pages_in_the_same_order(site):
    listed = [page for pages in sections_of_the_site().values() for _, page in pages]
    there = {str(path.relative_to(site.PAGES)) for path in site.PAGES.rglob("*.md")}
    assert sorted(listed) == sorted(there - {"index.md"})
    text = (site.SITE / "llms.txt").read_text(encoding="utf-8")
    assert text.startswith("# procrastinate-ops\n\n> Operations for")
    sections = [part.partition("\n") for part in text.split("\n## ")[1:]]
    assert {
        title: re.findall(r"^- \[([^]]+)\]\(([^)]+)\): \S", lines, re.MULTILINE)
        for title, _, lines in sections
    } == sections_of_the_site()
    assert all((site.SITE / page).read_bytes() for page in listed)


def anchors(path):
    """As the generator's `toc` extension names headings."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", title).strip().lower() for title in titles]
    return {re.sub(r"[-\s]+", "-", title) for title in plain}


def test_every_link_and_anchor_and_picture_is_in_the_site(site):
    found = 0
    for path in site.PAGES.rglob("*.md"):
        for link in re.finditer(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", path.read_text()):
            target, anchor = link.groups()
            there = (path.parent / target).resolve() if target else path
            assert there.is_relative_to(site.PAGES), (path.name, target)
            assert there.is_file(), (path.name, target)
            assert anchor is None or anchor in anchors(there), (path.name, anchor)
            found += 1
    assert found > 100


def test_a_link_out_of_the_docs_becomes_a_name_a_page_or_a_copy(site):
    page = Path("reference/performance.md")
    assert site.prepare("[it](../../demo/slack.toml#x)", page) == "`demo/slack.toml`"
    assert site.prepare("[it](../../CHANGELOG.md)", page) == "[it](../changelog.md)"
    picture = "../../benchmarks/results/10000000.svg"
    assert site.prepare(f"![it]({picture})", page) == "![it](../pictures/10000000.svg)"
    assert (site.PAGES / "pictures/10000000.svg").is_file()
    for same in ("[it](schema.md#x)", "[it](#x)", "[it](https://x.example/a.md)", "a \\| b"):
        assert site.prepare(same, page) == same
    assert site.prepare("| `a \\| b` | c |", page) == "| `a | b` | c |"


def test_the_pages_are_written_as_the_generator_reads_them(site):
    """It is stricter than GitHub: with these it shows the Markdown itself."""
    wrong = []
    for path in site.PAGES.rglob("*.md"):
        fenced, before = False, ""
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            is_fence = line.lstrip().startswith("```")
            fenced ^= is_fence
            a_list = re.match(r"- |\d+\. ", line) and before and not before.startswith((" ", "- "))
            if (
                (is_fence and " " in line.strip())
                or (not fenced and a_list and not re.match(r"\d+\. ", before))
                or (not fenced and line.startswith("|") and before and not before.startswith("|"))
            ):
                wrong.append(f"{path.name}:{number}: {line}")
            before = line
    assert wrong == []


def test_a_page_that_loads_something_from_elsewhere_is_found(site):
    harmless = '<a href="https://e.example">x</a><script src="../app.js"></script><img src="a.png">'
    assert site.find_loads(harmless) == []
    found = site.find_loads(
        '<script async src="https://cdn.example/x.js"></script><link rel="stylesheet"'
        ' href="//e.example/x.css"><pre class="mermaid">flowchart</pre>'
    )
    assert found == ["https://cdn.example/x.js", "//e.example/x.css", "a renderer for mermaid"]


@pytest.mark.environments
def test_make_docs_builds_the_site_with_the_strict_generator():
    """What it complains of, such as a link that leads nowhere, ends it."""
    if not shutil.which("make"):
        pytest.skip("needs make")

    def run(*words):
        return subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )

    got = run("make", ".venv-site/.synced")
    if got.returncode:
        pytest.skip(f"the generator cannot be installed: {got.stderr[-500:]}")
    made = run("make", "docs")
    assert made.returncode == 0, made.stdout + made.stderr
    built = ROOT / "build/site"
    listed = [page for pages in sections_of_the_site().values() for _, page in pages]
    for page in listed:
        assert (built / page).with_suffix(".html").is_file(), page
    assert (built / "llms.txt").is_file()
    found = json.loads((built / "search.json").read_text(encoding="utf-8"))["items"]
    assert {page.replace(".md", ".html") for page in listed} <= {one["location"] for one in found}
    html = (built / "index.html").read_text(encoding="utf-8")
    assert set(re.findall(r'data-md-color-scheme="(\w+)"', html)) == {"default", "slate"}
