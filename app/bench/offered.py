"""What is offered to a dispatch centre: an interrogation, and changes without a pause, read by a bare master.

The service of all centres runs in this process and the worker that serves the centre in its own; the master is a thread
here that only reads and acknowledges.
"""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.bench.report import Figure
from app.model.clock import SystemClock
from app.model.updates import Updates
from app.northbound.service import Northbound
from drivers.iec104 import apci
from drivers.iec104.asdu import decode
from drivers.iec104.typeids import INTERROGATION, Cause

POINTS: Final = 10_000
CHANGING: Final = 4_000
RATE: Final = 20_000
SECONDS: Final = 10.0
_TICK_S: Final = 0.01
_PATIENCE_S: Final = 30.0
_W: Final = 8
_SHOWN, _CHANGED = 13, 36
"""M_ME_NC_1 and M_ME_TF_1: a float, and a float with its time."""
_INTERROGATION: Final = bytes.fromhex("64 01 06 00 01 00 00 00 00 14")


def run(seconds: float | None = None) -> list[Figure]:
    """All figures; `seconds` shortens the run."""
    seconds = min(seconds or SECONDS, SECONDS)
    with tempfile.TemporaryDirectory(prefix="gridroom-bench-") as folder:
        service, first = _offering(Path(folder))
        service.start()
        try:
            return _measure(service, first, seconds)
        finally:
            service.stop()


def _measure(service: Northbound, first: int, seconds: float) -> list[Figure]:
    def give(which: NDArray[np.intp], value: NDArray[np.float64]) -> None:
        now = time.time_ns()
        service.take(Updates.of(first + which, value, 0, now, now))

    give(np.arange(POINTS), np.zeros(POINTS))
    if not _until(lambda: service.status()[0].port > 0):
        raise TimeoutError("the centre's worker did not listen within 30 s")
    master = Master(service.status()[0].port)
    master.start()
    try:
        _until(lambda: master.interrogated_s > 0)
        counts, place, per_tick, ticks = np.zeros(CHANGING), 0, round(RATE * _TICK_S), round(seconds / _TICK_S)
        began = time.monotonic()
        for tick in range(1, ticks + 1):
            which = (place + np.arange(per_tick)) % CHANGING
            place = (place + per_tick) % CHANGING
            counts[which] += 1
            give(which, counts[which])
            time.sleep(max(0.0, began + tick * _TICK_S - time.monotonic()))
        sent = ticks * per_tick
        _until(lambda: master.came >= sent)
        took_s = time.monotonic() - began
    finally:
        master.stop()
    return [
        Figure(
            f"{master.shown:,} offered points interrogated", master.interrogated_s, "s", None, True, "by a bare master"
        ),
        Figure("changes to a centre", master.came / took_s, "changes/s", None, True, f"{RATE:,} a second were offered"),
        Figure.at_most("changes that never came", sent - master.came, "changes", 0, f"of {sent:,}"),
        Figure.at_most("offered points out of order", master.judged(), "points", 0),
    ]


def _offering(folder: Path) -> tuple[Northbound, int]:
    """The service of a station whose points are all offered, and the index of the first of them."""
    from app.configuration import configure

    where = "{{table: holding, register: {0}, type: f32}}"
    points = [f"  - {{id: p{i}, name: P{i}, kind: measurement, address: {where.format(2 * i)}}}" for i in range(POINTS)]
    head = "version: 1\nvendor: Bench\nmodel: F32\nkind: gateway\nsource: made here\nlicence: Apache-2.0\npoints:\n"
    template = folder / "templates" / "bench" / "f32.yaml"
    template.parent.mkdir(parents=True)
    template.write_text(head + "\n".join(points) + "\n")
    (folder / "station.yaml").write_text(
        "version: 1\nstation: {id: bench, name: Bench, timezone: UTC, location: {latitude: 0, longitude: 0}}\n"
        "devices:\n  - {id: d, name: D, kind: gateway, template: bench/f32, "
        "connection: {driver: modbus-tcp, host: 127.0.0.1}}\n"
    )
    (folder / "northbound.yaml").write_text(
        "version: 1\niec104:\n  - {id: centre, ca: 1, allow: [127.0.0.1], listen: {host: 127.0.0.1, port: 0}, "
        "table: points.csv}\n"
    )
    lines = [f"{i + 1},M_ME_NC_1,d.p{i}" for i in range(POINTS)]
    (folder / "points.csv").write_text("ioa,type,point\n" + "\n".join(lines) + "\n")
    configuration = configure(folder)
    station = configuration.station
    service = Northbound(
        configuration.centres, station, SystemClock(),
        journal=lambda *line: None, on_trouble=lambda source, trouble: None,
    )  # fmt: skip
    return service, station.by_name["d.p0"]


def _until(true: Callable[[], bool]) -> bool:
    """Wait for something that another thread brings about; whether it has."""
    end = time.monotonic() + _PATIENCE_S
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


class Master(threading.Thread):
    """Interrogates once, and reads and acknowledges until it is stopped. Decodes nothing before."""

    def __init__(self, port: int) -> None:
        super().__init__(name="bare master")
        self.interrogated_s = 0.0
        self.shown = 0
        """Values that the interrogation has brought."""
        self.came = 0
        """Changed values so far."""
        self._port = port
        self._asdus: list[bytes] = []
        self._stopped = False

    def run(self) -> None:
        splitter, received, acknowledged, began = apci.Splitter(), 0, 0, time.perf_counter()
        with socket.create_connection(("127.0.0.1", self._port)) as line:
            line.settimeout(0.1)
            line.sendall(apci.control(apci.STARTDT_ACT) + apci.information(0, 0, _INTERROGATION))
            while not self._stopped:
                try:
                    frames = splitter.feed(line.recv(1 << 16))
                except TimeoutError:
                    frames = []
                for frame in filter(apci.is_information, frames):
                    received += 1
                    if frame[6] == _CHANGED:
                        self._asdus.append(frame[6:])
                        self.came += frame[7]
                    elif frame[6] == _SHOWN:
                        self.shown += frame[7]
                    elif frame[6] == INTERROGATION and frame[8] == Cause.TERMINATION:
                        self.interrogated_s = time.perf_counter() - began
                if received - acknowledged >= _W or not frames:
                    acknowledged = received
                    line.sendall(apci.supervisory(received))

    def stop(self) -> None:
        self._stopped = True
        self.join()

    def judged(self) -> int:
        """Points whose changes did not come as 1, 2, 3, ... in turn."""
        columns = decode(self._asdus).columns
        order = np.argsort(columns.ioa, kind="stable")
        values, starts = columns.value[order], np.flatnonzero(np.diff(columns.ioa[order])) + 1
        return sum(
            not np.array_equal(part, np.arange(1, len(part) + 1)) for part in np.split(values, starts) if len(part)
        )
