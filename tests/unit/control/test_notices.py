"""Alarms of control: what does not come true is told once, and ended when it is over; also over a changed
configuration."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import yaml

from app.control.standing import Manual
from app.model.audit import AuditEntry
from app.model.control import Mode
from app.model.errors import StorageError
from app.model.loading import load_station
from app.model.text import Text
from tests.support.control_dispatch import Living, Rows, live
from tests.support.control_station import METER, Bench, battery, park, point, storage

P, Q = "control_set_pcs1.p_set", "control_set_pcs1.q_set"


def by_hand(bench: Bench, **values: float) -> None:
    """`p_set=60` of the first storage."""
    bench.standing.modes["pcs1"] = Mode.MANUAL
    for n, (name, value) in enumerate(values.items()):
        bench.standing.manual[f"pcs1.{name}"] = Manual(value, "li", "", n + 1)


def test_what_protection_clips_for_long_and_what_nobody_renews_is_told(tmp_path: Path) -> None:
    async def told(made: Living) -> None:
        by_hand(made.bench, p_set=60)
        made.bench.set(**{"bms1.d_lim": 20, "pcs1.p_kw": 20})
        await made.cycle(1.0, 29)
        assert not made.told.true()
        await made.cycle(1.0, 3)
        clip = made.told["control_clip_pcs1.p_set"]
        assert clip is not None and "battery limit" in clip.en
        made.bench.set(**{"bms1.d_lim": 100, "pcs1.p_kw": 60})
        await made.cycle(1.0)
        assert made.told["control_clip_pcs1.p_set"] is None
        made.clock.advance(3.0)  # nobody says anything any more
        await made.look()
        assert made.told["control_expired_pcs1.p_set"] is not None
        await made.cycle(0.1)
        assert made.told["control_expired_pcs1.p_set"] is None

    live(park(tmp_path, expiry="2s"), told)


class TestTwoSetpointsOfOneDevice:
    """What one of them does says nothing of the other."""

    def test_one_that_is_refused_is_told_though_the_other_is_taken(self, tmp_path: Path) -> None:
        async def told(made: Living) -> None:
            by_hand(made.bench, p_set=60, q_set=20)
            made.bench.set(**{"pcs1.p_kw": 60})
            made.field.refused = {"pcs1.q_set"}
            await made.cycle(1.0, 20)
            assert made.told.said == [(Q, True)], "once, and it does not come and go"
            made.field.refused = set()
            await made.cycle(1.0, 3)
            assert made.told.said == [(Q, True), (Q, False)]

        live(park(tmp_path, renew="1s"), told)

    def test_one_that_holds_another_value_is_told_though_the_other_does_not(self, tmp_path: Path) -> None:
        async def told(made: Living) -> None:
            by_hand(made.bench, p_set=60, q_set=20)
            made.bench.set(**{"pcs1.p_kw": 60})
            made.field.holds = {"pcs1.q_set": 5.0}
            await made.cycle(1.0, 10)
            held = "control_held_pcs1.q_set"
            assert made.told.said == [(held, True)]
            made.field.holds = {}
            await made.cycle(1.0, 3)
            assert made.told.said == [(held, True), (held, False)]

        live(park(tmp_path, renew="1s"), told)


def test_a_switch_that_is_not_taken_does_not_come_and_go(tmp_path: Path) -> None:
    pcs = storage(3, enable=[{"point": "on", "value": 4}])
    pcs["points"].append(point("on", None, "", 30, "setpoint"))

    async def told(made: Living) -> None:
        made.bench.standing.modes["pcs3"] = Mode.MANUAL
        made.bench.standing.manual["pcs3.p_set"] = Manual(30.0, "li", "", 1)
        made.bench.set(**{"pcs3.p_kw": 30, "pcs3.remote": 1, "bms3.soc": 50, "bms3.c_lim": 100, "bms3.d_lim": 100})
        made.field.refused = {"pcs3.on"}
        await made.cycle(1.5, 20)
        assert made.told.said == [("control_set_pcs3.on", True)]

    live(park(tmp_path, more=[pcs, battery(3)]), told)


class TestOff:
    """Whom nobody sets any more is led to its safe power, and not left where it was because one write failed."""

    async def refuse_off(self, made: Living) -> None:
        """It gives 60 kW, is switched off, and does not take that."""
        by_hand(made.bench, p_set=60)
        made.bench.set(**{"pcs1.p_kw": 60})
        await made.cycle(1.0, 2)
        made.field.refused = {"pcs1.p_set"}
        made.bench.standing.modes["pcs1"] = Mode.OFF

    def test_it_is_told_until_the_device_has_taken_its_safe_power(self, tmp_path: Path) -> None:
        async def told(made: Living) -> None:
            await self.refuse_off(made)
            await made.cycle(1.0, 5)
            assert made.told.true() == {P} and made.field.of("pcs1.p_set")[-1] == 60
            made.bench.standing.tags["pcs1"] = "work"
            written = len(made.field.written)
            made.field.refused = set()
            await made.cycle(1.0, 3)
            assert made.told.true() == {P} and len(made.field.written) == written, "nothing at all is sent to it"

        live(park(tmp_path), told)

    def test_it_takes_it_when_it_can_and_is_left_alone_then(self, tmp_path: Path) -> None:
        async def told(made: Living) -> None:
            await self.refuse_off(made)
            await made.cycle(1.0, 3)
            made.change(Bench(park(tmp_path / "b")))
            made.bench.set(**{"pcs1.p_kw": 60})
            await made.cycle(1.0, 2)
            made.field.refused = set()
            await made.cycle(1.0, 90)
            assert made.field.of("pcs1.p_set")[-3:] == [60, 60, 0] and not made.told.true()

        live(park(tmp_path / "a", renew="1s"), told)

    def test_a_lifted_limit_is_lifted(self, tmp_path: Path) -> None:
        async def told(made: Living) -> None:
            standing = made.bench.standing
            standing.modes["inv1"] = Mode.MANUAL
            standing.manual["inv1.p_lim"] = Manual(10.0, "li", "", 1)
            made.bench.set(**{"inv1.p_kw": 40})
            await made.cycle(1.0, 35)
            follows = "control_follows_inv1.p_lim"
            assert made.told.true() == {follows}
            made.field.refused = {"inv1.p_lim"}
            standing.manual["inv1.p_lim"] = Manual(50.0, "li", "", 2)
            await made.cycle(1.0, 3)
            made.field.refused = set()
            await made.cycle(1.0, 3)
            assert made.field.of("inv1.p_lim")[-1] == 50 and not made.told.true()

        live(park(tmp_path), told)


def test_what_expired_and_is_released_is_over(tmp_path: Path) -> None:
    async def told(made: Living) -> None:
        by_hand(made.bench, p_set=60)
        made.bench.set(**{"pcs1.p_kw": 60})
        await made.cycle(1.0, 2)
        made.clock.advance(3.0)
        await made.look()
        assert made.told.true() == {"control_expired_pcs1.p_set"}
        made.bench.standing.tags["pcs1"] = "work"
        await made.cycle(0.1)
        assert not made.told.true()

    live(park(tmp_path, expiry="2s"), told)


def test_a_station_without_any_setpoint_is_commanded_all_the_same(tmp_path: Path) -> None:
    genset = {
        "id": "gen1", "name": "Genset", "kind": "genset",
        "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 9, "unit": 1},
        "points": [point("stop", "stop", "", 0, "command")],
    }  # fmt: skip
    park(tmp_path)
    text = yaml.safe_load((tmp_path / "station.yaml").read_text(encoding="utf-8"))
    (tmp_path / "station.yaml").write_text(yaml.safe_dump({**text, "devices": [METER, genset]}), encoding="utf-8")
    alone = load_station(tmp_path).station

    async def told(made: Living) -> None:
        await made.cycle(1.0)
        async with asyncio.timeout(5):
            assert (await made.dispatcher.outlet("gen1").command(alone.by_id["gen1"].points[0], 1.0)).error is None
        assert made.field.written == [("gen1.stop", 1.0)]

    live(alone, told)


class TestOverAChangedConfiguration:
    def test_what_was_told_stays_and_ends_when_it_is_over(self, tmp_path: Path) -> None:
        async def told(made: Living) -> None:
            by_hand(made.bench, p_set=60)
            made.bench.set(**{"bms1.d_lim": 20, "pcs1.p_kw": 20})
            made.field.refused = {"pcs1.p_set"}
            await made.cycle(1.0, 32)
            clip = "control_clip_pcs1.p_set"
            assert made.told.true() == {P, clip}
            made.change(Bench(park(tmp_path / "b")))
            made.bench.set(**{"bms1.d_lim": 20, "pcs1.p_kw": 20})
            await made.cycle(1.0, 3)
            assert made.told.said == [(P, True), (clip, True)], "neither ended nor told anew"
            made.field.refused = set()
            made.bench.set(**{"bms1.d_lim": 100, "pcs1.p_kw": 60})
            await made.cycle(1.0, 3)
            assert not made.told.true()

        live(park(tmp_path / "a"), told)

    def test_what_is_of_a_device_that_is_gone_is_over(self, tmp_path: Path) -> None:
        beat = storage(3, heartbeat="1s")
        beat["points"].append(point("beat", "heartbeat", "", 30, "setpoint"))
        del beat["bms"]

        async def told(made: Living) -> None:
            made.bench.set(**{"pcs3.p_kw": 0, "pcs3.remote": 1})
            made.bench.standing.modes["pcs3"] = Mode.MANUAL
            made.bench.standing.manual["pcs3.p_set"] = Manual(30.0, "li", "", 1)
            made.field.refused = {"pcs3.p_set", "pcs3.beat"}
            await made.cycle(1.0, 5)
            assert made.told.true() == {"control_set_pcs3.p_set", "control_heartbeat_pcs3"}
            made.change(Bench(park(tmp_path / "b")))
            assert not made.told.true()

        live(park(tmp_path / "a", more=[beat]), told)

    def test_times_and_ages_go_on(self, tmp_path: Path) -> None:
        """A changed configuration makes nothing young, and shortens no rest."""

        async def told(made: Living) -> None:
            by_hand(made.bench, p_set=60)
            await made.cycle(1.0)
            by_hand(made.bench, p_set=0)
            await made.cycle(1.0, 30)
            made.bench.set(**{"bms1.t_max": 70})
            await made.cycle(0.5, 2)
            made.change(Bench(park(tmp_path / "b", **form), []))
            made.bench.set(**{"bms1.t_max": 70})
            by_hand(made.bench, p_set=60)
            await made.cycle(0.5)
            assert made.bench.controller.last[0] == 0, "it rests for a minute"
            await made.cycle(0.5, 2)
            assert "pcs1" in made.bench.standing.trips, "2 s too hot, of which one was before the change"

        form: dict[str, Any] = {
            "minimum_off": "60s", "trips": [{"by": "cell_temperature_max", "above": 55, "after": "2s"}],
        }  # fmt: skip
        live(park(tmp_path / "a", **form), told)

    def test_what_was_old_stays_old(self, tmp_path: Path) -> None:
        before, after = Bench(park(tmp_path / "a")), Bench(park(tmp_path / "b"))
        by_hand(before, p_set=60)
        before.cycle(1.0)
        row = before.station.by_name["bms1.soc"]
        stale = before.table.received[row]

        def cycle(bench: Bench) -> float:
            bench.now_ns += 1_000_000_000
            bench.monotonic_ns += 1_000_000_000
            bench.fresh()
            bench.table.received[row] = stale
            outcome = bench.controller.cycle(bench.table, bench.now_ns, bench.monotonic_ns)
            return float(outcome.allowed[0])

        assert [cycle(before) for _ in range(4)] == [60, 60, 0, 0], "its state of charge is not heard of any more"
        after.now_ns, after.monotonic_ns = before.now_ns, before.monotonic_ns
        after.controller.follow(before.controller)
        assert cycle(after) == 0


def test_the_emergency_stop_waits_for_no_failure_of_before(tmp_path: Path) -> None:
    async def told(made: Living) -> None:
        by_hand(made.bench, p_set=60)
        await made.cycle(1.0, 2)
        made.field.refused = {"pcs1.p_set"}
        by_hand(made.bench, p_set=80)
        await made.cycle(0.1)
        made.field.refused = set()
        made.bench.standing.stopped = True
        await made.cycle(0.1)
        assert made.field.of("pcs1.p_set")[-1] == 0

    live(park(tmp_path, retry={"after": "30s"}), told)


class Slow(Rows):
    """An audit that answers when it is told to, or fails."""

    def __init__(self) -> None:
        self.asked: list[Future[int]] = []
        self.fails = False

    def write(self, entry: AuditEntry, *, later: bool | None = None) -> Future[int]:
        done: Future[int] = Future()
        self.asked.append(done)
        if self.fails:
            done.set_exception(StorageError(Text.of("the disk is full")))
        return done

    def answer(self) -> None:
        for one in self.asked:
            if not one.done():
                one.set_result(1)


def test_a_reason_that_flips_faster_than_rows_are_written_starves_nothing(tmp_path: Path) -> None:
    audit = Slow()

    async def told(made: Living) -> None:
        made.bench.standing.modes["pcs1"] = Mode.MANUAL
        for k in range(40):
            made.bench.standing.manual["pcs1.p_set"] = Manual(60.0 + k, "li", "", k)  # another row each time
            await made.cycle(0.1)
            if k % 3 == 2:
                audit.answer()
                await made.look()
        assert len(made.field.of("pcs1.p_set")) > 8

    live(park(tmp_path), told, audit)


def test_a_heartbeat_stands_while_nothing_may_be_written(tmp_path: Path) -> None:
    audit, pcs = Slow(), storage(3, heartbeat="1s")
    pcs["points"].append(point("beat", "heartbeat", "", 30, "setpoint"))

    async def told(made: Living) -> None:
        made.bench.set(**{"pcs3.p_kw": 0, "pcs3.remote": 1, "bms3.soc": 50, "bms3.c_lim": 100, "bms3.d_lim": 100})
        made.bench.standing.modes["pcs3"] = Mode.MANUAL
        made.bench.standing.manual["pcs3.p_set"] = Manual(20.0, "li", "", 1)
        audit.fails = True
        await made.cycle(1.0, 30)
        assert made.field.of("pcs3.p_set") == [] and len(made.field.of("pcs3.beat")) < 12

    live(park(tmp_path, more=[pcs, battery(3)]), told, audit)
