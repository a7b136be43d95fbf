"""The Control page: who acts, what may be set by hand, two steps of a command, and the life of each."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.console.control.devices import DevicesTab
from app.console.control.ledger import LedgerTab, lives
from app.console.control.plan import PlanTab
from app.console.control.replay import ReplayTab
from app.console.control.strategies import StrategiesTab
from app.console.main import Console
from app.console.pages.control import ControlPage
from app.model.audit import AuditRow
from app.model.clock import SECOND_NS, from_datetime
from app.model.control import (
    ChannelRow,
    Clip,
    CommandedRow,
    ControlState,
    Mode,
    Quantity,
    Rank,
    Running,
    StrategyRow,
    Wanted,
)
from app.model.errors import StorageError
from app.model.station import Station
from app.model.text import Text
from tests.support.fake_station import FakeControl, FakeStation, FakeStrategies
from widgets import language

INF, NAN = float("inf"), float("nan")


def channel(device: str, mode: Mode = Mode.AUTO, **more: Any) -> ChannelRow:
    wanted = (
        Wanted("limit", Rank.GRID, -INF, 100.0, NAN, True, Text("at most 100 kW", "至多 100 kW")),
        Wanted("tariff", Rank.ECONOMICS, -INF, INF, 250.0, False, Text("peak", "高峰")),
    )
    given: dict[str, Any] = {
        "holder": "limit", "requested": 250.0, "allowed": 100.0, "clip": Clip.RANK, "sent": 100.0, "sent_at": 1,
        "held": 100.0, "feedback": 98.5, "low": -500.0, "high": 500.0, "blocked": None, **more,
    }  # fmt: skip
    return ChannelRow(device, Quantity.ACTIVE, f"{device}.p_set", mode, wanted, **given)


def strategy(id_: str, running: Running) -> StrategyRow:
    return StrategyRow(id_, "peak_shaving", Text("Peak shaving", "削峰"), running, Rank.DEMAND, ("pcs1",), {"limit_kw": 100},
                       Text("below the limit", "低于限值"), sound=True)  # fmt: skip


def acting(station: Station) -> ControlState:
    """Two channels of storage, the second in manual, and two strategies."""
    devices = [device.id for device in station.devices if device.kind == "pcs"] or [station.devices[0].id]
    return ControlState(
        Mode.AUTO, False, (strategy("shave", Running.LIVE), strategy("plan", Running.SHADOW)),
        (channel(devices[0]), channel(devices[-1], Mode.MANUAL)), {devices[-1]: Mode.MANUAL}, {}, {},
    )  # fmt: skip


@pytest.fixture
def control(facade: FakeStation) -> FakeControl:
    assert isinstance(facade.control, FakeControl)
    facade.control.now = acting(facade.station)
    return facade.control


def tab(console: Console, kind: type[Any]) -> Any:
    console.window.go("control")
    page = console.window.pages["control"]
    assert isinstance(page, ControlPage)
    page.tabs.setCurrentIndex(page.kinds.index(kind))
    page.view.reload()
    return page.view


def column(table: Any, number: int) -> list[str]:
    return [table.rows_model.cell(row, number).text for row in range(table.rows_model.rowCount())]


def test_who_acts_what_each_asked_and_what_clipped_it(control: FakeControl, console: Console) -> None:
    view: DevicesTab = tab(console, DevicesTab)
    assert column(view.rows, 4) == ["+250.0", "+250.0"] and column(view.rows, 5) == ["+100.0", "+100.0"]
    assert column(view.rows, 9) == ["a higher rank", "a higher rank"]
    view.rows.selectRow(0)
    view.read()
    assert column(view.acting, 0) == ["grid order", "economics"]
    assert column(view.acting, 1) == ["limit", "tariff (shadow)"] and column(view.acting, 3) == ["+100.0", "∞"]


def test_a_device_is_set_in_manual_only_and_never_by_enter(
    control: FakeControl, console: Console, qtbot: QtBot
) -> None:
    view: DevicesTab = tab(console, DevicesTab)
    view.rows.selectRow(0)
    view.read()
    assert not view.set.isEnabled() and not view.value.isEnabled() and "manual first" in view.set.toolTip()
    view.rows.selectRow(1)
    view.read()
    QTest.keyClicks(view.value, "-120")
    view.read()
    assert view.set.isEnabled() and view.set.text().endswith("to -120.0 kW")
    QTest.keyClick(view.value, "\r")
    assert control.asked == []
    view.reason.setText("a trial")
    view.set.click()
    device = control.now.channels[1].device
    qtbot.waitUntil(lambda: control.asked == [("request", device, Quantity.ACTIVE, -120.0, "a trial")])


def test_all_in_manual_are_set_at_once_and_what_is_not_confirmed_is_called_off(
    control: FakeControl, console: Console, qtbot: QtBot
) -> None:
    view: DevicesTab = tab(console, DevicesTab)
    first, second = (replace(one, mode=Mode.MANUAL) for one in control.now.channels)
    control.now = replace(control.now, channels=(first, replace(second, device="inv1")))
    view.read()
    view.rows.selectRow(0)
    view.value.setText("50")
    view.read()
    assert view.set_all.isEnabled() and view.set_all.text() == "Set all 2 in manual"
    view.set_all.click()
    values = {first.device: 50.0, "inv1": 50.0}
    qtbot.waitUntil(lambda: control.asked == [("request_many", values, Quantity.ACTIVE, "")])
    qtbot.waitUntil(lambda: not view._setting)
    control.slow = Future()
    view.set.click()
    assert view.call_off.isEnabled()
    view.call_off.click()
    assert control.slow.cancelled() and not view.call_off.isEnabled() and "called off" in view.note.text()


def test_a_command_has_two_steps(control: FakeControl, console: Console, qtbot: QtBot) -> None:
    view: DevicesTab = tab(console, DevicesTab)
    view.rows.selectRow(0)
    view.read()
    device = control.now.channels[0].device
    view.commands.clear()
    view.commands.addItem("Stop", "stop")
    view.show_rights()
    assert not view.confirm.isEnabled() and "Arm it first" in view.confirm.toolTip()
    view.arm.click()
    assert view.confirm.isEnabled() and not view.arm.isEnabled()
    view.confirm.click()
    qtbot.waitUntil(lambda: control.asked == [("command", device, "stop", f"{device} stop", "")])
    assert not view.confirm.isEnabled()


def test_a_device_without_a_setpoint_is_commanded_and_tagged(
    control: FakeControl, console: Console, facade: FakeStation, qtbot: QtBot
) -> None:
    station = facade.station
    device = station.devices[0].id
    genset = CommandedRow(device, None, 120.5, True, None)
    control.now = replace(control.now, commanded=(genset,))
    view: DevicesTab = tab(console, DevicesTab)
    last = view.rows.rows_model.rowCount() - 1
    assert [view.rows.rows_model.cell(last, n).text for n in (1, 2, 5, 8, 9)] == [
        "commands",
        "–",
        "–",
        "+120.5",
        "interlock",
    ]
    view.rows.selectRow(last)
    view.read()
    name = station.by_id[device].name.en
    assert view.head.text() == f"{name} · commands" and view.acting.rows_model.rowCount() == 0
    assert not any(button.isEnabled() for button in (*view.device_modes.values(), view.value, view.set, view.set_all))
    view.commands.clear()
    view.commands.addItem("Start", "start")
    view.show_rights()
    view.arm.click()
    assert view.confirm.text() == f"Start {name}"
    view.confirm.click()
    qtbot.waitUntil(lambda: control.asked == [("command", device, "start", f"{device} start", "")])
    view.reason.setText("oil is changed")
    view.read()
    view.tag.click()
    qtbot.waitUntil(lambda: control.asked[-1] == ("tag", device, "oil is changed"))


def test_a_tag_needs_its_reason_and_the_stop_is_one_click(control: FakeControl, console: Console, qtbot: QtBot) -> None:
    view: DevicesTab = tab(console, DevicesTab)
    view.rows.selectRow(0)
    view.read()
    assert not view.tag.isEnabled()
    view.reason.setText("work on the cable")
    view.read()
    view.tag.click()
    device = control.now.channels[0].device
    qtbot.waitUntil(lambda: control.asked == [("tag", device, "work on the cable")])
    view._stop.click()
    qtbot.waitUntil(lambda: control.asked[-1] == ("stop_all", "work on the cable"))


def test_a_strategy_is_run_live_in_shadow_or_not(control: FakeControl, console: Console, qtbot: QtBot) -> None:
    view: StrategiesTab = tab(console, StrategiesTab)
    assert column(view.rows, 2) == ["runs live", "in shadow"]
    view.rows.selectRow(1)
    view.read()
    assert view._run[Running.LIVE].isEnabled() and not view._run[Running.SHADOW].isEnabled()
    view._run[Running.LIVE].click()
    qtbot.waitUntil(lambda: control.asked == [("run_strategy", "plan", Running.LIVE, "")])


def row(id_: int, result: str, asks: int = 0, **more: str) -> AuditRow:
    given = {
        "actor": "ada",
        "what": "control.request",
        "reason": "a trial",
        "details": '{"value":5,"quantity":"x"}',
        **more,
    }
    return AuditRow(id_, id_ * 10**9, given["actor"], "", "", "", given["what"], "pcs1", result, given["reason"],
                    given["details"], "", "", asks, "")  # fmt: skip


def test_a_command_is_one_line_from_the_wish_to_what_came_of_it(
    control: FakeControl, console: Console, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    rows = [row(4, "asked"), row(3, "failed", 1, reason="it is tagged"), row(2, "denied"), row(1, "asked")]
    assert [(one.asked.id, one.ended.id if one.ended else 0) for one in lives(rows)] == [(4, 0), (2, 0), (1, 3)]
    from tests.support.fake_station import answered

    monkeypatch.setattr(FakeControl, "ledger", lambda self, *_: answered(rows))
    view: LedgerTab = tab(console, LedgerTab)
    qtbot.waitUntil(lambda: column(view.rows, 6) == ["asked", "denied", "failed"])
    assert column(view.rows, 7) == ["–", "–", "2.00 s"] and column(view.rows, 8)[2] == "it is tagged"
    view.rows.selectRow(2)
    assert "#1" in view.details.toPlainText() and "#3" in view.details.toPlainText()


# ------------------------------------------------------------------------------------------- parameters, plans, replay


@pytest.fixture
def strategies(facade: FakeStation) -> FakeStrategies:
    return facade.strategies


def test_a_parameter_is_read_with_its_meaning_changed_and_tried_before(
    control: FakeControl, strategies: FakeStrategies, console: Console, qtbot: QtBot
) -> None:
    view: StrategiesTab = tab(console, StrategiesTab)
    view.rows.selectRow(0)
    view.read()
    assert column(view.params, 0) == ["limit_kw", "window"] and column(view.params, 3) == ["–", "15min"]
    assert column(view.params, 4)[0] == "import is kept below this"
    assert not view.change.isEnabled()
    view.params.selectRow(0)
    assert view.value.text() == "100" and not view.change.isEnabled(), "nothing is changed yet"
    view.value.setText("80")
    view.trial.run.click()
    qtbot.waitUntil(lambda: bool(strategies.asked))
    _, start, end, *what = strategies.asked[-1]
    assert what == ["shave", "limit_kw", "80"] and end - start == 86400 * SECOND_NS
    qtbot.waitUntil(lambda: view.trial.rows.rows_model.rowCount() > 0)
    told = dict(zip(column(view.trial.rows, 0), zip(column(view.trial.rows, 1), column(view.trial.rows, 2), strict=True),
                    strict=True))  # fmt: skip
    assert told["Highest quarter of an hour, kW"] == ("700.0", "600.0")
    assert "limit_kw 80" in view.trial.note.text() and view.trial.curves._curves[1].value.max() == 600
    view.reason.setText("summer")
    view.change.click()
    qtbot.waitUntil(lambda: strategies.asked[-1] == ("change", "shave", "limit_kw", "80", "summer"))
    qtbot.waitUntil(lambda: "limit_kw is 80 now" in view.note.text())


def test_a_strategy_is_made_of_a_template_with_what_it_needs_and_nothing_less(
    control: FakeControl, strategies: FakeStrategies, console: Console, qtbot: QtBot
) -> None:
    view: StrategiesTab = tab(console, StrategiesTab)
    view._open.click()
    card = view.adding
    qtbot.waitUntil(lambda: view.left.currentWidget() is card)
    first, last = control.now.channels[0].device, control.now.channels[-1].device
    assert [card.devices.item(row).text() for row in range(card.devices.count())] == list(dict.fromkeys((first, last)))
    assert card.id.text() == "peak_shaving" and card._fields["window"].placeholderText() == "15min"
    assert (card.note.text(), card.add.isEnabled()) == ("Choose its devices", False)
    card.storage.click()
    assert (card.note.text(), card.add.isEnabled()) == ("Give limit_kw", False)
    card._fields["limit_kw"].setText("90")
    card.id.setText("shave")
    assert (card.note.text(), card.add.isEnabled()) == ("shave exists already", False)
    card.id.setText("peak")
    assert (card.note.text(), card.add.isEnabled()) == ("", True)
    card.template.setCurrentIndex(1)
    assert card.id.text() == "peak" and card._fields["limit_kw"].text() == "90", "what was typed stays"
    card._fields["limit_kw"].clear()
    assert card.add.isEnabled(), "its template says it"
    view.reason.setText("as agreed")
    card.add.click()
    devices = list(dict.fromkeys((first, last)))
    qtbot.waitUntil(lambda: strategies.asked == [("add", "peak", "own_use@3", devices, {}, "as agreed")])
    qtbot.waitUntil(lambda: view.left.currentWidget() is not card and "peak runs in shadow" in view.note.text())
    view._open.click()
    qtbot.waitUntil(lambda: view.left.currentWidget() is card)
    card.storage.click()
    card.storage.click()
    assert card.asked()[2] == []
    card.cancel.click()
    assert view.left.currentWidget() is not card


def test_only_a_strategy_that_is_off_is_removed(
    control: FakeControl, strategies: FakeStrategies, console: Console, qtbot: QtBot
) -> None:
    view: StrategiesTab = tab(console, StrategiesTab)
    view.rows.selectRow(0)
    view.read()
    assert not view._remove.isEnabled() and view._remove.toolTip() == "Switch it off first"
    one = control.now.strategies[0]
    control.now = replace(control.now, strategies=(replace(one, running=Running.OFF), *control.now.strategies[1:]))
    view.read()
    view._remove.click()
    qtbot.waitUntil(lambda: strategies.asked == [("remove", "shave", "")])


def test_a_plan_is_drawn_with_the_mouse_and_with_keys_and_saved_by_hand(
    control: FakeControl, strategies: FakeStrategies, console: Console, qtbot: QtBot
) -> None:
    control.now = replace(control.now, strategies=(replace(control.now.strategies[0], kind="plan_tracking"),))
    view: PlanTab = tab(console, PlanTab)
    chart = view.chart
    assert chart.values[:2] == [100.0, 100.0] and math.isnan(chart.values[95]) and not view._save.isEnabled()
    area = chart._area()

    def at(quarter: int, kw: float) -> QPoint:
        low, high = chart._ends(area)
        x = area.left() + area.width() * (quarter + 0.5) / 96
        return QPoint(round(x), round(area.bottom() - area.height() * (kw - low) / (high - low)))

    QTest.mousePress(chart, Qt.MouseButton.LeftButton, pos=at(60, -400))
    move = QMouseEvent(QEvent.Type.MouseMove, QPointF(at(70, 400)), QPointF(at(70, 400)), Qt.MouseButton.NoButton,
                       Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)  # fmt: skip
    chart.mouseMoveEvent(move)
    QTest.mouseRelease(chart, Qt.MouseButton.LeftButton, pos=at(70, 400))
    drawn = chart.values[60:71]
    assert (
        drawn == sorted(drawn) and drawn[0] == pytest.approx(-400, abs=20) and drawn[-1] == pytest.approx(400, abs=20)
    )
    assert not any(map(math.isnan, drawn)), "a quick hand leaves no hole"
    chart.setFocus()
    chart.at = 70
    before = chart.values[70]
    QTest.keyClick(chart, Qt.Key.Key_Up)
    assert chart.values[70] == before + 10
    QTest.keyClick(chart, Qt.Key.Key_Right)
    QTest.keyClick(chart, Qt.Key.Key_Down)
    assert chart.values[71] == -10
    qtbot.waitUntil(view._save.isEnabled)
    assert "17:45: -10 kW" in view.now.text()
    view.reload()
    assert chart.values[71] == -10, "looking elsewhere loses nothing that is drawn"
    view._save.click()
    qtbot.waitUntil(lambda: bool(strategies.asked))
    what, strategy, day, values, _ = strategies.asked[-1]
    assert (what, strategy, day, values[71]) == ("draw_plan", "shave", "", -10.0)
    qtbot.waitUntil(lambda: not chart.is_changed)
    view.read_file(Path("plan.xlsx"))
    qtbot.waitUntil(lambda: chart.values == [-50.0] * 96)
    assert "2026-12-24" in view.note.text() and len(strategies.asked) == 1, "it is only looked at"
    view._undo.click()
    assert chart.values[71] == -10


def test_any_minute_is_looked_at_again(control: FakeControl, console: Console, qtbot: QtBot) -> None:
    view: ReplayTab = tab(console, ReplayTab)
    qtbot.waitUntil(lambda: column(view.rows, 4) == ["+100.0"])
    assert column(view.rows, 2) == ["shave"] and column(view.rows, 7) == ["a higher rank"]
    assert view.meter.text() == "Grid meter: +120.0 kW"
    moment = view.at_ns
    view._move(-3600)
    qtbot.waitUntil(lambda: control.asked[-1] == ("replay", moment - 3600 * SECOND_NS))


def test_the_ledger_is_written_into_a_file(
    control: FakeControl, console: Console, qtbot: QtBot, tmp_path: Path
) -> None:
    view: LedgerTab = tab(console, LedgerTab)
    view.search.setText("pcs1")
    view.write(tmp_path / "ledger.csv")
    qtbot.waitUntil(lambda: control.asked[-1] == ("export_ledger", tmp_path / "ledger.csv", "pcs1", ()))


def test_what_is_chosen_stays_chosen_wherever_it_stands(control: FakeControl, console: Console) -> None:
    view: StrategiesTab = tab(console, StrategiesTab)
    view.rows.selectRow(1)
    view.read()
    first, second = control.now.strategies
    third = replace(first, id="valley")
    for rows in ((third, first, second), (second, first), (second, third, first)):
        control.now = replace(control.now, strategies=rows)
        view.read()
        assert view.rows.chosen().id == "plan"
    control.now = replace(control.now, strategies=(first, third))
    view.read()
    assert view.rows.chosen() is None and not any(button.isEnabled() for button in view._run.values())


def test_setting_one_device_calls_no_other_off(control: FakeControl, console: Console, qtbot: QtBot) -> None:
    view: DevicesTab = tab(console, DevicesTab)
    first, second = (replace(one, mode=Mode.MANUAL) for one in control.now.channels)
    control.now = replace(control.now, channels=(first, replace(second, device="inv1")))
    view.read()
    waiting: list[Future[Any]] = [Future(), Future()]
    for row, answer in enumerate(waiting):
        view.rows.selectRow(row)
        view.value.setText("50")
        view.read()
        control.slow = answer
        view.set.click()
    assert not any(answer.cancelled() for answer in waiting)
    waiting[1].set_result(50.0)
    qtbot.waitUntil(lambda: "Confirmed" in view.note.text())
    assert view.call_off.isEnabled(), "the first is not confirmed yet"
    view.call_off.click()
    assert waiting[0].cancelled() and not view.call_off.isEnabled()


def test_a_day_that_was_typed_stays_the_day_of_what_is_drawn(
    control: FakeControl, strategies: FakeStrategies, console: Console, qtbot: QtBot
) -> None:
    control.now = replace(control.now, strategies=(replace(control.now.strategies[0], kind="plan_tracking"),))
    view: PlanTab = tab(console, PlanTab)
    view.chart.draw((5.0,) * 96)
    view.day.setEditText("2026-12-24")
    view._on_day()
    assert view.chart.values == [5.0] * 96, "it is for the day that is named now"
    try:
        language.choose("zh")
        assert view.day.currentText() == "2026-12-24"
        view._save.setEnabled(True)
        view._save.click()
        qtbot.waitUntil(lambda: bool(strategies.asked))
    finally:
        language.choose("en")
    assert strategies.asked[-1][:3] == ("draw_plan", "shave", "2026-12-24")


def test_a_trial_is_told_by_what_was_tried(
    control: FakeControl, strategies: FakeStrategies, console: Console, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    view: StrategiesTab = tab(console, StrategiesTab)
    view.rows.selectRow(0)
    view.read()
    report, answer = strategies.try_out().result(), Future[Any]()
    monkeypatch.setattr(strategies, "try_out", lambda *_: answer)
    view.trial.run.click()
    view.rows.selectRow(1)
    view.read()
    assert not view.trial.run.isEnabled(), "one at a time"
    answer.set_result(report)
    qtbot.waitUntil(lambda: "shave" in view.trial.note.text())
    assert "plan" not in view.trial.note.text()


def test_a_changed_configuration_leaves_what_is_drawn_chosen_and_asked(
    control: FakeControl, console: Console, qtbot: QtBot
) -> None:
    rows = tuple(replace(one, kind="plan_tracking") for one in control.now.strategies)
    control.now = replace(control.now, strategies=rows)
    plan: PlanTab = tab(console, PlanTab)
    plan.chart.draw((5.0,) * 96)
    view: StrategiesTab = tab(console, StrategiesTab)
    view.rows.selectRow(1)
    view.reason.setText("a trial")
    devices: DevicesTab = tab(console, DevicesTab)
    devices.rows.selectRow(1)
    devices.value.setText("50")
    devices.read()
    control.slow = Future()
    devices.set.click()
    console._renew()
    assert not control.slow.cancelled(), "nobody has called it off"
    page = console.window.pages["control"]
    assert isinstance(page, ControlPage)
    views: dict[type[Any], Any] = dict(zip(page.kinds, page.views, strict=True))
    assert views[PlanTab].chart.values == [5.0] * 96
    assert views[StrategiesTab].rows.chosen().id == "plan"
    assert views[StrategiesTab].reason.text() == "a trial"
    assert views[DevicesTab].rows.chosen().device == control.now.channels[1].device


def test_another_device_is_armed_while_one_is(control: FakeControl, console: Console, qtbot: QtBot) -> None:
    view: DevicesTab = tab(console, DevicesTab)
    for row in (0, 1):
        view.rows.selectRow(row)
        view.read()
        view.commands.clear()
        view.commands.addItem("Stop", "stop")
        view._armed = view._armed if row else None
        view.show_rights()
        assert view.arm.isEnabled()
        view.arm.click()
        assert view.confirm.isEnabled() and not view.arm.isEnabled()
    view._on_late()
    assert not view.confirm.isEnabled() and not view.note.isVisibleTo(view), "it says no more that it is armed"


def test_another_strategy_begins_without_the_values_of_the_last(
    control: FakeControl, strategies: FakeStrategies, console: Console, qtbot: QtBot
) -> None:
    view: StrategiesTab = tab(console, StrategiesTab)
    view._open.click()
    qtbot.waitUntil(lambda: bool(view.adding._fields))
    view.adding._fields["limit_kw"].setText("90")
    view.adding.cancel.click()
    view._open.click()
    qtbot.waitUntil(lambda: view.adding._fields["limit_kw"].text() == "")


@pytest.mark.expects_errors
def test_a_moment_that_cannot_be_read_shows_no_other(
    control: FakeControl, console: Console, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    view: ReplayTab = tab(console, ReplayTab)
    qtbot.waitUntil(lambda: view.rows.rows_model.rowCount() == 1)
    lost: Future[Any] = Future()
    lost.set_exception(StorageError(Text.of("the disk is away")))
    monkeypatch.setattr(control, "replay", lambda at_ns: lost)
    view.read()
    qtbot.waitUntil(lambda: view.rows.rows_model.rowCount() == 0)
    assert "the disk is away" in view.note.text() and "–" in view.meter.text()


def test_summer_time_of_the_machine_moves_no_moment_of_the_station(
    control: FakeControl, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    view: ReplayTab = tab(console, ReplayTab)
    zone = view.context.facade.station.zone
    take_zone = getattr(time, "tzset", lambda: None)  # Windows has one zone for all; what is asserted holds there too
    monkeypatch.setenv("TZ", "Europe/Berlin")
    take_zone()
    try:
        moment = from_datetime(datetime(2026, 3, 29, 2, 30, tzinfo=zone))  # which Berlin does not have
        view.show_at(moment)
        assert view.at.text() == "2026-03-29 02:30:00" and view.at_ns == moment
    finally:
        monkeypatch.undo()
        take_zone()
