"""Every driver of ours passes the conformance suite that others run on theirs, against a peer that lives."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from drivers import registry
from drivers.conformance import CHECKS, Check, Rig, conform, device, name
from tests.support import meters as meter_faults
from tests.support import modbus_slave as slave_faults
from tests.support.meters import Meters
from tests.support.modbus_slave import Slave

Closing = list[Callable[[], object]]
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
        closing.append(close)
        where: dict[str, Any] = {"device": port_name, "baudrate": 115200}
    else:
        server, port = await slave.listen()
        closing.extend((slave.drop, server.close))
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
        closing.append(close)
        where: dict[str, Any] = {"device": port_name, "baudrate": 115200, "parity": "N", "gap": "1ms"}
    else:
        server, port = await meters.listen()
        closing.extend((meters.drop, server.close))
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


RIGS: dict[str, Callable[[Closing], Awaitable[Rig]]] = {
    "modbus-tcp": lambda closing: modbus("modbus-tcp", closing),
    "modbus-rtu-tcp": lambda closing: modbus("modbus-rtu-tcp", closing),
    "dlt645 over TCP": lambda closing: dlt645(False, closing),
}
if SERIAL:
    RIGS["modbus-rtu"] = lambda closing: modbus("modbus-rtu", closing)
    RIGS["dlt645 on a serial line"] = lambda closing: dlt645(True, closing)


@pytest_asyncio.fixture(params=RIGS)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    closing: Closing = []
    yield await RIGS[request.param](closing)
    for close in closing:
        close()


@pytest.mark.asyncio
@pytest.mark.parametrize("check", CHECKS, ids=name)
async def test_our_drivers_conform(check: Check, rig: Rig) -> None:
    await conform(check, rig)


ON_MODBUS = {"sunspec-tcp", "sunspec-rtu", "sunspec-rtu-tcp"}
"""Their link is Modbus' own, which has a rig."""
TO_COME = {"iec104", "mqtt", "http", "bacnet"}
"""Drivers that are being written beside this suite; each leaves the list with its rig."""


def test_every_driver_of_ours_has_a_rig() -> None:
    needed = {word for word in registry.names() if SERIAL or word != "modbus-rtu"}
    assert {word.split()[0] for word in RIGS} | TO_COME | ON_MODBUS >= needed
