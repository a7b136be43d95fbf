"""Acquisition: Modbus TCP devices over loopback into table, alarms and history, and how much of a core that takes.

The station runs in a process of its own, so that its CPU and memory are its own; the servers in another, not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from app.bench.report import Figure

DEVICES: Final = 100
POINTS: Final = 1000
SECONDS: Final = 60.0
WARM_S: Final = 8.0
BARE_S: Final = 5.0
STEPS: Final = (2.0, 3.0, 3.5, 4.0)
"""Multiples of the goal's rate that are tried after it."""


def run(seconds: float | None = None) -> list[Figure]:
    """All figures; `seconds` shortens the main run."""
    seconds = seconds or SECONDS
    with servers(DEVICES) as ports:
        bare = asyncio.run(bare_reads(ports[0], BARE_S))
        main = _station_process(ports, seconds)
    asked = DEVICES * POINTS
    bare_pct = 100 * asked / 62.5 / bare
    figures = [
        Figure.at_least(
            "into table, alarms, history", main["points_per_s"], "points/s", asked * 0.999, f"{asked:,} asked"
        ),
        Figure.at_most("of one core", main["core_pct"], "%", 60.0, f"bare pymodbus {bare_pct:.0f} % for these reads"),
        Figure("bare pymodbus, no decoding", bare, "reads/s of a core"),
        Figure.at_most("scans missed", main["missed"], "scans", 0),
        Figure.at_most("lateness p99", main["late_p99_ms"], "ms", 100.0, f"worst {main['late_worst_ms']:.0f} ms"),
        Figure.at_most("memory", main["rss_mb"], "MB", 500.0),
        Figure.at_most("memory growth, second half", main["growth_mb"], "MB", 10.0),
    ]
    return [*figures, Figure("highest rate that holds", _highest(main, min(seconds, 15.0)), "points/s")]


def _highest(main: dict[str, float], seconds: float) -> float:
    """Add devices until a scan is missed or p99 lateness passes its goal."""
    best = main["points_per_s"] if _holds(main) else 0.0
    for step in STEPS:
        devices = round(DEVICES * step)
        with servers(devices) as ports:
            result = _station_process(ports, seconds)
        if not _holds(result) or result["points_per_s"] < devices * POINTS * 0.999:
            break
        best = result["points_per_s"]
    return best


def _holds(result: dict[str, float]) -> bool:
    return result["missed"] == 0 and result["late_p99_ms"] <= 100.0


@contextmanager
def servers(count: int, points: int = POINTS) -> Iterator[list[int]]:
    """Lean Modbus servers of f32 points in a process of their own; yields their ports."""
    command = [
        sys.executable,
        "-m",
        "app.bench.lean_server",
        "--ports",
        str(count),
        "--registers",
        str(2 * points),
        "--with-parent",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stdin is None:
            raise OSError("the lean servers were started without pipes")
        ports: list[int] = json.loads(process.stdout.readline())
        yield ports
        process.stdin.close()


async def bare_reads(port: int, seconds: float) -> float:
    """Reads of 125 registers a second by pymodbus alone, nothing decoded. The physical limit of the machine."""
    from pymodbus.client import AsyncModbusTcpClient

    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    count, end = 0, time.process_time() + seconds
    began = time.process_time()
    while time.process_time() < end:
        for _ in range(50):
            await client.read_holding_registers(0, count=125)
        count += 50
    client.close()
    return count / (time.process_time() - began)


def _station_process(ports: list[int], seconds: float) -> dict[str, float]:
    """Run a station against the ports in a process of its own; what that process measured of itself."""
    with tempfile.TemporaryDirectory(prefix="gridroom-bench-") as folder:
        write_station(Path(folder), ports)
        command = [sys.executable, "-m", "app.bench.acquisition", folder, "--seconds", str(seconds)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def write_station(folder: Path, ports: list[int]) -> None:
    """Every point has two limits, two decimals and no deadband: nothing is spared."""
    points = [
        f"  - {{id: p{i}, name: P{i}, kind: measurement, unit: kW, precision: 2, range: [-1.0e+6, 1.0e+6], "
        f"address: {{table: holding, register: {2 * i}, type: f32}}, alarms: {{h: 5.0e+5, l: -5.0e+5, hysteresis: 1}}}}"
        for i in range(POINTS)
    ]
    head = "version: 1\nvendor: Bench\nmodel: F32\nkind: meter\nsource: made here\nlicence: Apache-2.0\npoints:\n"
    template = folder / "templates" / "bench" / "f32.yaml"
    template.parent.mkdir(parents=True)
    template.write_text(head + "\n".join(points) + "\n")
    devices = [
        f"  - {{id: d{i}, name: D{i}, kind: meter, template: bench/f32, "
        f"connection: {{driver: modbus-tcp, host: 127.0.0.1, port: {port}}}}}"
        for i, port in enumerate(ports)
    ]
    where = "timezone: UTC, location: {latitude: 0, longitude: 0}"
    station = f"version: 1\nstation: {{id: bench, name: Bench, {where}}}\ndevices:\n"
    (folder / "station.yaml").write_text(station + "\n".join(devices) + "\n")


def _measure(folder: Path, seconds: float) -> dict[str, Any]:
    """In the station's own process: warm up, then count."""
    import psutil

    from app.starting import running

    me = psutil.Process()
    with running(folder, folder / "data", None, "bench") as station:
        time.sleep(WARM_S)
        station.reset_figures()
        cpu, began, points = time.process_time(), time.monotonic(), station.points_total
        rss_mb: list[float] = []
        while (passed := time.monotonic() - began) < seconds:
            time.sleep(min(1.0, seconds - passed))
            rss_mb.append(me.memory_info().rss / 1e6)
        took = time.monotonic() - began
        health = station.health()
        return {
            "points_per_s": (station.points_total - points) / took,
            "core_pct": 100 * (time.process_time() - cpu) / took,
            "missed": sum(device.late_scans for device in station.devices()),
            "late_p99_ms": health.late_p99_ms,
            "late_worst_ms": station.late_worst_ms,
            "rss_mb": max(rss_mb),
            "growth_mb": _growth(rss_mb),
        }


def _growth(samples: list[float]) -> float:
    """What the second half added: medians of the last sixth of both halves, because commits make it breathe."""
    window = max(1, len(samples) // 6)
    half = len(samples) // 2
    return statistics.median(samples[-window:]) - statistics.median(samples[half - window : half])


def main() -> None:
    """The station's own process: `python -m app.bench.acquisition FOLDER --seconds N`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args()
    print(json.dumps(_measure(options.folder, options.seconds)))


if __name__ == "__main__":
    main()
