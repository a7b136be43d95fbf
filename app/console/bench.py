"""The console measured: start, page change, wire to pixel, memory. Qt offscreen, in processes of their own."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.bench import acquisition
from app.bench.report import Figure

BACKGROUND_DEVICES: Final = 50
PAGE_CHANGES: Final = 80
PIXEL_S: Final = 30.0
IDLE_S: Final = 20.0
PROBE_SCAN: Final = "100ms"


def run(seconds: float | None = None) -> list[Figure]:
    """All figures; `seconds` shortens the wire-to-pixel run."""
    _child("start")  # warm the caches
    start = _child("start")
    pages = _child("pages")
    idle = _child("idle")
    with acquisition.servers(BACKGROUND_DEVICES) as ports:
        pixel = _child("pixel", "--ports", ",".join(map(str, ports)), "--seconds", str(seconds or PIXEL_S))
    bound = f"{PROBE_SCAN} scan + 100 ms screen tick at worst, half of it at the mean"
    return [
        Figure.at_most("start to first live value (warm)", start["first_value_s"], "s", 3.0,
                       f"{start['bare_qt_s']:.2f} s for an empty Qt window"),
        Figure.at_most("page change p95", pages["p95_ms"], "ms", 200.0, f"worst {pages['worst_ms']:.0f} ms"),
        Figure.at_most("wire to pixel p95", pixel["p95_ms"], "ms", 250.0, bound),
        Figure("wire to pixel p50", pixel["p50_ms"], "ms"),
        Figure("points behind it", pixel["points_per_s"], "points/s", 50_000, pixel["points_per_s"] >= 49_500),
        Figure.at_most("idle demo console, memory", idle["rss_mb"], "MB", 400.0),
        Figure("idle demo console, of one core", idle["core_pct"], "%"),
    ]  # fmt: skip


def _child(part: str, *words: str) -> dict[str, float]:
    """Run one part in a process of its own; it is told when it was started."""
    command = [sys.executable, "-m", "app.console.bench", part, "--began", repr(time.time()), *words]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


# ------------------------------------------------------------------------------------------------------ the parts


def _start(options: argparse.Namespace) -> dict[str, float]:
    """From the process's start until a live value stands painted on the overview."""
    result: dict[str, float] = {}

    def measure(console: Any, pump: Callable[[float], None]) -> None:
        while not np.isfinite(console.bridge.snapshot.value).any():
            pump(0.005)
        console.window.grab()
        result["first_value_s"] = time.time() - options.began

    _demo(measure)
    code = (
        "import time; t = time.time()\nfrom PySide6.QtWidgets import QApplication, QWidget\n"
        "a = QApplication([]); w = QWidget(); w.show(); w.grab(); print(time.time() - t)"
    )
    bare = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return {**result, "bare_qt_s": float(bare.stdout)}


def _pages(options: argparse.Namespace) -> dict[str, float]:
    """From asking for a page until it is painted, all pages in turn."""
    took: list[float] = []

    def measure(console: Any, pump: Callable[[float], None]) -> None:
        pump(3.0)
        names = list(console.window.pages)
        for i in range(PAGE_CHANGES):
            pump(0.05)
            began = time.perf_counter()
            console.window.go(names[i % len(names)])
            console.window.grab()
            took.append((time.perf_counter() - began) * 1e3)

    _demo(measure)
    return {"p95_ms": float(np.percentile(took, 95)), "worst_ms": max(took)}


def _idle(options: argparse.Namespace) -> dict[str, float]:
    """Memory and processor of the demo console that nobody touches, after every page was seen once."""
    import psutil

    result: dict[str, float] = {}

    def measure(console: Any, pump: Callable[[float], None]) -> None:
        for name in [*console.window.pages, "overview"]:
            console.window.go(name)
            pump(1.0)
        cpu, began = time.process_time(), time.monotonic()
        pump(IDLE_S)
        result["core_pct"] = 100 * (time.process_time() - cpu) / (time.monotonic() - began)
        result["rss_mb"] = psutil.Process().memory_info().rss / 1e6

    _demo(measure)
    return result


