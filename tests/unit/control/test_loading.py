"""`strategies.yaml`: every fault with its line and the mend; what may run is what may be commanded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from app.configuration import configure
from app.control.fleet import Fleet
from app.control.loading import load_strategies, unsafe_alone
from app.control.strategies.peak_shaving import PeakShaving
from app.model.control import Quantity, Rank, Running
from app.model.difference import differences, outline
from app.model.errors import ConfigFaults
from app.model.named_files import STRATEGIES_FILE
from app.model.station import Station
from app.schema import schema
from tests.support.control_station import METER, battery, inverter, park, point, storage

GOOD = {"id": "a", "kind": "peak_shaving", "devices": ["pcs1"], "params": {"limit_kw": 100}}


def faults(station: Station, *strategies: Any, text: str | None = None) -> list[str]:
    written = yaml.safe_dump({"strategies": list(strategies)}) if text is None else text
    return [str(fault.words.en) for fault in load_strategies(station, written)[1]]


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return park(tmp_path)


def test_without_the_file_nothing_runs(station: Station) -> None:
    assert load_strategies(station) == ((), [], station.config_hash)


def test_what_is_left_out_is_as_its_kind_says(station: Station) -> None:
    (bound,), found, digest = load_strategies(station, yaml.safe_dump({"strategies": [GOOD]}))
    assert found == [] and digest != station.config_hash
    assert (bound.running, bound.rank, bound.meter, bound.name.zh) == (Running.SHADOW, Rank.DEMAND, "meter1", "削峰")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "peak_shavin"}, "unknown kind 'peak_shavin'; did you mean 'peak_shaving'?"),
        ({"kind": "magic"}, "unknown kind 'magic'; write one of: backup_reserve"),
        ({"devices": ["pcs9"]}, "a: unknown device 'pcs9'; did you mean"),
        ({"devices": ["bms1"]}, "a: bms1 cannot be commanded"),
        ({"devices": []}, "devices"),
        ({"mode": "on"}, "mode"),
        ({"priority": "first"}, "priority"),
        ({"meter": "pcs7"}, "'pcs7' is no device with the role active_power"),
        ({"params": {}}, "limit_kw"),
        ({"params": {"limit_kw": "much"}}, "limit_kw"),
        ({"params": {"limit_kw": float("nan")}}, "limit_kw"),
        ({"params": {"limit_kw": 1, "limt": 2}}, "limt"),
        ({"colour": "red"}, "colour"),
        ({"kind": "import_limit", "params": {}}, "neither it nor the station has a limit"),
        ({"kind": "tariff_schedule", "params": {"tariff": "atlantis"}}, "there is no tariff 'atlantis'"),
        ({"kind": "tariff_schedule", "params": {"tariff": "../x"}}, "is no name of a tariff"),
        ({"kind": "plan_tracking", "params": {"plan": "../../etc/passwd"}}, "there is no plan"),
        ({"kind": "plan_tracking", "params": {"plan": [1.0] * 95}}, "a day of a plan has 96 points"),
        ({"kind": "curtailment", "params": {"order": "meter1.ordr"}}, "unknown point 'meter1.ordr'; did you mean"),
        ({"id": "A b"}, "id"),
    ],
)  # fmt: skip
def test_a_fault_is_told_and_nothing_runs(station: Station, change: dict[str, Any], words: str) -> None:
    told = faults(station, {**GOOD, **change})
    assert any(words in one for one in told), told
    assert load_strategies(station, yaml.safe_dump({"strategies": [{**GOOD, **change}]}))[0] == () or "point" in words


@pytest.mark.parametrize(("text", "words"), [("[]", "not a mapping"), ("strategies: {a: 1}", "strategies"), ("a: [", ""),
                                             ("stratgies: []", "stratgies")])  # fmt: skip
def test_a_file_that_is_none(station: Station, text: str, words: str) -> None:
    assert any(words in one for one in faults(station, text=text))


def test_an_id_is_given_once(station: Station) -> None:
    assert "exists already in line" in faults(station, GOOD, GOOD)[0]


def test_its_line_is_named(tmp_path: Path) -> None:
    station = park(tmp_path)
    (tmp_path / STRATEGIES_FILE).write_text("strategies:\n  - id: a\n    kind: peak_shaving\n    devices: [pcs1, pcs9]\n"
                                 "    params: {limit_kw: 1}\n", encoding="utf-8")  # fmt: skip
    (fault,) = load_strategies(station)[1]
    assert (fault.file.name, fault.line) == (STRATEGIES_FILE, 4)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ({**storage(1), "ratings": {}}, "ratings: {power_kw"),
        ({**storage(1), "bms": None}, "role soc"),
        ({**storage(1), "points": [one for one in storage(1)["points"] if one["id"] != "p_kw"]}, "role active_power"),
        ({**inverter(1), "id": "pcs1", "ratings": {}}, "ratings: {power_kw"),
    ],
)
def test_what_a_device_must_have_before_it_is_commanded(tmp_path: Path, device: dict[str, Any], words: str) -> None:
    text = {
        "version": 1,
        "station": {"id": "s", "name": "S", "timezone": "UTC", "location": {"latitude": 0, "longitude": 0}, "grid_meter": "meter1"},
        "devices": [{**METER, "parent": None}, {**{k: v for k, v in device.items() if v is not None}, "parent": None},
                    {**battery(1), "parent": None}],
    }  # fmt: skip
    (tmp_path / "station.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    from app.model.loading import load_station

    assert any(words in one for one in faults(load_station(tmp_path).station, GOOD))


def test_no_limit_may_allow_more_than_the_transformer_bears(tmp_path: Path) -> None:
    transformer = {
        "id": "t1", "name": "T1", "kind": "transformer", "ratings": {"apparent_kva": 150},
        "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 9}, "points": [point("t", None, "degC", 0)],
    }  # fmt: skip
    station = park(tmp_path, more=[transformer])
    assert (
        "200 kW is more than the transformers bear, 150 kVA"
        in faults(station, {**GOOD, "params": {"limit_kw": 200}})[0]
    )
    assert faults(station, {**GOOD, "params": {"limit_kw": 150}}) == []
    with pytest.raises(ConfigFaults, match=r"limits.import_kw: 160 kW is more than the transformers bear"):
        park(tmp_path, more=[transformer], limits={"import_kw": 160})
        configure(tmp_path)


def test_who_has_no_timer_of_its_own_is_named(tmp_path: Path) -> None:
    station = park(tmp_path)
    bound = load_strategies(station, yaml.safe_dump({"strategies": [GOOD]}))[0]
    assert unsafe_alone(station, bound) == ["pcs1"]
    for own in ({"expiry": "10s"}, {"heartbeat": "1s"}):
        safe = park(tmp_path, **own)
        assert unsafe_alone(safe, load_strategies(safe, yaml.safe_dump({"strategies": [GOOD]}))[0]) == [], own


def test_the_channels_of_a_park(station: Station) -> None:
    fleet = Fleet(station)
    assert [(one.device.id, one.quantity) for one in fleet.channels] == [
        ("pcs1", Quantity.ACTIVE), ("pcs1", Quantity.REACTIVE), ("pcs2", Quantity.ACTIVE), ("pcs2", Quantity.REACTIVE),
        ("inv1", Quantity.LIMIT), ("inv2", Quantity.LIMIT),
    ]  # fmt: skip
    assert fleet.low.tolist() == [-100, -110, -100, -110, 0, 0] and fleet.high.tolist() == [100, 110, 100, 110, 50, 50]


@pytest.mark.parametrize(
    ("control", "words"),
    [
        ({"interlocks": ["remot"]}, "unknown interlock point 'remot'; did you mean 'pcs1.remote'?"),
        ({"interlocks": ["meter9.x"]}, "unknown interlock point 'meter9.x'"),
        ({"trips": [{"by": "oil_temperature", "above": 90}]}, "has a point with the role oil_temperature"),
        ({"derate": [{"by": "voltage", "curve": [[1, 100], [2, 0]]}]}, "has a point with the role voltage"),
        ({"trips": [{"by": "soc"}]}, "a trip without a limit; write 'above' or 'below'"),
        ({"trips": [{"by": "socc", "above": 1}]}, "unknown role 'socc'"),
        ({"derate": [{"by": "soc", "curve": [[2, 100], [1, 0]]}]}, "the values of a curve do not rise"),
        ({"derate": [{"by": "soc", "curve": [[1, 100]]}]}, "curve"),
        ({"derate": [{"by": "soc", "curve": [[1, 100], [2, 101]]}]}, "curve"),
        (
            {"expiry": "10s", "renew": "10s"},
            "renew: 10s is too long for expiry: 10s; it would expire between two writes",
        ),
        ({"expiry": "10s", "throttle": "5s"}, "throttle: 5s is too long for expiry: 10s"),
        ({"minimum_change_kw": float("inf")}, "minimum_change_kw"),
    ],
)
def test_what_control_names_must_be_there(tmp_path: Path, control: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigFaults) as caught:
        park(tmp_path, **control)
        configure(tmp_path)
    assert words in str(caught.value)


@pytest.mark.parametrize("rating", [-100, 0, float("inf")])
def test_a_rating_is_more_than_nothing(tmp_path: Path, rating: float) -> None:
    """Of a negative one the bounds would stand the wrong way round."""
    with pytest.raises(ConfigFaults, match="power_kw"):
        park(tmp_path, more=[{**storage(3), "ratings": {"power_kw": rating}}])


def test_the_schema_takes_what_is_good_and_nothing_else() -> None:
    validator = jsonschema.Draft202012Validator(schema("strategies"))
    good = [GOOD, {"id": "t", "kind": "tariff_schedule", "devices": ["pcs1"], "params": {"tariff": "zhejiang"}}]
    assert list(validator.iter_errors({"strategies": good})) == []
    for wrong in ({**GOOD, "kind": "magic"}, {**GOOD, "params": {"limt_kw": 5}}, {**GOOD, "mode": "on"}, {"id": "x"}):
        assert list(validator.iter_errors({"strategies": [wrong]})), wrong


def test_another_version_of_a_kind_is_another_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    station = park(tmp_path)
    text = "strategies:\n  - {id: a, kind: peak_shaving, devices: [pcs1], params: {limit_kw: 100}}\n"
    bound, _, before = load_strategies(station, text)
    assert load_strategies(station, text)[2] == before
    was = outline(station, (), bound)
    monkeypatch.setattr(PeakShaving, "version", 2)
    bound, _, after = load_strategies(station, text)
    assert after != before
    (row,) = differences(was, outline(station, (), bound))
    assert (row.where, row.key, row.before, row.after) == ("strategy a", "version", "1", "2")
