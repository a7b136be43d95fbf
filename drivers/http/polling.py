"""The link that asks: one request a URL and period, however many points and scans read from it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from yarl import URL

from app.model import quality as q
from app.model.clock import SECOND_NS, Clock
from app.model.errors import RefusedByDevice, TransportError
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.contract import Link, Plan
from drivers.http.address import Address
from drivers.http.asking import Asker
from drivers.http.connection import Poll
from drivers.http.reading import Reader
from drivers.remarks import Remarks

_OF_THIS_URL: Final = range(400, 500)
"""Statuses that say something of one URL only; those of the whole server are dealt with before."""
_OF_ALL: Final = (401, 403, 408, 429)
_EARLY_NS: Final = SECOND_NS // 20


@dataclass(frozen=True, slots=True)
class Document:
    """What a URL answered, and when."""

    content: Any
    taken_ns: int


class Resource:
    """One URL of one device, asked once a period."""

    def __init__(self, asker: Asker, url: URL, every_s: float, clock: Clock) -> None:
        self._asker = asker
        self._url = url
        self._every_ns = round(every_s * SECOND_NS)
        self._early_ns = min(_EARLY_NS, self._every_ns // 10)
        self._clock = clock
        self._due_ns = -self._every_ns
        """Monotonic; counts from the first request, so that periods do not drift."""
        self._document: Document | None = None
        self._lock = asyncio.Lock()

    async def latest(self, session: aiohttp.ClientSession) -> Document:
        """The document of this period, asked for if need be. Raises as `Asker.ask`."""
        async with self._lock:
            now = self._clock.monotonic_ns()
            if self._document is None or now >= self._due_ns - self._early_ns:
                self._document = None
                content = await self._asker.ask(session, self._url)
                self._document = Document(content, self._clock.now_ns())
                late = now - self._due_ns >= self._every_ns
                self._due_ns = (now if late else self._due_ns) + self._every_ns
            return self._document


@dataclass(slots=True)
class Part:
    """Points that one resource has."""

    resource: Resource
    reader: Reader
    rows: Sequence[int]
    """Their indices in the table."""
    document: Document | None = None
    updates: Updates | None = None
    remarks: Mapping[str, Text] = field(default_factory=dict)

    def take(self, document: Document) -> Updates:
        """The values in a document, worked out once."""
        if self.document is not document or self.updates is None:
            self.updates, self.remarks = self.reader.updates(document.content, document.taken_ns)
            self.document = document
        return self.updates

    def refuse(self, why: Text, now_ns: int) -> Updates:
        """None of the points has a value."""
        self.document, self.remarks = None, dict.fromkeys(self.reader.names, why)
        return Updates.of(self.rows, float("nan"), q.IV, now_ns, now_ns)


class HttpPlan(Plan):
    """What is read of one device for one set of points."""

    def __init__(self, device: str, parts: Sequence[Part]) -> None:
        self.device = device
        self.parts = parts


class PollLink(Link):
    """The devices of one web server (`drivers.contract.Pollable`)."""

    def __init__(self, devices: Sequence[Device], clock: Clock) -> None:
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._polls = {device.id: Poll.of(device) for device in devices}
        self._askers = {device.id: Asker(device.id, self._polls[device.id], clock) for device in devices}
        self._resources: dict[tuple[str, URL], Resource] = {}
        self._texts = {device.id: self._parts(device, device.texts) for device in devices if device.texts}
        self._remarks = Remarks()

    async def connect(self) -> None:
        """Nothing is sent: each request finds or opens its connection."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(),  # requests are timed as a whole
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )

    async def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def plan(self, device: Device, points: Sequence[Point]) -> Plan:
        return HttpPlan(device.id, self._parts(device, points))

    async def read(self, plan: Plan) -> Updates:
        if not isinstance(plan, HttpPlan):
            raise TypeError(f"{type(plan).__name__} was not made by this driver's plan()")
        batches, refusals = [], []
        for part in plan.parts:
            try:
                batches.append(part.take(await part.resource.latest(self._open_session())))
            except RefusedByDevice as refusal:
                if refusal.code not in _OF_THIS_URL or refusal.code in _OF_ALL:
                    raise
                refusals.append(refusal)
                batches.append(part.refuse(refusal.text, self._clock.now_ns()))
        if refusals and len(refusals) == len(plan.parts):
            raise refusals[0]
        for part in plan.parts:
            self._remarks.note(plan.device, part.reader.names, part.remarks)
        return Updates.join(batches)

    async def read_texts(self, device: Device) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for part in self._texts.get(device.id, ()):
            document = await part.resource.latest(self._open_session())
            found |= part.reader.texts(document.content)
        return {text.id: found[text.name] for text in device.texts if text.name in found}

    def remarks(self, device: Device) -> Mapping[str, Text]:
        return self._remarks.of(device.id)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise TransportError(Text("the link is closed; it is opened again", "链路已关闭；将重新打开"))
        return self._session

    def _parts(self, device: Device, points: Sequence[Point]) -> list[Part]:
        """A part for each URL, in the order of the points."""
        by_url: dict[str, list[Point]] = {}
        for point in points:
            by_url.setdefault(Address.of(point.form.address or {}).url, []).append(point)
        return [
            Part(self._resource(device.id, suffix), Reader(some, whole=True), [point.index for point in some])
            for suffix, some in by_url.items()
        ]

    def _resource(self, device: str, suffix: str) -> Resource:
        poll = self._polls[device]
        url = with_suffix(poll.url, suffix)
        if (device, url) not in self._resources:
            self._resources[device, url] = Resource(self._askers[device], url, poll.every_s, self._clock)
        return self._resources[device, url]


def with_suffix(url: URL, suffix: str) -> URL:
    """The URL of a second resource: what the address says is appended to the connection's URL."""
    base = str(url).rstrip("/") if suffix.startswith("/") else str(url)
    return URL(base + suffix)
