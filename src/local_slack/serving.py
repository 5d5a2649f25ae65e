"""`serve`: a local Slack with its page, on the port that was asked for or else on a free one."""

import errno
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from local_slack.config import Config
from local_slack.page.settings import Page
from local_slack.server import LocalSlack

REASONS = {errno.EADDRINUSE: "is in use", errno.EACCES: "needs more privileges"}


@asynccontextmanager
async def serve(
    config: Config, page: Page | None = None, *, port: int = 0, say: Callable[[str], None]
) -> AsyncIterator[LocalSlack]:
    """Serve until the block ends; a browser opens `page_url` of what this yields.

    `say` is told when the port cannot be had. The tokens in `config` are the app's secrets: where
    other people use the machine, make them random.
    """
    async with AsyncExitStack() as stack:
        yield await _start(stack, config, page or Page(), port, say)


async def _start(
    stack: AsyncExitStack, config: Config, page: Page, port: int, say: Callable[[str], None]
) -> LocalSlack:
    try:
        return await stack.enter_async_context(LocalSlack.start(config, port=port, page=page))
    except OSError as exc:
        if exc.errno not in REASONS or not port:
            raise
        say(f"port {port} {REASONS[exc.errno]}; taking a free one")
    return await stack.enter_async_context(LocalSlack.start(config, page=page))
