"""uvicorn: its HTTP protocol over httptools, from which the server's own one derives (`backend.asgi.protocol`).

It is no public interface. Where one of these names is gone, the web process runs with uvicorn's own protocol: it
answers everything the same, takes updates more slowly, and bounds less of what strangers may have it hold.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.server import ServerState

try:
    from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
except ImportError:  # not there any more, or httptools is not
    STATUS_LINE = {}
    HttpToolsProtocol = AutoHTTPProtocol  # type: ignore[assignment, misc]

__all__ = ["STATUS_LINE", "AutoHTTPProtocol", "HttpToolsProtocol", "missing"]

CALLED: Final = (
    "_should_upgrade", "_unset_keepalive_if_required", "connection_lost", "connection_made", "data_received",
    "handle_websocket_upgrade", "on_body", "on_header", "on_headers_complete", "on_message_begin",
    "on_message_complete", "on_response_complete", "on_url", "shutdown",
)  # fmt: skip
"""What is called or overridden."""
READ: Final = (
    "access_log", "app", "config", "connections", "cycle", "expect_100_continue", "flow", "headers",
    "limit_concurrency",
    "loop", "parser", "pipeline", "root_path", "scope", "server_state", "timeout_keep_alive_task", "transport", "url",
)  # fmt: skip
"""What is read or set on one connection."""


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers nothing."""


def missing() -> list[str]:
    """The names that the server's own protocol needs and uvicorn has not."""
    if not STATUS_LINE:
        return ["protocols.http.httptools_impl"]
    faults = [name for name in CALLED if not callable(getattr(HttpToolsProtocol, name, None))]
    config = uvicorn.Config(_nothing, log_config=None)
    config.load()
    loop = asyncio.new_event_loop()
    try:
        connection = HttpToolsProtocol(config, ServerState(), {}, _loop=loop)
        connection.on_message_begin()
    except (AttributeError, TypeError) as error:
        return [*faults, f"HttpToolsProtocol({error})"]
    finally:
        loop.close()
    return [*faults, *(name for name in READ if not hasattr(connection, name))]
