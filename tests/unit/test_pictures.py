"""The pictures of the docs say what the product says today; no browser is needed to tell."""

import json
import re
from pathlib import Path

import pytest
from tests.support.scenes import all_scenes

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs/pictures"
MOST_BYTES = 600_000
SCENES = {scene.name: scene for scene in all_scenes()}


@pytest.mark.parametrize("name", SCENES)
def test_a_picture_has_the_words_of_the_product(name):
    words = json.loads((PICTURES / "words.json").read_text(encoding="utf-8"))
    assert words[name] == SCENES[name].words, "the picture is out of date: make screenshots"


def test_there_is_one_picture_for_each_scene_and_together_they_are_small():
    pictures = {path.stem: path.read_bytes() for path in PICTURES.glob("*.png")}
    assert set(pictures) == set(SCENES)
    assert sum(map(len, pictures.values())) < MOST_BYTES
    for name, data in pictures.items():
        assert int.from_bytes(data[16:20]) == (780 if SCENES[name].phone else 1440), name


def test_each_picture_is_shown_and_described_by_its_headline():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = [
        (name, alt)
        for page in pages
        for alt, name in re.findall(
            r"!\[([^\]]*)\]\([^)]*pictures/([\w-]+)\.png\)", page.read_text(encoding="utf-8")
        )
    ]
    assert {name for name, _ in shown} == set(SCENES)
    for name, alt in shown:
        first = SCENES[name].message.text.splitlines()[0]
        headline = re.match(r"\W*(.+?)[.?:](?: |$)", first.replace("*", ""))[1]
        assert headline in alt, name


def test_the_readme_shows_two():
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("![") == 2
