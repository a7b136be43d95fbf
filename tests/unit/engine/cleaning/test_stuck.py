"""A value that stands still: marked NT, never replaced, whether rows come or not."""

from __future__ import annotations

from app.model import quality as q
from tests.support.cleaned import Cleaned

STUCK = {"after": "10s"}


def test_a_repeated_value_is_marked_and_stays_what_it_is() -> None:
    cleaned = Cleaned([{"stuck": STUCK}])
    rows = cleaned.run([7.0] * 12)
    assert {value for value, _ in rows} == {7.0}
    qualities = [quality for _, quality in rows]
    first = qualities.index(q.NT)
    assert first == 10 and set(qualities[first:]) == {q.NT}
    assert cleaned.run([7.1]) == [(7.1, 0)]


def test_silence_is_standing_still_as_well() -> None:
    cleaned = Cleaned([{"stuck": STUCK}])
    cleaned.send([0], [7.0])
    cleaned.wait(9.9)
    assert cleaned.rows() == [(7.0, 0)]
    cleaned.wait(60)
    assert cleaned.rows() == [(7.0, 0), (7.0, q.NT)]


def test_noise_within_the_band_is_no_movement_but_a_slow_drift_is() -> None:
    chain = [{"stuck": {**STUCK, "band": 0.5}}]
    assert Cleaned(chain).run([7.0, 7.4] * 6)[-1] == (7.4, q.NT)
    assert Cleaned(chain).run([7 + 0.1 * i for i in range(20)])[-1][1] == 0


def test_where_standing_still_is_right_nothing_is_said() -> None:
    cleaned = Cleaned([{"stuck": {**STUCK, "except": [0]}}])
    cleaned.run([0.0])
    cleaned.wait(3600)
    assert cleaned.rows() == [(0.0, 0)]


def test_a_lost_device_is_not_stuck_when_it_comes_back() -> None:
    cleaned = Cleaned([{"stuck": STUCK}])
    cleaned.run([7.0])
    cleaned.lose()
    cleaned.wait(60)
    assert cleaned.run([7.0]) == [(7.0, 0)]
    assert len(cleaned.rows()) == 3