def _pixel(options: argparse.Namespace) -> dict[str, float]:
    """From the answer that first carries a new value until that value stands painted in the points table."""
    late: list[float] = []
    probe = _Probe()
    with tempfile.TemporaryDirectory(prefix="gridroom-bench-", ignore_cleanup_errors=True) as folder:
        acquisition.write_station(Path(folder), [int(port) for port in options.ports.split(",")])
        with (Path(folder) / "station.yaml").open("a", encoding="utf-8") as file:
            file.write(probe.device())
        rate: list[float] = []

        def measure(console: Any, pump: Callable[[float], None]) -> None:
            console.window.show_points("probe")
            pump(8.0)
            _watch_paint(console.window.pages["devices"].table, probe, late)
            for _ in range(round(options.seconds)):
                pump(1.0)
                rate.append(console.bridge.health_now.points_per_s)

        _console(Path(folder), Path(folder) / "data", measure)
    probe.stop()
    return {
        "p95_ms": float(np.percentile(late, 95)),
        "p50_ms": float(np.percentile(late, 50)),
        "points_per_s": float(np.median(rate)),
    }


class _Probe:
    """A device of one register that counts up with each read, and remembers when it first answered each number."""

    def __init__(self) -> None:
        self.sent: dict[int, float] = {}
        self._count = 0
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(self._loop.create_server(self._protocol, "127.0.0.1", 0))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def device(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return (
            "  - {id: probe, name: Probe, kind: meter,\n"
            f"     connection: {{driver: modbus-tcp, host: 127.0.0.1, port: {port}}},\n"
            f"     points: [{{id: n, name: N, kind: measurement, precision: 0, scan: {PROBE_SCAN},\n"
            "       address: {table: holding, register: 0, type: u16}}]}\n"
        )

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        self._loop.close()

    def _protocol(self) -> asyncio.Protocol:
        probe = self

        class Answer(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                self._transport = transport

            def data_received(self, data: bytes) -> None:
                probe._count = (probe._count + 1) % 50_000
                probe.sent[probe._count] = time.perf_counter()
                self._transport.write(data[:4] + struct.pack(">HBBBH", 5, data[6], data[7], 2, probe._count))

        return Answer()


def _watch_paint(table: Any, probe: _Probe, late: list[float]) -> None:
    """After each painting of the table: how old is the number that now stands there?"""
    from PySide6.QtCore import QEvent, QObject, QTimer

    from widgets.point_table import Column

    class Watch(QObject):
        seen = -1

        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Paint:
                QTimer.singleShot(0, self._painted)
            return False

        def _painted(self) -> None:
            shown = [table.model().index(row, Column.VALUE).data() for row in range(table.model().rowCount())]
            names = [table.model().index(row, Column.ID).data() for row in range(table.model().rowCount())]
            text = next((str(s) for s, n in zip(shown, names, strict=True) if str(n).endswith("n")), "")
            digits = "".join(c for c in text if c.isdigit())
            number = int(digits) if digits else -1
            if number != self.seen and number in probe.sent:
                self.seen = number
                late.append((time.perf_counter() - probe.sent[number]) * 1e3)

    watch = Watch(table)
    table.viewport().installEventFilter(watch)


def _demo(measure: Callable[[Any, Callable[[float], None]], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="gridroom-bench-", ignore_cleanup_errors=True) as folder:
        _console(Path("demo"), Path(folder), measure)


def _console(station: Path, data: Path, measure: Callable[[Any, Callable[[float], None]], None]) -> None:
    """A console on a running station, with a pump that lets Qt live for some seconds."""
    from app.console.start import opened

    with opened(station, data, None, "bench") as console:
        from PySide6.QtCore import QEventLoop
        from PySide6.QtWidgets import QApplication

        def pump(seconds: float) -> None:
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, max(1, round(left * 1000)))
                time.sleep(min(0.002, max(left, 0)))

        console.window.resize(1920, 1080)
        measure(console, pump)


def main() -> None:
    """One part in this process: `python -m app.console.bench PART --began TIME`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("start", "pages", "idle", "pixel"))
    parser.add_argument("--began", type=float, default=time.time())
    parser.add_argument("--ports", default="")
    parser.add_argument("--seconds", type=float, default=PIXEL_S)
    options = parser.parse_args()
    part = {"start": _start, "pages": _pages, "idle": _idle, "pixel": _pixel}[options.part]
    sys.stdout.write(json.dumps(part(options)) + "\n")


if __name__ == "__main__":
    main()
