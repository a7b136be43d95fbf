"""Devices that are asked, against aiohttp's own server and sockets that say anything."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import math
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from aiohttp import web

from app.engine.lateness import Lateness
from app.engine.supervision import Supervisor
from app.model import quality as q
from app.model.clock import ManualClock, SystemClock
from app.model.errors import ProtocolError, RefusedByDevice, TransportError
from app.model.own_points import own_points
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import LinkState
from drivers.contract import Plan
from drivers.http import http
from drivers.http.polling import PollLink
from tests.support.devices import device, point, until
from tests.support.web_server import CERTIFICATE, WebServer, saying, serving

pytestmark = pytest.mark.asyncio

Open = Callable[..., tuple[PollLink, Plan]]
P = [point("p", {"path": "$.p"})]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[WebServer]:
    async with serving() as one:
        yield one


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest_asyncio.fixture
async def open_link(clock: ManualClock) -> AsyncIterator[Open]:
    """`open_link(url, points, **connection)`: the link of a sound device `d`, and the plan of all its points."""
    links = []

    def open_(url: str, points: list[dict[str, Any]] = P, **connection: Any) -> tuple[PollLink, Plan]:
        one = device("d", {"url": url, **connection}, points)
        assert http().check(one) == []
        link = http().open([one], clock, read_only=False)
        assert isinstance(link, PollLink)
        links.append(link)
        return link, link.plan(one, one.points)

    yield open_
    for link in links:
        await link.close()
        await link.close()


async def read(opened: tuple[PollLink, Plan]) -> Updates:
    link, plan = opened
    await link.connect()
    return await link.read(plan)


async def test_values_come_with_their_scale_quality_and_time(
    server: WebServer, open_link: Open, clock: ManualClock
) -> None:
    server.pages["/api"] = {
        "p": 1500, "list": [{"x": "2.5"}], "run": "RUN", "ok": False, "t": 1_699_999_990, "old": "2023-01-01 00:00", "n": None,
    }  # fmt: skip
    addresses: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "p": ({"path": "$.p", "time": "$.t"}, {"scale": 0.001, "offset": 1}),
        "x": ({"path": "$.list[0].x"}, {}),
        "run": ({"path": "$.run", "map": {"RUN": 2}}, {}),
        "bad": ({"path": "$.p", "quality": "$.ok"}, {}),
        "good": ({"path": "$.p", "quality": "$.ok", "good": False}, {}),
        "unzoned": ({"path": "$.p", "time": "$.old"}, {}),
        "null": ({"path": "$.n"}, {}),
        "gone": ({"path": "$.gone"}, {}),
        "future": ({"path": "$.p", "time": "$.later"}, {}),
    }
    server.pages["/api"]["later"] = clock.now_ns() // 10**6 + 61_000
    points = [point(id_, address, **form) for id_, (address, form) in addresses.items()]
    opened = open_link(f"{server.url}/api", points)
    got = await read(opened)
    now = clock.now_ns()
    np.testing.assert_array_equal(got.value, [2.5, 2.5, 2, 1500, 1500, 1500, math.nan, math.nan, 1500])
    assert got.quality.tolist() == [0, 0, 0, q.IV, 0, q.CLOCK, q.IV, q.IV, q.CLOCK]
    assert got.time.tolist() == [1_699_999_990 * 10**9, *[now] * 8]
    remarks = opened[0].remarks(device("d", {}, []))
    assert remarks.keys() == {"d.bad", "d.null", "d.gone"}
    assert remarks["d.gone"] == Text("nothing at $.gone in the answer", "应答中没有 $.gone")
    assert remarks["d.null"].zh == "应为数值，实为空值" and "好值" in remarks["d.bad"].zh
    server.pages["/api"] |= {"ok": True, "n": 1, "gone": 1}
    clock.advance(1)
    await read(opened)
    assert opened[0].remarks(device("d", {}, [])).keys() == {"d.good"}


async def test_why_a_point_had_no_value_when_it_was_read_once_ends_with_its_next_value(
    server: WebServer, open_link: Open, clock: ManualClock
) -> None:
    """A person reads it by a plan of its own, its scan by another."""
    one = device("d", {"url": f"{server.url}/api"}, P)
    scanned = open_link(f"{server.url}/api")
    by_hand = (scanned[0], scanned[0].plan(one, one.points))
    server.pages["/api"] = {"p": None}
    await read(by_hand)
    assert scanned[0].remarks(one).keys() == {"d.p"}
    server.pages["/api"] = {"p": 1}
    clock.advance(1)
    await read(scanned)
    assert scanned[0].remarks(one) == {}


async def test_scans_of_one_period_share_one_request_and_periods_do_not_drift(
    server: WebServer, open_link: Open, clock: ManualClock
) -> None:
    server.pages["/"] = {"p": 1}
    link, plan = open_link(server.url, every="10s")
    other = link.plan(device("d", {}, P), device("d", {}, P).points)
    for second in range(60):
        server.pages["/"]["p"] = second
        for each in (plan, other):
            got = await read((link, each))
            assert got.value.tolist() == [second - second % 10]
            assert second % 10 <= (clock.now_ns() - got.time[0]) / 1e9 <= second % 10 + 0.001
        clock.advance(1.0001 if second == 5 else 1)  # late once
    assert len(server.requests) == 6


async def test_a_second_resource_is_asked_by_itself_and_its_loss_is_its_own(
    server: WebServer, open_link: Open, clock: ManualClock
) -> None:
    server.pages |= {"/api/a": {"p": 1}, "/api/b": {"p": 2}}
    both = [point("a", {"path": "$.p", "url": "/a?x=1"}), point("b", {"path": "$.p", "url": "/b"})]
    opened = open_link(f"{server.url}/api/", both)
    assert (await read(opened)).value.tolist() == [1, 2]
    assert [str(request.rel_url) for request in server.requests] == ["/api/a?x=1", "/api/b"]
    del server.pages["/api/b"]
    clock.advance(1)
    got = await read(opened)
    assert got.quality.tolist() == [0, q.IV] and got.value[0] == 1 and math.isnan(got.value[1])
    assert "/api/b answered 404 Not Found" in opened[0].remarks(device("d", {}, []))["d.b"].en
    del server.pages["/api/a"]
    clock.advance(1)
    with pytest.raises(RefusedByDevice, match="404 Not Found") as caught:
        await read(opened)
    assert (caught.value.device, caught.value.code) == ("d", 404)


async def test_secrets_come_from_the_environment_and_go_to_the_device_only(
    server: WebServer, open_link: Open, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pages["/"] = {"p": 1}
    monkeypatch.delenv("NONE", raising=False)
    opened = open_link(server.url, headers={"X-Api-Key": "env:NONE", "X-Site": "1"}, token="env:TOKEN")
    with pytest.raises(TransportError, match="environment variable NONE is not set"):
        await read(opened)
    monkeypatch.setenv("NONE", "k\r\nX-Evil: 1")
    with pytest.raises(TransportError, match="env:NONE holds a line break"):
        await read(opened)
    monkeypatch.setenv("NONE", "key1")
    monkeypatch.setenv("TOKEN", "token1")
    await read(opened)
    sent = server.requests[0].headers
    assert (sent["X-Api-Key"], sent["X-Site"], sent["Authorization"]) == ("key1", "1", "Bearer token1")
    assert (sent["Accept"], sent["Accept-Encoding"]) == ("application/json", "identity")
    monkeypatch.setenv("P", "pä:ss")
    await read(open_link(server.url, user="me", password="env:P"))
    assert server.requests[1].headers["Authorization"] == "Basic bWU6cMOkOnNz"


async def test_redirects_stay_on_the_server(
    server: WebServer, open_link: Open, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "token1")
    server.pages["/new"] = {"p": 1}

    def to(location: str) -> Callable[[web.Request], Any]:
        async def page(request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": location})

        return page

    async with serving() as elsewhere:
        elsewhere.pages["/new"] = {"p": 666}
        for number, (location, words) in enumerate(
            [
                ("new", ""),
                (f"{server.url}/new", ""),
                (f"{elsewhere.url}/new", "is another server"),
                (elsewhere.url.replace("127.0.0.1", "localhost") + "/new", "is another server"),
                ("//localhost/new", "is another server"),
                ("file:///etc/passwd", "another server"),
                ("http://[", "another server"),
                ("", "another server"),
                ("/loop", "more than 3 times"),
            ]
        ):
            server.pages["/old"], server.pages["/loop"] = to(location), to("/loop")
            opened = open_link(f"{server.url}/old", token="env:TOKEN")
            if words:
                with pytest.raises(ProtocolError, match=words):
                    await read(opened)
            else:
                assert (await read(opened)).value.tolist() == [1], number
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("status", "headers", "silent_s"),
    [
        (401, {}, 300),
        (403, {}, 300),
        (429, {}, 60),
        (429, {"Retry-After": "7"}, 7),
        (429, {"Retry-After": "999999"}, 3600),
        (503, {"Retry-After": "7"}, 7),
        (503, {"Retry-After": "Tue, 14 Nov 2023 22:13:40 GMT"}, 20),  # the clock of the tests stands at 22:13:20
        (503, {"Retry-After": "Tue, 14 Nov 2023 22:13:10 GMT"}, 0),
        (503, {"Retry-After": "soon"}, 0),
        (503, {}, 0),
        (500, {}, 0),
        (502, {}, 0),
        (418, {}, 0),
        (599, {}, 0),
    ],
)
async def test_a_server_that_refuses_is_named_and_left_alone_as_long_as_it_wants(
    server: WebServer, open_link: Open, clock: ManualClock, status: int, headers: dict[str, str], silent_s: float
) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    server.pages["/"] = refuse
    opened = open_link(server.url)
    with pytest.raises(RefusedByDevice, match=rf"http://127.0.0.1:\d+ answered {status} .*; ") as caught:
        await read(opened)
    assert caught.value.code == status and f"应答 {status} " in caught.value.text.zh
    server.pages["/"] = {"p": 1}
    if silent_s:
        clock.advance(silent_s - 0.5)
        with pytest.raises(RefusedByDevice, match=rf"answered {status} .*; it is asked again in") as caught:
            await read(opened)
        assert "秒后重试" in caught.value.text.zh
        assert len(server.requests) == 1
        clock.advance(1)
    assert (await read(opened)).value.tolist() == [1]


@pytest.mark.parametrize(("status", "words"), [(204, "204 No Content, without"), (304, "304"), (206, "206")])
async def test_an_answer_without_a_document_is_none(
    server: WebServer, open_link: Open, status: int, words: str
) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(status=status)

    server.pages["/"] = page
    with pytest.raises(ProtocolError, match=words):
        await read(open_link(server.url))


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"<html>Log in</html>", {"Content-Type": "text/html"}, "text/html: no JSON: .*'<html>Log in"),
        (b'{"p": 1', {"Content-Type": "application/json"}, "application/json: no JSON"),
        (b"", {}, "no JSON"),
        (b'{"p": "\xe7"}', {"Content-Type": "application/json"}, "no text in UTF-8"),
        (b"{}", {"Content-Type": "application/json; charset=klingon"}, "charset 'klingon'"),
        (gzip.compress(b'{"p": 1}', mtime=0), {"Content-Encoding": "gzip"}, "encoding gzip, which was not asked for"),
        (b" " * 1001, {}, "more than 1000 bytes"),
    ],
)
async def test_a_body_that_is_no_document_is_told(
    server: WebServer, open_link: Open, body: bytes, headers: dict[str, str], words: str
) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    server.pages["/"] = page
    with pytest.raises(ProtocolError, match=words):
        await read(open_link(server.url, max_bytes=1000))


async def test_json_under_another_name_is_json(server: WebServer, open_link: Open) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(body='{"功率": 1}'.encode("gbk"), headers={"Content-Type": "text/html; charset=gbk"})

    server.pages["/"] = page
    assert (await read(open_link(server.url, [point("p", {"path": "$.功率"})]))).value.tolist() == [1]


async def test_a_huge_body_without_a_length_is_cut_off(server: WebServer, open_link: Open) -> None:
    written = 0

    async def page(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100_000):
            await response.write(b" " * 10_000)
            written += 1
        return response

    server.pages["/"] = page
    with pytest.raises(ProtocolError, match="more than 131072 bytes"):
        await read(open_link(server.url, timeout="20s"))
    await asyncio.sleep(0.05)
    assert written < 50_000


@pytest.mark.parametrize(
    ("data", "then", "error", "words"),
    [
        (b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"p": 1', "close", TransportError, "broke off in the middle"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"p": 1', "hold", TransportError, "no whole answer .* 200ms"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "hold", TransportError, "no whole answer"),
        (b"", "hold", TransportError, "no whole answer"),
        (b"", "close", TransportError, "hung up without an answer"),
        (b"\x00\x01\x00\x00\x00\x06garbage\r\n\r\n", "close", ProtocolError, "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}", "close", ProtocolError, "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "close", ProtocolError, "does not speak HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
            "close",
            ProtocolError,
            "not speak HTTP: Invalid",
        ),
    ],
)
async def test_a_server_that_breaks_off_hangs_or_raves_is_told(
    open_link: Open, data: bytes, then: str, error: type[Exception], words: str
) -> None:
    async with saying(data, then=then) as url:
        link, plan = open_link(url, timeout="200ms")
        with pytest.raises(error, match=words):
            await read((link, plan))
        with pytest.raises(error, match=words):
            await read((link, plan))
        await link.close()


async def test_a_server_that_drips_is_given_up_in_time(server: WebServer, open_link: Open) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b" ")
            await asyncio.sleep(0.02)
        return response

    server.pages["/"] = drip
    with pytest.raises(TransportError, match="no whole answer .* within 300ms"):
        await read(open_link(server.url, timeout="300ms"))


async def test_a_port_where_nobody_listens(open_link: Open) -> None:
    async with saying(b"") as url:
        pass
    with pytest.raises(TransportError, match=f"no connection to {url}: connection refused") as caught:
        await read(open_link(url))
    assert f"无法连接 {url}：连接被拒绝" in caught.value.text.zh


async def test_a_name_that_is_nobody_s_is_said_of_the_key_that_has_it(open_link: Open) -> None:
    with pytest.raises(TransportError, match="no such host name; check `url`|no whole answer"):
        await read(open_link("http://nowhere.invalid/", timeout="5s"))


async def test_a_certificate_is_trusted_by_its_authority_or_its_fingerprint_and_not_otherwise(open_link: Open) -> None:
    pem = CERTIFICATE.read_text().partition("-----BEGIN PRIVATE")[0]
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    async with serving(tls=True) as secure:
        secure.pages["/"] = {"p": 1}
        for trust in ({"ca": str(CERTIFICATE)}, {"fingerprint": fingerprint}):
            assert (await read(open_link(secure.url, timeout="5s", **trust))).value.tolist() == [1]
        for trust, words in (
            ({}, "not trusted: self.signed certificate"),
            ({"fingerprint": "00" * 32}, "another certificate"),
        ):
            asked = len(secure.requests)
            with pytest.raises(TransportError, match=words):
                await read(open_link(secure.url, timeout="5s", **trust))
            assert len(secure.requests) == asked


async def test_texts_are_read_from_the_same_document(server: WebServer, open_link: Open) -> None:
    server.pages["/"] = {"p": 1, "serial": "SN 1", "firmware": 1.2, "gone": None}
    texts = [point(id_, {"path": f"$.{id_}"}, kind="text") for id_ in ("serial", "firmware", "gone", "never")]
    link, plan = open_link(server.url, [*P, *texts])
    await read((link, plan))
    assert await link.read_texts(device("d", {}, texts)) == {"serial": "SN 1", "firmware": "1.2"}
    assert len(server.requests) == 1


async def test_a_cancelled_read_leaves_the_link_usable(server: WebServer, open_link: Open) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        asked.set()
        await go.wait()
        return web.json_response({"p": 1})

    server.pages["/"] = wait
    opened = open_link(server.url, timeout="20s")
    reading = asyncio.create_task(read(opened))
    await asked.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    go.set()
    assert (await read(opened)).value.tolist() == [1]


async def test_an_engine_loses_and_finds_a_device_that_fails_for_a_while(server: WebServer) -> None:
    """Under the engine's own supervision: two failed polls and it is lost, its points with it; then it comes back."""
    server.pages["/"] = {"p": 5}
    polled = device("d", {"url": server.url}, [point("p", {"path": "$.p"}, scan="50ms")])
    own = [Point(1 + i, f"d.{form.id}", "d", form) for i, form in enumerate(own_points())]
    whole = Device(**{**{name: getattr(polled, name) for name in Device.__slots__}, "points": (*polled.points, *own)})
    clock = SystemClock()
    link = http().open([whole], clock, read_only=True)
    seen: list[float] = []
    lost: list[int] = []
    one = Supervisor(
        whole, link, clock, publish=lambda u: seen.extend(u.value[u.point == 0]), lose=lambda p: lost.append(len(p)),
        lateness=Lateness(), phase=0,
    )  # fmt: skip
    running = asyncio.create_task(one.run())
    await until(lambda: len(seen) >= 3, "three polls")
    server.pages.clear()
    await until(lambda: one.status().state is LinkState.LOST, "the loss")
    why = one.status().last_error
    assert lost == [1] and why is not None and "404 Not Found; correct `url`" in why.en and "请更正 url" in why.zh
    server.pages["/"] = {"p": 6}
    await until(lambda: one.status().state is LinkState.ONLINE, "the return", timeout_s=10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await link.close()
    assert seen[0] == 5 and seen[-1] == 6
