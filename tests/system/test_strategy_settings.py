"""Parameters and plans changed on a running park, and strategies tried over what it recorded."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from app.history.whole import write_whole
from app.model.clock import SECOND_NS
from app.model.control import Mode, Quantity, ReplayRow, Running
from app.model.errors import GridroomError
from tests.support.control_site import LONG_S, SHAVE, Site, until

_BOMB = "[" + ", ".join(["&a0 [1]", *(f"&a{k} [*a{k - 1}, *a{k - 1}]" for k in range(1, 60))]) + "]"
PLAN = {"id": "plan", "kind": "plan_tracking", "devices": ["pcs1", "pcs2"], "params": {"plan": [0.0] * 96}}


def test_a_parameter_is_changed_at_once_and_told_before_and_after(make: Callable[..., Site]) -> None:
    site = make(strategies=[SHAVE])
    file = site.park.folder / "strategies.yaml"
    file.write_text("# ours\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    site.door.apply().result(LONG_S)
    until(lambda: site.value("pcs1.p_kw") > 20)
    strategies = site.door.strategies
    rows = {row.key: row for row in strategies.parameters("shave")}
    limit = rows["limit_kw"]
    assert (limit.value, limit.unit, limit.required) == ("100", "kW", True) and limit.meaning.zh
    strategies.change("shave", "limit_kw", "60", "summer tariff").result(LONG_S)
    until(lambda: site.value("meter1.p_kw") < 80)
    assert "# ours" in file.read_text(encoding="utf-8") and "limit_kw: 60" in file.read_text(encoding="utf-8")
    kept = list((site.data / "backups").rglob("strategies.yaml"))
    assert len(kept) == 1 and "limit_kw: 100" in kept[0].read_text(encoding="utf-8")
    until(lambda: len(site.ledger("strategies.change")) == 2)
    asked, done = site.ledger("strategies.change")
    assert (asked.actor, asked.reason, asked.result, done.result) == ("ada", "summer tariff", "asked", "done")
    assert (done.before, done.after) == ('{"limit_kw":100}', '{"limit_kw":60}')
    for key, value in (("limit_kw", ".nan"), ("limit_kw", "many"), ("limit_kw", ""), ("colour", "red"),
                       ("limit_kw", _BOMB), ("limit_kw", "[" * 5000), ("limit_kw", "!!python/object:os.system {}")):  # fmt: skip
        with pytest.raises(GridroomError):
            strategies.change("shave", key, value).result(LONG_S)
    assert "limit_kw: 60" in file.read_text(encoding="utf-8")
    assert [row.value for row in strategies.parameters("shave") if row.key == "limit_kw"] == ["60"]


def test_a_strategy_is_made_of_a_template_changed_and_removed(make: Callable[..., Site]) -> None:
    site = make()
    file = site.park.folder / "strategies.yaml"
    file.unlink()
    site.door.apply().result(LONG_S)
    strategies = site.door.strategies
    offered = {one.id: one for one in strategies.templates().result(LONG_S)}
    limit = next(row for row in offered["peak_shaving@1"].params if row.key == "limit_kw")
    own = {row.key: (row.default, row.required) for row in offered["own_use@1"].params}
    assert limit.required and own["limit_kw"] == ("0", False) and offered["own_use@1"].name.zh == "自发自用"
    both = ["pcs1", "pcs2"]
    strategies.add("own", "own_use@1", both, {"limit_kw": " ", "recharge_below_kw": ""}, "as agreed").result(LONG_S)
    (row,) = site.door.control.state().strategies
    assert (row.id, row.running, row.devices, row.template) == ("own", Running.SHADOW, ("pcs1", "pcs2"), "own_use@1")
    assert row.params == {"limit_kw": 0, "recharge_below_kw": 0}
    strategies.add("shave", "peak_shaving@1", ["pcs1"], {"limit_kw": "80"}).result(LONG_S)
    strategies.change("own", "limit_kw", "5").result(LONG_S)
    text = file.read_text(encoding="utf-8")
    assert text.count("template:") == 2 and "limit_kw: 5" in text and "recharge" not in text
    for bad in (("own", "own_use@1", both, {}), ("A b", "own_use@1", both, {}), ("x", "own_use@9", both, {}),
                ("x", "own_use@1", ["pcs9"], {}), ("x", "own_use@1", [], {}), ("x", "peak_shaving@1", both, {}),
                ("x", "own_use@1", both, {"colour": "red"}), ("x", "own_use@1", both, {"limit_kw": _BOMB})):  # fmt: skip
        with pytest.raises(GridroomError):
            strategies.add(*bad).result(LONG_S)
    assert file.read_text(encoding="utf-8") == text
    site.door.control.run_strategy("own", Running.LIVE, "tried").result(LONG_S)
    until(lambda: site.value("meter1.p_kw") < 40 and site.value("pcs1.p_kw") > 20)
    strategies.remove("own", "a trial").result(LONG_S)
    until(lambda: abs(site.value("pcs1.p_kw")) < 5 and abs(site.value("pcs2.p_kw")) < 5)
    assert [one.id for one in site.door.control.state().strategies] == ["shave"]
    strategies.remove("shave").result(LONG_S)
    assert site.door.control.state().strategies == ()
    with pytest.raises(GridroomError):
        strategies.remove("shave").result(LONG_S)
    strategies.add("own", "own_use@1", both, {}).result(LONG_S)
    (row,) = site.door.control.state().strategies
    assert row.running is Running.SHADOW, "that another one of this name ran live is forgotten"
    until(lambda: len([one for one in site.ledger("strategies.") if one.result == "done"]) == 6)
    done = [one for one in site.ledger("strategies.") if one.result == "done"]
    assert [one.what for one in done] == ["strategies.add", "strategies.add", "strategies.change", "strategies.remove",
                                          "strategies.remove", "strategies.add"]  # fmt: skip
    assert '"template":"own_use@1"' in done[0].after and '"template":"own_use@1"' in done[3].before


def test_a_plan_is_drawn_imported_and_followed(make: Callable[..., Site], tmp_path: Path) -> None:
    site = make(strategies=[PLAN])
    strategies = site.door.strategies
    seen = strategies.plan("plan")
    assert seen.days == {"": (0.0,) * 96} and seen.high == -seen.low > 0
    strategies.draw_plan("plan", "", [80.0] * 96, "a trial").result(LONG_S)
    until(lambda: abs(site.value("pcs1.p_kw") + site.value("pcs2.p_kw") - 80) < 10)
    assert (site.park.folder / "plan_plan.csv").read_text(encoding="utf-8").startswith("time,power_kw\n00:00,80\n")
    assert "plan_plan.csv" in (site.park.folder / "strategies.yaml").read_text(encoding="utf-8")
    book = openpyxl.Workbook()
    book.active.append(["time", "power_kw"])
    for quarter in range(96):
        book.active.append([f"{quarter // 4:02}:{quarter % 4 * 15:02}", -60])
    book.save(tmp_path / "plan.xlsx")
    found = strategies.read_plan("plan", tmp_path / "plan.xlsx").result(LONG_S)
    assert found.days == {"": (-60.0,) * 96}
    strategies.draw_plan("plan", "", found.days[""]).result(LONG_S)
    until(lambda: abs(site.value("pcs1.p_kw") + site.value("pcs2.p_kw") + 60) < 10)
    strategies.draw_plan("plan", "2026-12-24", [math.nan] * 95 + [5.0]).result(LONG_S)
    assert set(strategies.plan("plan").days) == {"", "2026-12-24"}
    strategies.draw_plan("plan", "2026-12-24", [math.nan] * 96).result(LONG_S)
    assert set(strategies.plan("plan").days) == {""}, "a day without any power is no day of its own"
    for day, powers in (("", [1.0] * 95), ("tomorrow", [1.0] * 96), ("", [math.inf] * 96), ("", [math.nan] * 96)):
        with pytest.raises(GridroomError):
            strategies.draw_plan("plan", day, powers).result(LONG_S)
    assert strategies.plan("plan").days == {"": (-60.0,) * 96}
    with pytest.raises(GridroomError):
        strategies.read_plan("plan", tmp_path / "no.csv").result(LONG_S)


def test_any_moment_is_told_again_by_history_and_ledger(make: Callable[..., Site], tmp_path: Path) -> None:
    site = make(strategies=[SHAVE])
    before = site.station.now_ns()
    until(lambda: site.value("pcs1.p_kw") > 20)
    until(lambda: abs(site.value("meter1.p_kw") - 100) < 15)
    time.sleep(2.5)
    shaved = site.station.now_ns()
    allowed = site.channel("pcs1").allowed
    time.sleep(1.5)
    site.door.control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
    site.door.control.request("pcs1", Quantity.ACTIVE, -150.0, "a trial").result(LONG_S)
    until(lambda: abs(site.value("pcs1.p_kw") + 150) < 6)
    time.sleep(4.0)  # longer than history takes to close its seconds, on a busy machine too
    by_hand = site.station.now_ns()

    def seen(at_ns: int) -> ReplayRow:
        view = site.door.control.replay(at_ns).result(LONG_S)
        return next(row for row in view.rows if (row.device, row.quantity) == ("pcs1", Quantity.ACTIVE))

    row = seen(shaved)
    assert row.who == "shave" and row.allowed == pytest.approx(allowed, abs=30) and row.sent == row.allowed
    assert row.flows == pytest.approx(row.sent, abs=30)
    row = seen(by_hand)
    assert (row.who, row.requested, row.allowed, row.sent) == ("ada", -150.0, -150.0, -150.0)
    assert row.flows == pytest.approx(-150, abs=6) and "a trial" in row.why
    assert site.door.control.replay(by_hand).result(LONG_S).meter_kw == pytest.approx(site.value("meter1.p_kw"), abs=60)
    row = seen(before - 3600 * SECOND_NS)
    assert math.isnan(row.sent) and row.who == "" and row.row == 0
    count = site.door.control.export_ledger(tmp_path / "ledger.csv", "pcs1").result(LONG_S)
    text = (tmp_path / "ledger.csv").read_text(encoding="utf-8")
    assert count == text.count("\n") - 1 > 3 and "control.request" in text and "access.sign_in" not in text


def test_what_cannot_run_leaves_files_and_station_as_they_were(
    make: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make(strategies=[SHAVE, PLAN])
    file = site.park.folder / "strategies.yaml"
    before = file.read_text(encoding="utf-8")

    def refuse(_: object) -> None:
        raise GridroomError("it cannot be taken now")

    monkeypatch.setattr(site.station.strategies, "_apply", refuse)
    with pytest.raises(GridroomError, match="cannot be taken"):
        site.door.strategies.change("shave", "limit_kw", "60").result(LONG_S)
    with pytest.raises(GridroomError, match="cannot be taken"):
        site.door.strategies.draw_plan("plan", "", [5.0] * 96).result(LONG_S)
    assert file.read_text(encoding="utf-8") == before and not (site.park.folder / "plan_plan.csv").exists()


def test_strategies_are_tried_over_what_was_recorded_and_nothing_is_commanded(make: Callable[..., Site]) -> None:
    site = make(strategies=[{**SHAVE, "mode": "shadow"}])
    site.door.control.set_mode("*", Mode.OFF).result(LONG_S)
    until(lambda: math.isfinite(site.value("meter1.p_kw")))
    began = site.station.now_ns()
    until(lambda: site.station.now_ns() - began > 3 * SECOND_NS)
    end = site.station.now_ns() + SECOND_NS
    report = site.door.strategies.try_out(end - 1800 * SECOND_NS, end, "shave").result(120)
    assert report.steps in (2, 3) and np.isfinite(report.before_kw).any()
    peak = float(np.nanmax(report.before_kw))
    tighter = site.door.strategies.try_out(end - 1800 * SECOND_NS, end, "shave", "limit_kw", str(peak / 2)).result(120)
    assert tighter.after.peak_kw < peak - 1 <= report.before.peak_kw
    assert site.door.control.state().strategies[0].running is Running.SHADOW and math.isnan(site.channel("pcs1").sent)
    for words, asked in (("a quarter", (end, end)), ("no parameter", (end - 10**13, end, "shave", "x", "1"))):
        with pytest.raises(GridroomError, match=words):
            site.door.strategies.try_out(*asked).result(60)


def test_a_drawn_plan_replaces_nobody_elses_and_is_put_back_whole(
    make: Callable[..., Site], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site = make(strategies=[SHAVE])
    folder = site.park.folder
    (folder / "plan_plan.csv").write_text("time,power_kw\n00:00,7\n", encoding="utf-8")
    other = {**PLAN, "id": "other", "mode": "off", "params": {"plan": "plan_plan.csv"}}
    site.park.bind([{**PLAN, "mode": "off"}, other])
    site.door.apply().result(LONG_S)
    before = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.is_file()}

    def full(file: Path, text: str) -> None:
        if file.name == "strategies.yaml":
            raise OSError(28, "No space left on device", str(file))
        write_whole(file, text)

    with monkeypatch.context() as patch:
        patch.setattr("app.strategy_settings.write_whole", full)
        with pytest.raises(GridroomError, match="strategies.yaml cannot be written"):
            site.door.strategies.draw_plan("plan", "", [-60.0] * 96).result(LONG_S)
    assert {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.is_file()} == before
    site.door.strategies.draw_plan("plan", "", [-60.0] * 96).result(LONG_S)
    assert (folder / "plan_plan.csv").read_text(encoding="utf-8") == before["plan_plan.csv"]
    assert site.door.strategies.plan("plan").days == {"": (-60.0,) * 96}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "p.csv").write_text(before["plan_plan.csv"], encoding="utf-8")
    (folder / "sub").symlink_to(elsewhere, target_is_directory=True)
    site.park.bind([{**other, "params": {"plan": "sub/p.csv"}}])
    site.door.apply().result(LONG_S)
    site.door.strategies.draw_plan("other", "", [9.0] * 96).result(LONG_S)
    assert (elsewhere / "p.csv").read_text(encoding="utf-8") == before["plan_plan.csv"], (
        "a link leads out of the folder"
    )
