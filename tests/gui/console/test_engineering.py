"""What an engineer does on the Devices page: change a device in its file, try it, read a point once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from app.configuration import configure
from app.console.main import Console
from app.console.pages.devices import DevicesPage
from app.console.screenshots import settle
from app.model.clock import ManualClock
from app.model.loading import load_station
from tests.support.fake_station import FakeStation
from tests.support.foreign_modbus import POWER_W
from widgets import language
from widgets.editor.device_editor import DeviceEditor

ROOT = Path(__file__).resolve().parents[3]
STATION = """# my site
version: 1
station: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}
devices:
  # bought in 2024
  - id: m   # the meter
    name: {en: Meter, zh: 电表}
    kind: meter
    connection: {driver: modbus-tcp, host: 127.0.0.1, port: 1502, unit: 1, timeout: 2s}   # by fibre
    points:
      - id: p   # at the gate
        name: P
        kind: measurement
        unit: kW
        address: {table: input, register: 52, type: f32}
        scale: 0.001
        scan: 1s      # fast
      - {id: q, name: Q, kind: measurement, address: {table: input, register: 54, type: u16}}
  - id: t
    name: T
    kind: meter
    template: eastron/sdm630
    connection: {driver: modbus-tcp, host: 127.0.0.1, port: 1503}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site" / "station.yaml"
    path.parent.mkdir()
    path.write_text(STATION, encoding="utf-8")
    return path


@pytest.fixture
def locked() -> bool:
    return False


@pytest.fixture
def facade(file: Path, manual_clock: ManualClock, locked: bool) -> Iterator[FakeStation]:
    fake = FakeStation(load_station(file.parent).station, manual_clock, locked=locked)
    fake.move()
    yield fake
    fake.close()


@pytest.fixture
def page(console: Console) -> DevicesPage:
    console.window.go("devices")
    page = console.window.pages["devices"]
    assert isinstance(page, DevicesPage)
    return page


def opened(page: DevicesPage, device: str, qtbot: QtBot) -> DeviceEditor:
    page.show_device(device)
    page._edit.click()
    qtbot.waitUntil(lambda: page.right.currentWidget() is page.editor)
    checked(page.editor, qtbot)
    return page.editor


def checked(editor: DeviceEditor, qtbot: QtBot) -> None:
    """What was typed has been judged."""
    qtbot.waitUntil(lambda: editor._preview is not None)


def typed(edit: QLineEdit, text: str) -> None:
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, text)


def changed_lines(editor: DeviceEditor) -> list[str]:
    lines = editor.difference.toPlainText().splitlines()
    return [line for line in lines if line[:1] in ("+", "-") and line[:3] not in ("+++", "---")]


def test_a_scan_is_edited_shown_as_one_line_saved_and_comments_stay(
    page: DevicesPage, file: Path, qtbot: QtBot
) -> None:
    editor = opened(page, "m", qtbot)
    assert changed_lines(editor) == [] and not editor.save.isEnabled()
    editor.points.choose("p")
    typed(editor.points.form.fields["scan"].edit, "5s")
    checked(editor, qtbot)
    assert changed_lines(editor) == ["-        scan: 1s      # fast", "+        scan: 5s      # fast"]
    assert file.read_text(encoding="utf-8") == STATION, "nothing is written yet"
    QTest.keyClick(editor.points.form.fields["scan"].edit, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: "runs with it" in editor._note.text())
    assert file.read_text(encoding="utf-8") == STATION.replace("scan: 1s      # fast", "scan: 5s      # fast")
    kept = next((file.parent / "backups").iterdir())
    assert kept.read_text(encoding="utf-8") == STATION and kept.name in editor._note.text()
    checked(editor, qtbot)
    assert changed_lines(editor) == [] and not editor.save.isEnabled()


def test_a_wrong_value_says_so_beside_its_field_and_cannot_be_saved(
    page: DevicesPage, file: Path, qtbot: QtBot
) -> None:
    editor = opened(page, "m", qtbot)
    port = editor.connection.keys["port"]
    typed(port.edit, "70000")
    assert not editor.save.isEnabled(), "at once, before it is judged"
    checked(editor, qtbot)
    assert "port '70000' is not a whole number from 1 to 65535" in port.fault_text()
    assert editor.connection.keys["host"].fault_text() == ""
    assert not editor.save.isEnabled() and not editor.try_.isEnabled()
    assert "station.yaml:9: device m: port" in editor.faults.toPlainText()
    language.choose("zh")
    assert "port“70000”不是 1 至 65535 的整数" in port.fault_text(), "what stands there follows the language"
    assert editor.faults.toPlainText() == "station.yaml:9：设备 m：port“70000”不是 1 至 65535 的整数；请改正"
    language.choose("en")
    typed(port.edit, "1503")
    checked(editor, qtbot)
    assert port.fault_text() == "" and editor.save.isEnabled()
    editor.points.choose("q")
    typed(editor.points.form.limits["h"].edit, "5")
    typed(editor.points.form.limits["l"].edit, "7")
    checked(editor, qtbot)
    assert (
        "limit l (7) must be below limit h (5)"
        in "".join(field.fault_text() for field in editor.points.form.limits.values())
        + editor.points.form._rest_fault.text()
    )
    assert editor.points.model.cell(1, 0).text == "✕ q"


