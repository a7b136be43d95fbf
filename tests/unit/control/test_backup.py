"""Backup reserve: what is kept, and when a genset is started and stopped."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from app.control.loading import load_strategies
from app.control.refused import ControlError, Unanswered
from app.control.standing import Standing
from app.control.switching import AGAIN_S, Switch, Switcher, Switching
from app.model.audit import AuditEntry, Result
from app.model.clock import SECOND_NS
from app.model.control import Mode, Running
from app.model.text import Text
from tests.support.control_station import Bench, park, point

GENSET = {
    "id": "gen1", "name": "Genset", "kind": "genset", "parent": "bus",
    "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 5, "unit": 1}, "ratings": {"power_kw": 100},
    "control": {"minimum_on": "10min"},
    "points": [point("p_kw", "active_power", "kW", 0), point("go", "start", "", 10, "command"),
               point("halt", "stop", "", 12, "command")],
}  # fmt: skip
PARAMS = {"reserve_pct": 20, "genset": "gen1", "start_below_pct": 30, "stop_above_pct": 60}
BACKUP = {"id": "backup", "kind": "backup_reserve", "devices": ["pcs1", "pcs2"], "params": PARAMS}
SHAVE = {"id": "shave", "kind": "peak_shaving", "devices": ["pcs1", "pcs2"], "params": {"limit_kw": 100}}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(park(tmp_path, more=[GENSET]), [SHAVE, BACKUP])
    made.set(**{"gen1.p_kw": 0.0})
    return made


def wanted(bench: Bench) -> dict[str, bool]:
    return {one.device: one.on for one in bench.cycle().switches}


def level(bench: Bench, one: float, two: float) -> None:
    bench.set(**{"bms1.soc": one, "bms2.soc": two})


def test_the_reserve_is_kept_whatever_else_is_wanted(bench: Bench) -> None:
    level(bench, 19, 50)
    bench.set(**{"meter1.p_kw": 250})
    allowed = bench.run()
    assert allowed["pcs1.p_set"] == 0 and allowed["pcs2.p_set"] == 100
    level(bench, 20.5, 50)
    assert bench.run()["pcs1.p_set"] == 0, "not before it is well above"
    level(bench, 22, 50)
    assert bench.run()["pcs1.p_set"] > 0


def test_a_genset_is_wanted_below_one_level_and_let_go_above_another(bench: Bench) -> None:
    for one, two, expected in ((50, 50, {}), (28, 29, {"gen1": True}), (50, 20, {}), (61, 62, {"gen1": False})):
        level(bench, one, two)
        assert wanted(bench) == expected, (one, two)
    level(bench, 10, 10)
    bench.lose("bms1.soc", "bms2.soc")
    assert wanted(bench) == {}, "what nobody knows starts nothing"
    bench.set(**{"bms1.soc": 10.0})
    assert wanted(bench) == {"gen1": True}
    bench.standing.running["backup"] = Running.SHADOW
    assert wanted(bench) == {}


class TestSwitching:
    START, STOP = (Switch("gen1", on, "backup", Text("low", "低")) for on in (True, False))

    def due(self, bench: Bench, switch: Switch, kw: float, at_s: float, standing: Standing) -> bool:
        self.switching = getattr(self, "switching", None) or Switching(bench.station)
        return bool(self.switching.due([switch], {"gen1": kw}, standing, round(at_s * SECOND_NS)))

    def test_once_and_again_only_after_a_while(self, bench: Bench) -> None:
        standing = Standing()
        assert self.due(bench, self.START, 0.0, 1.0, standing)
        assert not self.due(bench, self.START, 0.0, 30.0, standing), "it takes its time"
        assert not self.due(bench, self.START, 50.0, 300.0, standing), "it runs"
        assert self.due(bench, self.START, 0.0, 2 + AGAIN_S, standing)

    def test_only_what_was_started_is_stopped_and_not_too_soon(self, bench: Bench) -> None:
        standing = Standing()
        assert not self.due(bench, self.STOP, 50.0, 1.0, standing), "somebody else has started it"
        assert self.due(bench, self.START, 0.0, 1.0, standing)
        standing.started["gen1"] = "backup"
        assert not self.due(bench, self.STOP, 50.0, 500.0, standing), "ten minutes at least"
        assert self.due(bench, self.STOP, 50.0, 602.0, standing)

    def test_what_was_started_and_idles_is_stopped(self, bench: Bench) -> None:
        standing = Standing(started={"gen1": "backup"})
        assert self.due(bench, self.STOP, 1.0, 1.0, standing)
        assert not self.due(bench, self.STOP, 1.0, 1000.0, Standing()), "nobody has started it"

    @pytest.mark.parametrize("change", [{"stopped": True}, {"modes": {"gen1": Mode.OFF}}, {"mode": Mode.MANUAL}])
    def test_not_in_a_stop_and_not_out_of_auto(self, bench: Bench, change: dict[str, Any]) -> None:
        assert not self.due(bench, self.START, 0.0, 1.0, Standing(**change))
        assert not self.due(bench, self.START, math.nan, 1.0, Standing()), "nobody knows whether it runs"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"reserve_pct": 20, "genset": "gen1"}, "go together"),
        ({**PARAMS, "start_below_pct": 70}, "is not below stop_above_pct"),
        ({**PARAMS, "genset": "gen9"}, "unknown device 'gen9'"),
        ({**PARAMS, "genset": "pcs1"}, "no point with the role start, stop"),
        ({}, "reserve_pct"),
        ({**PARAMS, "genset": "gen2"}, "gen2 has no rating"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path: Path, params: dict[str, Any], words: str) -> None:
    import yaml

    text = yaml.safe_dump({"strategies": [{**BACKUP, "params": params}]})
    _, faults, _ = load_strategies(park(tmp_path, more=[GENSET, {**GENSET, "id": "gen2", "ratings": {}}]), text)
    assert any(words in str(fault) for fault in faults), [str(fault) for fault in faults]


@pytest.mark.parametrize(
    ("error", "kept"), [(Unanswered(Text.of("nobody answers")), {"gen1": "backup"}), (ControlError(Text.of("no")), {})]
)
def test_a_start_that_may_have_been_heard_is_remembered(error: ControlError, kept: dict[str, str]) -> None:
    """So that the machine is stopped again; one that was refused does not run by us."""
    written: list[AuditEntry] = []
    standing = Standing()

    class Audit:
        def write(self, entry: AuditEntry, *, later: bool | None = None) -> Future[int]:
            written.append(entry)
            done: Future[int] = Future()
            done.set_result(7)
            return done

    async def refuse(device: str, role: str) -> None:
        raise error

    async def keep() -> None:
        pass

    async def run() -> None:
        told: list[Text | None] = []
        switcher = Switcher(Audit(), lambda key, what, priority: told.append(what), execute=refuse, keep=keep)
        start = Switch("gen1", True, "backup", Text("low", "低"))
        await switcher._switch(start, standing, "config")
        assert told[-1] is not None and switcher.failed == {"gen1"}
        switcher.settle([])
        assert told[-1] is None and not switcher.failed

    asyncio.run(run())
    assert standing.started == kept
    assert [(one.result, one.asks) for one in written] == [(Result.ASKED, 0), (Result.FAILED, 7)], "the row is answered"
