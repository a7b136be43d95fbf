"""What points mean: every template is understood by roles and words, and codes say what the machine does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
import yaml

from app.model.loading import load_station
from app.model.station import Device, Station
from app.simulation.dynamics import State, Verb
from app.simulation.faults import Fault, FaultKind, parse
from app.simulation.mapping import constant, meaning, order
from app.simulation.park import Park
from tests.support.simulated import DEMO, demo, moment, point

TEMPLATES = DEMO.parent / "templates"
NAMES = sorted(file.relative_to(TEMPLATES).with_suffix("").as_posix() for file in TEMPLATES.rglob("*.yaml"))

NOT_OF_A_CONVERTER = re.compile(r"(pv|mppt)\d+_|[a-z]+_(pv|load|eps)(_|$)")
"""Ids of the photovoltaic side, the loads and the backup output of a hybrid inverter: its physics is the converter's."""
KINDS = {name: yaml.safe_load((TEMPLATES / f"{name}.yaml").read_text(encoding="utf-8"))["kind"] for name in NAMES}
PHYSICAL = [name for name in NAMES if KINDS[name] != "gateway"]
"""A gateway passes on what others measure; the park has no physics of it, and its registers keep what they are given."""


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Station, Park]:
    """A station with one device of every template, and its park."""
    folder: Path = tmp_path_factory.mktemp("all")
    devices = [
        {"id": name.replace("/", "_"), "name": name, "template": name,
         "kind": KINDS[name],
         "connection": {"driver": "modbus-tcp", "host": "h"}}
        for name in NAMES
    ]  # fmt: skip
    head = {"id": "s", "name": "S", "timezone": "UTC", "location": {"latitude": 30, "longitude": 120}}
    content = {"version": 1, "station": head, "devices": devices}
    (folder / "station.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    station = load_station(folder).station
    return station, Park(station, seed=1, start_s=moment("2026-06-03 01:00"))


def known_of(park: Park, device: Device) -> set[str]:
    return {quantity for id_, quantity in park.index if id_ == device.id}


@pytest.mark.parametrize("name", PHYSICAL)
def test_every_point_with_a_role_follows_the_physics(name: str, everything: tuple[Station, Park]) -> None:
    station, park = everything
    device = station.by_id[name.replace("/", "_")]
    known = known_of(park, device)
    for each in device.points:
        role = each.form.role
        if each.form.address is None or role in (None, "heartbeat"):
            continue
        if each.kind in ("command", "setpoint"):
            assert order(device, each) is not None, each.name
        elif not (role == "state" and device.kind == "weather"):
            assert meaning(device, each, known) is not None, each.name


@pytest.mark.parametrize("name", PHYSICAL)
def test_most_measurements_follow_the_physics(name: str, everything: tuple[Station, Park]) -> None:
    station, park = everything
    device = station.by_id[name.replace("/", "_")]
    known = known_of(park, device)
    measured = [
        p for p in device.points if p.kind in ("measurement", "counter") and p.form.address is not None and not p.own
    ]
    if device.kind == "pcs":
        measured = [each for each in measured if not NOT_OF_A_CONVERTER.match(each.id)]
    found = [each for each in measured if meaning(device, each, known) is not None]
    if len(measured) > 4:  # the few of a transformer's controller are its settings
        assert len(found) >= 0.55 * len(measured), {each.id for each in measured} - {each.id for each in found}


@cache
def known_of_demo() -> Park:
    return Park(demo(), seed=1, start_s=moment("2026-06-03 01:00"))


def codes(name: str) -> Sequence[float]:
    device = demo().by_id[name.partition(".")[0]]
    found = meaning(device, point(demo(), name), known_of(known_of_demo(), device))
    assert found is not None and found.codes is not None
    return found.codes


def test_states_get_the_code_whose_text_says_so() -> None:
    sungrow = codes("inv1.state")
    assert (sungrow[State.RUNNING], sungrow[State.STANDBY], sungrow[State.FAULT]) == (0, 0x1400, 0x5500)
    assert (sungrow[State.STOPPED], sungrow[State.LIMITED]) == (0x8000, 0x8100)
    huawei = codes("inv11.state")
    assert (huawei[State.RUNNING], huawei[State.LIMITED], huawei[State.FAULT]) == (512, 513, 768)
    assert (huawei[State.STOPPED], huawei[State.STANDBY]) == (769, 40960)
    engine = codes("gen1.state")
    assert [engine[s] for s in (State.STOPPED, State.STARTING, State.WARMING, State.RUNNING, State.COOLING)] == [
        0,
        1,
        2,
        3,
        4,
    ]
    keba = codes("evc3.state")
    assert [keba[s] for s in (State.AVAILABLE, State.CHARGING, State.FAULT)] == [2, 3, 4]
    assert codes("inv1.p_limit_on") == (0x55, 0xAA)


def test_what_physics_does_not_know_says_nothing_wrong() -> None:
    assert constant(point(demo(), "gen1.mode")) == 1  # auto
    assert constant(point(demo(), "inv1.output_type")) == 1  # three-phase four-wire
    assert constant(point(demo(), "pcs1.emergency_stop")) == 0
    assert constant(point(demo(), "inv11.pf_set")) == 1


def test_limits_in_percent_and_kilowatts_are_one_limit() -> None:
    inverter = demo().by_id["inv1"]
    percent, kilowatts = (
        order(inverter, point(demo(), "inv1.p_limit_pct")),
        order(inverter, point(demo(), "inv1.p_limit_kw")),
    )
    assert percent is not None and kilowatts is not None
    assert percent.verb == kilowatts.verb == Verb.LIMIT
    assert 50 * percent.factor == pytest.approx(55) and kilowatts.factor == 1
    wallbox = order(demo().by_id["evc3"], point(demo(), "evc3.i_set_a"))
    assert wallbox is not None and 32 * wallbox.factor == pytest.approx(22.17, abs=0.01)


def test_an_order_counts_only_with_its_own_code() -> None:
    engine = demo().by_id["gen1"]
    start, stop = order(engine, point(demo(), "gen1.start")), order(engine, point(demo(), "gen1.stop"))
    assert start is not None and stop is not None
    assert (start.verb, start.only) == (Verb.START, (0x8B94746B,))
    assert (stop.verb, stop.only) == (Verb.STOP, (0x8B95746A,))


# --- the control channel ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("fault pcs1 drop 10s", Fault(FaultKind.DROP, 0.0, 10.0)),
        ("fault inv3 slow 2s", Fault(FaultKind.SLOW, 2.0)),
        ("fault inv3 slow 250ms 1min\n", Fault(FaultKind.SLOW, 0.25, 60.0)),
        ("fault m noise", Fault(FaultKind.NOISE, 10.0)),
        ("fault m noise 2.5% 1s", Fault(FaultKind.NOISE, 2.5, 1.0)),
        ("fault m exception 6", Fault(FaultKind.EXCEPTION, 6.0)),
        ("fault m wrong-unit", Fault(FaultKind.WRONG_UNIT)),
        ("fault m twice", Fault(FaultKind.TWICE)),
        ("fault m freeze 5s", Fault(FaultKind.FREEZE, 0.0, 5.0)),
    ],
)
def test_faults_are_told_in_a_line(line: str, fault: Fault) -> None:
    command = parse(line)
    assert command.word == "fault" and command.fault == fault


def test_other_lines_of_the_control_channel() -> None:
    assert (parse("clear pcs1").word, parse("clear pcs1").device) == ("clear", "pcs1")
    assert parse("clear").device == ""
    assert parse("quit").word == "quit"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fault pcs1", "fault DEVICE"),
        ("fault pcs1 explode", "one of: drop"),
        ("fault pcs1 slow soon", "2s"),
        ("fault pcs1 drop 10", "such as 250ms"),
        ("fault pcs1 drop 10s 5s", "too much"),
        ("reboot", "clear"),
    ],
)
def test_a_line_that_is_not_understood_says_what_is(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(line)
