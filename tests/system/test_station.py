"""The demo park from the wire to the facade: real servers in a process of their own, a real data folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from app.configuration import configure
from app.demo import DEMO, DemoSimulator
from app.history.folder import DataFolder
from app.model import quality as q
from app.model.access import Actor
from app.model.views import AlarmState, LinkState
from app.station import RunningStation

ROOT = Path(__file__).resolve().parents[2]


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something is true; fails after a time that no sound run needs."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def simulator() -> Iterator[DemoSimulator]:
    made = DemoSimulator()
    made.wait_until_ready()
    yield made
    made.stop()


class Run:
    """One run of the demo station on a data folder."""

    def __init__(self, data: Path, overlay: Path) -> None:
        self._folder = DataFolder.open(data, "a test")
        self.facade = RunningStation(configure(DEMO, overlay), data)
        self.facade.start()

    def stop(self) -> None:
        self.facade.stop()
        self._folder.close()

    def read(self, name: str) -> tuple[float, int]:
        snapshot = self.facade.snapshot()
        index = self.facade.station.by_name[name]
        return float(snapshot.value[index]), int(snapshot.quality[index])

    def state(self, device: str) -> LinkState:
        return next(status.state for status in self.facade.devices() if status.device == device)

    def all_online(self) -> bool:
        health = self.facade.health()
        return health.devices_online == health.devices_total


@pytest.fixture
def run(tmp_path: Path, simulator: DemoSimulator) -> Iterator[Run]:
    made = Run(tmp_path / "data", simulator.overlay)
    yield made
    made.stop()


def test_every_device_comes_alive_and_the_park_balances(run: Run) -> None:
    until(run.all_online)
    until(lambda: run.facade.health().points_per_s > 500)
    assert run.facade.health().history is None
    until(lambda: abs(run.read("park.balance_kw")[0]) < 2.0)
    snapshot = run.facade.snapshot()
    received = snapshot.time != 0
    assert received.sum() > 1000
    assert not (snapshot.quality[received] & (q.IV | q.OV)).any()


@pytest.mark.parametrize("fault", ["drop", "silent", "garbage", "exception", "wrong-unit"])
def test_a_faulty_device_is_lost_alarmed_and_found_again(run: Run, simulator: DemoSimulator, fault: str) -> None:
    until(run.all_online)
    value, _ = run.read("inv1.p_kw")
    simulator.tell(f"fault inv1 {fault}")
    try:
        until(lambda: run.state("inv1") is LinkState.LOST)
        until(lambda: run.read("inv1.p_kw")[1] & q.NT)
        assert np.isfinite(run.read("inv1.p_kw")[0]), "the last value stays visible"
        until(lambda: any(row.source == "inv1._online" for row in run.facade.alarms.active()))
        lost = [row for row in run.facade.alarms.active() if row.source == "inv1._online"]
        assert lost[0].state is AlarmState.ACTIVE_UNACKNOWLEDGED
        assert run.facade.health().devices_online == run.facade.health().devices_total - 1, "the others go on"
        status = next(status for status in run.facade.devices() if status.device == "inv1")
        assert status.last_error and status.next_try
    finally:
        simulator.tell("clear inv1")
    until(lambda: run.state("inv1") is LinkState.ONLINE, 60)
    until(lambda: run.read("inv1.p_kw")[1] == 0)
    until(
        lambda: all(
            r.state is AlarmState.RETURNED_UNACKNOWLEDGED
            for r in run.facade.alarms.active()
            if r.source == "inv1._online"
        )
    )
    assert value >= 0

    def told() -> list[float]:
        return [row.value for row in run.facade.events.journal(200).result(10) if row.source == "inv1._online"]

    until(lambda: told()[:2] == [1.0, 0.0])


def test_history_has_a_gap_where_the_device_was_lost(run: Run, simulator: DemoSimulator) -> None:
    until(run.all_online)
    began = run.facade.now_ns()
    simulator.tell("fault bms1 drop")
    try:
        until(lambda: run.read("bms1.soc_pct")[1] & q.NT)
        time.sleep(2.0)  # a gap that is long enough to be seen
    finally:
        simulator.tell("clear bms1")
    until(lambda: run.state("bms1") is LinkState.ONLINE, 60)
    until(lambda: run.read("bms1.soc_pct")[1] == 0)
    series = run.facade.history.query(["bms1.soc_pct"], began, run.facade.now_ns(), 1000).result(20)[0]
    assert len(series.gaps) >= 1
    assert (series.gaps[:, 1] - series.gaps[:, 0]).max() >= 1_500_000_000


def test_acknowledgement_and_totals_survive_a_restart(tmp_path: Path, simulator: DemoSimulator) -> None:
    first = Run(tmp_path / "data", simulator.overlay)
    simulator.tell("fault inv2 drop")
    try:
        until(lambda: any(row.source == "inv2._online" for row in first.facade.alarms.active()))
        alarm = next(row for row in first.facade.alarms.active() if row.source == "inv2._online")
        first.facade.alarms.acknowledge([alarm.id], Actor("operator 1"))
        until(lambda: np.isfinite(first.read("park.load_day_kwh")[0]) and first.read("park.load_day_kwh")[0] > 0.2)
        total = first.read("park.load_day_kwh")[0]
    finally:
        first.stop()
    second = Run(tmp_path / "data", simulator.overlay)
    try:
        again = next(row for row in second.facade.alarms.active() if row.source == "inv2._online")
        assert (again.state, again.acknowledged_by, again.raised) == (
            AlarmState.ACTIVE_ACKNOWLEDGED,
            "operator 1",
            alarm.raised,
        )
        until(lambda: np.isfinite(second.read("park.load_day_kwh")[0]))
        assert second.read("park.load_day_kwh")[0] >= total - 0.1
    finally:
        simulator.tell("clear inv2")
        second.stop()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL; TerminateProcess is tested by the history")
def test_a_killed_engine_starts_again_and_has_lost_no_more_than_the_last_second(
    tmp_path: Path, simulator: DemoSimulator
) -> None:
    data = tmp_path / "data"
    words = ["engine", "demo", "--data", str(data), "--overlay", str(simulator.overlay), "--status-every", "250ms"]
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-m", "app", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as engine:
            assert engine.stdout is not None
            until(lambda out=engine.stdout: "devices 37/37" in out.readline(), 60)  # type: ignore[misc]
            time.sleep(3.0)
            killed = datetime.now(UTC)
            engine.send_signal(signal.SIGKILL)
    file = tmp_path / "kept.csv"
    span = ("--from", (killed - timedelta(minutes=5)).isoformat(), "--to", (killed + timedelta(minutes=5)).isoformat())
    export = [
        sys.executable,
        "-m",
        "app",
        "export",
        "demo",
        "--data",
        str(data),
        "--points",
        "meter1.*",
        *span,
        "-o",
        str(file),
    ]
    done = subprocess.run(export, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    times = [line.split(",", 1)[0] for line in file.read_text(encoding="utf-8-sig").splitlines()[1:]]
    newest = max(datetime.fromisoformat(text) for text in times)
    assert killed - newest < timedelta(seconds=2.5), "one second of history, one of scan"
