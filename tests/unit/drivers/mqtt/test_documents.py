"""What strangers write, and what number it is."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import quality as q
from drivers.mqtt import moments
from drivers.mqtt.documents import PayloadFault, number, parse_json, parse_plain
from drivers.mqtt.readers import is_good

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values, st.sampled_from([None, 1]), st.booleans())
def test_what_json_can_write_is_read(value: Any, indent: int | None, bom: bool) -> None:
    text = (b"\xef\xbb\xbf" if bom else b"") + json.dumps(value, indent=indent).encode()
    assert parse_json(text) == value


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "not JSON"), (b"{", "not JSON"), (b"\xff", "not UTF-8 at byte 0"), (b'{"a":1,"a":2}', "key 'a' stands twice"),
        (b'[{"b":{"c":1,"c":1}}]', "key 'c' stands twice"), (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"), (b"9" * 5000, "not JSON that can be read"), (b"1 2", "not JSON"),
        (b'{"\\u0007":1,"\\u0007":2}', r"key '\\x07' stands twice"),
    ],
)  # fmt: skip
def test_what_is_not_json_is_named(payload: bytes, words: str) -> None:
    with pytest.raises(PayloadFault, match=words):
        parse_json(payload)


def test_a_hundred_thousand_keys_twice_take_no_time() -> None:
    text = b"{" + b",".join(b'"k%d":1' % (n % 99_999) for n in range(100_000)) + b"}"
    with pytest.raises(PayloadFault, match="k0"):
        parse_json(text)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (1, 1.0), (True, 1.0), (2.5, 2.5), ("2.5", 2.5), (" 1e3 ", 1000.0), ("true", 1.0), ("FALSE", 0.0), ("run", 3.0),
        ("Run", 3.0), (-0.0, 0.0), (10**400, math.inf), ("1e999", math.inf), (None, math.nan), ("nan", math.nan),
    ],
)  # fmt: skip
def test_the_number_of_a_value(raw: Any, expected: float) -> None:
    assert number(raw, {"run": 3.0}) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("raw", [{}, [], [1], "", "x", "1,5", "1_000", "0x10", "1 2"])
def test_what_is_no_number_is_refused(raw: Any) -> None:
    with pytest.raises(PayloadFault):
        number(raw, {})


def test_a_plain_value_is_its_text() -> None:
    assert parse_plain(b"\xef\xbb\xbf 12.5 \r\n\0") == "12.5"
    with pytest.raises(PayloadFault):
        parse_plain(b"\xff")


@pytest.mark.parametrize(
    ("raw", "good", "expected"),
    [
        ("GOOD", ("good",), True), (True, (True,), True), (1, (True,), False), (192, (192,), True), (192.0, (192,), False),
        ("bad", ("good",), False), (0, (0,), True), (False, (0,), False), (None, ("good",), False), ({}, (1,), False),
    ],
)  # fmt: skip
def test_good_is_what_was_said_to_be(raw: Any, good: tuple[Any, ...], expected: bool) -> None:
    assert is_good(raw, good) is expected


T_NS = 1_700_000_000_123_456_789


@pytest.mark.parametrize(
    ("raw", "unit", "expected"),
    [
        (T_NS, "ns", T_NS), (T_NS // 10**6, "ms", T_NS // 10**6 * 10**6), (1_700_000_000, "s", 1_700_000_000 * 10**9),
        (1_700_000_000.5, "s", 1_700_000_000_500_000_000), (str(T_NS), "ns", T_NS),
        ("2023-11-14T22:13:20Z", "ms", 1_700_000_000 * 10**9),
        ("2023-11-15T06:13:20.5+08:00", "ms", 1_700_000_000_500_000_000),
        ("2023-11-14T22:13:20", "ms", None), (12, "ms", None), (10**30, "ns", None), (True, "s", None), (None, "s", None),
        ("soon", "s", None), (math.nan, "s", None), (math.inf, "s", None), ({}, "s", None), ("9" * 30, "s", None),
    ],
)  # fmt: skip
def test_the_time_that_a_payload_tells(raw: Any, unit: str, expected: int | None) -> None:
    assert moments.moment_ns(raw, moments.UNITS[unit]) == expected


def test_a_time_that_cannot_be_is_the_arrival_and_says_so() -> None:
    minute = 60_000_000_000
    assert moments.judged(None, T_NS) == (T_NS, q.CLOCK)
    assert moments.judged(T_NS - 10 * minute, T_NS) == (T_NS - 10 * minute, 0)
    assert moments.judged(T_NS + minute, T_NS) == (T_NS + minute, 0)
    assert moments.judged(T_NS + minute + 1, T_NS) == (T_NS + minute + 1, q.CLOCK)
