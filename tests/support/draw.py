"""`python -m tests.support.draw FOLDER [TITLE…]`: messages as pictures, desktop and phone."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.drawing import LOOKS, draw
from tests.support.samples import all_drawn

A_SHEET = 4


def main(folder: str, titles: list[str]) -> None:
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    drawn = [one for one in all_drawn() if not titles or one.title.startswith(tuple(titles))]
    for look in LOOKS:
        for number, start in enumerate(range(0, len(drawn), A_SHEET), 1):
            path = target / f"{look.name}-{number}.png"
            draw(drawn[start : start + A_SHEET], look, path)
            print(path)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "build/messages", sys.argv[2:])
