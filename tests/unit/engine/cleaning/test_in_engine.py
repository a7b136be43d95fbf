"""Filters in a running engine: between driver and table, range judged behind them, lost devices, time passing."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.model import quality as q
from app.model.errors import TransportError
from app.model.updates import Updates
from tests.support.field import MemoryField
from tests.unit.engine.test_engine import field, running, until

__all__ = ["field"]

DEVICE = """  - id: a
    name: A
    kind: meter
    connection: {{driver: memory}}
    points:
      - {{id: p, name: P, kind: measurement, unit: kW, scan: 50ms, range: [0, 100], address: {{}}, clean: {clean}}}
      - {{id: twice, name: Twice, kind: measurement, unit: kW, value: p * 2}}
"""


@pytest.mark.asyncio
async def test_a_spike_reaches_neither_table_nor_sinks_nor_computed_points(tmp_path: Path, field: MemoryField) -> None:
    field.values["a"] = 7.0
    async with running(tmp_path, DEVICE.format(clean="[{spike: {window: 3}}]")) as (engine, collector):
        await until(lambda: len(collector.of(0)) > 4)
        field.values["a"] = 5000.0
        await until(lambda: (7.0, q.ESTIMATED) in collector.of(0))
        await until(lambda: (5000.0, q.RANGE) in collector.of(0))
        raw = engine.table.snapshot(0).raw
        assert raw is not None and raw.value[0] == 5000.0
    out = collector.of(0)
    assert out[out.index((7.0, q.ESTIMATED)) + 1] == (5000.0, q.RANGE), "a step comes through at the second value"


@pytest.mark.asyncio
async def test_the_range_is_judged_behind_the_filters(tmp_path: Path, field: MemoryField) -> None:
    field.values["a"] = 4000.0
    chain = "[{scale: {through: [[0, 0], [10000, 100]]}}]"
    async with running(tmp_path, DEVICE.format(clean=chain)) as (_, collector):
        await until(lambda: collector.of(0))
    assert collector.of(0)[0] == (40.0, 0)


@pytest.mark.asyncio
async def test_of_a_lost_device_a_substitute_goes_on(tmp_path: Path, field: MemoryField) -> None:
    """Also of one that was never reached."""
    field.failing["a"] = TransportError("nobody there")
    async with running(tmp_path, DEVICE.format(clean="[{substitute: {value: 3}}]")) as (engine, collector):
        await until(lambda: collector.of(0))
        assert collector.of(0) == [(3.0, q.SB)]
        assert (engine.table.value[0], engine.table.quality[0]) == (3.0, q.SB)
        await until(lambda: (6.0, q.SB) in collector.of(1))


@pytest.mark.asyncio
async def test_a_value_that_stands_still_is_told_while_nothing_comes(tmp_path: Path, field: MemoryField) -> None:
    field.reporting = "only"
    async with running(tmp_path, DEVICE.format(clean="[{stuck: {after: 200ms}}]")) as (_, collector):
        await until(lambda: "a" in field.reports)
        field.reports["a"].put_nowait(Updates.of([0], 7.0, 0, 1, 1))
        await until(lambda: collector.of(0)[-1:] == [(7.0, q.NT)])
    assert (7.0, 0) in collector.of(0)
