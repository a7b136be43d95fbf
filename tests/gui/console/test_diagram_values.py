"""What the single-line diagram is told: measured where something measures, inferred and marked so where nothing does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.console.diagram_values import DiagramValues
from app.console.main import Console
from app.console.pages.overview import OverviewPage
from app.demo import DEMO
from app.model.config import Priority
from app.model.loading import load_station
from app.model.quality import IV, NT
from app.model.views import Snapshot
from tests.support.fake_station import FakeStation
from widgets.diagram import ElementValue, Switch, from_station


def read(facade: FakeStation, alarms: dict[str, tuple[Priority, bool]] | None = None) -> dict[str, ElementValue]:
    values = DiagramValues(facade.station, from_station(facade.station))
    return values.read(facade.snapshot(), {status.device: status for status in facade.devices()}, alarms or {})


def test_power_and_its_quality_stand_at_the_device(facade: FakeStation) -> None:
    facade.put("inv1.p_kw", 120.5)
    facade.put("inv2.p_kw", 99.0, IV)
    values = read(facade)
    assert values["inv1"].power_kw == 120.5 and values["inv1"].running
    assert values["inv2"].quality == IV and values["inv2"].running is None


def test_a_breaker_point_tells_the_position(facade: FakeStation) -> None:
    for told, position in ((1.0, Switch.CLOSED), (0.0, Switch.OPEN)):
        facade.put("pcs1.breaker", told)
        value = read(facade)["qf_pcs1"]
        assert value.state is position and not value.inferred
    facade.put("pcs1.breaker", 1.0, IV)
    assert read(facade)["qf_pcs1"].state is Switch.UNKNOWN


@pytest.mark.parametrize(
    ("power", "volts", "position"),
    [(50.0, 231.0, Switch.CLOSED), (0.0, 231.0, Switch.CLOSED), (0.0, 2.0, Switch.OPEN), (50.0, 0.0, Switch.CLOSED)],
)
def test_without_a_point_the_position_follows_from_power_or_voltage(
    facade: FakeStation, power: float, volts: float, position: Switch
) -> None:
    facade.put("load1.p_kw", power)
    facade.put("load1.u_a", volts)
    value = read(facade)["qf_load1"]
    assert value.state is position and value.inferred


def test_nothing_is_inferred_from_bad_values(facade: FakeStation) -> None:
    facade.lose("load1")
    assert read(facade)["qf_load1"].state is Switch.UNKNOWN


def test_a_battery_shows_its_charge_and_no_line_voltage(facade: FakeStation) -> None:
    facade.put("bms1.soc", 65.21)
    value = read(facade)["bms1"]
    assert value.lines == ("SOC 65.2 %",) and math.isnan(value.voltage_v)


def test_a_lost_device_says_since_when_and_keeps_its_power(facade: FakeStation) -> None:
    facade.put("inv4.p_kw", 44.0)
    facade.lose("inv4", 60)
    value = read(facade)["inv4"]
    assert value.power_kw == 44.0 and value.lost_since_ns == facade.clock.now_ns() - 60_000_000_000


def test_alarms_stand_at_their_device(facade: FakeStation) -> None:
    value = read(facade, {"pcs2": (Priority.URGENT, True)})["pcs2"]
    assert value.alarm is Priority.URGENT and value.unacknowledged


def test_the_same_values_compare_equal_so_that_nothing_is_painted_twice(facade: FakeStation) -> None:
    facade.put("gen1.p_kw", float("nan"), IV)
    assert read(facade) == read(facade)


def test_only_shown_points_make_it_read_again(facade: FakeStation) -> None:
    values = DiagramValues(facade.station, from_station(facade.station))
    names = facade.station.by_name
    assert values.touched(np.array([names["inv1.p_kw"]]))
    assert not values.touched(np.array([names["weather1.ghi"], names["inv1._rtt_ms"]]))


def test_a_device_on_the_diagram_opens_its_faceplate(console: Console, qtbot: QtBot) -> None:
    page = console.window.pages["overview"]
    assert isinstance(page, OverviewPage)
    page.diagram.setFocus()
    page.diagram.focus_on("pcs2")
    qtbot.keyClick(page.diagram, Qt.Key.Key_Return)
    device = console.window.faceplate.device
    assert device is not None and device.id == "pcs2"


@pytest.mark.parametrize(
    ("power", "volts", "position"),
    [(0.0, 0.0, Switch.OPEN), (0.0, 231.0, Switch.UNKNOWN), (120.0, 231.0, Switch.CLOSED)],
)
def test_a_gensets_own_voltage_does_not_close_its_breaker(power: float, volts: float, position: Switch) -> None:
    station = load_station(DEMO).station
    n = len(station.points)
    value, quality = np.full(n, np.nan), np.full(n, NT, np.uint16)
    for name, told in (("gen1.p_kw", power), ("gen1.u_l1_v", volts)):
        value[station.by_name[name]], quality[station.by_name[name]] = told, 0
    zeros = np.zeros(n, np.int64)
    snapshot = Snapshot(1, 1, value, quality, zeros + 1, zeros + 1, zeros + 1)
    assert DiagramValues(station, from_station(station)).read(snapshot, {}, {})["qf_gen"].state is position
