"""Meter and devices that are read at different times, as they are in every station: nobody answers his own step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.model.clock import SECOND_NS
from tests.support.control_station import Bench, park

BOTH = ["pcs1", "pcs2"]
DT_S, FOLLOWS_S = 0.05, 0.2
KINDS: dict[str, dict[str, Any]] = {
    "peak_shaving": {"limit_kw": 100},
    "import_limit": {"limit_kw": 100},
    "zero_export": {},
    "demand_control": {"limit_kw": 100, "margin_pct": 0},
}
PLAN = {"id": "plan", "kind": "plan_tracking", "devices": BOTH, "params": {"plan": [-90.0] * 96}}


class Site:
    """Two storages behind a meter; each follows after 0.2 s, and each is read at its own time."""

    def __init__(self, bench: Bench, load_kw: float, scans: tuple[float, float], offsets: tuple[float, float]) -> None:
        self.bench, self.load_kw, self.scans, self.offsets = bench, load_kw, scans, offsets
        self.power, self.told = [0.0, 0.0], [0.0, 0.0]
        self.steps: list[tuple[int, int, float]] = []
        self.read = {bench.station.by_name[name] for name in ("meter1.p_kw", "pcs1.p_kw", "pcs2.p_kw")}

    def run(self, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """What the meter would show at each moment."""
        shown = []
        for k in range(round(seconds / DT_S)):
            for _, i, value in [step for step in self.steps if step[0] <= k]:
                self.power[i] = value
            self.steps = [step for step in self.steps if step[0] > k]
            self._read(k)
            allowed = self.bench.allowed(
                self.bench.controller.cycle(self.bench.table, self.bench.now_ns, self.bench.monotonic_ns)
            )
            for i in (0, 1):
                value = allowed.get(f"pcs{i + 1}.p_set", self.told[i])
                if value != self.told[i]:
                    self.told[i] = value
                    self.steps.append((k + round(FOLLOWS_S / DT_S), i, value))
            shown.append(self.load_kw - sum(self.power))
        return np.array(shown)

    def _read(self, k: int) -> None:
        bench = self.bench
        bench.now_ns += round(DT_S * SECOND_NS)
        bench.monotonic_ns += round(DT_S * SECOND_NS)
        for row in range(len(bench.table.received)):
            if row not in self.read and bench.table.received[row]:
                bench.table.received[row] = bench.now_ns
        for name, value, scan, offset in (
            ("meter1.p_kw", self.load_kw - sum(self.power), self.scans[0], self.offsets[0]),
            ("pcs1.p_kw", self.power[0], self.scans[1], self.offsets[1]),
            ("pcs2.p_kw", self.power[1], self.scans[1], self.offsets[1] + 0.3 * self.scans[1]),
        ):
            if (k - round(offset / DT_S)) % round(scan / DT_S) == 0:
                bench.set(**{name: value})


TIMES = [((1.0, 1.0), (0.5, 0.0)), ((1.0, 1.0), (0.8, 0.3)), ((1.0, 0.1), (0.0, 0.0)), ((0.1, 1.0), (0.0, 0.0)),
         ((0.2, 0.2), (0.1, 0.0)), ((2.0, 1.0), (0.3, 0.0))]  # fmt: skip


def station(folder: Path, scans: tuple[float, float], **more: Any) -> Any:
    """Whose points say how often they are read."""
    import yaml

    from app.model.loading import load_station

    park(folder, **more)
    text = yaml.safe_load((folder / "station.yaml").read_text(encoding="utf-8"))
    for device in text["devices"]:
        for point in device["points"]:
            point["scan"] = f"{round((scans[0] if device['id'] == 'meter1' else scans[1]) * 1000)}ms"
    (folder / "station.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    return load_station(folder).station


@pytest.mark.parametrize(("scans", "offsets"), TIMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_steady_load_is_met_and_stays_so(
    tmp_path: Path, kind: str, scans: tuple[float, float], offsets: tuple[float, float]
) -> None:
    strategy = {"id": "s", "kind": kind, "devices": BOTH, "params": KINDS[kind]}
    bench = Bench(station(tmp_path, scans), [strategy])
    site = Site(bench, -80.0 if kind == "zero_export" else 180.0, scans, offsets)
    shown = site.run(60.0)[round(20 / DT_S) :]
    wanted = 0.0 if kind == "zero_export" else 100.0
    near = 8.0 if kind == "demand_control" else 2.0  # it makes up for the energy of its first seconds
    assert np.abs(shown - wanted).max() < near and not bench.controller.hunting.hunts.any()


@pytest.mark.parametrize(("scans", "offsets"), TIMES)
def test_a_limit_of_the_site_is_kept_and_stays_so(
    tmp_path: Path, scans: tuple[float, float], offsets: tuple[float, float]
) -> None:
    site = Site(Bench(station(tmp_path, scans, limits={"import_kw": 100}), [PLAN]), 50.0, scans, offsets)
    shown = site.run(60.0)[round(20 / DT_S) :]
    assert shown.max() < 102 and shown.min() > 98, "50 kW of loads, and 50 of the 90 that were planned"


def test_a_device_that_does_not_follow_holds_nobody_up_for_ever(tmp_path: Path) -> None:
    scans, offsets = TIMES[0]
    bench = Bench(
        station(tmp_path, scans), [{"id": "s", "kind": "peak_shaving", "devices": BOTH, "params": {"limit_kw": 100}}]
    )
    site = Site(bench, 180.0, scans, offsets)
    site.run(20.0)
    site.load_kw = 140.0
    deaf = site.power[0]
    for _ in range(20):
        site.run(1.0)
        site.power[0], site.steps = deaf, [step for step in site.steps if step[1] != 0]
    assert site.told[0] + site.told[1] == pytest.approx(40, abs=3), "the load is seen all the same"
