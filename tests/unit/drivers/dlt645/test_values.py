"""Values: as the package dlt645 encodes and decodes them; what is no number has no value."""

from __future__ import annotations

import datetime as dt
from random import Random

import numpy as np
import pytest
from dlt645.common.transform import bcd_to_float, datetime_to_bcd, float_to_bcd
from hypothesis import given
from hypothesis import strategies as st

from drivers.dlt645.frames import address_bytes
from drivers.dlt645.polling import Dlt645Plan
from drivers.dlt645.requests import Peer
from drivers.dlt645.values import TIME, Format, Type, encode, number, text
from tests.support.devices import device, point
from tests.support.fuzzing import a_million

FORMATS = [Format(4, 1), Format(6, 3, signed=True), Format(6, 4, signed=True), Format(8, 2), Format(8, 2, signed=True)]


def pattern(form: Format) -> str:
    """The format as the standard and the package write it."""
    return "X" * (form.digits - form.decimals) + "." + "X" * form.decimals


@pytest.mark.parametrize("form", FORMATS, ids=pattern)
@given(data=st.data())
def test_numbers_are_read_and_written_as_by_the_package(form: Format, data: st.DataObject) -> None:
    limit = 10**form.digits // 10 * 8 - 1  # the package takes the highest bit for a sign everywhere
    whole = data.draw(st.integers(-limit if form.signed else 0, limit))
    value = whole / 10**form.decimals
    theirs = bytes(float_to_bcd(value, pattern(form), "little"))
    assert encode(value, form) == theirs
    assert number(theirs, form) == pytest.approx(bcd_to_float(theirs, pattern(form), "little"), abs=1e-9)
    assert number(theirs, form) == value


def test_the_highest_bit_is_a_sign_only_where_the_format_has_one() -> None:
    assert number(bytes.fromhex("000080"), Format(6, 3, signed=True)) == 0
    assert number(bytes.fromhex("563492"), Format(6, 4, signed=True)) == -12.3456
    assert number(bytes.fromhex("563492"), Format(6, 4)) == 92.3456


@pytest.mark.parametrize("data", [b"\xff\xff", b"\x0a\x00", b"\x00\xa0", b""])
def test_what_is_no_digits_is_no_value(data: bytes) -> None:
    assert number(data, Format(4, 1)) is None
    assert text(data, Format(4, 1)) == ""


def test_times_are_read_as_the_package_writes_them() -> None:
    moment = dt.datetime(2024, 5, 1, 13, 45, tzinfo=dt.UTC)
    data = bytes(datetime_to_bcd(moment))
    assert text(data, TIME) == "2024-05-01 13:45"
    assert number(data, TIME) == 2405011345
    assert text(bytes(5), TIME) == ""
    assert text(bytes.fromhex("304513010524"), Format(12, type=Type.TIME)) == "2024-05-01 13:45:30"


def test_a_number_that_names_a_meter_keeps_its_zeros() -> None:
    assert text(bytes.fromhex("785634120000"), Format(12)) == "000012345678"
    assert text(bytes.fromhex("563492"), Format(6, 4, signed=True)) == "-12.3456"


def test_a_status_word_is_a_word_of_bits() -> None:
    word = Format(4, type=Type.BINARY)
    assert number(b"\x01\x80", word) == 0x8001
    assert text(b"\x01\x80", word) == "8001"
    assert encode(0x8001, word) == b"\x01\x80"


def test_what_does_not_fit_is_refused() -> None:
    for value, form in ((1000.0, Format(4, 1)), (-1, Format(4, 1)), (800.0, Format(6, 3, signed=True))):
        with pytest.raises(ValueError, match="does not fit"):
            encode(value, form)


@given(st.binary(max_size=20), st.sampled_from([*FORMATS, TIME, Format(4, type=Type.BINARY), Format(12)]))
def test_any_bytes_are_a_value_or_none(data: bytes, form: Format) -> None:
    value = number(data, form)
    assert value is None or isinstance(value, float)
    assert isinstance(text(data, form), str)


def fuzz(count: int, source: Random) -> None:
    """Bytes of any kind and length in every format: a number or none, and what is a number is written back alike."""
    forms = [*FORMATS, TIME, Format(4, type=Type.BINARY), Format(12)]
    for _ in range(count):
        form = source.choice(forms)
        data = source.randbytes(source.choice((form.size, form.size, source.randrange(20))))
        value = number(data, form)
        assert isinstance(text(data, form), str)
        if value is not None and form.type is not Type.TIME and abs(value) > 0:
            assert encode(value, form) == data


def test_any_bytes_are_survived() -> None:
    fuzz(5_000, Random(1))


@pytest.mark.slow
def test_a_million_inputs_are_survived() -> None:
    a_million(fuzz)


def answer(count: int, source: Random) -> None:
    """Answers of any length and content to a plan: values, or IV with a remark where they are too short."""
    addresses = [
        {"di": "02030000"}, {"di": "00010000"}, {"di": "0201ff00", "field": 2}, {"di": "0101FF00", "field": 1, "type": "time"},
        {"di": "19010101", "digits": 4, "type": "binary"},
    ]  # fmt: skip
    meter = device(
        "m", {"host": "h", "meter": "000012345678"}, [point(f"p{i}", address) for i, address in enumerate(addresses)]
    )
    plan = Dlt645Plan("m", Peer("m", address_bytes("000012345678")), meter.points)
    for now in range(count):
        for ask in plan.asks:
            plan.take(ask, source.randbytes(source.choice((4, 20, source.randrange(70)))), now + 1)
        updates = plan.updates(now + 1)
        assert (np.isfinite(updates.value) == (updates.quality == 0)).all() and len(updates) == len(addresses)
        assert len(plan.remarks()) <= len(addresses)


def test_any_answer_is_values_or_remarked() -> None:
    answer(2_000, Random(1))


@pytest.mark.slow
def test_a_million_answers() -> None:
    a_million(answer)
