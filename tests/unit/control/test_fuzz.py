"""Random wishes, values, modes and faults through the whole way: nothing beyond a limit is ever allowed or written."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.control.controller import Outcome
from app.control.dispatcher import Dispatcher
from app.control.ledger import Ledger
from app.control.standing import Manual
from app.control.strategies.contract import Ask, Strategy, View, Wish
from app.control.views import Places, claims_of, well_formed
from app.model import quality as q
from app.model.audit import AuditEntry
from app.model.clock import ManualClock
from app.model.control import Mode, Rank, Running
from app.model.errors import RefusedByDevice
from app.model.station import Point
from app.model.text import Text
from tests.support.control_station import Bench, park

Cases = Callable[[int, int], int]
BOTH = ["pcs1", "pcs2"]
ALL = [*BOTH, "inv1", "inv2"]
ODD = (math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0, -0.0, 1e-300)
STRATEGIES: list[dict[str, Any]] = [
    {"id": "shave", "kind": "peak_shaving", "devices": BOTH, "params": {"limit_kw": 100, "recharge_below_kw": 60}},
    {"id": "demand", "kind": "demand_control", "devices": BOTH, "params": {"limit_kw": 90}},
    {"id": "zero", "kind": "zero_export", "devices": ALL},
    {"id": "order", "kind": "curtailment", "devices": ALL, "params": {"order": "meter1.order"}},
    {"id": "soc", "kind": "soc_management", "devices": BOTH, "params": {"band_pct": [30, 70]}},
    {"id": "ramp", "kind": "ramp_limit", "devices": ALL, "params": {"kw_per_min": 10}},
    {"id": "backup", "kind": "backup_reserve", "devices": BOTH, "params": {"reserve_pct": 20}},
    {"id": "pf", "kind": "power_factor", "devices": BOTH},
    {"id": "valley", "kind": "tariff_schedule", "devices": BOTH, "params": {"tariff": "demonstration"}},
]


STALE: dict[int, bool] = {}
FRESH: dict[int, int] = {}
"""Row -> monotonic nanoseconds when it was received last."""


def number(dice: random.Random, size: float) -> float:
    return dice.choice(ODD) if dice.random() < 0.15 else dice.gauss(0, size)


def shake(bench: Bench, dice: random.Random) -> None:
    """Anything may be true next: values, quality, age, modes, what people set, tags, trips, what runs."""
    table, standing = bench.table, bench.standing
    for row in dice.sample(range(len(table.value)), 5):
        table.value[row] = number(dice, 200)
        table.quality[row] = dice.choice((0, 0, 0, 0, q.NT, q.IV, q.OV, q.SB))
        STALE[row] = dice.random() < 0.25
    for row in range(len(table.value)):
        if not STALE.get(row) or row not in FRESH:  # what was never received has no age
            table.received[row], FRESH[row] = bench.now_ns, bench.monotonic_ns
    for device in BOTH:
        if dice.random() < 0.1:
            standing.modes[device] = dice.choice(list(Mode))
        if dice.random() < 0.1:
            standing.manual[f"{device}.p_set"] = Manual(number(dice, 300), "li", "", dice.randrange(9))
        for name in (f"{device}.p_set", f"{device}.q_set", "inv1.p_lim"):
            if dice.random() < 0.05:
                standing.orders[name] = Manual(number(dice, 300), "d1", "10.0.0.5", dice.randrange(9))
            elif dice.random() < 0.05:
                standing.orders.pop(name, None)
        for kept, value in ((standing.tags, "work"), (standing.trips, Text("hot", "过热"))):
            if dice.random() < 0.02:
                kept[device] = value  # type: ignore[assignment]
            elif dice.random() < 0.1:
                kept.pop(device, None)
    if dice.random() < 0.05:
        standing.mode = dice.choice(list(Mode))
    if dice.random() < 0.02:
        standing.stopped = not standing.stopped
    if dice.random() < 0.05:
        standing.running[dice.choice(STRATEGIES)["id"]] = dice.choice(list(Running))


def sound(bench: Bench, name: str) -> float:
    row = bench.station.by_name[name]
    table = bench.table
    old = bench.monotonic_ns - FRESH.get(row, 0) > 2_000_000_000
    bad = old or table.quality[row] & q.UNUSABLE or not math.isfinite(table.value[row])
    return math.nan if bad else float(table.value[row])


def judge(bench: Bench, name: str, value: float) -> None:
    """Every limit that holds of a setpoint, by itself."""
    device = name.partition(".")[0]
    assert math.isfinite(value), name
    if name.endswith("p_lim"):
        assert 0 <= value <= 50
    elif name.endswith("q_set"):
        beside = sound(bench, f"{device}.p_kw")
        beside = 100.0 if math.isnan(beside) else min(abs(beside), 110.0)
        assert math.hypot(value, beside) <= 110 + 1e-6, (value, beside)
    else:
        number_ = device[-1]
        soc, charge, give = (sound(bench, f"bms{number_}.{one}") for one in ("soc", "c_lim", "d_lim"))
        soc = soc if 0 <= soc <= 100 else math.nan
        safe = device in bench.standing.trips or bench.standing.stopped
        assert -100 <= value <= 100
        most = 0.0 if math.isnan(give) or math.isnan(soc) or soc <= 5 else max(give, 0.0)
        least = 0.0 if math.isnan(charge) or math.isnan(soc) or soc >= 95 else max(charge, 0.0)
        assert -least - 1e-6 <= value <= most + 1e-6, (value, soc, charge, give)
        assert not safe or value == 0
    assert device not in bench.standing.tags
    remote = sound(bench, f"{device}.remote") if device.startswith("pcs") else 1.0
    assert remote and not math.isnan(remote)


def judge_site(bench: Bench, outcome: Outcome) -> None:
    """Every bound leaves rest, and none takes or gives more while the site is beyond its limits."""
    fleet, inputs = bench.controller.fleet, outcome.inputs
    low, high = outcome.bounds.ends
    active = fleet.is_active
    assert (low[active] <= 0).all() and (high[active] >= 0).all()
    if not math.isfinite(outcome.meter_kw) or outcome.urgent.any():
        return
    if any(pairing.holds for _, pairing in bench.controller._gates):  # for so long the last sum that was sound counts
        return
    now = np.nan_to_num(inputs.power)
    value = np.where(np.isfinite(outcome.allowed), outcome.allowed, now)
    next_ = np.where(fleet.is_cap, np.minimum(np.maximum(now, 0.0), np.maximum(value, 0.0)), value)
    moved = np.where(fleet.is_reactive | ~np.isfinite(outcome.allowed), 0.0, next_ - now)
    drawn = outcome.meter_kw - float(moved.sum())
    asked = active & np.isfinite(outcome.allowed)
    if drawn > 150 + 1e-3:
        assert (outcome.allowed[asked] >= -1e-3).all(), "it charges, and the import is beyond its limit"
    if drawn < -80 - 1e-3:
        assert (outcome.allowed[asked] <= 1e-3).all(), "it discharges, and the export is beyond its limit"


@pytest.fixture
def cases(request: pytest.FixtureRequest) -> Cases:
    """So many as always, or as in a night."""
    nightly = request.config.getoption("--nightly")
    return lambda always, night: night if nightly else always


@pytest.fixture(autouse=True)
def nothing_stale() -> None:
    STALE.clear()
    FRESH.clear()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(
        park(
            tmp_path,
            limits={"import_kw": 150, "export_kw": 80},
            ramp_kw_per_s=200,
            minimum_change_kw=1,
            minimum_on="2s",
            minimum_off="1s",
            throttle="300ms",
        ),
        STRATEGIES,
    )


@pytest.mark.parametrize("seed", range(20))
def test_nothing_beyond_a_limit_is_ever_allowed(bench: Bench, cases: Cases, seed: int) -> None:
    """A million cycles in a night, in parts that each end within the five minutes of a test."""
    dice = random.Random(seed)
    allowed = 0
    for _ in range(cases(200, 50_000)):
        bench.now_ns += 100_000_000
        bench.monotonic_ns += 100_000_000
        shake(bench, dice)
        if dice.random() < 0.01:
            bench.now_ns += dice.choice((-7200, 7200)) * 1_000_000_000
        outcome = bench.controller.cycle(bench.table, bench.now_ns, bench.monotonic_ns)
        for name, value in bench.allowed(outcome).items():
            judge(bench, name, value)
            allowed += 1
        judge_site(bench, outcome)
    assert allowed > 50


class Field:
    """Takes, refuses, hangs; remembers what was written."""

    def __init__(self, bench: Bench, dice: random.Random) -> None:
        self.bench, self.dice, self.written = bench, dice, 0

    async def write(self, point: Point, value: float) -> float:
        judge(self.bench, point.name, value)
        self.written += 1
        await asyncio.sleep(0)
        if self.dice.random() < 0.1:
            raise RefusedByDevice(Text.of("busy"))
        return self.dice.choice((value, math.nan, value + 1))


class Audit:
    """Writes, or cannot."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.rows = dice, 0

    def write(self, entry: AuditEntry, *, later: bool | None = None) -> Any:
        answer: Future[int] = Future()
        self.rows += 1
        if self.dice.random() < 0.2 and not later:
            answer.set_exception(RuntimeError("the disk is full"))
        else:
            answer.set_result(self.rows)
        return answer


