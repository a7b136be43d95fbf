"""A web server whose pages a test writes, and a bare socket that answers with any bytes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web

CERTIFICATE: Final = Path(__file__).parents[1] / "data" / "loopback.pem"
"""Of 127.0.0.1, self-signed, with its key: it protects nothing."""
Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class WebServer:
    """Set `pages[path]` to JSON, to a response, or to a handler. Keeps every request that came.

    While `speaking` is cleared, nothing is answered.
    """

    pages: dict[str, Any] = field(default_factory=dict)
    requests: list[web.Request] = field(default_factory=list)
    url: str = ""
    speaking: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.speaking.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        await self.speaking.wait()
        page = self.pages.get(request.path)
        if page is None:
            return web.Response(status=404)
        if callable(page):
            response = await page(request)
            assert isinstance(response, web.StreamResponse)
            return response
        return web.json_response(page)


@contextlib.asynccontextmanager
async def serving(*, tls: bool = False) -> AsyncIterator[WebServer]:
    """On a free port of loopback, with aiohttp's own server; `tls` with a certificate that nobody signed."""
    server = WebServer()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if tls else None
    if context is not None:
        context.load_cert_chain(CERTIFICATE)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def saying(data: bytes, *, then: str = "close") -> AsyncIterator[str]:
    """The URL of a server that answers every request with these bytes, and closes or holds the connection."""
    held = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(data)
            await writer.drain()
            if then == "hold":
                await held.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        held.set()
        server.close()
        await asyncio.sleep(0.01)
