"""The engine on a field in memory: what is read, lost, marked, found again and handed to sinks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from app.engine import supervision
from app.engine.computed import parse_all
from app.engine.engine import Engine
from app.model import quality as q
from app.model.clock import SystemClock
from app.model.errors import RefusedByDevice, TransportError
from app.model.loading import load_station
from app.model.updates import Updates
from app.model.views import LinkState
from drivers import registry
from tests.support.field import MemoryField

HEAD = """version: 1
station: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}
devices:
"""
DEVICE = """  - id: {id}
    name: {id}
    kind: meter
    connection: {{driver: memory, line: bus}}
    points:
      - {{id: p, name: P, kind: measurement, unit: kW, scan: 50ms, range: [0, 100], address: {{}}}}
      - {{id: slow, name: Slow, kind: measurement, unit: kW, scan: 200ms, address: {{}}}}
      - {{id: go, name: Go, kind: command, address: {{}}}}
      - {{id: twice, name: Twice, kind: measurement, unit: kW, value: p * 2}}
"""


class Collector:
    def __init__(self) -> None:
        self.batches: list[Updates] = []

    def take(self, updates: Updates) -> None:
        self.batches.append(updates)

    def of(self, index: int) -> list[tuple[float, int]]:
        joined = Updates.join(self.batches)
        rows = joined.point == index
        return list(zip(joined.value[rows].tolist(), joined.quality[rows].tolist(), strict=True))


@pytest.fixture
def field(monkeypatch: pytest.MonkeyPatch) -> MemoryField:
    made = MemoryField()
    monkeypatch.setattr(registry, "driver", lambda name: made)
    monkeypatch.setattr("app.engine.engine.driver", lambda name: made)
    monkeypatch.setattr(supervision, "SHORTEST_BACK_OFF_S", 0.1)
    return made


@asynccontextmanager
async def running(
    folder: Path, *devices: str, sinks: list[object] | None = None
) -> AsyncIterator[tuple[Engine, Collector]]:
    (folder / "station.yaml").write_text(HEAD + "".join(DEVICE.format(id=id_) for id_ in devices))
    loaded = load_station(folder)
    expressions, faults = parse_all(loaded)
    assert not faults
    collector = Collector()
    engine = Engine(loaded.station, expressions, SystemClock(), sinks=[*(sinks or []), collector])  # type: ignore[list-item]
    task = asyncio.create_task(engine.run())
    try:
        yield engine, collector
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something is true; fails after a time that no sound run needs."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 (several things are waited for, few of them have an event)
            await asyncio.sleep(0.01)


def state(engine: Engine, device: str) -> LinkState:
    return next((status.state for status in engine.devices() if status.device == device), LinkState.STARTING)


@pytest.mark.asyncio
async def test_values_reach_table_computed_points_and_sinks(tmp_path: Path, field: MemoryField) -> None:
    field.values["a"] = 7.0
    async with running(tmp_path, "a") as (engine, collector):
        await until(lambda: len(collector.of(3)) > 0)
    assert engine.table.value[[0, 1]].tolist() == [7.0, 7.0]
    assert collector.of(3)[0] == (14.0, 0)
    assert np.isnan(engine.table.value[2]), "a command is never polled"
    assert field.links[0].closed


@pytest.mark.asyncio
async def test_a_value_outside_its_range_is_marked(tmp_path: Path, field: MemoryField) -> None:
    field.values["a"] = 101.0
    async with running(tmp_path, "a") as (_, collector):
        await until(lambda: len(collector.of(0)) > 0)
    assert collector.of(0)[0] == (101.0, q.RANGE)


@pytest.mark.asyncio
async def test_each_scan_keeps_its_own_pace(tmp_path: Path, field: MemoryField) -> None:
    async with running(tmp_path, "a") as (_, collector):
        await until(lambda: len(collector.of(1)) >= 4)
        assert len(collector.of(0)) > 2 * len(collector.of(1))


@pytest.mark.asyncio
async def test_a_lost_device_keeps_its_values_visibly_old_and_recovers(tmp_path: Path, field: MemoryField) -> None:
    field.values["a"] = 7.0
    async with running(tmp_path, "a") as (engine, collector):
        await until(lambda: state(engine, "a") is LinkState.ONLINE and len(collector.of(0)) > 1)
        field.failing["a"] = TransportError("cable pulled")
        await until(lambda: state(engine, "a") is LinkState.LOST)
        await until(lambda: collector.of(0)[-1] == (7.0, q.NT))
        online = engine._station.by_name["a._online"]
        await until(lambda: collector.of(online)[-1][0] == 0.0)
        status = engine.devices()[0]
        assert status.last_error == "cable pulled" and status.next_try > 0 and status.errors >= 2
        await until(lambda: collector.of(3)[-1][1] & q.DERIVED)
        del field.failing["a"]
        await until(lambda: collector.of(0)[-1] == (7.0, 0) and collector.of(online)[-1][0] == 1.0)
        assert state(engine, "a") is LinkState.ONLINE


@pytest.mark.asyncio
async def test_a_device_that_was_never_reached_is_told_as_lost(tmp_path: Path, field: MemoryField) -> None:
    field.failing["a"] = TransportError("nobody there")
    async with running(tmp_path, "a") as (engine, collector):
        await until(lambda: collector.of(0))
        value, quality = collector.of(0)[0]
        assert np.isnan(value) and quality == q.NT
        assert engine.table.time[0] == 0, "never received stays never received"


@pytest.mark.asyncio
async def test_one_failed_poll_is_noise_two_are_a_loss(tmp_path: Path, field: MemoryField) -> None:
    async with running(tmp_path, "a") as (engine, collector):
        await until(lambda: state(engine, "a") is LinkState.ONLINE)
        field.failing["a"] = TransportError("noise")
        before = engine.devices()[0].errors
        await until(lambda: engine.devices()[0].errors == before + 1)
        del field.failing["a"]
        count = len(collector.of(0))
        await until(lambda: len(collector.of(0)) > count + 2)
        assert state(engine, "a") is LinkState.ONLINE
        assert all(quality == 0 for _, quality in collector.of(0))


@pytest.mark.asyncio
async def test_a_busy_device_is_left_alone_at_once(tmp_path: Path, field: MemoryField) -> None:
    async with running(tmp_path, "a") as (engine, _):
        await until(lambda: state(engine, "a") is LinkState.ONLINE)
        field.failing["a"] = RefusedByDevice("exception 6, device busy", code=6)
        await until(lambda: state(engine, "a") is LinkState.LOST)
        assert "device busy" in engine.devices()[0].last_error


@pytest.mark.asyncio
async def test_a_dead_device_on_a_shared_line_does_not_stop_the_other(tmp_path: Path, field: MemoryField) -> None:
    field.hanging.add("dead")
    async with running(tmp_path, "dead", "alive") as (engine, collector):
        alive = engine._station.by_name["alive.p"]
        await until(lambda: len(collector.of(alive)) > 10)
        assert state(engine, "alive") is LinkState.ONLINE and state(engine, "dead") is not LinkState.ONLINE
        assert len(field.links) == 1, "devices of one line share one link"


@pytest.mark.asyncio
async def test_a_dead_device_is_asked_ever_more_seldom(tmp_path: Path, field: MemoryField) -> None:
    field.failing["a"] = TransportError("no answer")
    async with running(tmp_path, "a") as (engine, _):
        await until(lambda: len(field.reads) >= 3)
        await until(
            lambda: engine.devices()[0].next_try - engine._clock.now_ns() > 0.2e9
        )  # four times the first, jittered


@pytest.mark.asyncio
@pytest.mark.expects_errors
async def test_a_driver_that_breaks_stays_with_its_device(tmp_path: Path, field: MemoryField) -> None:
    field.failing["a"] = ZeroDivisionError("a bug in a driver")
    async with running(tmp_path, "a", "b") as (engine, collector):
        b = engine._station.by_name["b.p"]
        await until(lambda: len(collector.of(b)) > 3 and state(engine, "a") is LinkState.LOST)


class Broken:
    def take(self, updates: Updates) -> None:
        raise OSError("disk full")


@pytest.mark.asyncio
@pytest.mark.expects_errors
async def test_a_sink_that_breaks_takes_nothing_from_the_others(tmp_path: Path, field: MemoryField) -> None:
    async with running(tmp_path, "a", sinks=[Broken()]) as (_, collector):
        await until(lambda: len(collector.of(0)) > 3)


@pytest.mark.asyncio
async def test_own_points_tell_of_the_connection(tmp_path: Path, field: MemoryField) -> None:
    async with running(tmp_path, "a") as (engine, collector):
        errors = engine._station.by_name["a._errors"]
        rtt = engine._station.by_name["a._rtt_ms"]
        await until(lambda: collector.of(errors) and collector.of(rtt))
        assert collector.of(errors)[-1] == (0.0, 0) and 0 <= collector.of(rtt)[-1][0] < 1000
