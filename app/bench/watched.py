"""A station in a process of its own that tells how late every device is, protocol by protocol.

    python -m app.bench.watched FOLDER

Prints `ready` once every device is there, and then takes orders on standard input: `begin` counts anew, `tell ID ...`
prints what came since then as one line of JSON (`Told`), without the devices named, and `wait ID` prints a line once
that device is there. Ends with its standard input.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from app.engine import engine
from app.engine.lateness import Lateness
from app.engine.supervision import Supervisor
from app.model.clock import Clock
from app.model.station import Device, Station
from app.model.updates import Updates
from app.model.views import LinkState

READY_WITHIN_S: Final = 90.0
SOURCE_TIMES: Final = ("iec104", "mqtt", "http")
"""Protocols whose peers stamp what they say."""


class Told(TypedDict):
    """What came since `begin`. Percentages are of one core; lateness in ms: driver -> [99th percentile, worst]."""

    points_per_s: float
    core_pct: float
    workers_pct: float
    """The processes that drivers keep, all together."""
    missed: int
    rss_mb: float
    scans: dict[str, list[float]]
    """How late scans began."""
    ages: dict[str, list[float]]
    """From the peer's time stamp until a value was in the table."""


class Watch:
    """What the supervisors see. Filled on the engine's loop, read on another thread."""

    def __init__(self) -> None:
        self.scans_s: dict[tuple[str, str], list[float]] = defaultdict(list)
        """(driver, device) -> how late each scan began."""
        self._ages: dict[str, list[tuple[NDArray[np.int32], NDArray[np.int64]]]] = {name: [] for name in SOURCE_TIMES}
        """Driver -> of each batch the points, and how old they were in nanoseconds."""
        self._published: dict[str, Callable[[Updates], None]] = {}
        """Driver -> what its supervisors publish with: one for all, because a driver may join what goes to the same."""

    def begin(self) -> None:
        """Forget what came so far."""
        for late in self.scans_s.values():
            late.clear()
        for aged in self._ages.values():
            aged.clear()

    def scans(self, without: Collection[str]) -> dict[str, list[float]]:
        """`Told.scans`, without some devices."""
        drivers: dict[str, list[float]] = defaultdict(list)
        for (driver, device), late in list(self.scans_s.items()):
            drivers[driver] += [] if device in without else late
        return _worst(drivers)

    def ages(self, station: Station, without: Collection[str]) -> dict[str, list[float]]:
        """`Told.ages`, without some devices."""
        of_field = np.array([not point.own and point.device not in without for point in station.points])
        ages = {driver: [age[of_field[point]] for point, age in list(pairs)] for driver, pairs in self._ages.items()}
        return _worst({driver: np.concatenate(parts) / 1e9 for driver, parts in ages.items() if parts})

    def supervisor(
        self, device: Device, link: Any, clock: Clock, *, publish: Callable[[Updates], None], **rest: Any
    ) -> Supervisor:
        """What the engine makes in the place of its own supervisor: the same, and watched."""
        driver = str(device.driver)
        scans = _Scans(rest.pop("lateness"), self.scans_s[driver, device.id].append)
        published = self._published.setdefault(driver, self._watched(driver, publish, clock))
        return Supervisor(device, link, clock, publish=published, lateness=scans, **rest)

    def _watched(self, driver: str, publish: Callable[[Updates], None], clock: Clock) -> Callable[[Updates], None]:
        if driver not in SOURCE_TIMES:
            return publish
        ages = self._ages[driver]

        def published(updates: Updates) -> None:
            publish(updates)
            ages.append((updates.point, clock.now_ns() - updates.time))

        return published


class _Scans(Lateness):
    """The engine's own lateness, and one device's."""

    def __init__(self, all_: Lateness, add: Callable[[float], None]) -> None:
        super().__init__()
        self._all, self._add = all_, add

    def add(self, late_s: float) -> None:
        self._all.add(late_s)
        self._add(late_s)


def _worst(late_s: Mapping[str, Sequence[float] | NDArray[np.float64]]) -> dict[str, list[float]]:
    """Driver -> [99th percentile, worst] in ms."""
    return {
        driver: [1e3 * float(np.percentile(late, 99)), 1e3 * float(np.max(late))]
        for driver, late in late_s.items()
        if len(late)
    }


def _measure(folder: Path) -> None:
    import psutil

    from app.starting import running

    me, watch = psutil.Process(), Watch()
    engine.Supervisor = watch.supervisor  # type: ignore[assignment,attr-defined] # no door for this, and none needed
    with running(folder, folder / "data", None, "bench") as station:

        def wait(*ids: str) -> None:
            until = time.monotonic() + READY_WITHIN_S
            while lost := [d for d in station.devices() if d.state is not LinkState.ONLINE and d.device in ids]:
                if time.monotonic() > until:
                    raise TimeoutError(f"{lost[0].device} did not come: {lost[0].last_error}")
                time.sleep(0.05)

        def workers_s() -> float:
            times = [child.cpu_times() for child in me.children(recursive=True)]
            return float(sum(time.user + time.system for time in times))

        wait(*(device.id for device in station.station.devices))
        print("ready", flush=True)
        began, cpu_s, of_workers_s, points = time.monotonic(), time.process_time(), workers_s(), station.points_total
        for line in sys.stdin:
            word, *ids = line.split()
            if word == "begin":
                watch.begin()
                station.reset_figures()
                began, cpu_s, points = time.monotonic(), time.process_time(), station.points_total
                of_workers_s = workers_s()
            elif word == "wait":
                wait(*ids)
                print("there", flush=True)
            elif word == "tell":
                took = time.monotonic() - began
                told = Told(
                    points_per_s=(station.points_total - points) / took,
                    core_pct=100 * (time.process_time() - cpu_s) / took,
                    workers_pct=100 * (workers_s() - of_workers_s) / took,
                    missed=sum(device.late_scans for device in station.devices() if device.device not in ids),
                    rss_mb=me.memory_info().rss / 1e6,
                    scans=watch.scans(ids),
                    ages=watch.ages(station.station, ids),
                )
                print(json.dumps(told), flush=True)


class WatchedStation:
    """The process, for who started it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._heard()

    def begin(self) -> None:
        """Count from here on."""
        self._say("begin")

    def tell(self, *without: str) -> Told:
        """What came since then, without some devices."""
        self._say("tell", *without)
        told: Told = json.loads(self._heard())
        return told

    def wait(self, device: str) -> None:
        """Until a device is there."""
        self._say("wait", device)
        self._heard()

    def _say(self, *words: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 (for mypy: it was started with pipes)
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()

    def _heard(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 (for mypy: it was started with pipes)
        if not (line := self._process.stdout.readline()):
            raise RuntimeError("the station ended before its time; look at what it said above")
        return line


@contextmanager
def watched(folder: Path) -> Iterator[WatchedStation]:
    """The station of a folder, all of whose devices are there, as long as the block lasts."""
    command = [sys.executable, "-m", "app.bench.watched", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield WatchedStation(process)
        finally:
            assert process.stdin is not None  # noqa: S101 (for mypy: it was started with pipes)
            process.stdin.close()


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m app.bench.watched")
    parser.add_argument("folder", type=Path)
    _measure(parser.parse_args().folder)


if __name__ == "__main__":
    main()
