"""One device of each protocol made dead, slow and garbling in turn: how much later the others are for it.

The field and the load are those of `mixed`. The first Modbus device, 104 link, MQTT client and HTTP device are reached
through relays that swallow, delay and change bytes (`relay`); for MQTT, garbled payloads on the connection that all
other devices share come on top. Late is how late a scan begins, and for what devices send by themselves how old it is
once it is in the table; each 99th percentile is compared with that of a time without faults just before it.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from app.bench import lean_publisher
from app.bench.mixed import WARM_S, start_events
from app.bench.mixed_field import Field, Size, field, publishing, write_station
from app.bench.report import Figure
from app.bench.watched import Told, WatchedStation, watched

SECONDS: Final = 10.0
GROWTH_MS: Final = 50.0
SETTLES_S: Final = 1.0
LOOKS: Final = 3
"""Where the goal seems not to hold, it is looked at so often, and the median counts: a machine has its moments."""
HOW: Final = ("dead", "slow", "garbling")
FIRST: Final = {"modbus-tcp": "m0", "iec104": "i0", "mqtt": "t0", "http": "h0"}
"""Driver -> its device behind a relay."""
LIES_PER_S: Final = 100
LIAR: Final = "t1"
"""The device of which garbled payloads come, among all others' on one connection."""


def run(seconds: float | None = None, size: Size | None = None) -> list[Figure]:
    """All figures; `seconds` shortens each time with and without a fault."""
    seconds = seconds or SECONDS
    with ExitStack() as parts:
        peers = parts.enter_context(field(size or Size()))
        ports = (peers.modbus[0], peers.links[0].port, peers.broker, peers.http)
        relays = parts.enter_context(relayed(*ports))
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="gridroom-bench-")))
        write_station(folder, peers, dict(zip(FIRST.values(), relays.ports, strict=True)))
        parts.enter_context(publishing(peers))
        trial = Trial(peers, relays, parts.enter_context(watched(folder)), seconds)
        start_events(peers)
        time.sleep(min(WARM_S, seconds))
        figures = [_judged(partial(trial.fault, driver, how)) for how in HOW for driver in FIRST]
        return [*figures, _judged(trial.lies)]


def _judged(look: Callable[[], Figure]) -> Figure:
    figure = look()
    if figure.holds:
        return figure
    looks = sorted((figure, *(look() for _ in range(LOOKS - 1))), key=lambda one: one.value or 0.0)
    median = looks[LOOKS // 2]
    return replace(median, limit=f"median of {LOOKS}; {median.limit}")


@dataclass(frozen=True, slots=True)
class Trial:
    """A station whose field can be disturbed."""

    field: Field
    relays: Relays
    station: WatchedStation
    seconds: float

    def fault(self, driver: str, how: str) -> Figure:
        """Make one device faulty, look at the others, and mend it."""
        device, place = FIRST[driver], list(FIRST).index(driver)
        self.station.wait(device)
        well = self._late(device)
        self.relays.make(place, how)
        try:
            time.sleep(SETTLES_S)
            faulty = self._late(device)
        finally:
            self.relays.make(place, "well")
            time.sleep(SETTLES_S)
        return _growth(f"{driver} {how}", well, faulty)

    def lies(self) -> Figure:
        """What is no JSON comes on one topic of the connection that all MQTT devices share."""
        self.station.wait(LIAR)
        well = self._late(LIAR)
        liar = lean_publisher.Connection(self.field.broker, "liar")
        topic = lean_publisher.text(f"bench/d{LIAR[1:]}")
        self.station.begin()
        end = time.monotonic() + self.seconds
        for mid in itertools.count(1):
            liar.send(lean_publisher.publish(topic, mid % 65535 + 1, b'{"n": 1, "p_kw": \xff'), 1)
            liar.listen(0)
            if time.monotonic() > end:
                break
            time.sleep(1 / LIES_PER_S)
        faulty = self.station.tell(LIAR)
        liar.close()
        return _growth("mqtt payloads garbled", well, faulty)

    def _late(self, without: str) -> Told:
        self.station.begin()
        time.sleep(self.seconds)
        return self.station.tell(without)


def _growth(fault: str, well: Told, faulty: Told) -> Figure:
    """By how much the protocol that it struck most is later."""
    kinds = (("scans", well["scans"], faulty["scans"]), ("ages", well["ages"], faulty["ages"]))
    pairs = {
        f"{driver} {kind}": (before[driver][0], then[driver][0])
        for kind, before, then in kinds
        for driver in before.keys() & then.keys()
    }
    most = max(pairs, key=lambda name: pairs[name][1] - pairs[name][0])
    beside = ", ".join(f"{name} {before:.0f} to {then:.0f}" for name, (before, then) in sorted(pairs.items()))
    growth = pairs[most][1] - pairs[most][0]
    return Figure.at_most(f"{fault}: growth of others' p99", growth, "ms", GROWTH_MS, f"p99 in ms: {beside}")


class Relays:
    """The relays' process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 (for mypy)
        self._orders = process.stdin
        self.ports: list[int] = json.loads(process.stdout.readline())

    def make(self, place: int, how: str) -> None:
        """From now on a relay is so."""
        self._orders.write(json.dumps([place, how]) + "\n")
        self._orders.flush()


@contextmanager
def relayed(*ports: int) -> Iterator[Relays]:
    """A relay before each port, as long as the block lasts."""
    command = [sys.executable, "-m", "app.bench.relay", *map(str, ports)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        relays = Relays(process)
        yield relays
        process.stdin.close() if process.stdin else None
