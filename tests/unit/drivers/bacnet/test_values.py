"""Encoded values and status flags, against bacpypes3's own encoder, and against bytes of no kind."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from bacpypes3.apdu import AbortReason, RejectReason
from bacpypes3.basetypes import EngineeringUnits, ErrorCode, Reliability, StatusFlags
from bacpypes3.primitivedata import (
    Boolean,
    CharacterString,
    Double,
    Enumerated,
    Integer,
    Null,
    ObjectType,
    PropertyIdentifier,
    Real,
    Unsigned,
)
from hypothesis import given
from hypothesis import strategies as st

from app.model import quality as q
from app.model.text import Text
from app.model.units import UNITS as OURS
from drivers.bacnet import words
from drivers.bacnet.address import OBJECTS, PROPERTIES
from drivers.bacnet.units import UNITS
from drivers.bacnet.values import Kind, flags_quality, number, text
from drivers.bacnet.words import RELIABILITY
from tests.support.fuzzing import a_million

FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


def tag(content: Any) -> tuple[int, int, bytes]:
    (one,) = content.encode()
    return int(one.tag_number), int(one.tag_lvt), bytes(one.tag_data)


@given(
    st.builds(Unsigned, st.integers(0, 2**32 - 1))
    | st.builds(Integer, st.integers(-(2**31), 2**31 - 1))
    | st.builds(Enumerated, st.integers(0, 65535))
    | st.builds(Real, FLOAT32)
    | st.builds(Double, st.floats(allow_nan=False, allow_infinity=False))
)
def test_every_number_of_the_library_is_read_as_it_is(content: Any) -> None:
    assert number(*tag(content)) == (float(content), None)


@pytest.mark.parametrize(
    ("content", "en", "zh"),
    [
        (Null(()), "null where", "实为空值"),
        (CharacterString("5"), "a text where", "实为文本"),
        (StatusFlags([0, 0, 0, 0]), "a bit string where", "实为位串"),
        (Real(math.nan), "no finite", "不是有限数值"),
        (Real(math.inf), "no finite", "不是有限数值"),
        (Double(-math.inf), "no finite", "不是有限数值"),
    ],
    ids=range(6),
)
def test_what_is_no_number_says_so(content: Any, en: str, zh: str) -> None:
    got, why = number(*tag(content))
    assert math.isnan(got) and why is not None and en in why.en and zh in why.zh


@pytest.mark.parametrize(("given_", "value"), [(True, 1.0), (False, 0.0)])
def test_true_and_false_are_numbers(given_: bool, value: float) -> None:
    assert number(*tag(Boolean(given_))) == (value, None)


@given(st.text(max_size=20))
def test_texts_of_the_library_are_read_as_they_are(written: str) -> None:
    assert text(*tag(CharacterString(written))) == written


def test_texts_of_other_character_sets() -> None:
    assert text(Kind.TEXT, 5, b"\x04\x4e\x00\x4e\x8c") == "一二"
    assert text(Kind.TEXT, 3, b"\x05\xe9\xe8") == "éè"
    assert text(Kind.TEXT, 3, b"\x01\x03a") == "\x03a"
    assert text(Kind.TEXT, 4, b"\x00\xff\xfea") == "��a"
    assert text(*tag(Real(1.5))) == "1.5"
    assert text(*tag(Null(()))) == ""
    assert text(*tag(StatusFlags([0, 1, 0, 0]))) == "04 40"  # its bytes, as in the standard


@pytest.mark.parametrize(
    ("flags", "quality"),
    [
        ([0, 0, 0, 0], q.GOOD),
        ([1, 0, 0, 0], q.GOOD),
        ([0, 1, 0, 0], q.IV),
        ([0, 0, 1, 0], q.SB),
        ([0, 0, 0, 1], q.BL),
        ([1, 1, 1, 1], q.IV | q.SB | q.BL),
    ],
)
def test_status_flags_are_quality(flags: list[int], quality: int) -> None:
    kind, _, data = tag(StatusFlags(flags))
    assert flags_quality(kind, data) == quality


def test_flags_that_are_none_are_no_good() -> None:
    assert flags_quality(Kind.UNSIGNED, b"\x00") == flags_quality(Kind.BITS, b"") == q.IV


def test_our_names_and_numbers_are_those_of_the_library() -> None:
    assert {name: int(ObjectType(name)) for name in OBJECTS} == OBJECTS
    assert {name: int(PropertyIdentifier(name)) for name in PROPERTIES} == PROPERTIES
    assert RELIABILITY.keys() == set(Reliability._enum_map.values()) - {0}
    assert words._REASONS.keys() <= {*ErrorCode._enum_map, *RejectReason._enum_map, *AbortReason._enum_map}
    names = {"kW": "kilowatts", "kvarh": "kilovolt-ampere-hours-reactive", "degC": "degrees-celsius", "l": "liters"}
    numbers = {unit: number_ for number_, unit in UNITS.items()}
    assert {unit: int(EngineeringUnits(word)) for unit, word in names.items()} == {
        unit: numbers[unit] for unit in names
    }
    assert set(UNITS.values()) <= set(OURS)


def test_what_a_device_refuses_with_is_said_in_both_languages() -> None:
    told = words.error("unknown-object", "object")
    assert told == Text("unknown-object (class object)", "没有这个对象（unknown-object，object 类）")
    assert words.error("file-full", "resources").zh == "file-full（resources 类）"
    assert words.rejected("unrecognized-service").zh == "请求被拒绝：不支持该服务（unrecognized-service）"
    assert words.aborted("70").zh == "请求被中止：70"
    assert words.reliability(12) == Text("communication failure", "通信故障")
    assert words.reliability(99) == Text("reliability 99", "可靠性代码 99")


def fuzz(count: int, random: Random) -> None:
    for _ in range(count):
        kind, data = random.randrange(20), random.randbytes(random.randrange(10))
        value, why = number(kind, len(data), data)
        assert math.isfinite(value) is (why is None)
        assert isinstance(text(kind, len(data), data), str)
        assert 0 <= flags_quality(kind, data) <= 0xFF


def test_any_bytes_are_a_value_or_a_reason() -> None:
    fuzz(20_000, Random(1))


@pytest.mark.slow
def test_a_million_values_leave_nothing() -> None:
    a_million(fuzz)
