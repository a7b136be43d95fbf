"""What a person makes of a device becomes the smallest changes of its file."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.model.commissioning import Change
from widgets.editor.difference import masked
from widgets.editor.draft import DeviceDraft, PointDraft
from widgets.editor.scalars import line_of, lines_of, parse, parse_mapping, plain_secrets

TEMPLATE = [
    {"id": "p", "name": "P", "scan": "1s", "alarms": {"h": {"value": 90, "delay": "5s"}, "quality": True}},
    {"id": "q", "name": "Q"},
]
OWN = {"id": "x", "name": "X", "kind": "measurement", "address": {"register": 1}, "scan": "5s"}


def draft(*points: dict[str, Any]) -> DeviceDraft:
    made = DeviceDraft({"id": "m", "name": "M", "kind": "meter", "connection": {"port": 1}, "points": list(points)})
    made.set_template_points(TEMPLATE)
    return made


def test_nothing_typed_is_nothing_changed() -> None:
    assert draft(OWN, {"id": "p", "scale": 0.1}).changes() == []


def test_what_is_set_back_to_the_template_is_left_out() -> None:
    made = draft()
    made.points[0].set("scan", "5s")
    assert made.changes() == [Change("m", {"id": "p", "scan": "5s"}, point="p")]
    made.points[0].set("scan", "1s")
    assert made.changes() == []
    made = draft({"id": "p", "scan": "9s"})
    made.points[0].set("scan", None)
    assert made.changes() == [Change("m", None, point="p")]


def test_a_limit_keeps_what_else_the_template_says_of_alarms() -> None:
    """`alarms` of a device replaces the template's as a whole, so it must be repeated."""
    made = draft()
    point = made.points[0]
    point.set_limit("h", 80, "high")
    point.set_limit("hh", 95, "")
    expected = {"hh": 95, "h": {"value": 80, "delay": "5s", "priority": "high"}, "quality": True}
    assert made.changes()[0].form == {"id": "p", "alarms": expected}
    point.set_limit("hh", None, "")
    point.set_limit("h", 90, "")
    assert made.changes() == []
    point.set_limit("h", None, "")
    assert made.changes()[0].form == {"id": "p", "alarms": {"quality": True}}


def test_a_renamed_device_is_changed_first_and_its_points_by_the_new_name() -> None:
    made = draft(OWN)
    made.set(("id",), "n")
    made.set(("connection", "port"), 2)
    made.points[2].set("scan", "1s")
    made.points[1].set("precision", 2)
    first, *points = made.changes()
    assert first.device == "m" and first.form is not None
    assert first.form["id"] == "n" and first.form["connection"] == {"port": 2} and first.form["points"] == [OWN]
    assert [(change.device, change.point) for change in points] == [("n", "q"), ("n", "x")]


def test_an_own_point_is_renamed_in_its_place_and_removed() -> None:
    made = draft(OWN)
    made.points[2].set_rest({**made.points[2].rest(), "id": "y"})
    assert made.changes() == [Change("m", {**OWN, "id": "y"}, point="x")]
    del made.points[2]
    assert made.changes() == [Change("m", None, point="x")]


def test_a_new_device_is_one_change_with_its_keys_in_the_usual_order() -> None:
    made = DeviceDraft(None, {"connection": {"driver": "modbus-tcp"}, "kind": "meter"})
    made.set(("name",), {"en": "New"})
    made.set(("id",), "new")
    made.set(("parent",), None)
    made.add_point().set("scan", "5s")
    (change,) = made.changes()
    assert change.device == "" and list(change.form or ()) == ["id", "name", "kind", "connection", "points"]


@pytest.mark.parametrize(
    ("typed", "value"),
    [("502", 502), ("0.5", 0.5), ("5s", "5s"), ("192.168.1.7", "192.168.1.7"), ("true", True), ("", None),
     ("[1, 2]", [1, 2]), ("{a: 1}", {"a": 1}), ("env:PASS", "env:PASS"), ("secret:mqtt", "secret:mqtt"),
     ('"502"', "502")],
)  # fmt: skip
def test_a_line_is_typed_as_in_the_file(typed: str, value: object) -> None:
    assert parse(typed) == value and type(parse(typed)) is type(value)
    assert parse(line_of(value)) == value


@example(["\x85"])
@example({"a": "1e5"})
@given(
    st.recursive(
        st.text(max_size=8) | st.integers(-(10**9), 10**9) | st.booleans() | st.floats(-1e6, 1e6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
        max_leaves=6,
    )
)
def test_what_is_shown_of_a_value_reads_back_as_it(value: Any) -> None:
    assert parse(line_of(value)) == value
    assert parse_mapping(lines_of({"k": value})) == {"k": value}


def test_a_secret_that_is_written_out_is_found_however_deep() -> None:
    typed = {"user": "u", "password": "env:P", "tls": {"passphrase": "hush"}, "more": [{"token": "t"}]}
    assert plain_secrets(typed) == ["passphrase", "token"]


def test_the_rest_of_a_point_is_what_no_field_shows() -> None:
    point = PointDraft(TEMPLATE[0], {"id": "p", "scale": 0.1, "scan": "2s", "alarms": {"h": 1, "delay": "9s"}})
    assert point.rest() == {"scale": 0.1, "alarms": {"delay": "9s"}}
    point.set_rest({"scale": 0.2})
    assert point.form() == {"id": "p", "scale": 0.2, "scan": "2s", "alarms": {"h": 1}}


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("-    connection: {host: a, password: hush, port: 1}", "-    connection: {host: a, password: ••••, port: 1}"),
        ('+      token: "hush # hush"  # old', "+      token: ••••  # old"),
        ("     password: env:METER", "     password: env:METER"),
        ('     password: "secret:meter"', '     password: "secret:meter"'),
        ("     tokens: 5", "     tokens: 5"),
    ],
)
def test_a_difference_never_shows_a_secret_that_stands_in_the_file(line: str, shown: str) -> None:
    assert masked(line) == shown
