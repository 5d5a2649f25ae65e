"""The plain text of a message, where all of it does not fit."""

from chatbot.messages.message import Message, shorten_text
from chatbot.messages.parts import paragraph

WORDS = paragraph(["37 jobs failed."]).blocks[0]


def test_a_text_too_long_for_an_edit_ends_at_a_line_and_says_how_many_are_left_out():
    lines = [f"job {i} failed" for i in range(1_000)]
    shorter = shorten_text(Message("\n".join(lines), [WORDS]), 4_000)
    assert len(shorter.text) <= 4_000
    *kept, last = shorter.text.splitlines()
    assert kept == lines[: len(kept)]
    assert last == f"… {1_000 - len(kept)} more lines, not in this text"
    assert shorter.blocks == [WORDS]
    assert len(shorten_text(Message("x" * 9_000, []), 4_000).text) <= 4_000
    assert len(shorten_text(Message("é" * 3_000, []), 4_000).text.encode()) <= 4_000
    assert shorten_text(Message("short", []), 4_000).text == "short"
