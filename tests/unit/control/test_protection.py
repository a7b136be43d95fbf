"""Protection that remembers: a state of charge that stands still, setpoints that swing, minimum times, throttling."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import Future
from pathlib import Path

import pytest

from app.control.dwell import Dwell
from app.control.hunting import CALM_S, TURNS
from app.control.loading import device_faults, load_strategies
from app.control.outlet import HALTED, Outlet, Sent
from app.control.protection import CLIPS
from app.control.standing import Manual
from app.model.clock import ManualClock, SystemClock
from app.model.control import Clip, Mode
from app.model.errors import GridroomError, RefusedByDevice, TransportError
from app.model.station import Point
from app.model.text import Text
from tests.support.control_station import Bench, park

SHAVE = {"id": "shave", "kind": "peak_shaving", "devices": ["pcs1"], "params": {"limit_kw": 100}}

LIMIT = {"id": "limit", "kind": "import_limit", "devices": ["pcs1"], "params": {"limit_kw": 100}}


def by_hand(bench: Bench, kw: float) -> None:
    bench.standing.modes["pcs1"] = Mode.MANUAL
    bench.standing.manual["pcs1.p_set"] = Manual(kw, "li", "", 1)


class TestStuckSoc:
    """200 kWh behind 100 kW: after 3 % of it, 6 kWh, that is 216 s."""

    def test_it_trips_when_energy_flows_and_it_stands_still(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path))
        by_hand(bench, 100)
        bench.set(**{"pcs1.p_kw": 100})
        for _ in range(215):
            bench.run(1.0)
        assert not bench.standing.trips
        for _ in range(3):
            bench.run(1.0)
        assert "stands still" in bench.standing.trips["pcs1"].en and bench.run()["pcs1.p_set"] == 0
        bench.standing.trips.clear()
        bench.controller.stuck_soc.forget("pcs1")
        assert bench.run(1.0)["pcs1.p_set"] == 100 and not bench.standing.trips, "a person has looked at it"

    def test_one_that_moves_by_whole_percents_is_sound(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path))
        by_hand(bench, -100)
        bench.set(**{"pcs1.p_kw": -100})
        for k in range(1440):
            bench.set(**{"bms1.soc": 50 + k // 72})
            bench.run(1.0)
        assert not bench.standing.trips

    def test_at_rest_and_when_full_it_may_stand_still(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, soc=[0, 100]))
        for _ in range(3600):
            bench.run(10.0)
        bench.set(**{"bms1.soc": 99.5, "pcs1.p_kw": -30})
        for _ in range(3600):
            bench.run(1.0)
        assert not bench.standing.trips


class TestHunting:
    def swing(self, bench: Bench, times: int, low: float = 0.0, high: float = 60.0) -> list[float]:
        """The meter goes up and down, 2 s each."""
        given = []
        for k in range(times):
            bench.set(**{"meter1.p_kw": 100 + (high if k % 2 else low), "pcs1.p_kw": 0})
            for _ in range(20):
                given.append(bench.run().get("pcs1.p_set", math.nan))
        return given

    def test_what_swings_is_damped_and_free_again_when_it_is_calm(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path), [SHAVE])
        first = self.swing(bench, TURNS)
        assert max(first) == 60 and min(first) == 0
        assert self.swing(bench, 2) and bench.controller.hunting.hunts[bench.controller.fleet.by_device["pcs1"][0]]
        bench.set(**{"meter1.p_kw": 200})
        before = bench.run()["pcs1.p_set"]
        outcome = bench.cycle(1.0)
        assert bench.allowed(outcome)["pcs1.p_set"] == pytest.approx(before + 10, abs=1.0)
        assert CLIPS[int(outcome.clip[bench.controller.fleet.by_device["pcs1"][0]])] is Clip.OSCILLATION
        for _ in range(round(CALM_S) + 20):
            bench.run(1.0)
        assert not bench.controller.hunting.hunts.any()
        bench.set(**{"meter1.p_kw": 100})
        assert bench.run()["pcs1.p_set"] == 0, "as fast as ever"

    def test_small_swings_and_slow_ones_are_none(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path), [SHAVE])
        self.swing(bench, 40, 30, 38)
        for k in range(20):
            bench.set(**{"meter1.p_kw": 160 if k % 2 else 100})
            for _ in range(15):
                bench.run(1.0)
        assert not bench.controller.hunting.hunts.any()

    def test_what_a_person_does_is_no_oscillation(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path))
        for k in range(40):
            by_hand(bench, 90.0 if k % 2 else -90.0)
            bench.run(1.0)
        assert not bench.controller.hunting.hunts.any()

    def test_a_limit_of_the_site_and_a_trip_are_not_damped(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, limits={"import_kw": 100}), [SHAVE])
        self.swing(bench, TURNS + 3)
        bench.standing.stopped = True
        assert bench.run()["pcs1.p_set"] == 0


class TestMinimumTimes:
    def test_a_rest_rests_and_a_run_runs_for_a_while(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, minimum_on="60s", minimum_off="30s"), [SHAVE])
        bench.set(**{"meter1.p_kw": 150})
        assert bench.run()["pcs1.p_set"] == 50
        bench.set(**{"meter1.p_kw": 100})
        outcome = bench.cycle(30.0)
        assert bench.allowed(outcome)["pcs1.p_set"] == 50
        assert CLIPS[int(outcome.clip[bench.controller.fleet.by_device["pcs1"][0]])] is Clip.MINIMUM_TIME
        assert bench.run(31.0)["pcs1.p_set"] == 0
        bench.set(**{"meter1.p_kw": 150})
        assert bench.run(29.0)["pcs1.p_set"] == 0 and bench.run(2.0)["pcs1.p_set"] == 50

    def test_within_a_run_it_may_change_and_protection_ends_it_at_once(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, minimum_on="60s"), [SHAVE])
        for meter, given in ((150, 50), (120, 20), (180, 80)):
            bench.set(**{"meter1.p_kw": meter})
            assert bench.run()["pcs1.p_set"] == given
        bench.set(**{"bms1.d_lim": 0})
        assert bench.run()["pcs1.p_set"] == 0
        bench.set(**{"bms1.d_lim": 100})
        assert bench.run()["pcs1.p_set"] == 80
        bench.standing.modes["pcs1"] = Mode.OFF
        assert bench.run()["pcs1.p_set"] == 0, "a person said off"

    def test_a_person_and_a_limit_of_the_grid_end_a_run(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, minimum_on="60s"), [LIMIT])
        by_hand(bench, -80.0)
        assert bench.run()["pcs1.p_set"] == -80
        bench.set(**{"meter1.p_kw": 150, "pcs1.p_kw": -80})
        assert bench.run()["pcs1.p_set"] == -30, "of 150 kW 80 are its own"
        bench.set(**{"meter1.p_kw": 200})
        assert bench.run()["pcs1.p_set"] == 20
        bench.set(**{"meter1.p_kw": 20})
        by_hand(bench, 0.0)
        assert bench.run()["pcs1.p_set"] == 0

    def test_without_them_nothing_is_held(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path), [SHAVE])
        assert not Dwell(bench.controller.fleet)._any


def test_values_are_sent_no_closer_than_they_may_and_the_last_one_is_sent(tmp_path: Path) -> None:
    station = park(tmp_path, throttle="200ms")
    written: list[float] = []

    class Field:
        async def write(self, point: Point, value: float) -> float:
            written.append(value)
            return value

    ticket: Future[int] = Future()
    ticket.set_result(1)
    point = station.points[station.by_name["pcs1.p_set"]]

    async def until(value: float) -> None:
        for _ in range(5000):
            if written[-1] == value:
                return
            await asyncio.sleep(0.002)
        raise AssertionError(f"{value} was never sent")

    async def run() -> None:
        told: list[Sent] = []
        outlet = Outlet(station.by_id["pcs1"], Field(), SystemClock(), told.append)
        task = asyncio.create_task(outlet.run())
        for k in range(25):
            outlet.want(point, float(k), ticket)
            await asyncio.sleep(0.02)
        await until(24)
        assert 2 <= len(written) <= 1 + math.ceil((told[-1].at - told[0].at) / 200e6)
        outlet.want(point, 50.0, None)  # it leads to safety: at once
        before = len(written)
        outlet.want(point, 0.0, None)
        await until(0)
        assert len(written) == before + 1
        task.cancel()

    asyncio.run(run())


def test_a_command_that_was_not_answered_is_sent_again_as_its_device_says(tmp_path: Path) -> None:
    station = park(tmp_path, retry={"after": "50ms", "times": 2})
    setpoint = station.points[station.by_name["pcs1.p_set"]]
    asked, told = station.points[station.by_name["pcs1.q_set"]], list[Sent]()
    fails: list[Exception | None] = []
    written: list[tuple[str, float]] = []
    allowed = True

    class Field:
        async def write(self, point: Point, value: float) -> float:
            written.append((point.id, value))
            failure = fails.pop(0) if fails and point is asked else None
            if failure is not None:
                raise failure
            return value

    def refuse() -> None:
        if not allowed:
            raise GridroomError("it is tagged")

    silence = TransportError(Text.of("no answer"), device="pcs1")

    async def run() -> None:
        nonlocal allowed
        outlet = Outlet(station.by_id["pcs1"], Field(), SystemClock(), told.append)
        task = asyncio.create_task(outlet.run())
        fails[:] = [silence, silence]
        first = outlet.command(asked, 1.0, refuse)
        await asyncio.sleep(0.03)
        outlet.want(setpoint, 7.0, None)  # it does not wait for the command's next time
        assert (await first).error is None and written == [("q_set", 1), ("p_set", 7), ("q_set", 1), ("q_set", 1)]
        assert [one.error for one in told] == [None, None], "what was mended is no alarm"
        del written[:]
        fails[:] = [silence] * 5
        assert (await outlet.command(asked, 2.0, refuse)).error == silence.text and len(written) == 3
        del written[:]
        fails[:] = [RefusedByDevice(Text.of("no"), device="pcs1")]
        assert (await outlet.command(asked, 3.0, refuse)).error is not None and len(written) == 1, "no is an answer"
        del written[:]
        fails[:] = [silence] * 5
        waiting = outlet.command(asked, 4.0, refuse)
        await asyncio.sleep(0.03)
        allowed = False  # somebody hangs a tag before it is sent again
        assert (await waiting).error == silence.text and written == [("q_set", 4)]
        assert (await outlet.command(asked, 5.0, refuse)).error == Text.of("it is tagged") and len(written) == 1
        called_off = outlet.command(asked, 6.0)
        called_off.cancel()
        await asyncio.sleep(0.1)
        assert len(written) == 1
        task.cancel()

    asyncio.run(run())


def test_a_halt_that_comes_with_a_new_value_halts(tmp_path: Path) -> None:
    """At the same moment as the stir: an outlet that missed its end would send on beside its successor."""
    station = park(tmp_path)
    point = station.points[station.by_name["pcs1.p_set"]]
    written: list[float] = []

    class Field:
        async def write(self, point: Point, value: float) -> float:
            written.append(value)
            return value

    async def run() -> None:
        outlet = Outlet(station.by_id["pcs1"], Field(), SystemClock(), lambda sent: None)
        task = asyncio.create_task(outlet.run())
        outlet.want(point, 1.0, None)
        await asyncio.sleep(0.05)
        outlet.want(point, 2.0, None)
        await asyncio.sleep(0)  # the stir is heard, and the task not yet woken
        task.cancel()
        await asyncio.wait([task], timeout=2)
        assert task.cancelled() and len(written) <= 2

    asyncio.run(run())


def test_who_waits_for_a_command_is_told_when_control_is_halted(tmp_path: Path) -> None:
    station = park(tmp_path)
    point = station.points[station.by_name["pcs1.q_set"]]

    class Silent:
        async def write(self, point: Point, value: float) -> float:
            await asyncio.sleep(60)
            return value

    async def run() -> None:
        outlet = Outlet(station.by_id["pcs1"], Silent(), SystemClock(), lambda sent: None)
        task = asyncio.create_task(outlet.run())
        under_way, queued = outlet.command(point, 1.0), outlet.command(point, 2.0)
        await asyncio.sleep(0.02)
        task.cancel()
        async with asyncio.timeout(2):
            assert [(await one).error for one in (under_way, queued)] == [HALTED, HALTED]

    asyncio.run(run())


def test_a_device_is_told_to_take_setpoints_right_after_the_first_and_after_a_failure(tmp_path: Path) -> None:
    station = park(tmp_path, enable=[{"point": "q_set", "value": 4}])
    written: list[tuple[str, float]] = []
    fails = False

    class Field:
        async def write(self, point: Point, value: float) -> float:
            if fails:
                raise RefusedByDevice(Text.of("busy"))
            written.append((point.id, value))
            return value

    ticket: Future[int] = Future()
    ticket.set_result(1)
    point = station.points[station.by_name["pcs1.p_set"]]
    clock = ManualClock()

    async def run() -> None:
        nonlocal fails
        outlet = Outlet(station.by_id["pcs1"], Field(), clock, lambda sent: None)
        task = asyncio.create_task(outlet.run())

        async def want(value: float, seconds: float = 1.5) -> list[tuple[str, float]]:
            written.clear()
            clock.advance(seconds)
            outlet.want(point, value, ticket)
            await asyncio.sleep(0.05)
            return list(written)

        assert await want(10.0) == [("p_set", 10.0), ("q_set", 4.0)], "no old value becomes true"
        assert await want(20.0) == [("p_set", 20.0)]
        assert await want(30.0, 61.0) == [("p_set", 30.0), ("q_set", 4.0)], "it may have started again meanwhile"
        fails = True
        await want(40.0)
        fails = False
        assert await want(40.5) == [("p_set", 40.5), ("q_set", 4.0)]
        task.cancel()

    asyncio.run(run())
    text = "strategies: [{id: a, kind: peak_shaving, devices: [pcs1], params: {limit_kw: 1}}]"
    other = park(tmp_path / "other", enable=[{"point": "soc", "value": 1}])
    assert load_strategies(other, text)[1] == [] and len(device_faults(other)) == 2
