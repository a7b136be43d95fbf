"""IEC 60870-5-104: an interrogation of 50,000 points, and events into table and history, none lost.

The station, its worker and the outstation are processes of their own; the outstation is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.bench.report import Figure

STATIONS: Final = 50
POINTS: Final = 1000
RATE: Final = 20_000
SECONDS: Final = 30.0
EVENT_STATIONS: Final = 4
"""How many stations send events: 4,000 points with 5 events a second each."""
FASTER: Final = 4
BARE_S: Final = 5.0
_W: Final = 8


class Peer:
    """The outstation's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port: int = self._said()

    def _said(self) -> Any:
        assert self._process.stdout is not None  # noqa: S101 (for mypy: it was started with pipes)
        return json.loads(self._process.stdout.readline())

    def events(self, rate: float, seconds: float, stations: int = EVENT_STATIONS) -> None:
        """Begin to send."""
        assert self._process.stdin is not None  # noqa: S101 (for mypy: it was started with pipes)
        order = {"rate": rate, "seconds": seconds, "stations": stations}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def done(self) -> dict[str, Any]:
        """Wait for the end of the events; what became of them."""
        found: dict[str, Any] = self._said()
        return found


@contextmanager
def outstation(stations: int = STATIONS, points: int = POINTS) -> Iterator[Peer]:
    """The outstation, as long as the block lasts."""
    command = [sys.executable, "-m", "app.bench.outstation", "--stations", str(stations), "--points", str(points)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Peer(process)
        finally:
            assert process.stdin is not None  # noqa: S101 (for mypy: it was started with pipes)
            process.stdin.close()
            process.terminate()  # it may be sending still


def run(seconds: float | None = None) -> list[Figure]:
    """All figures; `seconds` shortens the main run."""
    seconds = seconds or SECONDS
    with outstation() as peer:
        bare = asyncio.run(bare_socket(peer, min(seconds, BARE_S)))
    with outstation() as peer:
        library = _bare_library(peer, min(seconds, BARE_S))
    main = _station(RATE, seconds)
    fast = _station(FASTER * RATE, min(seconds, 10.0))
    total = STATIONS * POINTS
    return [
        Figure.at_most(
            f"{total:,} points interrogated", main["interrogation_s"], "s", 2.0, f"bare socket {bare['gi_s']:.2f} s"
        ),
        Figure.at_least(
            "events into table and history", main["rate"], "events/s", RATE * 0.99,
            f"bare socket {bare['rate']:,.0f}, bare c104 {library:,.0f}",
        ),
        Figure.at_most("events lost", main["lost"], "events", 0, f"of {main['sent']:,}"),
        Figure.at_most("points out of order", main["disordered"], "points", 0),
        Figure.at_most("interrogations beyond the first", main["asked"] - STATIONS, "", 0),
        Figure("of one core, station", main["core_pct"], "%"),
        Figure("of one core, worker", main["worker_pct"], "%"),
        Figure("worker's memory", main["worker_mb"], "MB", None, True, f"{main['growth_mb']:+.1f} MB in the run"),
        Figure(f"lost at {FASTER} times the rate", fast["lost"], "events", None, True, f"{fast['rate']:,.0f} events/s"),
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------- the bare limits


async def bare_socket(peer: Peer, seconds: float) -> dict[str, float]:
    """The same frames read and acknowledged by nothing but a socket: interrogation in seconds, events a second
    and events a second of a core."""
    from drivers.iec104 import apci

    reader, writer = await asyncio.open_connection("127.0.0.1", peer.port)
    received = 0
    splitter = apci.Splitter()

    async def read(enough: Any) -> None:
        nonlocal received
        while not enough():
            for frame in splitter.feed(await reader.read(65536)):
                if apci.is_information(frame):
                    received += 1
                    ended.append(frame[6:9]) if frame[6] == 100 else None
                    if received % _W == 0:
                        writer.write(apci.supervisory(received))

    ended: list[bytes] = []
    writer.write(apci.control(apci.STARTDT_ACT))
    began = time.perf_counter()
    for number, ca in enumerate(range(1, STATIONS + 1)):
        asdu = bytes((100, 1, 6, 0)) + ca.to_bytes(2, "little") + bytes(3) + b"\x14"
        writer.write(apci.information(number, received, asdu))
        await read(lambda n=number: len(ended) == 2 * (n + 1))
    gi_s = time.perf_counter() - began
    writer.write(apci.supervisory(received))
    cpu_s = time.process_time()
    peer.events(0, seconds)
    told = asyncio.create_task(asyncio.to_thread(peer.done))
    reading = asyncio.create_task(read(lambda: False))
    while not told.done():
        await asyncio.sleep(0.2)
        writer.write(apci.supervisory(received))  # the last few of a run are acknowledged late
    reading.cancel()
    writer.close()
    done = told.result()
    of_core = done["sent"] / (time.process_time() - cpu_s)
    return {"gi_s": gi_s, "rate": done["sent"] / done["took_s"], "of_core": of_core}


def _bare_library(peer: Peer, seconds: float) -> float:
    """Events a second into c104's own client, with its callback for each point that does nothing but count."""
    command = [sys.executable, "-m", "app.bench.bare_c104", str(peer.port), str(EVENT_STATIONS), str(POINTS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None  # noqa: S101 (for mypy)
        process.stdout.readline()
        peer.events(0, seconds)
        done = peer.done()
        process.stdin.write("\n")
        process.stdin.flush()
        count: int = json.loads(process.stdout.readline())
    return count / float(done["took_s"])


# -------------------------------------------------------------------------------------------------- the real thing


def _station(rate: float, seconds: float) -> dict[str, Any]:
    """Run a station in a process of its own; what was sent, and what is in its table and history afterwards."""
    with outstation() as peer, tempfile.TemporaryDirectory(prefix="gridroom-bench-") as folder:
        _write_station(Path(folder), peer.port)
        command = [sys.executable, "-m", "app.bench.iec104", folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stdin is not None  # noqa: S101 (for mypy)
            ready = json.loads(process.stdout.readline())
            peer.events(rate, seconds)
            done = peer.done()
            process.stdin.write(json.dumps(done) + "\n")
            process.stdin.flush()
            measured = json.loads(process.stdout.readline())
        lost, disordered = _stored(Path(folder) / "data", done["sent"])
    return {
        **measured,
        "sent": done["sent"],
        "asked": done["asked"],
        "interrogation_s": (ready["complete_ns"] - done["asked_ns"]) / 1e9,
        "rate": (done["sent"] - lost) / done["took_s"],
        "lost": max(lost, done["sent"] - measured["seen"]),
        "disordered": disordered,
    }


def _write_station(folder: Path, port: int) -> None:
    points = [
        f"  - {{id: p{i}, name: P{i}, kind: measurement, unit: kW, address: {{ioa: {i}, type: M_ME_NC_1}}}}"
        for i in range(1, POINTS + 1)
    ]
    head = "version: 1\nvendor: Bench\nmodel: F32\nkind: gateway\nsource: made here\nlicence: Apache-2.0\npoints:\n"
    template = folder / "templates" / "bench" / "f32.yaml"
    template.parent.mkdir(parents=True)
    template.write_text(head + "\n".join(points) + "\n")
    devices = [
        f"  - {{id: d{ca}, name: D{ca}, kind: gateway, template: bench/f32, "
        f"connection: {{driver: iec104, host: 127.0.0.1, port: {port}, ca: {ca}}}}}"
        for ca in range(1, STATIONS + 1)
    ]
    where = "timezone: UTC, location: {latitude: 0, longitude: 0}"
    station = f"version: 1\nstation: {{id: bench, name: Bench, {where}}}\ndevices:\n"
    (folder / "station.yaml").write_text(station + "\n".join(devices) + "\n")


def _stored(data: Path, sent: int) -> tuple[int, int]:
    """Events that are not in a stopped history, and points whose values do not stand in their order there.

    The first row of a point is what the interrogation gave; its events are 1, 2, 3, ...
    """
    import duckdb

    sources = [
        f"SELECT * FROM read_parquet('{file.as_posix()}')" for file in (data / "history" / "raw").glob("*.parquet")
    ]
    with duckdb.connect(str(data / "history.duckdb"), read_only=True) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'raw%'").fetchall()
        sources += [f"SELECT * FROM {table}" for (table,) in tables]
        rows = connection.execute(
            f"SELECT point, time, value, quality FROM ({' UNION ALL BY NAME '.join(sources)}) ORDER BY point, time"
        ).fetchnumpy()
    good = (np.asarray(rows["quality"]) & 0x40) == 0
    point, value = np.asarray(rows["point"])[good], np.asarray(rows["value"], np.float64)[good]
    stored, disordered = 0, 0
    for part in np.split(value, np.flatnonzero(np.diff(point)) + 1):
        events = part[1:]  # behind the interrogation's
        if len(events):
            expected = np.arange(1, len(events) + 1)
            stored += len(events)
            disordered += not np.array_equal(events, expected)
    return sent - stored, disordered


def _measure(folder: Path) -> None:
    """In the station's own process: say when all points are there, wait for the end of the events, and look again."""
    import psutil

    from app.model import quality as q
    from app.starting import running

    me = psutil.Process()
    with running(folder, folder / "data", None, "bench") as station:
        of_field = np.array([not point.own for point in station.station.points])

        def missing() -> int:
            shot = station.snapshot()
            return int(((shot.quality[of_field] & q.UNUSABLE) != 0).sum())

        while missing():
            time.sleep(0.005)
        complete_ns = time.time_ns()
        (worker,) = [child for child in me.children(recursive=True) if "drivers.iec104.worker" in child.cmdline()]
        before, rss_mb = (time.process_time(), _cpu_s(worker)), worker.memory_info().rss / 1e6
        print(json.dumps({"complete_ns": complete_ns}), flush=True)
        done = json.loads(sys.stdin.readline())
        busy = time.process_time() - before[0], _cpu_s(worker) - before[1]
        of_events = np.flatnonzero(of_field)[: EVENT_STATIONS * POINTS]
        seen, until = 0, time.monotonic() + 2.0  # acknowledged is not yet shown
        while seen < done["sent"] and time.monotonic() < until:
            time.sleep(0.05)
            seen = int(station.snapshot().value[of_events].sum())  # each point counts its events
        growth_mb = worker.memory_info().rss / 1e6 - rss_mb
    print(
        json.dumps(
            {
                "seen": seen, "core_pct": 100 * busy[0] / done["took_s"],
                "worker_pct": 100 * busy[1] / done["took_s"], "worker_mb": rss_mb, "growth_mb": growth_mb,
            }
        ),
        flush=True,
    )  # fmt: skip


def _cpu_s(process: Any) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """The station's own process: `python -m app.bench.iec104 FOLDER`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    _measure(parser.parse_args().folder)


if __name__ == "__main__":
    main()
