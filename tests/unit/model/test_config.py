"""What one value of a station file may be: what later code could not bear is refused when the file is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.model.config import (
    AlarmsForm,
    BlocksForm,
    ConfirmForm,
    ControlForm,
    DurationS,
    LimitsForm,
    LocalText,
    PointForm,
    Unit,
)
from app.model.loading import load_station


def all_faults(form: Any, value: object) -> list[str]:
    try:
        TypeAdapter(form).validate_python(value)
    except ValidationError as error:
        return [one["msg"] for one in error.errors(include_url=False)]
    return []


def judge(form: Any, value: object) -> str:
    """What is wrong with it first; empty when it is accepted."""
    return next(iter(all_faults(form, value)), "")


@pytest.mark.parametrize("text", ["0s", "0.0001ms", "101y", f"{'9' * 400}s", "1000000000d"])
def test_a_duration_is_between_a_millisecond_and_a_century(text: str) -> None:
    assert f"'{text}' is not between 1ms and 100y" in judge(DurationS, text)


@pytest.mark.parametrize("text", ["1ms", "250ms", "0.5s", "15min", "1h", "30d", "20y", "100y"])
def test_durations_of_people(text: str) -> None:
    assert judge(DurationS, text) == ""


@pytest.mark.parametrize("state", [2**31, -(2**31) - 1, 10**30])
def test_a_state_is_a_number_of_32_bits(state: int) -> None:
    assert judge(AlarmsForm, {"state": {"value": state}}) and judge(AlarmsForm, {"state": {"value": [0, state]}})
    assert judge(AlarmsForm, {"state": {"value": [0, 2**31 - 1]}}) == ""


def test_no_number_is_infinite() -> None:
    assert judge(LimitsForm, {"import_kw": float("inf")}) and judge(ControlForm, {"ramp_kw_per_s": float("inf")})


def test_the_unit_1_needs_no_quotes() -> None:
    assert TypeAdapter(Unit).validate_python(1) == "1" and TypeAdapter(Unit).validate_python("1") == "1"
    assert judge(Unit, True) and judge(Unit, 2)


@pytest.mark.parametrize("name", ["", " ", {"en": "", "zh": "站"}, {}, {"de": "Netz"}, {"en": 1}])
def test_a_name_is_no_empty_text(name: object) -> None:
    assert "must be a text" in judge(LocalText, name)


def test_ranges_of_a_device_rise() -> None:
    assert "falls" in judge(BlocksForm, {"forbidden": [[40, 30]]}) and "falls" in judge(ControlForm, {"soc": [95, 5]})
    assert judge(BlocksForm, {"forbidden": [[30, 30]]}) == ""


@pytest.mark.parametrize("kind", ["command", "setpoint", "text"])
def test_what_is_written_or_no_number_is_not_computed(kind: str) -> None:
    assert f"a {kind} cannot be computed" in judge(PointForm, {"id": "p", "name": "P", "kind": kind, "value": "q + 1"})


def test_control_is_merged_key_by_key_with_the_templates(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "t.yaml").write_text(
        "{version: 1, vendor: V, model: M, kind: pcs, source: s, licence: l, points: [],"
        " control: {expiry: 9s, soc: [10, 90], confirm: {within: 4s}}}"
    )
    (tmp_path / "station.yaml").write_text(
        "{version: 1, station: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}},"
        " devices: [{id: d, name: D, kind: pcs, template: t, control: {soc: [20, 80]}}]}"
    )
    (device,) = load_station(tmp_path).station.devices
    assert device.control == ControlForm(expiry="9s", soc=(20, 80), confirm=ConfirmForm(within="4s"))


def test_all_that_is_wrong_with_a_point_is_told_at_once() -> None:
    said = all_faults(
        PointForm,
        {
            "id": "p", "name": "P", "kind": "measurement", "role": "active_power", "unit": "A", "scan": "often",
            "scale": 0, "range": [5, 1], "alarms": {"h": 5, "l": 7, "ll": 4, "delay": 3},
        },
    )  # fmt: skip
    for words in (
        "is measured in kW, not in A", "either an address or a value", "'often' is not a duration", "scale 0 would",
        "range [5, 1] must rise", "limit l (7) must be below limit h (5)", "'3' is not a duration",
    ):  # fmt: skip
        assert any(words in one for one in said), (words, said)
    assert len(said) == 7


@pytest.mark.parametrize(
    ("faulty", "words"),
    [({"role": "active_powr"}, "unknown role"), ({"unit": "kw"}, "unknown unit"), ({"address": 5}, "valid dictionary")],
)
def test_a_key_that_is_wrong_makes_no_second_fault(faulty: dict[str, object], words: str) -> None:
    sound = {"id": "p", "name": "P", "kind": "measurement", "role": "active_power", "unit": "kW", "address": {}}
    (said,) = all_faults(PointForm, {**sound, **faulty})
    assert words in said
