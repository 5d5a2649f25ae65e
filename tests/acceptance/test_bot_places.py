"""Places where the bot cannot be: what is said there can be done."""

from tests.support.bots import open_bot, settle

from chatbot.settings.bot import ChatbotSettings
from chatbot.setup.manifest import build_manifest
from local_slack.sample import GROUP, OPERATOR
from local_slack.text import as_text


async def test_in_a_group_message_nobody_is_told_to_invite_the_bot(pool):
    async with open_bot(pool, provokes=("channel_not_found",)) as (slack, bot):
        for text in ("failed", "stats", "retry --all"):
            assert (await slack.command(OPERATOR, GROUP, f"/jobs {text}")).acked
            await settle(bot)
        told = [as_text(one) for one in slack.messages(GROUP) if one.kind == "message"]
        assert len(told) == 3
        assert all("/invite" not in one for one in told)
        assert sum("no bot can be added to a group message" in one for one in told) >= 2


def test_the_manifest_keeps_the_messages_tab_open():
    home = build_manifest(ChatbotSettings.load(), socket=True)["features"]["app_home"]
    assert home["messages_tab_enabled"] is True
    assert home["messages_tab_read_only_enabled"] is False
