"""A mixed station: Modbus TCP, IEC 104, MQTT and HTTP beside each other into table, alarms and history.

The station is a process of its own, the workers of 104 are others; their CPU is told apart and together. The peers are
not counted. Beside it: what the bare libraries take for the same load, one after the other, and nothing is decoded or
stored.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from app.bench import acquisition, iec104, mqtt
from app.bench.mixed_field import EVENTS, Field, Size, field, publishing, web_server, write_station
from app.bench.report import Figure
from app.bench.watched import Told, watched

SECONDS: Final = 30.0
WARM_S: Final = 8.0
BARE_S: Final = 4.0
GOAL_PCT: Final = 50.0


def run(seconds: float | None = None, size: Size | None = None) -> list[Figure]:
    """All figures; `seconds` shortens the main run."""
    seconds, size = seconds or SECONDS, size or Size()
    bare = _bare(size, min(seconds, BARE_S))
    told = _station(size, seconds)
    beside = ", ".join(f"{name} {pct:.1f}" for name, pct in bare.items())
    return [
        Figure.at_least(
            "into table, alarms, history", told["points_per_s"], "points/s", size.points_per_s * 0.99,
            f"{size.points_per_s:,} asked",
        ),
        Figure.at_most(
            "of one core, the station's process", told["core_pct"], "%", GOAL_PCT,
            f"bare {sum(bare.values()):.0f} %: {beside}",
        ),
        Figure.at_most(
            f"of one core, with its {size.links} workers of 104", told["core_pct"] + told["workers_pct"], "%", GOAL_PCT,
            f"workers {told['workers_pct']:.1f} %",
        ),
        Figure.at_most("scans missed", told["missed"], "scans", 0),
        *_late(told),
        Figure.at_most("memory", told["rss_mb"], "MB", 500.0),
    ]  # fmt: skip


def _late(told: Told) -> list[Figure]:
    """Every protocol's worst, and where it mostly is."""
    kinds = (("worst lateness of a scan", told["scans"]), ("worst age in the table", told["ages"]))
    return [
        Figure(f"{driver}: {kind}", worst, "ms", limit=f"p99 {p99:.1f} ms")
        for kind, drivers in kinds
        for driver, (p99, worst) in drivers.items()
    ]


def start_events(field: Field) -> None:
    """Let every link send, on and on."""
    for peer in field.links:
        peer.events(field.size.link_events, EVENTS, 1)


def _station(size: Size, seconds: float) -> Told:
    with ExitStack() as parts:
        peers = parts.enter_context(field(size))
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="gridroom-bench-")))
        write_station(folder, peers)
        parts.enter_context(publishing(peers))
        station = parts.enter_context(watched(folder))
        start_events(peers)
        time.sleep(min(WARM_S, seconds))
        station.begin()
        time.sleep(seconds)
        return station.tell()


# ------------------------------------------------------------------------------------------------- the bare limits


def _bare(size: Size, seconds: float) -> dict[str, float]:
    """Library -> what it takes of a core for its part of the load."""
    with acquisition.servers(1, size.modbus_points) as ports:
        reads = asyncio.run(acquisition.bare_reads(ports[0], seconds))
    with iec104.outstation() as peer:
        events = asyncio.run(iec104.bare_socket(peer, seconds))["of_core"]
    with mqtt.broker() as port:
        messages_pct = mqtt.bare(size.mqtt, port, seconds)["core_pct"]
    with web_server(1, size.http_points) as port:
        answers = asyncio.run(_bare_answers(f"http://127.0.0.1:{port}/d0", seconds))
    return {
        "pymodbus": 100 * size.modbus * size.modbus_points / 62.5 / reads,
        "104 socket": 100 * size.links * size.link_events / events,
        "paho": messages_pct,
        "aiohttp": 100 * size.http / answers,
    }


async def _bare_answers(url: str, seconds: float) -> float:
    """Answers that aiohttp gets and json reads, a second of a core."""
    import aiohttp

    async with aiohttp.ClientSession() as session:
        count, began, end = 0, time.process_time(), time.monotonic() + seconds
        while time.monotonic() < end:
            async with session.get(url) as response:
                await response.json()
            count += 1
    return count / (time.process_time() - began)
