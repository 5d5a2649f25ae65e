"""The picture of the imports in docs/contributing/architecture.md is that of the code."""

import re
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/contributing/architecture.md").read_text(encoding="utf-8")


def room_of(module):
    """`chatbot.slack.posting` is in the room `chatbot.slack`."""
    parts = module.split(".")
    if parts[0] == "local_slack":
        return "local_slack"
    return ".".join(parts[:2]) if len(parts) > 1 and parts[1] != "__main__" else None


@pytest.fixture(scope="module")
def imports():
    graph = grimp.build_graph("chatbot", "jobs_maint", "local_slack")
    found = {
        (room_of(module), room_of(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    return {(a, b) for a, b in found if a and b and a != b}


@pytest.fixture(scope="module")
def drawn():
    names = {
        name: f"{package}.{label}"
        for package, block in re.findall(r"subgraph (\w+)\n(.*?)  end", PAGE, re.DOTALL)
        for name, label in re.findall(r"(\w+)\[(\w+)\]", block)
    }
    names["local_slack"] = "local_slack"
    return {(names[a], names[b]) for a, b in re.findall(r"(\w+) --> (\w+)", PAGE)}


def reach(arrows):
    """Every pair of rooms with a way from the first to the second."""
    ways = set(arrows)
    while True:
        longer = {(a, d) for a, b in ways for c, d in arrows if b == c} - ways
        if not longer:
            return ways
        ways |= longer


def test_every_arrow_of_the_picture_is_an_import(imports, drawn):
    assert len(drawn) > 30
    assert drawn - imports == set()


def test_every_import_follows_from_the_picture(imports, drawn):
    assert imports - reach(drawn) == set()


def test_the_picture_has_no_arrow_that_follows_from_others(drawn):
    for arrow in drawn:
        assert arrow not in reach(drawn - {arrow})


def test_no_room_reaches_itself(imports):
    assert not [a for a, b in reach(imports) if a == b]


def test_no_module_reaches_itself():
    """Also by imports inside functions, and within one package."""
    graph = grimp.build_graph("chatbot", "jobs_maint", "local_slack")
    order = TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    )
    assert len(list(order.static_order())) == len(graph.modules)


def test_every_file_that_the_page_names_is_there():
    named = set(
        re.findall(
            r"`((?:chatbot|jobs_maint|operations|sets|purge|rescue|messages|handling|cli)/[\w/]+\.(?:py|sql))`",
            PAGE,
        )
    )
    assert len(named) > 20
    for name in named:
        found = list((ROOT / "src").rglob(name.rpartition("/")[2]))
        assert any(str(path).endswith(name) for path in found), name


@pytest.mark.parametrize(
    "package",
    [
        p
        for root in ("chatbot", "jobs_maint/operations")
        for p in sorted((ROOT / "src" / root).iterdir())
        if (p / "__init__.py").exists()
    ],
    ids=lambda p: p.name,
)
def test_each_package_says_its_duty_in_a_line(package):
    first = (package / "__init__.py").read_text(encoding="utf-8").split("\n")[0]
    assert re.fullmatch(r'"""[A-Z].{20,}', first)
