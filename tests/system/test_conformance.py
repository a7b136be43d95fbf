"""Every driver of ours passes the conformance suite that others run on theirs, against a peer that lives."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from drivers import registry
from drivers.conformance import CHECKS, Check, Rig, conform, device, name
from drivers.iec104.typeids import CLOCK_SYNCHRONISATION, COMMANDS_BY_TYPE
from tests.support import meters as meter_faults
from tests.support import modbus_slave as slave_faults
from tests.support.bacnet_device import running
from tests.support.datagram_relay import Relay, is_bacnet_write
from tests.support.iec104_station import ScriptedStation, Talk, encode
from tests.support.meters import Meters
from tests.support.modbus_slave import Slave
from tests.support.mqtt_broker import plain_broker
from tests.support.mqtt_peer import VERSION, Peer
from tests.support.sparkplug_payloads import BORN, DBIRTH, NBIRTH
from tests.support.web_server import serving

Closing = AsyncExitStack
METER, OTHER_METER = "000012345678", "202411110002"
ITEMS = {0x02030000: "563492", 0x0201FF00: "052210220822", 0x00010000: "78563412"}
SERIAL = os.name == "posix"
"""A serial line is a pseudo-terminal here, which Windows has not."""


async def modbus(word: str, closing: Closing) -> Rig:
    slave = Slave(rtu=word != "modbus-tcp").units(1, 2)
    for unit in (1, 2):
        slave.registers[unit][500] = 7  # far from the others, and behind a hole
    if word == "modbus-rtu":
        port_name, close = slave.open_pty()
        closing.callback(close)
        where: dict[str, Any] = {"device": port_name, "baudrate": 115200}
    else:
        server, port = await slave.listen()
        closing.callback(server.close)
        closing.callback(slave.drop)
        where = {"host": "127.0.0.1", "port": port}

    def points(*numbers: int) -> list[dict[str, Any]]:
        return [
            {"id": f"r{n}", "kind": "measurement", "address": {"table": "holding", "register": n, "type": "u16"}}
            for n in numbers
        ]

    text = {
        "id": "serial",
        "kind": "text",
        "address": {"table": "holding", "register": 20, "type": "string", "count": 4},
    }
    order = {
        "id": "set",
        "kind": "setpoint",
        "address": {"table": "holding", "register": 30, "type": "u16"},
        "scale": 0.5,
    }

    def one(unit: int, first: int, *forms: dict[str, Any]) -> Any:
        connection = {**where, "unit": unit, "timeout": "200ms"}
        return device(f"d{unit}", connection, forms, driver=word, first_index=first)

    def silence(silent: bool) -> None:
        slave.always = dict.fromkeys((1, 2), slave_faults.silent) if silent else {}

    return Rig(
        registry.driver(word),
        [one(1, 0, *points(0, 1, 5, 500, 300), text, order), one(2, 6, *points(0, 1))],
        values={**{f"d1.r{n}": 1000 + n for n in (0, 1, 5)}, "d1.r500": 7, **{f"d2.r{n}": 2000 + n for n in (0, 1)}},
        refused={"d1.r300"},
        faulty=[device("f1", {"unit": 1}, points(1)), device("f2", where, points(70_000))],
        silence=silence,
        writes=lambda: len(slave.writes),
        order=("d1.set", 12.5),
    )


async def dlt645(serial: bool, closing: Closing) -> Rig:
    held = {di: bytes.fromhex(data) for di, data in ITEMS.items()}
    meters = Meters({METER: {**held, 0x04000402: bytes(6)}, OTHER_METER: dict(held)})
    if serial:
        port_name, close = meters.open_pty()
        closing.callback(close)
        where: dict[str, Any] = {"device": port_name, "baudrate": 115200, "parity": "N", "gap": "1ms"}
    else:
        server, port = await meters.listen()
        closing.callback(server.close)
        closing.callback(meters.drop)
        where = {"host": "127.0.0.1", "port": port}

    def points(**dis: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"id": id_, "kind": "measurement", "address": address} for id_, address in dis.items()]

    blocks = {f"u{n}": {"di": "0201FF00", "field": n} for n in range(3)}
    text = {"id": "number", "kind": "text", "address": {"di": "04000402"}}

    def one(id_: str, address: str, first: int, *forms: dict[str, Any]) -> Any:
        connection = {**where, "address": address, "timeout": "200ms"}
        return device(id_, connection, forms, driver="dlt645", first_index=first)

    def silence(silent: bool) -> None:
        meters.always = dict.fromkeys(meters.items, meter_faults.silent) if silent else {}

    return Rig(
        registry.driver("dlt645"),
        [
            one("a", METER, 0, *points(p={"di": "02030000"}, none={"di": "02800002"}, e={"di": 10000}, **blocks), text),
            one("b", OTHER_METER, 6, *points(p={"di": "02030000"}, **blocks)),
        ],
        values={
            "a.p": -12.3456,
            "a.e": 123456.78,
            "b.p": -12.3456,
            **{f"{one}.u{n}": value for one in "ab" for n, value in enumerate((220.5, 221.0, 220.8))},
        },
        refused={"a.none"},
        faulty=[device("f1", where, []), device("f2", {**where, "address": METER}, points(p={"di": "99"}))],
        silence=silence,
        writes=lambda: len(meters.writes),
    )


async def iec104(closing: Closing) -> Rig:
    station = ScriptedStation()
    held = {ca: [*encode(13, 20, ca, [1, 2], [ca + 0.5, ca + 0.25]), *encode(1, 20, ca, [3], [1])] for ca in (1, 2)}

    def answer(talk: Talk, asdu: bytes) -> None:
        station.values = held[asdu[4]]
        station.usual(talk, asdu)

    station.answer = answer
    await station.open()
    closing.callback(station.stop)
    closing.callback(station.drop)
    where = {"host": "127.0.0.1", "port": station.port, "t1": "2s", "t2": "1s", "t3": "1s"}
    types = {"p": "M_ME_NC_1", "q": "M_ME_NC_1", "s": "M_SP_NA_1"}
    read = [
        {"id": id_, "kind": "measurement", "address": {"ioa": ioa, "type": type_}, "scale": 10}
        for ioa, (id_, type_) in enumerate(types.items(), 1)
    ]
    order = {"id": "set", "kind": "setpoint", "address": {"ioa": 25089, "type": "C_SE_NC_1", "termination": "none"}}

    def one(id_: str, ca: int, first: int, *forms: dict[str, Any]) -> Any:
        return device(id_, {**where, "ca": ca}, forms, driver="iec104", first_index=first)

    def silence(silent: bool) -> None:
        station.silent = silent

    return Rig(
        registry.driver("iec104"),
        [one("a", 1, 0, *read, order), one("b", 2, 4, *read)],
        values={"a.p": 15, "a.q": 12.5, "a.s": 10, "b.p": 25, "b.q": 22.5, "b.s": 10},
        faulty=[device("f1", where, []), device("f2", {**where, "ca": 1}, [{**read[0], "address": {"ioa": 1}}])],
        silence=silence,
        writes=lambda: sum(asdu[0] in COMMANDS_BY_TYPE or asdu[0] == CLOCK_SYNCHRONISATION for asdu in station.asdus),
        order=("a.set", 12.5),
    )


async def http(closing: Closing) -> Rig:
    server = await closing.enter_async_context(serving())
    closing.callback(server.speaking.set)
    server.pages |= {"/a": {"p": 1500, "mode": "RUN", "serial": "SN 1"}, "/b": {"p": 2500}, "/a/more": {"e": [7, 8]}}

    def points(**paths: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"id": id_, "kind": "measurement", "scale": 0.5, "address": address} for id_, address in paths.items()]

    def one(id_: str, first: int, *forms: dict[str, Any]) -> Any:
        connection = {"url": f"{server.url}/{id_}", "every": "1ms", "timeout": "200ms"}
        return device(id_, connection, forms, driver="http", first_index=first)

    def silence(silent: bool) -> None:
        time.sleep(0.002)  # a page that is younger than `every` is not asked for again
        server.speaking.clear() if silent else server.speaking.set()

    second = {"e": {"path": "$.e[1]", "url": "/more"}, "none": {"path": "$.none"}}
    text = {"id": "serial", "kind": "text", "address": {"path": "$.serial"}}
    return Rig(
        registry.driver("http"),
        [
            one("a", 0, *points(p={"path": "$.p"}, mode={"path": "$.mode", "map": {"RUN": 4}}, **second), text),
            one("b", 4, *points(p={"path": "$.p"})),
        ],
        values={"a.p": 750, "a.mode": 2, "a.e": 4, "b.p": 1250},
        refused={"a.none"},
        faulty=[device("f1", {}, []), device("f2", {"url": server.url}, points(p={"path": "p"}))],
        silence=silence,
        writes=lambda: sum(request.method != "GET" for request in server.requests),
    )


async def webhooks(closing: Closing) -> Rig:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secrets = {"a": "the secret of a", "b": "the secret of b"}
    patch = closing.enter_context(pytest.MonkeyPatch.context())
    for id_, secret in secrets.items():
        patch.setenv(f"HOOK_{id_.upper()}", secret)
    speaking = asyncio.Event()
    speaking.set()

    async def send(session: aiohttp.ClientSession) -> None:
        """Both devices, ten times a second, whether anybody listens or not."""
        for number in itertools.count():
            await speaking.wait()
            for id_, secret in secrets.items():
                body, stamp = json.dumps({"p": 15, "n": number}).encode(), str(int(time.time()))
                mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
                signed = {"Gridroom-Timestamp": stamp, "Gridroom-Signature": f"sha256={mac}"}
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.post(f"http://127.0.0.1:{port}/{id_}", data=body, headers=signed) as response:
                        await response.read()
            await asyncio.sleep(0.1)

    async def stop(sending: asyncio.Task[None]) -> None:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    session = await closing.enter_async_context(aiohttp.ClientSession())
    closing.push_async_callback(stop, asyncio.create_task(send(session)))
    points = [
        {"id": id_, "kind": "measurement", "scale": 0.1, "address": {"path": f"$.{key}"}}
        for id_, key in (("p", "p"), ("same", "p"), ("none", "none"))
    ]

    def one(id_: str, first: int) -> Any:
        connection = {"webhook": f"/{id_}", "secret": f"env:HOOK_{id_.upper()}", "port": port, "silence": "500ms"}
        return device(id_, connection, points, driver="http", first_index=first)

    return Rig(
        registry.driver("http"),
        [one("a", 0), one("b", 3)],
        values={f"{id_}.{point}": 1.5 for id_ in secrets for point in ("p", "same")},
        faulty=[device("f1", {"webhook": "/f"}, []), device("f2", {"webhook": "f", "secret": "env:F"}, points)],
        silence=lambda silent: speaking.clear() if silent else speaking.set(),
    )


async def bacnet(closing: Closing) -> Rig:
    peer = await closing.enter_async_context(running(objects=3))
    relays = [Relay(peer.port, is_bacnet_write) for _ in range(2)]
    ports = []
    for relay in relays:
        ports.append(await relay.open())
        closing.callback(relay.close)

    def point(id_: str, object_: str, property_: str = "present-value", **form: Any) -> dict[str, Any]:
        return {"id": id_, "kind": "measurement", "address": {"object": object_, "property": property_}, **form}

    def one(id_: str, port: int, first: int, *forms: dict[str, Any]) -> Any:
        connection = {"address": f"127.0.0.1:{port}", "device": 5, "interface": "127.0.0.1:0", "timeout": "500ms"}
        return device(id_, connection, forms, driver="bacnet", first_index=first)

    def silence(silent: bool) -> None:
        for relay in relays:
            relay.silent = silent

    values = [point(f"v{n}", f"analog-value:{n}") for n in (1, 2, 3)]
    power, none = point("p", "analog-input:1", scale=2), point("none", "analog-input:99")
    order = point("set", "analog-output:1", kind="setpoint", scale=0.5)
    name_ = point("name", "device:5", "object-name", kind="text")
    return Rig(
        registry.driver("bacnet"),
        [one("a", ports[0], 0, power, *values, none, name_, order), one("b", ports[1], 6, *values)],
        values={"a.p": 25, **{f"{id_}.v{n}": n for id_ in "ab" for n in (1, 2, 3)}},
        refused={"a.none"},
        faulty=[device("f1", {"device": 5}, []), device("f2", {}, [point("p", "analog-input")])],
        silence=silence,
        writes=lambda: sum(relay.writes for relay in relays),
        order=("a.set", 12.5),
        releases=True,
    )


async def behind_broker(closing: Closing, said: dict[str, bytes]) -> tuple[dict[str, Any], asyncio.Event, Peer]:
    """How to reach a broker, whether everything is said on it all the time, and who says it."""
    folder = closing.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
    broker = plain_broker(Path(folder) / "broker")
    closing.callback(broker.stop)
    peer = Peer(broker.port, "a/set")
    closing.callback(peer.close)
    speaking = asyncio.Event()
    speaking.set()

    async def say() -> None:
        while True:
            await speaking.wait()
            for topic, payload in said.items():
                peer.client.publish(topic, payload, 1)
            await asyncio.sleep(0.05)

    async def stop(saying: asyncio.Task[None]) -> None:
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)

    closing.push_async_callback(stop, asyncio.create_task(say()))
    connection = {"host": "127.0.0.1", "port": broker.port, "version": VERSION, "silence": "500ms", "birth": "500ms"}
    return {**connection, "timeout": "2s"}, speaking, peer


async def mqtt(closing: Closing) -> Rig:
    states = {"a/state": b'{"p": 15, "sn": "A7", "list": [1, 2]}', "b/state": b'{"p": 25}'}
    where, speaking, peer = await behind_broker(closing, states)

    def obey(message: Any) -> None:
        peer.client.publish("a/reply", json.dumps({"ok": True, "kw": json.loads(message.payload)["kw"]}), 1)

    peer.answer = obey

    def point(id_: str, topic: str, path: str, kind: str = "measurement") -> dict[str, Any]:
        return {"id": id_, "kind": kind, "scale": 0.1, "address": {"topic": topic, "path": path}}

    order = point("set", "a/set", "$.kw", "setpoint")
    order["address"]["reply"] = {"topic": "a/reply", "path": "$.ok", "ok": [True], "value": "$.kw"}
    points = [point("p", "a/state", "$.p"), point("last", "a/state", "$.list[-1]")]
    return Rig(
        registry.driver("mqtt"),
        [
            device("a", where, [*points, point("sn", "a/state", "$.sn", "text"), order], driver="mqtt"),
            device("b", where, [point("p", "b/state", "$.p")], driver="mqtt", first_index=3),
        ],
        values={"a.p": 1.5, "a.last": 0.2, "b.p": 2.5},
        faulty=[device("f1", {}, []), device("f2", where, [point("p", "a/#", "$.p")])],
        silence=lambda silent: speaking.clear() if silent else speaking.set(),
        writes=lambda: len(peer.heard),
        order=("a.set", 12.5),
    )


async def sparkplug(closing: Closing) -> Rig:
    births = {"spBv1.0/plant/NBIRTH/edge": NBIRTH, "spBv1.0/plant/DBIRTH/edge/dev": DBIRTH}
    where, speaking, _ = await behind_broker(closing, births)

    def one(id_: str, first: int, *metrics: str) -> Any:
        address = {"sparkplug": "plant/edge/dev"}
        points = [{"id": m, "kind": "measurement", "address": {**address, "metric": m}} for m in metrics]
        return device(id_, where, points, driver="mqtt", first_index=first)

    return Rig(
        registry.driver("mqtt"),
        [one("a", 0, *BORN, "null"), one("b", 12, "f")],
        values={f"a.{metric}": value for metric, value in BORN.items()} | {"b.f": BORN["f"]},
        refused={"a.null"},
        faulty=[device("f", where, [{"id": "p", "kind": "measurement", "address": {"sparkplug": "plant"}}])],
        silence=lambda silent: speaking.clear() if silent else speaking.set(),
    )


RIGS: dict[str, Callable[[Closing], Awaitable[Rig]]] = {
    "modbus-tcp": lambda closing: modbus("modbus-tcp", closing),
    "modbus-rtu-tcp": lambda closing: modbus("modbus-rtu-tcp", closing),
    "dlt645 over TCP": lambda closing: dlt645(False, closing),
    "http": http,
    "http told by webhooks": webhooks,
    "bacnet": bacnet,
    "mqtt": mqtt,
    "mqtt with Sparkplug": sparkplug,
    "iec104": iec104,
}
if SERIAL:
    RIGS["modbus-rtu"] = lambda closing: modbus("modbus-rtu", closing)
    RIGS["dlt645 on a serial line"] = lambda closing: dlt645(True, closing)


@pytest_asyncio.fixture(params=RIGS)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with Closing() as closing:
        yield await RIGS[request.param](closing)


@pytest.mark.asyncio
@pytest.mark.parametrize("check", CHECKS, ids=name)
async def test_our_drivers_conform(check: Check, rig: Rig) -> None:
    await conform(check, rig)


ON_MODBUS = {"sunspec-tcp", "sunspec-rtu", "sunspec-rtu-tcp"}
"""Their link is Modbus' own, which has a rig."""


def test_every_driver_of_ours_has_a_rig() -> None:
    needed = {word for word in registry.names() if SERIAL or word != "modbus-rtu"}
    assert {word.split()[0] for word in RIGS} | ON_MODBUS >= needed
