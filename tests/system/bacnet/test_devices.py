"""Against bacpypes3's own device, in a process of its own."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from app.model import quality as q
from app.model.clock import SystemClock
from app.model.errors import DeviceError, ProtocolError, ReadOnlyError, RefusedByDevice, TransportError
from app.model.station import Device
from app.model.text import Text
from app.model.updates import Updates
from drivers.bacnet import bacnet
from drivers.bacnet.driver import BacnetDriver
from drivers.bacnet.link import BacnetLink
from drivers.contract import Plan, Proposal
from tests.support.bacnet_device import BacnetDevice, running
from tests.support.devices import device, point, until

pytestmark = pytest.mark.asyncio

INTERFACE = "127.0.0.1:0"
Open = Callable[..., tuple[BacnetLink, Device, Plan]]


def value(id_: str, object_: str, property_: str = "present-value", **more: Any) -> dict[str, Any]:
    address = {"object": object_, "property": property_}
    address |= {key: more.pop(key) for key in ("priority", "index", "cov") if key in more}
    return point(id_, address, **more)


@pytest_asyncio.fixture
async def open_link() -> AsyncIterator[Open]:
    """`open_link(peer, points, read_only=False, **connection)`."""
    driver, links = bacnet(), []

    def open_(
        address: str, points: list[dict[str, Any]], *, read_only: bool = False, **connection: Any
    ) -> tuple[BacnetLink, Device, Plan]:
        given = {"address": address, "device": 5, "interface": INTERFACE, "timeout": "2s", **connection}
        one = device("d", given, points)
        assert driver.check(one) == []
        link = driver.open([one], SystemClock(), read_only=read_only)
        assert isinstance(link, BacnetLink)
        links.append(link)
        return link, one, link.plan(one, one.points)

    yield open_
    for link in links:
        await link.close()
        await link.close()


@pytest_asyncio.fixture
async def peer() -> AsyncIterator[BacnetDevice]:
    async with running() as one:
        yield one


async def read(opened: tuple[BacnetLink, Device, Plan]) -> Updates:
    link, _, plan = opened
    await link.connect()
    return await link.read(plan)


KINDS = [
    value("ai", "analog-input:1", scale=2, offset=1),
    value("bi", "binary-input:1"),
    value("mode", "multi-state-value:1"),
    value("energy", "large-analog-value:1"),
    value("pulses", "accumulator:1"),
    value("words", "characterstring-value:1"),
    value("nobody", "analog-input:99"),
    value("nothing", "analog-input:1", "setpoint"),
    value("unit", "analog-input:1", "units"),
    value("name", "device:5", "object-name", kind="text"),
    value("words_text", "characterstring-value:1", kind="text"),
]


async def test_values_of_every_kind_come_by_one_request(open_link: Open, peer: BacnetDevice) -> None:
    opened = open_link(peer.address, KINDS)
    before = (await peer.do())["heard"]
    got = await read(opened)
    np.testing.assert_array_equal(got.value, [26, 1, 2, 1e12, 7, math.nan, math.nan, math.nan, 48])
    assert got.quality.tolist() == [0, 0, 0, 0, 0, q.IV, q.IV, q.IV, 0]
    heard = (await peer.do())["heard"]
    assert before == {} and heard == {"ReadProperty": 1, "ReadPropertyMultiple": 1}  # the one asks who it is
    remarks = opened[0].remarks(opened[1])
    assert remarks.keys() == {"d.words", "d.nobody", "d.nothing"}
    assert remarks["d.words"] == Text("a text where a number should be", "应为数值，实为文本")
    assert remarks["d.nobody"] == Text("unknown-object (class object)", "没有这个对象（unknown-object，object 类）")
    assert "unknown-property" in remarks["d.nothing"].en
    assert await opened[0].read_texts(opened[1]) == {"name": "Peer", "words_text": "一二"}


async def test_status_flags_and_reliability_are_quality(open_link: Open, peer: BacnetDevice) -> None:
    opened = open_link(peer.address, [value("a", "analog-input:1"), value("b", "analog-input:2")])
    assert (await read(opened)).quality.tolist() == [0, 0]
    for property_, now, quality, why in (  # this device makes its flags of these; overridden is a unit test
        ("eventState", "high-limit", q.GOOD, ""),
        ("reliability", "communication-failure", q.IV, "故障：通信故障"),
        ("reliability", "over-range", q.IV | q.OV, "故障：超上限"),
        ("reliability", "no-fault-detected", q.GOOD, ""),
        ("outOfService", True, q.BL, ""),
        ("outOfService", False, q.GOOD, ""),
    ):
        await peer.do(set=["analog-input:1", property_, now])
        got = await read(opened)
        assert got.quality.tolist() == [quality, 0] and got.value.tolist() == [12.5, 21]
        assert why == opened[0].remarks(opened[1]).get("d.a", Text("", "")).zh


@pytest.mark.parametrize(
    ("options", "requests"),
    [
        ({}, [2, 0]),
        ({"without": ["ReadPropertyMultiple"]}, [0, 80]),
        ({"most": 6}, [8, 0]),  # 20 objects are halved to 10 and 5
        ({"most": 1, "reason": "buffer-overflow"}, [0, 80]),
        ({"most": 0, "reason": "out-of-resources"}, [0, 80]),
    ],
)
async def test_a_device_that_cannot_answer_whole_is_asked_in_parts(
    open_link: Open, options: dict[str, Any], requests: list[int]
) -> None:
    async with running(objects=40, **options) as peer:
        opened = open_link(peer.address, [value(f"v{n}", f"analog-value:{n}") for n in range(1, 41)])
        before = {"ReadPropertyMultiple": 0, "ReadProperty": 0}
        for _ in range(2):
            got = await read(opened)
            assert got.value.tolist() == [float(n) for n in range(1, 41)] and not got.quality.any()
            heard = (await peer.do())["heard"]
            again = [heard.get(service, 0) - count for service, count in before.items()]
            before = {service: heard.get(service, 0) for service in before}
        assert again == requests  # what was learnt at the first read stays


async def test_an_object_that_spoils_the_rest_is_found_and_the_rest_is_read(open_link: Open) -> None:
    async with running(objects=10, strict=True) as peer:
        points = [value(f"v{n}", f"analog-value:{n}") for n in (1, 2, 99, 3, 4)]
        opened = open_link(peer.address, points)
        got = await read(opened)
        np.testing.assert_array_equal(got.value, [1, 2, math.nan, 3, 4])
        assert got.quality.tolist() == [0, 0, q.IV, 0, 0]
        assert opened[0].remarks(opened[1]).keys() == {"d.v99"}


async def test_writes_go_with_their_priority_and_nan_releases_it(open_link: Open, peer: BacnetDevice) -> None:
    points = [
        value("limit", "analog-output:1", kind="setpoint", scale=0.1, priority=8),
        value("low", "analog-output:1", kind="setpoint", scale=0.1),
        value("pump", "binary-output:1", kind="command"),
        value("at8", "analog-output:1", "priority-array", index=8),
        value("mode", "multi-state-value:1", kind="setpoint"),
        value("nobody", "analog-output:9", kind="setpoint"),
    ]
    link, one, plan = open_link(peer.address, points)
    limit, low, pump, _, mode, nobody = one.points
    await link.connect()
    assert await link.write(low, 3) == pytest.approx(3)
    assert await link.write(limit, 5) == pytest.approx(5)
    assert await link.write(low, 4) == pytest.approx(5)  # the higher priority holds
    assert (await link.read(plan)).value[3] == 50
    assert await link.write(limit, math.nan) == pytest.approx(4)
    got = await link.read(plan)
    assert math.isnan(got.value[3]) and "null" in link.remarks(one)["d.at8"].en
    assert await link.write(low, math.nan) == pytest.approx(0.1)  # the relinquish default
    assert await link.write(pump, 1) == 1
    assert await link.write(mode, 3) == 3
    for wrong, what, words in ((mode, 1.5, "whole numbers"), (mode, -1, "whole"), (limit, math.inf, "cannot take inf")):
        with pytest.raises(ValueError, match=words):
            await link.write(wrong, what)
    with pytest.raises(ValueError, match="Real"):
        await link.write(limit, 1e300)
    with pytest.raises(RefusedByDevice, match="d.nobody was not written: unknown-object") as caught:
        await link.write(nobody, 1)
    assert caught.value.device == "d" and "d.nobody 未写入：没有这个对象" in caught.value.text.zh


async def test_a_read_only_link_sends_no_write(open_link: Open, peer: BacnetDevice) -> None:
    link, one, _ = open_link(peer.address, [value("limit", "analog-output:1", kind="setpoint")], read_only=True)
    await link.connect()
    for what in (1.0, math.nan):
        with pytest.raises(ReadOnlyError):
            await link.write(one.points[0], what)
    assert (await peer.do())["heard"] == {}


class Report:
    """The changes of one link, as they come."""

    def __init__(self, opened: tuple[BacnetLink, Device, Plan]) -> None:
        self.rows: list[tuple[int, float, int]] = []
        self.online = 0
        self.error: BaseException | None = None
        self.task = asyncio.create_task(self._run(opened[0], opened[1]))

    async def _run(self, link: BacnetLink, one: Device) -> None:
        def online() -> None:
            self.online += 1

        def deliver(updates: Updates) -> None:
            self.rows += zip(updates.point.tolist(), updates.value.tolist(), updates.quality.tolist(), strict=True)

        try:
            await link.report(one, deliver, online)
        except DeviceError as error:
            self.error = error

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.mark.parametrize("cov", ["unconfirmed", "confirmed"])
async def test_changes_come_by_themselves_and_lost_ones_by_the_poll(
    open_link: Open, peer: BacnetDevice, cov: str
) -> None:
    points = [
        value("a", "analog-input:1", scale=2),
        value("same", "analog-input:1"),
        value("bi", "binary-input:1"),
        value("pulses", "accumulator:1"),  # an object type that does not tell
        value("nobody", "analog-input:99"),
        value("quiet", "analog-input:2", cov=False),
    ]
    opened = open_link(peer.address, points, cov=cov)
    await opened[0].connect()
    report = Report(opened)
    await until(lambda: len(report.rows) >= 3, "the first notifications")
    assert sorted(report.rows) == [(0, 25.0, 0), (1, 12.5, 0), (2, 1.0, 0)]
    assert (await peer.do())["subscriptions"] == 2
    assert report.online == 2
    report.rows.clear()
    await peer.do(set=["analog-input:1", "presentValue", 20.0])
    await until(lambda: report.rows, "the change")
    assert report.rows == [(0, 40.0, 0), (1, 20.0, 0)]
    report.rows.clear()
    await peer.do(set=["analog-input:1", "statusFlags", [0, 0, 0, 1]])
    await until(lambda: report.rows, "the change of flags")
    assert report.rows == [(0, 40.0, q.BL), (1, 20.0, q.BL)]
    report.rows.clear()
    await peer.do(set=["analog-input:1", "presentValue", math.nan])  # no change as the device sees it
    await peer.do(set=["analog-input:1", "statusFlags", [0, 0, 1, 1]])
    await until(lambda: report.rows, "the change of flags of no value")
    assert [quality for _, _, quality in report.rows] == [q.IV | q.SB | q.BL] * 2
    assert all(math.isnan(value_) for _, value_, _ in report.rows)
    report.rows.clear()
    await peer.do(drop=True)
    await peer.do(set=["analog-input:1", "presentValue", 30.0])
    got = await read(opened)
    assert report.rows == [] and got.value.tolist()[:2] == [60, 30]
    heard = (await peer.do())["heard"]
    assert "refused" not in heard and ("acknowledged" in heard) is (cov == "confirmed")
    await report.stop()


async def test_a_device_that_starts_again_is_subscribed_to_again(open_link: Open) -> None:
    async with running() as peer:
        opened = open_link(peer.address, [value("a", "analog-input:1")], lifetime="1h")
        await opened[0].connect()
        report = Report(opened)
        await until(lambda: report.rows, "the first notification")
        client = opened[0]._wire
        assert client is not None
        port = client._here().link_layers
        (layer,) = port.values()
        ours = layer.server.local_transport.get_extra_info("sockname")
        await peer.stop()
        async with running(port=peer.port) as again:
            assert (await again.do())["subscriptions"] == 0
            report.rows.clear()
            await again.do(i_am=list(ours))
            await until(lambda: report.rows, "a notification of the new life", timeout_s=10)
            assert (await again.do())["subscriptions"] == 1
            await report.stop()


async def test_subscriptions_are_renewed_before_they_end(open_link: Open, peer: BacnetDevice) -> None:
    opened = open_link(peer.address, [value("a", "analog-input:1")], lifetime="10s")
    object.__setattr__(opened[0]._peers["d"], "lifetime_s", 1)
    await opened[0].connect()
    report = Report(opened)
    await until(lambda: report.online >= 4, "three renewals", timeout_s=10)
    heard = await peer.do()
    assert heard["heard"]["SubscribeCOV"] >= 4 and heard["subscriptions"] == 1
    await report.stop()


@pytest.mark.parametrize("without", [["SubscribeCOV"], []])
async def test_a_device_that_does_not_tell_is_polled_all_the_same(open_link: Open, without: list[str]) -> None:
    async with running(without=without) as peer:
        opened = open_link(peer.address, [value("a", "analog-input:1")], **({} if without else {"cov": False}))
        await opened[0].connect()
        report = Report(opened)
        assert (await read(opened)).value.tolist() == [12.5]
        await asyncio.sleep(0.2)
        assert not report.task.done() and report.rows == [] and report.online == 0
        assert (await peer.do())["heard"].get("SubscribeCOV", 0) == (1 if without else 0)
        await report.stop()


async def test_a_silent_device_is_lost_and_found(open_link: Open, peer: BacnetDevice) -> None:
    opened = open_link(peer.address, [value("a", "analog-input:1")], timeout="200ms")
    report_fails = open_link(peer.address, [value("a", "analog-input:1")], timeout="200ms")
    assert (await read(opened)).value.tolist() == [12.5]
    await report_fails[0].connect()
    await read(report_fails)
    await peer.do(mute=True)
    with pytest.raises(TransportError, match=f"{peer.address} did not answer within 200ms; check") as caught:
        await read(opened)
    assert caught.value.device == "d"
    assert f"{peer.address} 在 200ms 内无应答" in caught.value.text.zh
    report = Report(report_fails)
    await until(report.task.done, "the end of the report")
    assert isinstance(report.error, TransportError)
    await peer.do(mute=False)
    assert (await read(opened)).value.tolist() == [12.5]


async def test_nobody_there_and_somebody_else_there(open_link: Open, peer: BacnetDevice) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        if hasattr(socket, "SO_REUSEPORT"):  # the port would be shared, and each would get half of the answers
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(TransportError, match="did not answer"):
            await read(open_link(address, [value("a", "analog-input:1")], timeout="100ms"))
        opened = open_link(peer.address, [value("a", "analog-input:1")], interface=address)
        with pytest.raises(TransportError, match=f"{address} cannot be opened: another program has this port"):
            await opened[0].connect()
    with pytest.raises(ProtocolError, match="is not device 6: unknown-object"):
        await read(open_link(peer.address, [value("a", "analog-input:1")], device=6))


async def test_rubbish_is_no_answer(open_link: Open) -> None:
    """A peer that answers every request with half of one, and with bytes of no kind."""
    loop = asyncio.get_running_loop()

    class Rubbish(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            for each in (
                b"\x81\x0a\x00\x04",
                b"GET / HTTP/1.1\r\n",
                data[: len(data) // 2],
                b"\x81\x0a\x00\x09\x01\x00\x30\x01\x0c",
                b"",
            ):
                self.transport.sendto(each, addr)

    transport, _ = await loop.create_datagram_endpoint(Rubbish, local_addr=("127.0.0.1", 0))
    address = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    with pytest.raises(DeviceError):
        await read(open_link(address, [value("a", "analog-input:1")], timeout="200ms"))
    transport.close()


async def test_a_cancelled_read_leaves_the_link_usable(open_link: Open, peer: BacnetDevice) -> None:
    opened = open_link(peer.address, [value("a", "analog-input:1")])
    await read(opened)
    reading = asyncio.create_task(read(opened))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert (await read(opened)).value.tolist() == [12.5]


async def test_devices_are_found_with_their_objects(peer: BacnetDevice) -> None:
    driver = BacnetDriver()
    heard: list[Proposal] = []
    asked = {"address": peer.address, "interface": INTERFACE}
    (one,) = await driver.discover(asked, SystemClock(), 0.5, heard.append)
    first, whole = heard
    assert first.device["id"] == "bacnet_5" and not first.device["points"], "told when it answers"
    assert whole == one
    assert one.device["id"] == "bacnet_5" and one.device["name"] == "Peer"
    assert one.device["connection"] == {
        "driver": "bacnet", "address": peer.address, "device": 5, "interface": INTERFACE,
    }  # fmt: skip
    points = {each["id"]: each for each in one.device["points"]}
    assert points["total_power"] == {
        "id": "total_power", "name": "Total power", "kind": "measurement", "unit": "kW",
        "address": {"object": "analog-input:1", "property": "present-value"},
    }  # fmt: skip
    assert {"zone_temp_c", "limit", "door", "pump", "mode", "energy", "pulses"} <= points.keys()
    assert (points["door"]["kind"], points["pulses"]["kind"]) == ("status", "counter")
    connection = {key: given for key, given in one.device["connection"].items() if key != "driver"}
    proposed = device("found", connection, one.device["points"])
    assert driver.check(proposed) == []
    link = driver.open([proposed], SystemClock(), read_only=True)
    await link.connect()
    assert isinstance(link, BacnetLink)
    got = await link.read(link.plan(proposed, proposed.points))
    assert not got.quality[[i for i, each in enumerate(proposed.points) if each.id != "words"]].any()
    await link.close()
    with pytest.raises(TransportError, match="its mask, such as"):
        await driver.discover({"interface": INTERFACE}, SystemClock(), 0.1)


async def test_a_device_behind_a_router_is_reached_through_it(open_link: Open) -> None:
    async with running(network=2001, mac=15, objects=40) as router:
        address = f"2001:15@{router.address}"
        points = [value("a", "analog-input:1"), value("limit", "analog-output:1", kind="setpoint")]
        opened = open_link(address, [*points, *(value(f"v{n}", f"analog-value:{n}") for n in range(1, 41))])
        assert (await read(opened)).value.tolist() == [12.5, 1, *range(1, 41)]
        assert await opened[0].write(opened[1].points[1], 7) == 7
        report = Report(opened)
        await until(lambda: len(report.rows) >= 42, "the first notifications")
        report.rows.clear()
        await router.do(set=["analog-input:1", "presentValue", 20.0])
        await until(lambda: report.rows, "the change")
        assert report.rows == [(0, 20.0, 0)]
        await report.stop()
        with pytest.raises(TransportError, match=f"2001:16@{router.address} did not answer"):
            await read(open_link(f"2001:16@{router.address}", points, timeout="300ms"))
        found = await BacnetDriver().discover({"address": address, "interface": INTERFACE}, SystemClock(), 0.5)
        assert [one.device["connection"]["address"] for one in found] == [address]


async def test_two_links_of_one_local_address_share_its_socket(open_link: Open, peer: BacnetDevice) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        interface = f"127.0.0.1:{free.getsockname()[1]}"
    first = open_link(peer.address, [value("a", "analog-input:1")], interface=interface)
    second = open_link(peer.address, [value("a", "analog-input:2")], interface=interface)
    got = await asyncio.gather(read(first), read(second))
    assert [one.value.tolist() for one in got] == [[12.5], [21.0]]
    await first[0].close()
    assert (await read(second)).value.tolist() == [21.0]