@pytest.mark.parametrize("seed", range(10))
def test_nothing_beyond_a_limit_is_ever_written(bench: Bench, cases: Cases, seed: int) -> None:
    """The values that wait in a device's queue are the newest: an old one is never sent after a limit has changed."""
    dice = random.Random(seed)
    field, clock = Field(bench, dice), ManualClock(bench.now_ns)

    async def run() -> None:
        ledger = Ledger(Audit(dice), clock, "0" * 64)
        dispatcher = Dispatcher(bench.controller, field, ledger, clock, lambda key, what, priority: None)
        dispatcher.start()
        for _ in range(cases(300, 10_000)):
            bench.now_ns += 100_000_000
            bench.monotonic_ns += 100_000_000
            shake(bench, dice)
            clock.advance(0.1)
            dispatcher.send(bench.controller.cycle(bench.table, bench.now_ns, bench.monotonic_ns))
            for _ in range(12):
                await asyncio.sleep(0)
        dispatcher.halt("the test has ended")

    asyncio.run(run())
    assert field.written > 10


class Wild(Strategy[Any, None]):
    """A plugin that answers anything."""

    kind, name, rank = "wild", Text("Wild", "任意"), Rank.ECONOMICS

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def begin(self) -> None:
        return None

    def decide(self, view: View, state: None) -> tuple[Wish, None]:
        m = len(view.storage)
        column = lambda: np.array([number(self.dice, 500) for _ in range(m)])  # noqa: E731
        return Wish(Text.of("?"), storage=Ask(column(), column(), column()), sound=self.dice.random() < 0.9), None


@pytest.mark.expects_errors
def test_a_plugin_may_answer_anything(bench: Bench, cases: Cases) -> None:
    dice = random.Random(3)
    runner = bench.controller.runners[0]
    object.__setattr__(runner.bound, "strategy", Wild(dice))
    for _ in range(cases(500, 50_000)):
        bench.now_ns += 100_000_000
        bench.monotonic_ns += 100_000_000
        shake(bench, dice)
        outcome = bench.controller.cycle(bench.table, bench.now_ns, bench.monotonic_ns)
        for name, value in bench.allowed(outcome).items():
            judge(bench, name, value)


@pytest.mark.parametrize("answer", [None, 7, Wish(Text.of("?"), storage=Ask(np.zeros(1), np.zeros(1), np.zeros(1)))])
def test_what_is_no_wish_is_none(answer: object, bench: Bench) -> None:
    places: Places = bench.controller.runners[0].places
    assert not well_formed(answer, places)
    good = Wish(Text.of("?"), storage=Ask.free(2))
    assert well_formed(good, places) and len(claims_of(good, Rank.PLAN, places)) == 1
