"""`register_digests(app)`: the digests of the settings as periodic tasks of the team's app.

Imports nothing of the extra `[slack]` where no digest is set: the workers of a team without Slack
call it too.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from chatbot.settings.bot import ChatbotSettings
from chatbot.settings.extra import needs_extra
from jobs_maint.settings import MaintSettings
from jobs_maint.tasks import (
    DIGEST,
    check_app,
    check_settings,
    check_worker_address,
    claim_name,
)

if TYPE_CHECKING:
    import procrastinate

__all__ = ["register_digests"]

log = logging.getLogger(__name__)


def register_digests(
    app: procrastinate.App,
    settings: ChatbotSettings | None = None,
    *,
    maint: MaintSettings | None = None,
) -> None:
    """Add one periodic task for each digest in the settings; uses neither database nor network.

    Raises InvalidSettings when a setting is wrong, SLACK_BOT_TOKEN or the extra `[slack]` is
    missing, the app already has the digests, or it has a task of its own by their name.
    """
    caller = "register_digests(app)"
    check_app(app, caller)
    settings = check_settings(settings, ChatbotSettings, caller) or ChatbotSettings.load()
    maint = check_settings(maint, MaintSettings, caller) or MaintSettings.load()
    if not settings.digests:
        log.info("chatbot.no_digests CHATBOT_DIGESTS is not set: no digest is sent")
        return
    settings.require_bot_token()
    check_worker_address(maint)
    claim_name(app, DIGEST, caller)
    with needs_extra("a digest (CHATBOT_DIGESTS)"):
        from chatbot.digests.tasks import build_blueprint  # noqa: PLC0415  see above
    app.add_tasks_from(build_blueprint(settings, maint), namespace="chatbot")
    log.info("chatbot.digests_registered names=%s", ",".join(d.name for d in settings.digests))
