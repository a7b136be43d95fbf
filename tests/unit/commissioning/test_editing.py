"""Edits of a station file: what was asked for changes, and every other line stays as a person wrote it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commissioning.editing import append, difference, put, remove
from app.model.yaml_source import YamlSource

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "station_configs" / "demo" / "station.yaml"
FILE = Path("station.yaml")
OFFSET = """# head
version: 1   # first
station: {id: s, name: S,
          timezone: UTC}  # two lines
devices:
  # about a
  - id: a  # its id
    name: 'quoted'   # kept
    connection: {host: 1.2.3.4,
                 port: 502}
    points:
      - {id: p, scan: 1s}  # flow
      # about q
      - id: q
        name: "two \\
          lines"
        scan: 5s
        address:
          table: holding
          register: 7   # from the manual

  # about b
  - id: b
    note: |
      a text
        of lines
# tail
"""
FLUSH = OFFSET.replace("\n  ", "\n").replace("\n  - {", "\n- {").replace("timezone", " timezone")
FLOW = "devices: [{id: a, points: [{id: p, scan: 1s}, {id: q, scan: 5s}]}, {id: b}]  # all in one\nversion: 1\n"
BARE = "version: 1\n"
TEXTS = [OFFSET, FLUSH, OFFSET.replace("\n", "\r\n"), FLOW, OFFSET.rstrip("\n")]


def source(text: str) -> YamlSource:
    made = YamlSource(FILE, text)
    assert not made.faults, made.faults
    return made


def data(text: str) -> Any:
    return source(text).data


def untouched(before: str, after: str) -> list[str]:
    """Lines of `before` that are not in `after` any more."""
    left = after.splitlines()
    gone = []
    for line in before.splitlines():
        if line in left:
            left.remove(line)
        else:
            gone.append(line)
    return gone


@pytest.mark.parametrize("text", TEXTS)
def test_a_changed_key_changes_its_own_line(text: str) -> None:
    expected = copy.deepcopy(data(text))
    expected["devices"][0]["points"][1]["scan"] = "10s"
    after = put(source(text), ("devices", 0, "points", 1), expected["devices"][0]["points"][1])
    assert data(after) == expected
    # Within the item itself a text over two lines is joined, and a comment moves to its word.
    gone = [line.strip() for line in untouched(text, after)]
    assert set(gone) <= {'name: "two \\', 'lines"', "scan: 5s", "register: 7   # from the manual", FLOW.splitlines()[0]}
    assert after.count("#") == text.count("#"), "comments stay"
    assert ("\r\n" in text) == (after.count("\r\n") == after.count("\n"))


def test_a_device_of_the_demo_changes_alone() -> None:
    before = YamlSource(DEMO)
    for i, device in enumerate(before.data["devices"]):
        changed = {**device, "parent": "bus9", "ratings": {**device.get("ratings", {}), "power_kw": 7}}
        after = put(before, ("devices", i), changed)
        expected = copy.deepcopy(before.data)
        expected["devices"][i] = changed
        assert data(after) == expected
        assert len(untouched(before.text, after)) <= 2
    assert difference(before.text, before.text, "station.yaml") == []


@pytest.mark.parametrize("text", TEXTS)
def test_a_new_device_stands_behind_the_last_one(text: str) -> None:
    new = {"id": "c", "name": {"en": "C", "zh": "某"}, "points": [{"id": "p", "address": {"register": 1}}]}
    after = append(source(text), ("devices",), new)
    expected = copy.deepcopy(data(text))
    expected["devices"].append(new)
    assert data(after) == expected
    assert len(untouched(text, after)) <= (text is FLOW), "no line of another changes"


def test_the_first_device_makes_the_list() -> None:
    assert data(append(source(BARE), ("devices",), {"id": "a"})) == {"version": 1, "devices": [{"id": "a"}]}
    assert data(append(source("version: 1\ndevices: []\n"), ("devices",), {"id": "a"}))["devices"] == [{"id": "a"}]
    assert data(append(source(OFFSET), ("devices", 1, "points"), {"id": "a"}))["devices"][1]["points"] == [{"id": "a"}]


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_removed_is_gone_and_the_rest_is_there(text: str) -> None:
    expected = copy.deepcopy(data(text))
    del expected["devices"][0]["points"][1]
    after = remove(source(text), ("devices", 0, "points", 1))
    assert data(after) == expected
    del expected["devices"][0]
    after = remove(source(after), ("devices", 0))
    assert data(after) == expected
    del expected["devices"]
    assert data(remove(source(after), ("devices", 0))) == expected


def test_a_place_that_is_not_there_is_named() -> None:
    with pytest.raises(LookupError, match=r"station\.yaml has nothing at devices\.7"):
        put(source(OFFSET), ("devices", 7), {})


words = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\x85\u2028\u2029\ufeff"), max_size=12
)
values = st.recursive(
    words | st.integers(-(10**9), 10**9) | st.booleans() | st.integers(-(10**9), 10**9).map(lambda n: n / 1000),
    lambda inner: st.dictionaries(st.sampled_from("abcdef"), inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=8,
)
forms = st.dictionaries(st.sampled_from(["id", "name", "scan", "range", "alarms", "x"]), values, min_size=1, max_size=4)


@given(st.sampled_from([*TEXTS, BARE]), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), forms), max_size=5))
def test_any_edits_one_after_the_other_give_what_was_asked_for(
    text: str, edits: list[tuple[int, int, dict[str, Any]]]
) -> None:
    """Names such as `no`, `1e5` or `- x` come back as the texts that they are."""
    expected = copy.deepcopy(data(text))
    for kind, place, form in edits:
        devices = expected.get("devices", [])
        i = place % len(devices) if devices else 0
        if kind == 0 or not devices:
            text = append(source(text), ("devices",), form)
            expected.setdefault("devices", []).append(form)
        elif kind == 1:
            text = put(source(text), ("devices", i), form)
            devices[i] = form
        elif kind == 2:
            text = remove(source(text), ("devices", i))
            del devices[i]
            if not devices:
                del expected["devices"]
        elif isinstance(devices[i].get("points", []), list):
            text = append(source(text), ("devices", i, "points"), form)
            devices[i].setdefault("points", []).append(form)
        expected = copy.deepcopy(expected)
        assert data(text) == expected
