"""Devices that speak no Modbus of their own maps, as `gridroom sim` serves them: read by the drivers that a station uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pymodbus.client import AsyncModbusTcpClient

from app.model.clock import SystemClock
from app.model.errors import RefusedByDevice, TransportError
from app.model.loading import load_station
from app.model.station import Device, Station
from app.model.updates import Updates
from app.simulation.faults import Fault, FaultKind
from app.simulation.simulator import Simulator
from drivers.contract import Link, Pollable, Writable
from drivers.registry import driver
from tests.support.simulated import standing

STATION = """version: 1
station: {id: mixed, name: Mixed, timezone: UTC, location: {latitude: 30, longitude: 0}, grid_meter: m1}
topology: [{id: grid, kind: grid}, {id: bus, kind: bus, from: grid}]
devices:
  - {id: inv, name: I, kind: pv_inverter, parent: bus, template: sunspec/inverter, connection: {host: 10.0.0.1}, ratings: {power_kw: 100}}
  - {id: pcs, name: P, kind: pcs, bms: bat, parent: bus, template: sunspec/der, connection: {host: 10.0.0.2, unit: 3}, ratings: {power_kw: 250}}
  - {id: bat, name: B, kind: bms, template: sunspec/battery, connection: {driver: sunspec-rtu, device: /dev/ttyS1}, ratings: {energy_kwh: 500}}
  - {id: wx, name: W, kind: weather, template: sunspec/weather, connection: {host: 10.0.0.4, base: 0}}
  - id: m1
    name: M
    kind: meter
    parent: bus
    template: dlt645/three_phase
    connection: {driver: dlt645, device: /dev/ttyS2, address: "000012345678", parity: E}
    points: [{id: p_kw, scale: 100}]
  - {id: m2, name: M, kind: meter, parent: inv, template: dlt645/three_phase, connection: {driver: dlt645, host: 10.0.0.9, port: 4001, address: "000012345679"},
     points: [{id: p_kw, scale: 10}, {id: s_kva, scale: 10}]}
  - id: web
    name: W
    kind: pv_inverter
    parent: bus
    ratings: {power_kw: 50}
    connection: {driver: http, url: "http://10.0.0.7/api/v1", every: 10ms}
    points:
      - {id: p_kw, name: P, kind: measurement, role: active_power, unit: kW, scale: 0.001, address: {path: "$.ac[1].p", time: $.ts, quality: $.ok}}
      - {id: e_day_kwh, name: E, kind: counter, unit: kWh, address: {path: "$['day']", url: /day?of=all}}
      - {id: state, name: S, kind: status, role: state, address: {path: $.state, map: {RUN: 1, STOP: 0}}, states: {0: stopped, 1: running}}
      - {id: serial, name: N, kind: text, address: {path: $.sn}}
  - {id: load, name: L, kind: load, parent: bus, connection: {driver: mqtt, host: 10.0.0.8}, points: [{id: p_kw, name: P, kind: measurement, unit: kW, address: {topic: a, path: $.p}}]}
