"""Places where the bot cannot be: what is said there can be done."""

from urllib.parse import urlencode

from tests.support.bots import open_bot, settle

from chatbot.settings.bot import ChatbotSettings
from chatbot.setup.manifest import build_manifest
from local_slack.sample import OPERATOR
from local_slack.text import as_text


async def test_in_a_group_message_nobody_is_told_to_invite_the_bot(pool):
    async with open_bot(pool, provokes=("channel_not_found",)) as (slack, bot):
        for text in ("failed", "stats", "retry --all"):
            place = {"channel_id": "C0GROUP", "channel_name": "mpdm-ana--ben--eva-1"}
            words = {"command": "/jobs", "user_id": OPERATOR, "text": text, "trigger_id": text}
            assert (await slack.post_raw(urlencode({**place, **words}))).status == 200
            await settle(bot)
        told = [as_text(one) for one in slack.messages(f"D{OPERATOR[1:]}")]
        assert len(told) == 3
        assert all("/invite" not in one for one in told)
        assert sum("no bot can be added to a group message" in one for one in told) >= 2


def test_the_manifest_keeps_the_messages_tab_open():
    home = build_manifest(ChatbotSettings.load(), socket=True)["features"]["app_home"]
    assert home["messages_tab_enabled"] is True
    assert home["messages_tab_read_only_enabled"] is False
