"""Devices that send by themselves: there when they say so, lost when their link says so, polled beside it or not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from app.model import quality as q
from app.model.errors import TransportError
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import LinkState
from tests.support.field import MemoryField, ReportingLink
from tests.unit.engine.test_engine import field, running, state, until

__all__ = ["field"]


def sent(value: float, time: int) -> Updates:
    return Updates.of([0], value, 0, time, time)


@pytest.mark.asyncio
async def test_a_device_is_there_once_it_sent_and_lost_when_its_link_says_so(
    tmp_path: Path, field: MemoryField
) -> None:
    field.reporting = "only"
    queue = field.reports["a"] = asyncio.Queue()
    async with running(tmp_path, "a") as (engine, collector):
        await until(engine.devices)
        assert state(engine, "a") is LinkState.STARTING, "connected is not yet there"
        queue.put_nowait(sent(7.0, 1_000))
        await until(lambda: collector.of(3))
        assert state(engine, "a") is LinkState.ONLINE
        assert (engine.table.value[0], engine.table.time[0]) == (7.0, 1_000)
        assert collector.of(3)[-1] == (14.0, 0)
        assert np.isnan(engine.table.value[1]), "nothing is polled"
        queue.put_nowait(TransportError(Text.of("the broker says it died")))
        await until(lambda: state(engine, "a") is LinkState.LOST)
        assert engine.devices()[0].last_error == Text.of("the broker says it died")
        assert (engine.table.value[0], engine.table.quality[0]) == (7.0, q.NT)
        queue.put_nowait(sent(8.0, 2_000))
        await until(lambda: state(engine, "a") is LinkState.ONLINE)
        assert (engine.table.value[0], engine.table.quality[0]) == (8.0, 0)


@pytest.mark.asyncio
async def test_what_is_reported_comes_between_polls_and_either_loses_the_device(
    tmp_path: Path, field: MemoryField
) -> None:
    field.reporting = "also"
    queue = field.reports["a"] = asyncio.Queue()
    async with running(tmp_path, "a") as (engine, collector):
        await until(lambda: len(collector.of(0)) > 2)
        queue.put_nowait(sent(7.0, 1_000))
        await until(lambda: (7.0, 0) in collector.of(0))
        queue.put_nowait(TransportError(Text.of("the subscription is gone")))
        await until(lambda: state(engine, "a") is LinkState.LOST)
        reads = len(field.reads)
        await until(lambda: state(engine, "a") is LinkState.ONLINE)
        assert len(field.reads) > reads, "it is polled again"
        field.failing["a"] = TransportError(Text.of("cable pulled"))
        await until(lambda: state(engine, "a") is LinkState.LOST)
        assert len([task for task in asyncio.all_tasks() if task.get_name() == "device a"]) == 1


@pytest.mark.asyncio
async def test_texts_that_a_device_reports_are_shown_and_a_driver_that_fails_on_them_hides_nothing(
    tmp_path: Path, field: MemoryField, monkeypatch: pytest.MonkeyPatch
) -> None:
    field.reporting = "only"
    told = {"sn": "A7"}
    monkeypatch.setattr(ReportingLink, "texts", lambda link, device: told if device.id == "a" else {}[device.id])
    async with running(tmp_path, "a", "b") as (engine, _):
        await until(lambda: len(engine.devices()) == 2)
        first, second = engine.devices()
        assert (first.texts, first.remarks) == ({"sn": "A7"}, {})
        told["sn"] = "B8"
        assert engine.devices()[0].texts == {"sn": "B8"}
        assert second.texts == {}
        assert second.remarks["b"].en == "its driver cannot tell what it knows: KeyError: 'b'"
        assert second.remarks["b"].zh == "其驱动无法说明设备状况：KeyError: 'b'"
