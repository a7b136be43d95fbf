"""The outstation that the 104 driver is measured against: what it sends is read whole, and it ends with its starter."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.bench.iec104 import outstation
from tests.support.iec104_devices import Listening, devices


@pytest.mark.asyncio
async def test_the_driver_reads_its_interrogation_and_its_events(tmp_path: Path) -> None:
    with outstation() as peer:
        points = [f"p{n} measurement ioa: {n}, type: M_ME_NC_1" for n in range(1, 1001)]
        ways = {f"d{ca}": f"host: 127.0.0.1, port: {peer.port}, ca: {ca}" for ca in range(1, 5)}
        of = devices(tmp_path, ways, dict.fromkeys(ways, points))
        async with Listening(of) as listening:
            await listening.until(lambda: all(len(listening.rows(name)) == 1000 for name in ways))
            assert listening.latest("d3")["p7"] == (7.5, 0)
            peer.events(4000, 0.5)

            def values() -> int:
                return sum(
                    int(value) for name in ways for value, _ in listening.latest(name).values() if value % 1 == 0
                )

            await listening.until(lambda: values() >= 1600)
    for name in ways:
        seen: dict[str, float] = {}
        for point, value, _, _ in listening.rows(name)[1000:]:
            assert value == seen.get(point, 0) + 1, "each point counts its events, in their order"
            seen[point] = value
