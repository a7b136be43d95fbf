"""The messages of one device, judged and read."""

from __future__ import annotations

import asyncio
import logging
from asyncio import timeout
from collections import deque
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, NoReturn

from app.model.clock import Clock
from app.model.durations import format_duration
from app.model.errors import GridroomError, TransportError
from app.model.secrets import resolve
from app.model.station import Device
from app.model.text import Text
from app.model.updates import Updates
from drivers.contract import Deliver
from drivers.http.connection import Hook
from drivers.http.reading import Reader
from drivers.http.signature import Guard, Verdict
from drivers.http.values import NoDocument, decode

log = logging.getLogger("gridroom.drivers")

PENDING: Final = 64
"""Messages kept while the engine does not listen to the device for a moment."""
_STATUS: Final = {
    Verdict.UNSIGNED: HTTPStatus.UNAUTHORIZED,
    Verdict.OUTSIDE: HTTPStatus.UNAUTHORIZED,
    Verdict.WRONG: HTTPStatus.UNAUTHORIZED,
    Verdict.REPLAYED: HTTPStatus.UNAUTHORIZED,
    Verdict.TOO_MANY: HTTPStatus.TOO_MANY_REQUESTS,
}


class DeviceHook:
    """Where one device's messages come in."""

    def __init__(self, device: Device, clock: Clock) -> None:
        self.hook = Hook.of(device)
        self.remarks: Mapping[str, Text] = {}
        self._device = device.id
        self._clock = clock
        self._points = Reader([point for point in device.points if point.polled], whole=False)
        self._guard: Guard | None = None
        self._deliver: Deliver | None = None
        self._online: Callable[[], None] = lambda: None
        self._pending: deque[Updates] = deque()
        self._heard = asyncio.Event()
        self._refused = False

    async def report(self, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        """Hand over what comes, until it stays silent for too long."""
        self._prepare()
        self._deliver, self._online = deliver, online
        self._heard.clear()
        try:
            while self._pending:
                self._take(self._pending.popleft())
            while True:
                async with timeout(self.hook.silence_s):
                    await self._heard.wait()
                self._heard.clear()
        except TimeoutError:
            path, silence = self.hook.path, format_duration(self.hook.silence_s)
            text = Text(
                f"no message came to {path} for {silence}; check that the device sends to this address, and its clock",
                f"{silence} 内没有消息发到 {path}；请检查设备的推送地址和时钟",
            )
            raise TransportError(text, device=self._device) from None
        finally:
            self._deliver = None

    def receive(self, timestamp: str, signature: str, body: bytes, charset: str) -> tuple[HTTPStatus, str]:
        """What is answered to a message, and why. Only a message that is signed and new has any effect."""
        if self._guard is None or (self._deliver is None and len(self._pending) >= PENDING):
            return HTTPStatus.SERVICE_UNAVAILABLE, "not listening yet"
        now = self._clock.now_ns()
        verdict = self._guard.judge(timestamp, signature, body, now)
        if verdict is not Verdict.TAKE:
            return self._refuse(_STATUS[verdict], verdict.value)
        try:
            document = decode(body, charset)
        except NoDocument as error:
            return self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        updates, remarks = self._points.updates(document, now)
        if remarks != self.remarks:
            self.remarks = remarks  # never changed, because other threads read it
        self._refused = False
        if self._deliver is None:
            self._pending.append(updates)
        else:
            self._take(updates)
        return HTTPStatus.NO_CONTENT, ""

    def _take(self, updates: Updates) -> None:
        self._online()
        if self._deliver is not None and len(updates):
            self._deliver(updates)
        self._heard.set()

    def _refuse(self, status: HTTPStatus, why: str) -> tuple[HTTPStatus, str]:
        """Told once, until a message is taken again: whoever sends rubbish fills no log."""
        if not self._refused:
            log.warning("device %s: a message to %s was refused: %s", self._device, self.hook.path, why)
            self._refused = True
        return status, why

    def _prepare(self) -> None:
        if self._guard is not None:
            return
        try:
            secret = resolve(self.hook.secret)
        except GridroomError as error:
            path, why = self.hook.path, error.text
            text = Text(f"no message can be taken at {path}: {why.en}", f"{path} 无法接收消息：{why.zh}")
            raise TransportError(text, device=self._device) from None
        self._guard = Guard(
            secret.encode(),
            window_s=self.hook.window_s,
            per_minute=self.hook.per_minute,
            now_ns=self._clock.now_ns(),
        )
