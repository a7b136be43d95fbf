"""A whole station with a line of IEC 60870-5-104: what its screen shows while the worker is killed, and afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.model import quality as q
from app.model.views import LinkState
from app.starting import running
from tests.support.iec104_devices import devices
from tests.support.iec104_station import ScriptedStation, encode


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 (another thread brings it about)
            await asyncio.sleep(0.05)


@pytest.mark.asyncio
async def test_a_killed_worker_is_a_lost_device_that_comes_back(tmp_path: Path) -> None:
    async with ScriptedStation(encode(13, 20, 1, [1], [1.5])) as outstation:
        points = ["p measurement ioa: 1, type: M_ME_NC_1"]
        (tmp_path / "s").mkdir()
        devices(tmp_path / "s", {"a": f"host: 127.0.0.1, port: {outstation.port}, ca: 1"}, {"a": points})
        with running(tmp_path / "s", tmp_path / "data", None, "test") as station:

            def shown() -> tuple[float, int, LinkState]:
                snapshot = station.snapshot()
                return float(snapshot.value[0]), int(snapshot.quality[0]), station.devices()[0].state

            await eventually(lambda: shown() == (1.5, 0, LinkState.ONLINE))
            workers = [one for one in psutil.Process().children() if "drivers.iec104.worker" in " ".join(one.cmdline())]
            (worker,) = workers
            worker.kill()
            await eventually(lambda: shown() == (1.5, q.NT, LinkState.LOST))
            assert "its worker process died" in str(station.devices()[0].last_error)
            outstation.values = encode(13, 20, 1, [1], [2.5])
            await eventually(lambda: shown() == (2.5, 0, LinkState.ONLINE))
        assert not worker.is_running() and len(outstation.talks) == 2
