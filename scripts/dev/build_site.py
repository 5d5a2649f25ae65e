"""Build the site of the docs into build/site: `make docs`.

The pages link to files of the checkout, which a site does not have: the changelog becomes a page,
pictures are copied, and of other files the name stays. Beside each page its Markdown is kept, with
an `llms.txt` that lists them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = ROOT / "build/docs"
SITE = ROOT / "build/site"
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)")


# The theme draws diagrams with a renderer that it fetches.
LOADED = re.compile(
    r'<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)="((?:https?:)?//[^"]*)"'
    r'|<[^>]*\bclass="(mermaid)"'
)


def find_loads(html: str) -> list[str]:
    """What a page would load from elsewhere; a link that one may follow is none of it."""
    return [url or f"a renderer for {kind}" for url, kind in LOADED.findall(html)]


def prepare(text: str, page: Path) -> str:
    """The text of `page`, a path below the docs, with links that hold in the site."""

    def mend(found: re.Match[str]) -> str:
        picture, label, target, _ = found.groups()
        file = (DOCS / page).parent.joinpath(target).resolve()
        if file.is_relative_to(DOCS):
            return found[0]
        up = "../" * (len(page.parts) - 1)
        if file == ROOT / "CHANGELOG.md":
            return f"[{label}]({up}changelog.md)"
        if picture:
            copy = PAGES / "pictures" / file.name
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, copy)
            return f"![{label}]({up}pictures/{file.name})"
        return f"`{file.relative_to(ROOT)}`"

    text = LINK.sub(mend, text)
    # In a table GitHub needs `\\|` also in code; here it would show the backslash.
    return re.sub(r"^\|.*$", lambda row: row[0].replace(r"\|", "|"), text, flags=re.MULTILINE)


def write_pages() -> None:
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(DOCS, PAGES)
    for path in PAGES.rglob("*.md"):
        text = path.read_text(encoding="utf-8")
        path.write_text(prepare(text, path.relative_to(PAGES)), encoding="utf-8")
    shutil.copyfile(ROOT / "CHANGELOG.md", PAGES / "changelog.md")


def write_llms_txt() -> None:
    """The overview lists every page with what it is about: all that the format asks for."""
    overview = (PAGES / "index.md").read_text(encoding="utf-8")
    title, summary, lists = overview.split("\n\n", 2)
    (SITE / "llms.txt").write_text(f"{title}\n\n> {summary}\n\n{lists}", encoding="utf-8")
    shutil.copytree(PAGES, SITE, dirs_exist_ok=True)


def main() -> int:
    write_pages()
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    ended = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603  fixed words
    if ended.returncode:
        return ended.returncode
    loads = {
        f"{path.relative_to(SITE)} loads {what}"
        for path in SITE.rglob("*.html")
        for what in find_loads(path.read_text(encoding="utf-8"))
    }
    for one in sorted(loads):
        print(one, file=sys.stderr)  # noqa: T201
    write_llms_txt()
    print(f"The site is in {SITE.relative_to(ROOT)}/index.html")  # noqa: T201
    return 1 if loads else 0


if __name__ == "__main__":
    sys.exit(main())