"""
SPOKEN = ("inv", "pcs", "bat", "wx", "m1", "m2", "web")


@pytest.fixture
def station(tmp_path: Path) -> Station:
    (tmp_path / "station.yaml").write_text(STATION)
    return load_station(tmp_path).station


@asynccontextmanager
async def link_to(simulator: Simulator, tmp_path: Path, id_: str) -> AsyncIterator[tuple[Device, Link]]:
    """The device as a station with the overlay has it, and a link to it."""
    overlay = simulator.write_overlay(tmp_path / "overlay.yaml")
    device = load_station(tmp_path, overlay).station.by_id[id_]
    spoken = driver(device.driver or "")
    assert spoken.check(device) == []
    device = replace(device, connection={**device.connection, "timeout": "500ms"})
    link = spoken.open([device], SystemClock(), read_only=False)
    try:
        await link.connect()
        yield device, link
    finally:
        await link.close()


async def read(device: Device, link: Link) -> Updates:
    assert isinstance(link, Pollable)
    updates = await link.read(link.plan(device, [point for point in device.points if point.polled]))
    return updates


@pytest.mark.asyncio
@pytest.mark.parametrize("id_", SPOKEN)
async def test_every_point_is_what_the_physics_has(station: Station, tmp_path: Path, id_: str) -> None:
    async with standing(station) as simulator, link_to(simulator, tmp_path, id_) as (device, link):
        updates = await read(device, link)
        assert link.remarks(device) == {}
        came = {station.points[i].name: v for i, v in zip(updates.point.tolist(), updates.value.tolist(), strict=True)}
        assert not updates.quality.any() and np.isfinite(updates.value).all()
        shown = [point for point, _ in simulator.panel.shown]
        meant = [pair for pair in zip(shown, simulator.panel.values().tolist(), strict=True) if pair[0].name in came]
        assert len(meant) >= 3
        for point, value in meant:
            step = max(0.1, abs(point.form.scale))  # of the meters, and of registers with their scale factors
            assert came[point.name] == pytest.approx(value, rel=1e-4, abs=0.51 * step), point.name


@pytest.mark.asyncio
async def test_what_does_not_fit_into_a_meter_is_the_nearest_that_does_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "station.yaml").write_text(STATION.replace("[{id: p_kw, scale: 10}, ", "["))
    station = load_station(tmp_path).station
    async with standing(station) as simulator, link_to(simulator, tmp_path, "m2") as (device, link):
        updates = await read(device, link)
        await read(device, link)
    assert updates.value[updates.point == station.by_name["m2.p_kw"]] == [79.9999]
    assert caplog.text.count("m2.p_kw: 85.") == 1 and "give the point their ratio as scale" in caplog.text


@pytest.mark.asyncio
async def test_a_sunspec_device_has_the_map_that_another_client_walks(station: Station) -> None:
    async with standing(station) as simulator:
        at = simulator.connections()["inv"]
        client = AsyncModbusTcpClient(str(at["host"]), port=int(at["port"] or 0), timeout=3, retries=0)
        await client.connect()
        register, models = 40002, []
        mark = await client.read_holding_registers(40000, count=2, device_id=1)
        assert b"".join(word.to_bytes(2, "big") for word in mark.registers) == b"SunS"
        while (head := (await client.read_holding_registers(register, count=2, device_id=1)).registers)[0] != 0xFFFF:
            models.append(head[0])
            register += 2 + head[1]
        client.close()
    assert models[0] == 1 and 103 in models and len(models) == len(set(models))


@pytest.mark.asyncio
async def test_a_setpoint_written_to_a_sunspec_converter_moves_it(station: Station, tmp_path: Path) -> None:
    async with standing(station) as simulator, link_to(simulator, tmp_path, "pcs") as (device, link):
        assert isinstance(link, Writable)
        point = device.point("p_set_kw")
        assert point is not None
        assert await link.write(point, 60.0) == pytest.approx(60.0, abs=0.1)
        simulator.advance(10.0)
        updates = await read(device, link)
    power = updates.value[updates.point == station.by_name["pcs.p_kw"]]
    assert power[0] == pytest.approx(60.0, abs=1.0)


@pytest.mark.asyncio
@pytest.mark.parametrize("id_", ["web", "m1", "inv"])
@pytest.mark.parametrize("kind", [FaultKind.DROP, FaultKind.SILENT, FaultKind.EXCEPTION])
async def test_faults_are_seen_by_every_driver(station: Station, tmp_path: Path, id_: str, kind: FaultKind) -> None:
    async with standing(station) as simulator, link_to(simulator, tmp_path, id_) as (device, link):
        await read(device, link)
        simulator.inject(id_, Fault(kind, 4.0))
        await asyncio.sleep(0.05)
        try:
            updates = await read(device, link)
        except (TransportError, RefusedByDevice):
            pass
        else:
            assert kind is FaultKind.EXCEPTION and link.refused(device) and not np.isfinite(updates.value).any()


@pytest.mark.asyncio
async def test_what_is_not_served_is_named(station: Station, caplog: pytest.LogCaptureFixture) -> None:
    async with standing(station) as simulator:
        assert simulator.devices == SPOKEN
    assert "load is not simulated: nothing here speaks mqtt" in caplog.text
