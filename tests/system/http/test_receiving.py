"""Devices that tell us: signed messages over real sockets, and everything that is no such message."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from app.model import quality as q
from app.model.clock import ManualClock
from app.model.errors import DeviceError, TransportError
from app.model.updates import Updates
from drivers.http import http, server
from drivers.http.hooks import PENDING
from drivers.http.receiving import HookLink
from drivers.http.signature import SIGNATURE, TIMESTAMP, sign
from tests.support.devices import device, point
from tests.support.ports import free_port

pytestmark = pytest.mark.asyncio

SECRETS = {"a": "the secret of a", "b": "the secret of b"}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for id_, secret in SECRETS.items():
        monkeypatch.setenv(f"HOOK_{id_.upper()}", secret)


@dataclass
class Site:
    """Devices a and b behind one receiver, and an HTTP client that sends to them."""

    clock: ManualClock
    session: aiohttp.ClientSession
    connection: dict[str, Any]
    port: int = field(default_factory=free_port)
    got: dict[str, list[Updates]] = field(default_factory=lambda: {"a": [], "b": []})
    online: list[str] = field(default_factory=list)
    ended: dict[str, BaseException] = field(default_factory=dict)

    def __post_init__(self) -> None:
        points = [point("p", {"path": "$.p", "time": "$.t"}, scale=0.1), point("q", {"path": "$.q"})]
        self.devices = {
            id_: device(
                id_,
                {"webhook": f"/{id_}", "secret": f"env:HOOK_{id_.upper()}", "port": self.port, **self.connection},
                points,
                first_index=10 * place,
            )
            for place, id_ in enumerate(SECRETS)
        }
        driver = http()
        assert [driver.check(one) for one in self.devices.values()] == [[], []]
        assert driver.check_line(list(self.devices.values())) == []
        link = driver.open(list(self.devices.values()), self.clock, read_only=True)
        assert isinstance(link, HookLink)
        self.link = link
        self.reports: dict[str, asyncio.Task[None]] = {}

    async def listen(self, *ids: str) -> None:
        for id_ in ids:
            await self.link.connect()
            self.reports[id_] = asyncio.create_task(self._report(id_))
        await asyncio.sleep(0.01)

    async def _report(self, id_: str) -> None:
        try:
            await self.link.report(self.devices[id_], self.got[id_].append, lambda: self.online.append(id_))
        except DeviceError as error:
            self.ended[id_] = error

    async def send(self, id_: str, body: bytes, *, secret: str = "", at_s: int | None = None, **headers: str) -> int:
        stamp = str(self.clock.now_ns() // 10**9 if at_s is None else at_s)
        signed = {TIMESTAMP: stamp, SIGNATURE: sign((secret or SECRETS[id_]).encode(), stamp, body)}
        return await self.post(id_, body, {**signed, **headers})

    async def post(self, id_: str, body: bytes, headers: dict[str, str]) -> int:
        async with self.session.post(f"http://127.0.0.1:{self.port}/{id_}", data=body, headers=headers) as response:
            await response.read()
            return response.status

    async def close(self) -> None:
        for task in self.reports.values():
            task.cancel()
        await asyncio.gather(*self.reports.values(), return_exceptions=True)
        await self.link.close()
        await self.link.close()


@pytest_asyncio.fixture
async def make() -> AsyncIterator[Any]:
    """`make(**connection)`: a site, closed at the end."""
    sites = []
    async with aiohttp.ClientSession() as session:

        def make_(**connection: Any) -> Site:
            sites.append(Site(ManualClock(), session, connection))
            return sites[-1]

        yield make_
        for site in sites:
            await site.close()


async def test_a_signed_message_becomes_values_of_its_device_alone(make: Any) -> None:
    site = make()
    await site.listen("a", "b")
    assert site.online == []
    assert await site.send("a", b'{"p": 15, "t": 1699999999, "more": [1]}') == 204
    assert site.online == ["a"] and site.got["b"] == []
    (updates,) = site.got["a"]
    assert (updates.point.tolist(), updates.value.tolist(), updates.quality.tolist()) == ([0], [1.5], [0])
    assert updates.time.tolist() == [1_699_999_999 * 10**9]
    assert await site.send("b", b'{"p": null, "q": true}') == 204
    (updates,) = site.got["b"]
    assert (updates.point.tolist(), updates.quality.tolist()) == ([10, 11], [q.IV | q.CLOCK, 0])
    assert "null" in site.link.remarks(site.devices["b"])["b.p"].en
    assert await site.send("b", b'{"q": 1}', at_s=1_700_000_001) == 204
    assert site.link.remarks(site.devices["b"]) == {}


async def test_what_is_not_signed_or_comes_again_has_no_effect(make: Any) -> None:
    site = make()
    await site.listen("a", "b")
    body = b'{"p": 1}'
    now = site.clock.now_ns() // 10**9
    assert await site.post("a", body, {}) == 401
    assert await site.post("a", body, {TIMESTAMP: str(now), SIGNATURE: "sha256=" + "0" * 64}) == 401
    assert await site.send("a", body, secret=SECRETS["b"]) == 401
    assert await site.send("a", body, at_s=now - 1) == 401  # signed before this program listened
    assert await site.send("a", body, at_s=now + 301) == 401
    assert (site.got, site.online) == ({"a": [], "b": []}, [])
    assert await site.send("a", body) == 204
    assert await site.send("a", body) == 401
    assert await site.send("b", body, secret=SECRETS["a"]) == 401
    assert len(site.got["a"]) == 1 and site.online == ["a"]


async def test_what_is_no_message_is_refused_in_its_own_way(make: Any) -> None:
    site = make(max_bytes=100)
    await site.listen("a")
    assert await site.send("a", b'{"p": 1') == 400
    assert await site.send("a", b"\xff\xff") == 400
    assert await site.send("a", b" " * 101) == 413
    assert await site.send("a", b"{}", **{"Content-Encoding": "gzip"}) == 415
    assert await site.post("c", b"{}", {}) == 404
    assert await site.post("a/../b", b"{}", {}) == 503  # b does not listen yet
    async with site.session.get(f"http://127.0.0.1:{site.port}/a") as response:
        assert response.status == 405

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000_000):
            yield b" " * 1000

    with contextlib.suppress(aiohttp.ClientError):
        async with site.session.post(f"http://127.0.0.1:{site.port}/a", data=endless()) as response:
            assert response.status == 413
    assert (site.got["a"], site.online) == ([], [])
    assert await site.send("a", b"[1]") == 204  # signed and JSON: the device is there, though it says nothing of ours
    assert (site.got["a"], site.online) == ([], ["a"])


async def test_a_body_that_does_not_end_is_given_up(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BODY_TIMEOUT_S", 0.1)
    site = make()
    await site.listen("a")
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\n{")
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 408 ")
    writer.close()
    await writer.wait_closed()


async def test_whoever_sends_too_much_is_turned_away(make: Any) -> None:
    site = make(per_minute=6, window="1min")
    await site.listen("a", "b")
    first = [await site.send("a", b"%d" % i) for i in range(5)]
    assert set(first) == {204}
    site.clock.advance(0.5)
    assert await site.send("b", b"1") == 429  # both come from one address, which may send 24 a minute
    site.clock.advance(10)
    assert await site.send("b", b"1") == 204
    for i in range(7):
        site.clock.advance(5)
        assert await site.send("a", b"more %d" % i, at_s=site.clock.now_ns() // 10**9) == 400  # no JSON, but signed
    site.clock.advance(5)
    assert await site.send("a", b"1") == 429  # 12 signatures are remembered, and none is forgotten for another


async def test_connections_too_many_are_hung_up(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 3)
    site = make()
    await site.listen("a")
    connections = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(5)]
    for reader, _ in connections[3:]:
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
    for _, writer in connections:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    await asyncio.sleep(0.05)
    assert await site.send("a", b"{}") == 204


async def test_a_silent_device_is_lost_and_what_it_sends_meanwhile_is_kept(make: Any) -> None:
    site = make(silence="400ms")
    await site.listen("a")
    for _ in range(8):  # twice of the silence, and not silent
        await asyncio.sleep(0.1)
        site.got["a"].clear()
        site.clock.advance(1)
        assert await site.send("a", b'{"q": 1}') == 204
    assert "a" not in site.ended
    await asyncio.wait_for(site.reports["a"], 5)
    assert isinstance(site.ended["a"], TransportError) and site.ended["a"].device == "a"
    assert "no message came to /a for 400ms; check" in site.ended["a"].text.en
    assert "400ms 内没有消息发到 /a" in site.ended["a"].text.zh
    for i in range(PENDING):
        assert await site.send("a", b'{"q": %d, "r": 0}' % i) == 204
    assert await site.send("a", b'{"q": 0, "s": 0}') == 503
    await site.listen("a")
    assert [u.value.tolist() for u in site.got["a"]] == [[1], *([i] for i in range(PENDING))]
    assert await site.send("a", b'{"q": 0, "s": 0}') == 204


async def test_a_secret_that_is_missing_is_one_device_s_trouble(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK_A")
    site = make()
    await site.listen("a", "b")
    told = site.ended["a"]
    assert isinstance(told, TransportError)
    assert "environment variable HOOK_A is not set" in told.text.en and "环境变量 HOOK_A 未设置" in told.text.zh
    assert await site.send("a", b"{}") == 503
    assert await site.send("b", b"{}") == 204


async def test_a_port_that_is_taken_is_named(make: Any) -> None:
    site, other = make(), make()
    await site.listen("a")
    with pytest.raises(TransportError, match=f"on 127.0.0.1:{site.port}: another program has this port"):
        taken = http().open([device("a", {**site.devices["a"].connection}, [])], other.clock, read_only=False)
        await taken.connect()
    await site.link.close()
    await other.close()


async def test_rubbish_on_the_port_hurts_nobody(make: Any) -> None:
    site = make()
    await site.listen("a")
    for rubbish in (
        b"\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01",
        b"GET\r\n\r\n",
        b"\r\n" * 100,
        b"POST /a HTTP/9\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(rubbish)
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert await site.send("a", b"{}") == 204


@pytest.mark.expects_errors
async def test_a_fault_of_ours_is_told_once_and_answered(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    site = make()
    await site.listen("a")

    def fail(updates: Updates) -> None:
        raise RuntimeError("the table is gone")

    site.link._hooks["a"]._deliver = fail
    for i in range(3):
        assert await site.send("a", b'{"q": %d}' % i) == 500
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "a message to /a could not be received; send this log"
    ]
