"""Who may come in: this machine's own browser pages, and of them who knows the secret.

Any web page may send requests to 127.0.0.1, and other people of this machine may connect to it.
The Web API, the response URLs and Socket Mode have secrets of their own.
"""

import hmac
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

NAMES = ["127.0.0.1", "localhost"]
OWN_SECRETS = ("/api/", "/response/", "/link")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
LOCKED = (
    "This page opens only with the secret in its address.\n"
    "Open the whole URL that the terminal printed: http://127.0.0.1:…/?token=…\n"
)


class Guard:
    """Checks `Host`, `Origin` and the secret of each request."""

    def __init__(self, secret: str, get_url: Callable[[], str]) -> None:
        self._secret = secret
        self._get_url = get_url

    @property
    def middleware(self) -> Middleware:
        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = self._refuse(request) or await handler(request)
            if not response.prepared and not request.path.startswith(OWN_SECRETS):
                response.headers.update(HEADERS)
            return response

        return check

    @property
    def cookie(self) -> str:
        """A name with the port: cookies do not keep the ports of a machine apart."""
        return f"local_slack_{self._get_url().rpartition(':')[2]}"

    def is_secret(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._secret.encode())

    def _refuse(self, request: web.Request) -> web.Response | None:
        port = self._get_url().rpartition(":")[2]
        hosts = [f"{name}:{port}" for name in NAMES]
        if port == "80":  # which nobody writes
            hosts += NAMES
        if request.host not in hosts:
            return _forbid(f"This local Slack is at {hosts[0]}, not at {request.host}.\n")
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{request.host}":
            return _forbid(f"A page of {origin} may not use this local Slack.\n")
        if request.path.startswith(OWN_SECRETS) or self._knows_secret(request):
            return None
        return _forbid(LOCKED)

    def _knows_secret(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = [
            request.cookies.get(self.cookie, ""),
            token.strip() if scheme.lower() == "bearer" else "",
            request.query.get("token", "") if request.path == "/" else "",
        ]
        return any(map(self.is_secret, given))


def _forbid(text: str) -> web.Response:
    return web.Response(status=403, text=text)