def test_a_file_that_another_hand_changed_is_told_and_shown_anew(page: DevicesPage, file: Path, qtbot: QtBot) -> None:
    editor = opened(page, "m", qtbot)
    typed(editor.device.ratings["power_kw"].edit, "12")
    checked(editor, qtbot)
    other = STATION.replace("# my site", "# our site")
    file.write_text(other, encoding="utf-8")
    editor.save.click()
    qtbot.waitUntil(lambda: "has changed meanwhile" in editor._note.text())
    assert file.read_text(encoding="utf-8") == other
    checked(editor, qtbot)
    language.choose("zh")
    assert editor.save.isEnabled(), "after one has seen the difference to what is there now"
    editor.save.click()
    qtbot.waitUntil(lambda: "已保存" in editor._note.text())
    after = file.read_text(encoding="utf-8")
    assert "# our site" in after and "ratings: {power_kw: 12}" in after


def test_a_point_of_the_template_is_limited_here_and_freed_again(page: DevicesPage, file: Path, qtbot: QtBot) -> None:
    editor = opened(page, "t", qtbot)
    qtbot.waitUntil(lambda: len(editor.points.model.rows) > 10)
    editor.points.choose("p_kw")
    form = editor.points.form
    assert form.fields["precision"].edit.placeholderText(), "what the template says shows through"
    typed(form.limits["hh"].edit, "90")
    form.limits["hh"].priority.setCurrentIndex(1)
    form.limits["hh"].priority.activated.emit(1)
    checked(editor, qtbot)
    assert any("hh: {value: 90, priority: urgent}" in line for line in changed_lines(editor))
    editor.save.click()
    qtbot.waitUntil(lambda: "runs with it" in editor._note.text())
    point = configure(file.parent).station.by_id["t"].point("p_kw")
    assert point is not None and point.form.alarms is not None and point.form.alarms.hh is not None
    qtbot.waitUntil(lambda: len(editor.points.model.rows) > 10)
    editor.points.choose("p_kw")
    editor.points.remove.click()
    checked(editor, qtbot)
    assert {line[:1] for line in changed_lines(editor)} == {"-"}


def test_a_new_device_from_a_template_is_added_duplicated_and_removed(
    page: DevicesPage, file: Path, qtbot: QtBot
) -> None:
    page._add.click()
    qtbot.waitUntil(lambda: page.right.currentWidget() is page.editor)
    editor = page.editor
    typed(editor.device.id.edit, "inv9")
    typed(editor.device.name_en.edit, "Inverter 9")
    editor.device.templates.filter.setText("huawei inverter")
    QTest.keyClick(editor.device.templates.filter, Qt.Key.Key_Return)
    assert editor.draft.form["template"] == "huawei/sun2000" and editor.device.kind.value() == "pv_inverter"
    checked(editor, qtbot)
    assert "connection has no host" in "".join(field.fault_text() for field in editor.connection.keys.values())
    typed(editor.connection.keys["host"].edit, "10.0.0.9")
    checked(editor, qtbot)
    editor.save.click()
    qtbot.waitUntil(lambda: "runs with it" in editor._note.text())
    assert file.read_text(encoding="utf-8").startswith(STATION)
    assert configure(file.parent).station.by_id["inv9"].connection["host"] == "10.0.0.9"
    editor.duplicate.click()
    assert editor.draft.id == "inv1" and editor.draft.form["connection"]["host"] == "10.0.0.9"
    editor.open_device("inv9")
    editor.remove.click()
    assert not editor.save.isEnabled()
    checked(editor, qtbot)
    editor.save.click()
    qtbot.waitUntil(lambda: page.right.currentWidget() is not editor)
    assert file.read_text(encoding="utf-8") == STATION and "runs with it" in page._notice.text()


def test_a_secret_is_hidden_and_never_reaches_the_file(page: DevicesPage, qtbot: QtBot) -> None:
    editor = opened(page, "m", qtbot)
    editor.connection._other.setText("password")
    QTest.keyClick(editor.connection._other, Qt.Key.Key_Return)
    secret = editor.connection.keys["password"]
    typed(secret.edit, "hush")
    assert secret.edit.echoMode() is QLineEdit.EchoMode.Password and "secret:NAME" in secret.fault_text()
    qtbot.wait(400)
    assert "hush" not in str(editor.draft.form)
    assert "hush" not in editor.difference.toPlainText() and not editor.save.isEnabled()
    typed(secret.edit, "env:METER")
    assert secret.edit.echoMode() is QLineEdit.EchoMode.Normal
    checked(editor, qtbot)
    assert any("password: env:METER" in line or 'password: "env:METER"' in line for line in changed_lines(editor))


