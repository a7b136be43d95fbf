"""What stands in for a bad value: marked SB, with rows and without, and only as long as declared."""

from __future__ import annotations

import math

import pytest

from app.model import quality as q
from tests.support.cleaned import Cleaned

CONSTANT = [{"substitute": {"value": 3}}]
LAST = [{"substitute": {"last": "10s"}}]
OTHER = [{"substitute": {"point": "p1"}}]


@pytest.mark.parametrize("bad", [q.IV, q.OV, q.NT, q.IV | q.CLOCK])
def test_a_constant_takes_the_place_of_what_is_not_usable(bad: int) -> None:
    assert Cleaned(CONSTANT).run([8.0, 8.0], bad)[0] == (3.0, q.SB | bad & q.CLOCK)
    assert Cleaned(CONSTANT).run([math.nan]) == [(3.0, q.SB)]
    assert Cleaned(CONSTANT).run([8.0]) == [(8.0, 0)]


def test_the_last_good_value_stands_in_for_so_long_and_no_longer() -> None:
    cleaned = Cleaned(LAST)
    assert cleaned.run([math.nan], q.IV)[0][1] == q.IV, "there is none yet"
    cleaned.run([8.0])
    assert set(cleaned.run([5.0] * 9, q.IV)) == {(8.0, q.SB)}
    assert cleaned.run([5.0] * 2, q.IV)[-1] == (5.0, q.IV)
    assert cleaned.run([9.0])[-1] == (9.0, 0)


def test_of_a_lost_device_the_last_value_ends_without_rows() -> None:
    cleaned = Cleaned(LAST)
    cleaned.run([8.0])
    cleaned.lose()
    assert cleaned.rows()[-1] == (8.0, q.SB)
    cleaned.wait(12)
    assert cleaned.rows() == [(8.0, 0), (8.0, q.SB), (8.0, q.NT)]


def test_another_point_stands_in_and_is_followed() -> None:
    cleaned = Cleaned(OTHER, [])
    cleaned.send([1, 0], [70.0, 50.0])
    cleaned.lose()
    assert cleaned.rows()[-1] == (70.0, q.SB)
    cleaned.send([1], [71.0])
    cleaned.wait(0.1)
    assert cleaned.rows()[-1] == (71.0, q.SB)
    cleaned.send([1], [72.0], q.IV)
    cleaned.wait(0.1)
    assert cleaned.rows()[-1] == (50.0, q.NT), "neither is usable"
    cleaned.send([0], [51.0])
    assert cleaned.rows()[-1] == (51.0, 0)


def test_two_that_stand_in_for_each_other_do_not_keep_an_old_value_alive() -> None:
    cleaned = Cleaned([{"substitute": {"point": "p1"}}], [{"substitute": {"point": "d0.p0"}}])
    cleaned.send([0, 1], [1.0, 2.0])
    cleaned.lose(0)
    cleaned.lose(1)
    cleaned.wait(1)
    assert all(rows[-1][1] & q.NT for rows in (cleaned.rows(0), cleaned.rows(1)))
