"""SunSpec without a socket: the definitions, addresses, and walks through maps of any content."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.config import BlocksForm
from app.model.errors import ProtocolError, RefusedByDevice
from app.model.station import Device
from app.model.text import Text
from drivers.modbus.address import Type
from drivers.modbus.requests import Peer
from drivers.registry import driver
from drivers.sunspec import rtu, tcp
from drivers.sunspec.address import Address, faults
from drivers.sunspec.chain import MOST_MODELS, Chain, Found, walk
from drivers.sunspec.models import models
from drivers.sunspec.polling import SunSpecPlan, modbus_address
from tests.support.devices import device, point
from tests.support.fuzzing import a_million


def test_the_definitions_have_the_lengths_that_devices_give() -> None:
    """Lengths as they stand in the registers of real devices, fixed parts and repetitions."""
    lengths = {
        1: 66,
        101: 50,
        103: 50,
        113: 60,
        120: 26,
        121: 30,
        122: 44,
        123: 24,
        124: 24,
        203: 105,
        213: 124,
        802: 62,
    }
    assert {number: models()[number].size - 2 for number in lengths} == lengths
    assert (models()[160].size - 2, models()[160].repeat_size) == (8, 20)
    assert models()[103].fields["St"].at == 38 and models()[704].fields["WSet_SF"].at == 55
    assert models()[701].fields["TotWhInj"].size == 4


def test_every_scale_factor_that_a_point_names_is_in_its_model() -> None:
    for model in models().values():
        for field in (*model.fields.values(), *model.repeated.values()):
            if isinstance(field.scale_factor, str):
                assert model.fields[field.scale_factor].kind == "sunssf", (model.id, field.name)


@pytest.mark.parametrize(
    ("address", "key", "said"),
    [
        ({"point": "W"}, "model", "no model"),
        ({"model": 103}, "point", "no point"),
        ({"model": 99, "point": "W"}, "model", "unknown model '99'"),
        ({"model": "inverter", "point": "W"}, "model", "unknown model"),
        ({"model": [], "point": "W"}, "model", "unknown model"),
        ({"model": 103, "point": "WW"}, "point", "write 'W'"),
        ({"model": [103, 101], "point": "SoC"}, "point", "model 103 has no point 'SoC'"),
        ({"model": 103, "point": "W", "group": 2}, "group", "does not repeat"),
        ({"model": 160, "point": "DCW", "group": 0}, "group", "from 1"),
        ({"model": 103, "point": "W", "instance": "2"}, "instance", "from 1"),
        ({"model": 103, "point": "W", "bit": 1}, "bit", "int16 and has no bit 1"),
        ({"model": 103, "point": "Evt1", "bit": 32}, "bit", "write 0 to 31"),
        ({"model": 103, "point": "W", "register": 5}, "register", "unknown key"),
        ({"model": 103, "point": "W", "of": {"model": 121, "point": "WMax"}}, "of", "no percentage, its unit is W"),
        ({"model": 123, "point": "WMaxLimPct", "of": "WMax"}, "of", "not a model and a point"),
        ({"model": 123, "point": "WMaxLimPct", "of": {"model": 121, "point": "WMux"}}, "of", "write 'WMax'"),
        ({"model": 123, "point": "WMaxLimPct", "of": {"model": 121, "point": "WMax", "group": 1}}, "of", "not a model"),
        ({"model": 124, "point": "OutWRte", "opposite": "InWRt"}, "opposite", "write 'InWRte'"),
        ({"model": 124, "point": "InWRte", "opposite": "OutWRte"}, "opposite", "right behind InWRte"),
        ({"model": 124, "point": "WChaMax", "opposite": "WChaGra"}, "opposite", "right behind WChaMax"),
    ],
)
def test_a_wrong_address_is_told_with_its_key_and_the_mend(address: dict[str, Any], key: str, said: str) -> None:
    (fault,) = faults(address)
    assert fault.key == key and said in str(fault)
    with pytest.raises(ValueError, match="."):
        Address.of(address)


def its(connection: Mapping[str, Any], *points: dict[str, Any]) -> Device:
    return device("d", connection, points)


def test_what_a_device_may_not_ask_is_complained_of() -> None:
    found = tcp().check(
        its(
            {"host": "h", "base": 65535},
            point("set", {"model": 103, "point": "W"}, kind="setpoint"),
            point("name", {"model": 1, "point": "SN"}),
            point("fine", {"model": [103, 802], "point": "W"}),
        )
    )
    assert [(each.point, each.key) for each in found] == [("", "base"), ("d.set", "point"), ("d.name", "point")]
    assert "can only be read" in str(found[1].what) and "kind: text" in str(found[2].mend)


def test_the_words_are_registered_and_lines_are_those_of_modbus() -> None:
    assert driver("sunspec-tcp").line(its({"host": "H", "port": 1502})) == "h:1502"
    assert driver("sunspec-rtu").line(its({"device": "COM3"})) == "COM3"
    assert driver("sunspec-rtu-tcp").check(its({"host": "h"})) == []
    one, other = its({"device": "COM3"}), its({"device": "COM3", "unit": 2, "baudrate": 19200})
    assert "baudrate 19200 on COM3" in str(rtu().check_line([one, other])[0].what)


def test_a_bit_of_a_long_bit_field_is_written_into_its_own_register() -> None:
    at = {bit: modbus_address(10, Type.U32, 2, bit) for bit in (0, 15, 16, 31)}
    assert [(each["register"], each["bit"]) for each in at.values()] == [(11, 0), (11, 15), (10, 0), (10, 15)]


@pytest.mark.parametrize("map_at", [0, None])
def test_a_base_that_is_refused_is_no_reason_not_to_try_the_next(map_at: int | None) -> None:
    words = {0: b"SunS", 2: b"\xff\xff\0\0"} if map_at == 0 else {}

    async def registers(start: int, count: int) -> bytes | None:
        if start == 40000:
            raise RefusedByDevice("exception 4", device="d", code=4)
        return words.get(start)

    if map_at == 0:
        assert asyncio.run(walk(registers)) == Chain(0, ())
    else:
        with pytest.raises(RefusedByDevice):
            asyncio.run(walk(registers))


# --- any content ----------------------------------------------------------------------------------------------------

WORDS = st.lists(st.sampled_from([0, 1, 2, 5, 103, 160, 802, 0xFFFF, 0x5375, 0x6E53, 40000]) | st.integers(0, 0xFFFF))
PLACES = [Address.of({"model": n, "point": p}) for n, p in ((103, "W"), (160, "DCW"), (802, "SoC"), (1, "SN"))]


def walked(words: Sequence[int], base: int) -> tuple[Chain | None, int]:
    """The chain in these registers, and how often was asked."""
    asked = 0

    async def registers(start: int, count: int) -> bytes | None:
        nonlocal asked
        asked += 1
        at = start - base
        if not 0 <= at <= len(words) - count:
            return None
        return b"".join(word.to_bytes(2, "big") for word in words[at : at + count])

    try:
        return asyncio.run(walk(registers)), asked
    except ProtocolError:
        return None, asked


def judge(words: Sequence[int]) -> None:
    found, asked = walked(words, 40000)
    assert asked <= MOST_MODELS + 10
    if found is not None:
        for each in found.found:
            assert each.start >= 40002 and each.end <= 65536
        for address in PLACES:
            place = found.place(address)
            assert isinstance(place, Text) or place.register + place.field.size <= place.found.end


@given(WORDS)
def test_a_walk_through_any_registers_ends_and_stays_inside(words: list[int]) -> None:
    judge([0x5375, 0x6E53, *words])
    judge(words)


def fuzz(count: int, source: Random) -> None:
    for _ in range(count):
        judge_once(source)


def read_any(count: int, source: Random) -> None:
    """Registers of any content behind a sound chain: values that are finite, or IV with a remark."""
    forms = [
        point(name.lower(), {"model": model, "point": name, **more})
        for model, name, more in (
            (103, "W", {}), (103, "WH", {}), (103, "PF", {}), (103, "Evt1", {}), (103, "St", {}), (103, "Evt1", {"bit": 31}),
            (160, "DCW", {"group": 2}), (160, "DCV", {"group": 1}), (802, "SoC", {}),
        )
    ]  # fmt: skip
    for i, form in enumerate(forms):
        form["id"] = f"p{i}"
    some = its({"host": "h"}, *forms)
    found = tuple(Found(m, at, n) for m, at, n in ((103, 40004, 50), (160, 40056, 48), (802, 40106, 62)))
    plan = SunSpecPlan("d", some.points).resolve(Chain(40000, found), Peer("d", 1), BlocksForm())
    for number in range(count):
        for ask in plan.modbus.asks:
            body = bytearray(source.randbytes(ask.request.size - 2))
            for one in found if source.random() < 0.95 else ():
                at = 2 * (one.start - ask.request.register)
                if 0 <= at <= len(body) - 4:
                    body[at : at + 4] = one.model.to_bytes(2, "big") + one.length.to_bytes(2, "big")
            for _ in range(4):  # scale factors are small numbers
                at = source.randrange(len(body) // 2)
                if source.random() < 0.5:
                    body[2 * at : 2 * at + 2] = (source.randrange(-10, 10) & 0xFFFF).to_bytes(2, "big")
            plan.modbus.take(ask, bytes((3, len(body) & 0xFF)) + bytes(body), number + 1)
        try:
            updates = plan.updates(number + 1)
        except ProtocolError:
            continue
        assert (np.isfinite(updates.value) == (updates.quality == 0)).all()
        assert len(plan.remarks) <= len(forms)


def test_any_registers_are_values_or_remarked() -> None:
    read_any(3_000, Random(1))


@pytest.mark.slow
def test_a_million_reads_keep_no_memory() -> None:
    a_million(read_any)


@pytest.mark.slow
def test_a_million_walks_keep_no_memory() -> None:
    a_million(fuzz)


def judge_once(source: Random) -> None:
    """As `judge`, without an event loop for each: the walk never waits for anything here."""
    words = [0x5375, 0x6E53, *(source.choice((0, 1, 3, 103, 160, 0xFFFF, source.getrandbits(16))) for _ in range(12))]

    async def registers(start: int, count: int) -> bytes | None:
        at = start - 40000
        return b"".join(w.to_bytes(2, "big") for w in words[at : at + count]) if 0 <= at <= len(words) - count else None

    try:
        walk(registers).send(None)
    except StopIteration as done:
        for address in PLACES:
            done.value.place(address)
    except ProtocolError:
        pass