def test_what_cannot_be_read_is_not_left(page: DevicesPage, qtbot: QtBot) -> None:
    editor = opened(page, "m", qtbot)
    editor.points.add.click()
    rest = editor.points.form.rest
    rest.setPlainText("id: x\nname: [")
    assert not editor.points.table.isEnabled() and not editor.save.isEnabled()
    assert "✕" in editor.points.form._rest_fault.text()
    rest.setPlainText("id: x\nname: X\nkind: measurement\naddress: {table: input, register: 60, type: u16}")
    checked(editor, qtbot)
    assert editor.points.table.isEnabled() and editor.save.isEnabled()
    assert all(line.startswith("+") for line in changed_lines(editor))


def test_leaving_an_edited_device_needs_a_word(page: DevicesPage, qtbot: QtBot) -> None:
    editor = opened(page, "m", qtbot)
    page.tree.choose("t")
    assert editor.draft.id == "t", "nothing was changed: the editor follows"
    page.tree.choose("m")
    typed(editor.device.name_en.edit, "Other")
    page.tree.choose("t")
    assert editor.draft.id == "m"
    editor.discard.click()
    assert editor.device.name_en.text() == "Meter" and page.right.currentWidget() is editor
    editor.discard.click()
    assert page.right.currentWidget() is not editor


def test_all_of_it_is_reached_by_keys(console: Console, page: DevicesPage, qtbot: QtBot) -> None:
    page.show_device("m")
    page.tree.setFocus()
    QTest.keyClick(page.tree, Qt.Key.Key_F2)
    qtbot.waitUntil(lambda: page.right.currentWidget() is page.editor)
    checked(page.editor, qtbot)
    reached = set()
    page.editor.device.id.edit.setFocus()
    for _ in range(40):
        QTest.keyClick(console.window.focusWidget(), Qt.Key.Key_Tab)
        reached.add(console.window.focusWidget())
    editor = page.editor
    assert {
        editor.device.kind.box,
        editor.device.templates.table,
        editor.try_,
        editor.discard,
        editor.difference,
    } <= reached
    editor.forms.setCurrentWidget(editor.points)
    editor.points.form.rest.setFocus()
    QTest.keyClicks(editor.points.form.rest, "1234")
    assert console.window.page == "devices", "digits are typed here, and do not go to other pages"
    console.window.show_points("t")
    assert page.right.currentWidget() is editor and editor.draft.id == "m", "what was typed is not lost"


@pytest.mark.parametrize("locked", [True])
def test_a_locked_station_says_why_and_tries_all_the_same(page: DevicesPage, qtbot: QtBot) -> None:
    editor = opened(page, "m", qtbot)
    typed(editor.device.name_en.edit, "Other")
    checked(editor, qtbot)
    assert not editor.save.isEnabled() and "the demo station stays as it is" in editor.save.toolTip()
    assert "the demo station stays" in editor._note.text() and editor.try_.isEnabled()
    language.choose("zh")
    assert "演示站保持原样" in editor._note.text()


@pytest.fixture
def foreign_port() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.support.foreign_modbus"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()


def test_a_connection_is_tried_before_it_is_saved(
    page: DevicesPage, file: Path, foreign_port: int, qtbot: QtBot
) -> None:
    editor = opened(page, "m", qtbot)
    typed(editor.connection.keys["port"].edit, str(foreign_port))
    checked(editor, qtbot)
    editor.try_.click()
    qtbot.waitUntil(lambda: bool(editor.trial.answers.rows), timeout=20_000)
    power = editor.trial.answers.rows[0]
    assert power.point == "m.p" and power.value == pytest.approx(POWER_W / 1000) and power.quality == 0
    assert "2 of 2 points are good" in editor._trial_said.text()
    assert file.read_text(encoding="utf-8") == STATION
    typed(editor.connection.keys["port"].edit, "1")
    checked(editor, qtbot)
    editor.try_.click()
    qtbot.waitUntil(lambda: "cannot be opened" in editor._trial_said.text(), timeout=20_000)


def test_a_point_is_read_once_in_place(page: DevicesPage, facade: FakeStation, console: Console, qtbot: QtBot) -> None:
    page.show_device("m")
    assert not page._read.isEnabled()
    row = page.model.row_of(facade.station.by_name["m.p"])
    page.table.selectRow(row)
    facade.field["m.p"] = 41.5
    menu = page.table_menu()
    next(action for action in menu.actions() if action.text() == "Read now").trigger()
    menu.deleteLater()
    qtbot.waitUntil(lambda: not page.readings.answers[0].waiting)
    answer = page.readings.answers[0]
    assert page.readings.isVisible() and (answer.value, answer.quality) == (41.5, 0) and answer.took_ms >= 0
    console.bridge.refresh()
    assert page.model.cell(row, 2).text == "41.5", "the table has it as well"
    facade.lose("m")
    page._read.click()
    qtbot.waitUntil(lambda: not page.readings.answers[0].waiting)
    language.choose("zh")
    assert page.readings.table.answers.cell(0, 6).text == "1 s 内无应答"
    page.table.selectRow(page.model.row_of(facade.station.by_name["m._online"]))
    page._read.click()
    assert "无法从现场读取" in page.readings.table.answers.cell(0, 6).text
    settle(console.window, 0.02)
