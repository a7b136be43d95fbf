"""The columns against a naive judge that looks at every row and rule in turn, and the states against a naive book."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.alarms.judge import Judge
from app.alarms.rules import Rules, compile_rules
from app.model.access import Actor
from app.model.clock import SECOND_NS
from app.model.quality import IV, NT, RANGE, UNUSABLE
from app.model.updates import Updates
from app.model.views import AlarmState
from tests.support.alarm_station import Plant, load, one_point, point

ALARMS: list[dict[str, Any]] = [
    {"h": 5, "hh": 8, "l": -5, "ll": -8},
    {"h": {"value": 5, "delay": "2s"}, "l": -5, "hysteresis": 2, "delay": "1s"},
    {"quality": True, "lost": {"delay": "1s"}},
    {"state": {"value": [2, 4]}, "quality": {"delay": "1s"}},
    {"state": {"value": 3, "delay": "1s"}, "h": 6},
    {},
]


@dataclass
class Naive:
    """One rule, as its definition reads."""

    condition: str
    limit: float
    hysteresis: float
    delay_ns: int
    states: set[int]
    latched: bool = False
    raised: bool = False
    since: int | None = None

    def says(self, value: float, quality: int) -> bool | None:
        """True or false for sure, or None: stays."""
        usable = math.isfinite(value) and not quality & UNUSABLE
        if self.condition == "quality":
            return not usable or bool(quality & RANGE)
        if self.condition == "lost":
            return bool(quality & NT)
        if not usable:
            return None
        if self.condition == "state":
            return value in self.states
        sign = 1 if self.condition in ("h", "hh") else -1
        if sign * value >= sign * self.limit:
            return True
        return False if sign * value < sign * self.limit - self.hysteresis else None

    def row(self, value: float, quality: int, now: int) -> bool | None:
        """The transition that a row brings: raised, returned or none."""
        said = self.says(value, quality)
        blind = (not math.isfinite(value) or quality & UNUSABLE) and self.condition not in ("quality", "lost")
        was = self.latched
        self.latched = was if said is None else said
        if not self.latched:
            self.since = None
            if self.raised:
                self.raised = False
                return False
            return None
        if self.raised:
            return None
        if not self.delay_ns:
            self.raised = True
            return True
        if blind:
            self.since = None
        elif self.since is None or not was:
            self.since = now
        return None

    def tick(self, now: int) -> bool | None:
        if self.latched and not self.raised and self.since is not None and now - self.since >= self.delay_ns:
            self.raised = True
            return True
        return None


def naive_of(rules: Rules) -> list[Naive]:
    result = []
    for i, one in enumerate(rules.rules):
        state = one.point.form.alarms.state if one.point.form.alarms else None
        states: set[int] = set()
        if state and one.condition == "state":
            states = set(state.value) if isinstance(state.value, tuple) else {state.value}
        hysteresis = float(rules.on[i] - rules.off[i])
        result.append(Naive(one.condition, one.limit, hysteresis, int(rules.delay_ns[i]), states))
    return result


VALUES = st.one_of(
    st.integers(-10, 10).map(float), st.sampled_from([math.nan, math.inf, 4.999, 5.001, -5.001, 2.5, 1e300])
)
ROWS = st.lists(
    st.tuples(
        st.integers(0, len(ALARMS) - 1), VALUES, st.sampled_from([0, 0, 0, 0, IV, NT, IV | NT, RANGE, 0x0200]),
        st.integers(0, 3),
    ),
    max_size=12,
)  # fmt: skip
STEPS = st.lists(st.one_of(ROWS, st.integers(1, 25)), max_size=25)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, stopped=st.integers(0, 30))
def test_the_columns_judge_as_the_naive_judge_does(tmp_path: Path, steps: list[Any], stopped: int) -> None:
    station = _station(tmp_path)
    rules = compile_rules(station)
    first = [station.by_name[f"d.p{i}"] for i in range(len(ALARMS))]
    judge, naive = Judge(rules), naive_of(rules)
    now, time = SECOND_NS, 10**18
    for number, step in enumerate(steps):
        if number == stopped:  # a restart: who was raised is restored, all else forgotten
            raised = [i for i, one in enumerate(naive) if one.raised]
            judge = Judge(rules)
            judge.restore(np.array(raised, np.int64))
            naive = naive_of(rules)
            for i in raised:
                naive[i].latched = naive[i].raised = True
        expected: list[tuple[int, bool]] = []
        if isinstance(step, int):
            now += step * SECOND_NS // 10
            expected = [(i, said) for i, one in enumerate(naive) if (said := one.tick(now)) is not None]
            got = judge.tick(now)
        else:
            for p, value, quality, _ in step:
                for i in range(rules.first[first[p]], rules.first[first[p] + 1]):
                    said = naive[i].row(value, quality, now)
                    if said is not None:
                        expected.append((i, said))
            times = [time + ahead for _, _, _, ahead in step]
            got = judge.take(
                Updates.of(
                    [first[row[0]] for row in step], [row[1] for row in step], [row[2] for row in step], times, time
                ),
                now,
            )
        pairs = list(zip(got.rule.tolist(), got.raised.tolist(), strict=True))
        assert sorted(pairs) == sorted(expected)
        for i in range(len(rules)):  # each rule's own transitions stand in their order
            assert [said for j, said in pairs if j == i] == [said for j, said in expected if j == i]


_stations: dict[Path, Any] = {}


def _station(folder: Path) -> Any:
    if folder not in _stations:
        points = [
            point(f"p{i}", kind="status" if "state" in alarms else "measurement", alarms=alarms or None)
            for i, alarms in enumerate(ALARMS)
        ]
        _stations[folder] = load(folder, [{"id": "d", "name": "D", "points": points}])
    return _stations[folder]


def test_transitions_stand_by_source_time(tmp_path: Path) -> None:
    points = [point(f"p{i}", alarms={"h": 90}) for i in range(50)]
    station = load(tmp_path, [{"id": "d", "name": "D", "points": points}])
    rules = compile_rules(station)
    times = np.random.default_rng(1).permutation(50) + 10**18
    index = [station.by_name[f"d.p{i}"] for i in range(50)]
    got = Judge(rules).take(Updates.of(index, 95.0 + np.zeros(50), 0, times, 10**18), SECOND_NS)
    assert got.time.tolist() == sorted(times.tolist())


def test_a_clock_set_back_does_not_swap_raised_and_returned(tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90}), tmp_path / "data")
    plant.give_at((2000, "d.p", 95.0), (1000, "d.p", 10.0))
    assert plant.listed() == ["h returned"]
    plant.stop()


@dataclass
class NaiveAlarm:
    """The states of one alarm, as a person would keep them."""

    state: str = ""
    journal: list[str] = field(default_factory=list)

    def raise_(self) -> None:
        if self.state in ("", "returned"):
            self.state = "active"
            self.journal.append("raised")

    def return_(self) -> None:
        if self.state in ("active", "acked"):
            self.state = "returned" if self.state == "active" else ""
            self.journal.append("returned")

    def acknowledge(self) -> None:
        if self.state in ("active", "returned"):
            self.state = "acked" if self.state == "active" else ""
            self.journal.append("acknowledged")


class OneAlarm(RuleBasedStateMachine):
    """h 90, hysteresis 5, delay 1 s, with values, time, people and restarts in any order."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.condition = Naive("h", 90, 5, SECOND_NS, set())
        self.alarm = NaiveAlarm()

    @initialize()
    def begin(self) -> None:
        root = Path(self.folder.name)
        station = one_point(root, alarms={"h": 90, "hysteresis": 5, "delay": "1s"})
        self.plant = Plant(station, root / "data")

    @rule(value=st.sampled_from([80.0, 85.0, 84.9, 88.0, 90.0, 95.0]), quality=st.sampled_from([0, 0, 0, IV, NT]))
    def value(self, value: float, quality: int) -> None:
        self.plant.give(("d.p", value, quality))
        self._note(self.condition.row(value, quality, self.plant.clock.monotonic_ns()))

    @rule(tenths=st.sampled_from([1, 5, 10]))
    def time(self, tenths: int) -> None:
        for _ in range(tenths):
            self.plant.clock.advance(0.1)
            self.plant.alarms.tick()
            self._note(self.condition.tick(self.plant.clock.monotonic_ns()))

    @rule()
    def acknowledge(self) -> None:
        self.plant.alarms.acknowledge([row.id for row in self.plant.alarms.active()], Actor("li"))
        self.alarm.acknowledge()

    @rule()
    def restart(self) -> None:
        self.plant.restart()
        raised = self.condition.raised
        self.condition = Naive("h", 90, 5, SECOND_NS, set(), latched=raised, raised=raised)

    def _note(self, said: bool | None) -> None:
        if said is True:
            self.alarm.raise_()
        elif said is False:
            self.alarm.return_()

    @invariant()
    def the_list_is_right(self) -> None:
        if hasattr(self, "plant"):
            assert self.plant.listed() == ([f"h {self.alarm.state}"] if self.alarm.state else [])
            for row in self.plant.alarms.active():
                assert (row.returned > 0) == (row.state is AlarmState.RETURNED_UNACKNOWLEDGED)
                assert (row.acknowledged > 0) == (row.state is AlarmState.ACTIVE_ACKNOWLEDGED)

    def teardown(self) -> None:
        if hasattr(self, "plant"):
            assert [row.what for row in self.plant.journal()] == self.alarm.journal
            self.plant.stop()
        self.folder.cleanup()


TestOneAlarm = OneAlarm.TestCase
TestOneAlarm.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
