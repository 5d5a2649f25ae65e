"""`python -m tests.support.draw FOLDER [TITLE…]`: messages as pictures, desktop and phone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from chatbot.messages.message import in_sentences
from chatbot.setup.sample_messages import all_messages, all_views
from tests.support.drawing import LOOKS, Drawn, draw

A_SHEET = 4


def all_drawn() -> Iterator[Drawn]:
    for title, typed, private, message in all_messages():
        yield Drawn(title, message.blocks, typed, private)
        if message.instead:
            yield Drawn(f"{title}, in sentences", in_sentences(message).blocks, typed, private)
    for title, view in all_views():
        yield Drawn(title, [], view=view)


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
