"""The receiver of one host and port. What is too much, too big, too slow or for nobody ends here."""

from __future__ import annotations

import asyncio
import logging
from asyncio import timeout
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web

from app.model.clock import SECOND_NS, Clock
from app.model.errors import TransportError
from app.model.text import Text
from drivers.causes import cause
from drivers.http.hooks import DeviceHook
from drivers.http.signature import SIGNATURE, TIMESTAMP

log = logging.getLogger("gridroom.drivers")
_NOBODY_S: Final = logging.getLogger("gridroom.drivers.webhook")
"""aiohttp's own words: a traceback for each connection that sends rubbish, which anybody may do."""
_NOBODY_S.setLevel(logging.CRITICAL)

BODY_TIMEOUT_S: Final = 10.0
IDLE_TIMEOUT_S: Final = 15.0
"""How long a connection may say nothing, also before its first request."""
MOST_CONNECTIONS: Final = 128
MOST_SENDERS: Final = 256
"""Addresses whose rate is remembered."""
BURST_S: Final = 10.0
"""How much of its rate a sender may use at once."""


class Rate:
    """How often each sender may come, whoever it says that it is. Bounded: the one unheard longest is forgotten."""

    def __init__(self, per_minute: int) -> None:
        self._interval_ns = 60 * SECOND_NS // per_minute
        self._burst_ns = round(BURST_S * SECOND_NS)
        self._next_ns: dict[str, int] = {}
        """When its next message would be due at an even rate. The sender heard last is the last one."""

    def admits(self, sender: str, now_ns: int) -> bool:
        """Whether one more may come now. `now_ns` is monotonic."""
        due = max(self._next_ns.pop(sender, now_ns), now_ns)
        admitted = due - now_ns <= self._burst_ns
        self._next_ns[sender] = due + self._interval_ns if admitted else due
        if len(self._next_ns) > MOST_SENDERS:
            del self._next_ns[next(iter(self._next_ns))]
        return admitted


class _Bounded(web.Server):
    """A server that hangs up on the connection too many."""

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()


class Receiver:
    """One listening socket and the hooks behind it."""

    def __init__(self, host: str, port: int, hooks: Mapping[str, DeviceHook], clock: Clock) -> None:
        """`hooks`: path -> where its messages go."""
        self._host, self._port = host, port
        self._hooks = hooks
        self._clock = clock
        # Twice of what all may send together, since all may come through one proxy.
        self._rate = Rate(2 * sum(one.hook.per_minute for one in hooks.values()))
        self._runner: web.ServerRunner | None = None
        self._lock = asyncio.Lock()
        self._failure = ""

    async def open(self) -> None:
        """Listen; nothing happens when it does. Raises TransportError."""
        async with self._lock:
            if self._runner is not None:
                return
            server = _Bounded(
                self._answer,
                access_log=None,
                logger=_NOBODY_S,
                auto_decompress=False,
                keepalive_timeout=IDLE_TIMEOUT_S,
                lingering_time=1.0,
            )
            runner = web.ServerRunner(server, shutdown_timeout=1.0)
            await runner.setup()
            try:
                await web.TCPSite(runner, self._host, self._port).start()
            except OSError as error:
                await runner.cleanup()
                where, why = f"{self._host}:{self._port}", cause(error, 0.0)
                text = Text(
                    f"webhooks cannot be received on {where}: {why.en}", f"无法在 {where} 接收 webhook：{why.zh}"
                )
                raise TransportError(text) from None
            self._runner = runner

    async def close(self) -> None:
        """Stop listening and hang up. May be called twice."""
        async with self._lock:
            if self._runner is not None:
                runner, self._runner = self._runner, None
                await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            status, why = await self._receive(request)
        except Exception as error:
            if str(error) != self._failure:  # it may fail alike for every message
                log.exception("a message to %s could not be received; send this log", request.path)
            self._failure = str(error)
            status, why = HTTPStatus.INTERNAL_SERVER_ERROR, "this program has failed"
        response = web.Response(status=status, text=f"{why}\n" if why else None)
        if status in (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT):
            response.force_close()
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            response.headers["Retry-After"] = "10"
        return response

    async def _receive(self, request: web.BaseRequest) -> tuple[HTTPStatus, str]:
        if not self._rate.admits(request.remote or "", self._clock.monotonic_ns()):
            return HTTPStatus.TOO_MANY_REQUESTS, "too many messages from this address"
        hook = self._hooks.get(request.path)
        if hook is None:
            return HTTPStatus.NOT_FOUND, "nothing listens at this path"
        if request.method not in ("POST", "PUT"):
            return HTTPStatus.METHOD_NOT_ALLOWED, "send it with POST"
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send it without a content encoding"
        most = hook.hook.max_bytes
        if (request.content_length or 0) > most:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a message has {most} bytes at most"
        body = bytearray()
        try:
            async with timeout(BODY_TIMEOUT_S):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > most:
                        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a message has {most} bytes at most"
        except TimeoutError:
            return HTTPStatus.REQUEST_TIMEOUT, f"the whole message has to come within {BODY_TIMEOUT_S:g} s"
        headers = request.headers
        return hook.receive(headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, ""), bytes(body), request.charset or "")
