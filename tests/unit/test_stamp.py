"""A message that is edited was marked when it was posted: it is not marked twice."""

from chatbot.messages.message import Message
from chatbot.messages.parts import Button, buttons, context, paragraph
from chatbot.slack.stamp import Stamp


def test_a_message_that_comes_back_from_slack_is_marked_once():
    sure = Button("Delete 3 jobs", "k", "danger", action="jobs_confirm:k", sure="Sure?")
    parts = [paragraph(["Hello"]), buttons(sure), context(["as of now"])]
    blocks = [block for part in parts for block in part.blocks]
    stamp = Stamp("staging", "db1")
    once = stamp.mark(Message("Hello", blocks))
    assert once.text == "[staging] Hello"
    assert once.blocks[0]["elements"] == [{"type": "mrkdwn", "text": "*staging*"}]
    button = once.blocks[2]["elements"][0]
    assert button["text"]["text"] == "Delete 3 jobs (staging)"
    again = stamp.mark(once)
    assert again.text == once.text
    assert [{**block, "block_id": ""} for block in again.blocks] == [
        {**block, "block_id": ""} for block in once.blocks
    ]
