"""The plain text of a message, where all of it does not fit."""

import json
import re
from datetime import UTC, datetime, timedelta

from chatbot.messages.errors import render_error
from chatbot.messages.message import Message, shorten_text
from chatbot.messages.parts import bold, context, paragraph, when
from chatbot.messages.words import first_lines
from chatbot.setup.sample_messages import all_messages
from jobs_maint.errors import InvalidRequest

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


def test_a_day_inside_a_sentence_is_written_small():
    """Slack writes "Yesterday" where the day begins the format, else "yesterday"."""
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    far, near = when(now - timedelta(days=1), now), when(now, now)
    shown = "first {date_short_pretty} {time}"
    stamp, fallback = int((now - timedelta(days=1)).timestamp()), "first 25 Nov 12:00 UTC"
    line = [bold("job 4 "), "sample 7 · first ", far, " last ", near]
    assert context(line).blocks[0]["elements"][0]["text"] == (
        f"*job 4 *sample 7 · <!date^{stamp}^{shown}|{fallback}>"
        f" last <!date^{int(now.timestamp())}^{{time}}|12:00 UTC>"
    )
    texts = paragraph(["first ", far]).blocks[0]["elements"][0]["elements"]
    assert texts == [
        {"type": "date", "timestamp": stamp, "format": shown, "fallback": fallback}
    ]  # fmt: skip
    assert paragraph(line).text == f"job 4 sample 7 · {fallback} last 12:00 UTC"
    for before in ([], [bold("first ")], ["7: "]):
        spans = paragraph([*before, far]).blocks[0]["elements"][0]["elements"]
        assert spans[-1]["format"] == "{date_short_pretty} {time}"


def test_no_message_mixes_the_readers_clock_with_another():
    """Times are dates of Slack, but in a chart, whose title and axis name their zone."""
    late = InvalidRequest("a purge runs since 2026-11-23 11:50:03 UTC; wait, or see 2026-11-23")
    for message in (render_error(late, "/jobs", "purge"), *(one[3] for one in all_messages())):
        blocks = [one for one in message.blocks if one["type"] != "data_visualization"]
        shown = re.sub(r'<!date[^>]*>|"fallback": "[^"]*"', "", json.dumps(blocks))
        assert not re.search(r"\d\d:\d\d(:\d\d)? UTC", shown)


def test_one_long_line_is_shown_to_its_end_where_two_lines_would_be():
    told = f"GET https://partner.example.com/{'orders/' * 14} timed out after 0.1 s"
    assert first_lines(told) == told
    assert first_lines("x" * 300) == "x" * 219 + "…"
    assert first_lines(f"{told}\nsecond").splitlines()[0].endswith("…")
