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
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypedDict

import numpy as np

from app.engine import engine
from app.engine.lateness import Lateness
from app.engine.supervision import Supervisor
from app.model.clock import Clock
from app.model.station import Device
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
    """From the peer's time stamp until a batch was in the table; of its oldest row."""


class Watch:
    """What the supervisors see. Filled on the engine's loop, read on another thread."""

    def __init__(self) -> None:
        self.scans_s: dict[tuple[str, str], list[float]] = defaultdict(list)
        """(driver, device) -> how late each scan began."""
        self.ages_s: dict[tuple[str, str], list[float]] = defaultdict(list)

    def begin(self) -> None:
        """Forget what came so far."""
        for late in (*self.scans_s.values(), *self.ages_s.values()):
            late.clear()

    def supervisor(
        self, device: Device, link: Any, clock: Clock, *, publish: Callable[[Updates], None], **rest: Any
    ) -> Supervisor:
        """What the engine makes in the place of its own supervisor: the same, and watched."""
        key = (str(device.driver), device.id)
        field = {point.index for point in device.points if not point.own}
        stamped = device.driver in SOURCE_TIMES
        scans = _Scans(rest.pop("lateness"), self.scans_s[key].append)
        add_age = self.ages_s[key].append

        def published(updates: Updates) -> None:
            publish(updates)
            if stamped and len(updates) and int(updates.point[0]) in field:
                add_age((clock.now_ns() - int(updates.time.min())) / 1e9)

        return Supervisor(device, link, clock, publish=published, lateness=scans, **rest)


class _Scans(Lateness):
    """The engine's own lateness, and one device's."""

    def __init__(self, all_: Lateness, add: Callable[[float], None]) -> None:
        super().__init__()
        self._all, self._add = all_, add

    def add(self, late_s: float) -> None:
        self._all.add(late_s)
        self._add(late_s)


def _figures(late_s: dict[tuple[str, str], list[float]], without: Collection[str]) -> dict[str, list[float]]:
    """Driver -> [99th percentile, worst] in ms, of all its devices together."""
    drivers: dict[str, list[float]] = defaultdict(list)
    for (driver, device), late in list(late_s.items()):
        if device not in without:
            drivers[driver] += list(late)
    return {name: [1e3 * float(np.percentile(late, 99)), 1e3 * max(late)] for name, late in drivers.items() if late}


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
                    scans=_figures(watch.scans_s, ids),
                    ages=_figures(watch.ages_s, ids),
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
