"""Templates of IEC 60870-5-104 on the wire: an outstation has their table, and each point is read or commanded."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from app.model.errors import TransportError
from app.model.loading import TEMPLATES, load_station
from app.model.station import Device, Point
from drivers.iec104.typeids import CLOCK_SYNCHRONISATION, Cause
from tests.support.c104_process import outstation_of
from tests.support.iec104_devices import Listening
from tests.support.iec104_station import ScriptedStation, Talk, reply

NAMES = sorted(file.stem for file in (TEMPLATES / "iec104").glob("*.yaml"))


def device_of(folder: Path, name: str, port: int, **more: str) -> Device:
    head = {"id": "s", "name": "S", "timezone": "Asia/Shanghai", "location": {"latitude": 0, "longitude": 0}}
    connection = {"driver": "iec104", "host": "127.0.0.1", "port": port, **more}
    one = {"id": "a", "name": "A", "kind": "gateway", "template": f"iec104/{name}", "connection": connection}
    content = {"version": 1, "station": head, "devices": [one]}
    (folder / "station.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_station(folder).station.devices[0]


def address(point: Point) -> dict[str, Any]:
    return dict(point.form.address or {})


def type_of(point: Point) -> str:
    return str(address(point)["type"])


def raw_of(point: Point) -> float:
    """A value of this point alone that its type holds exactly."""
    seed = int.from_bytes(hashlib.sha256(point.name.encode()).digest()[:8], "big")
    match type_of(point):
        case "M_SP_NA_1" | "M_SP_TB_1":
            return seed & 1
        case "M_IT_NA_1" | "M_IT_TB_1":
            return seed % 2**31
        case "M_ME_NC_1" | "M_ME_TF_1" | "C_SE_NC_1":
            return float(np.float32(seed % 2_000_003 / 7 - 100_000))
        case other:
            raise AssertionError(f"no value is known here for the type {other}")


def in_unit(point: Point, raw: float) -> float:
    return raw * point.form.scale + point.form.offset


def table(device: Device, *, orders: bool) -> dict[int, Point]:
    """What has an address: orders, or all that is read."""
    placed = [point for point in device.points if point.form.address is not None]
    return {address(point)["ioa"]: point for point in placed if type_of(point).startswith("C_") is orders}


def values_of(order: Point) -> list[float]:
    return [float(raw) for raw in order.form.states or ()] or [raw_of(order)]


def done_when_confirmed(order: Point) -> Point:
    """c104's server ends about one execution in twenty before it confirms it, which is no end."""
    form = order.form.model_copy(update={"address": {**address(order), "termination": "none"}})
    return replace(order, form=form)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", NAMES)
async def test_every_point_is_read_back_and_every_order_is_taken_by_c104(name: str, tmp_path: Path) -> None:
    draft = device_of(tmp_path, name, 2404)
    read, orders = table(draft, orders=False), table(draft, orders=True)
    async with outstation_of({ioa: type_of(point) for ioa, point in (read | orders).items()}) as outstation:
        for ioa, point in read.items():
            outstation.order(show=ioa, value=raw_of(point), send=False)
        for ioa, point in orders.items():
            if address(point).get("select"):
                outstation.order(mode=ioa)
        device = device_of(tmp_path, name, outstation.port)
        async with Listening((device,)) as listening:
            await listening.until(lambda: set(listening.latest()) >= {point.id for point in read.values()})
            came = listening.latest()
            put = {point.id: in_unit(point, raw_of(point)) for point in read.values()}
            assert {id_: value for id_, (value, _) in came.items()} == pytest.approx(put, rel=1e-12)
            assert not any(quality for _, quality in came.values())
            assert listening.link.remarks(device) == {}
            for ioa, point in orders.items():
                for raw in values_of(point):
                    assert math.isnan(await listening.link.write(done_when_confirmed(point), in_unit(point, raw)))
                    heard = await outstation.hears("command")
                    assert (heard["command"], heard["value"]) == (ioa, pytest.approx(raw))


def as_a_station_does(talk: Talk, asdu: bytes) -> None:
    """Confirms everything; ends what is executed, but no selection and no setpoint."""
    talk.send(reply(asdu, Cause.CONFIRMATION))
    selection, setpoint = asdu[-1] & 0x80, asdu[0] in (48, 49, 50)
    if asdu[0] != CLOCK_SYNCHRONISATION and not selection and not setpoint:
        talk.send(reply(asdu, Cause.TERMINATION))


@pytest.mark.asyncio
@pytest.mark.parametrize("name", NAMES)
async def test_every_order_ends_as_the_template_says(name: str, tmp_path: Path) -> None:
    async with ScriptedStation() as station:
        station.answer = as_a_station_does
        device = device_of(tmp_path, name, station.port)
        async with Listening((device,)) as listening:
            for ioa, point in table(device, orders=True).items():
                for raw in values_of(point):
                    before = len(station.asdus)
                    assert math.isnan(await listening.link.write(point, in_unit(point, raw)))
                    went = [asdu for asdu in station.asdus[before:] if asdu[6:9] == ioa.to_bytes(3, "little")]
                    assert [bool(asdu[-1] & 0x80) for asdu in went] == (
                        [True, False] if address(point).get("select") else [False]
                    )


@pytest.mark.asyncio
@pytest.mark.parametrize("name", NAMES)
async def test_an_order_that_the_station_does_not_end_is_not_known(name: str, tmp_path: Path) -> None:
    async with ScriptedStation() as station:
        station.answer = lambda talk, asdu: talk.send(reply(asdu, Cause.CONFIRMATION))
        device = device_of(tmp_path, name, station.port, execution="300ms")
        async with Listening((device,)) as listening:
            orders = table(device, orders=True).values()
            for point in [order for order in orders if address(order).get("termination") != "none"][:1]:
                with pytest.raises(TransportError, match="not ended by an activation termination within 0.3 s"):
                    await listening.link.write(point, values_of(point)[0])
            for point in [order for order in orders if address(order).get("termination") == "none"]:
                assert math.isnan(await listening.link.write(point, in_unit(point, raw_of(point))))
