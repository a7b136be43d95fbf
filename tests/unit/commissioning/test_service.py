"""Changing a station's file: previewed, judged, saved with the version before kept, tried before it is saved."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.commissioning.service import Commissioning, EditError
from app.configuration import configure
from app.model.clock import ManualClock
from app.model.commissioning import Change
from app.model.errors import ConfigFaults
from app.model.text import Text

STATION = """# my site
version: 1
station: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}
devices:
  - id: m  # the meter
    name: M
    kind: meter
    template: eastron/sdm630
    connection: {driver: modbus-tcp, host: 127.0.0.1, port: 1, unit: 1, timeout: 200ms}
"""
METER = {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 1}
POINT = {"id": "p", "name": "P", "kind": "measurement", "address": {"table": "holding", "register": 0, "type": "u16"}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site" / "station.yaml"
    path.parent.mkdir()
    path.write_text(STATION)
    return path


@pytest.fixture
def service(file: Path, tmp_path: Path) -> Iterator[Commissioning]:
    made = Commissioning(configure(file.parent).station, tmp_path / "backups", ManualClock())
    yield made
    made.stop()


def test_a_change_is_shown_judged_saved_and_the_version_before_kept(service: Commissioning, file: Path) -> None:
    form = service.form("m")
    form["connection"] = {**form["connection"], "host": "10.0.0.5"}
    preview = service.preview(Change("m", form)).result(10)
    assert [line for line in preview.difference if line[:1] in "+-"][2:] == [
        "-    connection: {driver: modbus-tcp, host: 127.0.0.1, port: 1, unit: 1, timeout: 200ms}",
        "+    connection: {driver: modbus-tcp, host: 10.0.0.5, port: 1, unit: 1, timeout: 200ms}",
    ]
    assert preview.faults == () and file.read_text() == STATION, "nothing is written yet"
    kept = service.save(preview).result(10)
    assert kept.read_text() == STATION
    assert file.read_text() == STATION.replace("host: 127.0.0.1", "host: 10.0.0.5")
    assert configure(file.parent).station.by_id["m"].connection["host"] == "10.0.0.5"


def test_who_says_that_it_is_without_faults_is_not_believed(service: Commissioning, file: Path) -> None:
    form = service.form("m")
    preview = service.preview(Change("m", {**form, "colour": "red"})).result(10)
    assert preview.faults
    with pytest.raises(EditError, match="not saved"):
        service.save(replace(preview, faults=())).result(10)
    assert file.read_text() == STATION


def test_a_point_of_the_template_is_overridden_and_freed_again(service: Commissioning, file: Path) -> None:
    """The template is shared by other stations: what differs here stands here."""
    name = configure(file.parent).station.by_id["m"].points[0].id
    preview = service.preview(Change("m", {"id": name, "scan": "5s", "alarms": {"h": 7}}, point=name)).result(10)
    station = configure(file.parent, None, preview.text).station
    assert station.by_id["m"].points[0].form.scan == 5.0
    again = service.preview(Change("m", {"id": name, "scan": "7s"}, point=name), preview.text).result(10)
    assert configure(file.parent, None, again.text).station.by_id["m"].points[0].form.scan == 7.0
    freed = service.preview(Change("m", None, point=name), again.text).result(10)
    assert freed.text == STATION
    with pytest.raises(EditError, match=r"m\.nope comes from the template"):
        service.preview(Change("m", None, point="nope")).result(10)


def test_a_faulty_change_is_told_with_its_line_and_never_saved(service: Commissioning, file: Path) -> None:
    bad = {"id": "x", "name": "X", "kind": "meter", "connection": METER, "points": [{**POINT, "scan": "soon"}]}
    preview = service.preview(Change("", bad)).result(10)
    (fault,) = preview.faults
    assert "'soon' is not a duration" in str(fault)
    assert "scan: soon" in preview.text.splitlines()[fault.line - 1]
    with pytest.raises(EditError, match="not saved"):
        service.save(preview).result(10)
    assert file.read_text() == STATION
    assert service.judge("version: [").result(10).faults


def test_a_file_that_another_hand_changed_is_not_overwritten(service: Commissioning, file: Path) -> None:
    preview = service.preview(Change("m", None)).result(10)
    file.write_text(STATION + "# somebody else\n")
    with pytest.raises(EditError, match="has changed meanwhile"):
        service.save(preview).result(10)
    assert file.read_text().endswith("# somebody else\n")


def test_a_locked_station_says_why(file: Path, tmp_path: Path) -> None:
    service = Commissioning(configure(file.parent).station, tmp_path, ManualClock(), locked=Text.of("the demo stays"))
    with pytest.raises(EditError, match="the demo stays"):
        service.save(service.preview(Change("m", None)).result(10)).result(10)
    service.stop()


def test_templates_are_there_to_choose_from(service: Commissioning, file: Path) -> None:
    own = file.parent / "templates" / "eastron" / "sdm630.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("vendor: mine\nmodel: mine\nkind: meter\n")
    found = {template.name: template for template in service.templates().result(20)}
    assert found["eastron/sdm630"].vendor == "mine", "the station's own come first"
    assert found["huawei/sun2000"].kind == "pv_inverter" and found["huawei/sun2000"].source


def test_a_trial_tells_why_nobody_answers(service: Commissioning) -> None:
    trial = service.try_("m").result(20)
    assert trial.trouble is not None and "127.0.0.1:1 cannot be opened" in trial.trouble.en
    assert len(trial.rows) > 5 and all(math.isnan(row.value) for row in trial.rows)
    with pytest.raises(EditError, match="no device 'z'"):
        service.try_("z").result(20)
    with pytest.raises(ConfigFaults):
        service.try_("m", "version: 1\n").result(20)


def test_several_changes_are_one_preview_and_faults_know_their_place(service: Commissioning, file: Path) -> None:
    form = service.form("m")
    changes = [
        Change("m", {**form, "id": "n", "connection": {**form["connection"], "port": 0}}),
        Change("n", {"id": "p_kw", "scan": "5s"}, point="p_kw"),
        Change("n", {**POINT, "scan": "soon"}, point="p"),
    ]
    preview = service.preview(changes).result(10)
    assert set(preview.places) == {("connection", "port"), ("points", "p", "scan")}, "all at once"
    assert ("devices", 0, "points", 1, "scan") in {fault.path for fault in preview.faults}
    preview = service.preview(changes[:2]).result(10)
    assert preview.places == (("connection", "port"),)
    added = [line for line in preview.difference if line.startswith("+")][1:]
    assert added[0] == "+  - id: n  # the meter" and len(added) == 5
    assert service.preview([]).result(10).difference == ()


def test_what_a_new_device_may_name_is_told(service: Commissioning) -> None:
    contents = service.contents().result(20)
    assert [device["id"] for device in contents.devices] == ["m"] and "modbus-tcp" in contents.drivers
    assert any(template.name == "eastron/sdm630" for template in contents.templates)
    points = {point["id"]: point for point in service.template_points("eastron/sdm630").result(10)}
    assert points["p_kw"]["unit"] == "kW"
    keys = service.connection_keys("modbus-tcp").result(10)
    assert keys["host"] is None and keys["port"] == 502 and "baudrate" not in keys
    assert service.connection_keys("nothing").result(10) == {}
    with pytest.raises(EditError, match="no template 'x/y'"):
        service.template_points("x/y").result(10)
