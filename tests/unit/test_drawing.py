"""The tool that draws messages, for those who change how they look."""

import pytest
from tests.support.draw import all_drawn
from tests.support.drawing import LOOKS, Drawn, build_page, draw, find_chromium

from chatbot.messages.result import render_result
from chatbot.setup.sample_reports import stats


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_every_kind_of_block_that_is_sent_can_be_drawn(look):
    page = build_page(all_drawn(), look)
    assert "unknown" not in page.partition("<body")[2]
    for shown in ("<table>", "<svg", "<pre>", "class=modal", "@ana"):
        assert shown in page


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium on the PATH to draw with")
def test_a_message_becomes_a_picture_of_its_width(tmp_path):
    message = render_result(stats(), "/jobs", by="U0ANA")
    draw([Drawn("stats", message.blocks)], LOOKS[1], tmp_path / "stats.png")
    header = (tmp_path / "stats.png").read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(header[16:20]) == LOOKS[1].width
    assert 300 < int.from_bytes(header[20:24]) < 900
