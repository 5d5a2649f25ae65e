"""The page's addresses."""

from pathlib import Path

from aiohttp import web

from local_slack.controls import Controls
from local_slack.page.guard import Guard
from local_slack.page.settings import Page
from local_slack.page.tab import Tabs

BUILT = Path(__file__).parent / "built"
FILES = {"app.css": "text/css", "app.js": "text/javascript", "index.html": "text/html"}


def add_page_routes(app: web.Application, slack: Controls, page: Page) -> None:
    """Serve the page, and demand its secret for it and for the control API."""
    guard = Guard(page.secret, lambda: slack.url)
    tabs = Tabs(slack, page)

    async def show(request: web.Request) -> web.StreamResponse:
        if "token" not in request.query:
            return _send("index.html")
        # The secret leaves the address bar, where a screen shared would show it.
        response = web.Response(status=302, headers={"Location": "/"})
        response.set_cookie(guard.cookie, page.secret, path="/", httponly=True, samesite="Lax")
        return response

    async def send(request: web.Request) -> web.StreamResponse:
        return _send(request.match_info["name"])

    app.middlewares.append(guard.middleware)
    app.router.add_get("/", show)
    app.router.add_get("/{name:app[.](?:js|css)}", send)
    app.router.add_get("/page", tabs.handle)
    app.on_shutdown.append(tabs.close)


def _send(name: str) -> web.Response:
    return web.Response(body=(BUILT / name).read_bytes(), content_type=FILES[name], charset="utf-8")
