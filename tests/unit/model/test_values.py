"""Quality, batches, units, durations and time."""

from __future__ import annotations

import errno
import os
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import quality as q
from app.model.clock import ManualClock, from_datetime, to_datetime
from app.model.durations import format_duration, parse_duration_s
from app.model.errors import mend_of
from app.model.text import Text, joined
from app.model.units import conversion
from app.model.updates import Updates


def test_letters_are_joined_and_empty_when_good() -> None:
    assert q.letters(q.IV | q.CLOCK) == "IV|CLOCK"
    assert q.letters(q.GOOD) == ""


def test_bits_are_those_of_the_protocol() -> None:
    assert (q.OV, q.BL, q.SB, q.NT, q.IV) == (0x01, 0x10, 0x20, 0x40, 0x80)


def test_usable_needs_a_finite_number_and_no_ov_nt_iv() -> None:
    value = np.array([1.0, np.nan, np.inf, 1.0, 1.0, 1.0])
    quality = np.array([0, 0, 0, q.NT, q.SB, q.RANGE], np.uint16)
    assert q.usable(value, quality).tolist() == [True, False, False, False, True, True]


def test_joined_batches_keep_order_and_the_last_reception() -> None:
    joined = Updates.join([Updates.of([1, 2], [1.0, 2.0], 0, 5, 10), Updates.of(1, 3.0, q.NT, 6, 12)])
    assert joined.point.tolist() == [1, 2, 1] and joined.value.tolist() == [1.0, 2.0, 3.0]
    assert joined.quality.tolist() == [0, 0, q.NT] and joined.received == 12
    assert len(Updates.join([])) == 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("5s", 5), ("15min", 900), ("1h", 3600), ("30d", 2592000), ("1.5h", 5400)]
)
def test_durations_as_the_contract_writes_them(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["5", "s", "5 s", "-5s", "5sec", "", "1e3s"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration_s(text)


@given(st.sampled_from(["ms", "s", "min", "h", "d"]), st.integers(1, 999))
def test_durations_round_trip(unit: str, count: int) -> None:
    seconds = parse_duration_s(f"{count}{unit}")
    assert parse_duration_s(format_duration(seconds)) == pytest.approx(seconds)


def test_units_of_one_quantity_convert() -> None:
    factor, offset = conversion("degF", "degC")
    assert 212 * factor + offset == pytest.approx(100)
    assert conversion("W", "kW") == (0.001, 0.0)
    with pytest.raises(ValueError, match="'kW' is power and 'kWh' is energy"):
        conversion("kW", "kWh")


def test_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        from_datetime(datetime(2026, 1, 1))  # noqa: DTZ001 (that is the point)


@given(st.integers(0, 4_000_000_000_000_000))
def test_time_round_trips_to_the_microsecond(microseconds: int) -> None:
    assert from_datetime(to_datetime(microseconds * 1000)) == microseconds * 1000


def test_a_manual_clock_set_back_stays_monotonic() -> None:
    clock = ManualClock()
    before = clock.monotonic_ns()
    clock.set_wall(0)
    clock.advance(1)
    assert clock.now_ns() == 1_000_000_000 and clock.monotonic_ns() == before + 1_000_000_000


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        (errno.ENOSPC, "make room on that disk"),
        (errno.EACCES, "give this user the right to write there"),
        (errno.EROFS, "mount it for writing"),
        (errno.ENOTDIR, "a file stands where a folder should"),
        (errno.ENOEXEC, "see what the system says"),
    ],
)
def test_the_mend_of_a_file_is_that_of_the_systems_error(code: int, mend: str) -> None:
    """A full disk is not mended by rights."""
    assert mend in mend_of(OSError(code, os.strerror(code))).en
    assert mend in mend_of(RuntimeError(f'IO Error: Could not write file "x": {os.strerror(code)}')).en


def test_findings_are_joined_in_both_languages_and_said_once() -> None:
    lost, late = Text("lost", "已断开"), Text("late", "超时")
    assert joined([lost, late, lost]) == Text("lost; late", "已断开；超时")
