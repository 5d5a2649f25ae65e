"""How a fault looks to the app that meets it."""

import socket
import struct

from aiohttp import web

from local_slack.blocks import refuse_blocks
from local_slack.errors import SlackError
from local_slack.faults import Fault, Faults

RESET = struct.pack("ii", 1, 0)
"""No lingering: closing sends a reset."""

FAULT_STATUS = {
    "429": 429,
    "500": 500,
    "garbage": 200,
    "hang": 500,
    "invalid_blocks": 200,
    "reset": 0,
    "timeout": 0,
}
"""What `Call.status` says of a call that met the fault; 0: there was no answer."""


async def answer_fault(
    fault: Fault,
    faults: Faults,
    request: web.Request,
    *,
    refusal: str = "invalid_blocks",
    status: int = 200,
) -> web.Response:
    """Answer without doing what was asked; `refusal` and `status` are those of refused blocks."""
    match fault.kind:
        case "429":
            headers = {"Retry-After": str(fault.retry_after)}
            return web.json_response(SlackError("ratelimited").body, status=429, headers=headers)
        case "invalid_blocks":
            error = refuse_blocks([("/blocks/0/type", "unsupported type")], code=refusal)
            return web.json_response(error.body, status=status)
        case "garbage":
            page = "<html><body>Slack is having trouble</body></html>"
            return web.Response(text=page, content_type="text/html")
        case "reset":
            return reset_connection(request)
        case "timeout":
            await faults.released.wait()
            return drop_connection(request)
        case "hang":
            await faults.released.wait()
    return web.Response(text="<html>Internal Server Error</html>", status=500)


def drop_connection(request: web.Request) -> web.Response:
    """End the connection without an answer; nobody gets the response."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def reset_connection(request: web.Request) -> web.Response:
    """Reset the connection, as a machine does that has lost it; nobody gets the response."""
    if request.transport is not None:
        own = request.transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        request.transport.abort()
    return web.Response()
