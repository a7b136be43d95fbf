"""When a trend asks history again, and when it does not."""

from __future__ import annotations

from app.console.loading import Loaded, covers, wanted

HOUR = 3_600_000_000_000
NOW = 1_000 * HOUR


def loaded(start: int, end: int, pixels: int = 1000) -> Loaded:
    want = wanted(start, end, NOW, pixels)
    return Loaded(want.start_ns, want.end_ns, want.resolution_ns)


def test_nothing_is_asked_beyond_now() -> None:
    assert wanted(NOW - HOUR, NOW, NOW, 1000).end_ns == NOW


def test_the_margin_keeps_the_resolution() -> None:
    want = wanted(NOW - 100 * HOUR, NOW - 99 * HOUR, NOW, 1000)
    assert (want.end_ns - want.start_ns) / want.pixels == HOUR / 1000


def test_a_small_pan_needs_nothing_new() -> None:
    have = loaded(NOW - 100 * HOUR, NOW - 90 * HOUR)
    assert covers(have, wanted(NOW - 101 * HOUR, NOW - 91 * HOUR, NOW, 1000))


def test_a_long_pan_asks_again() -> None:
    have = loaded(NOW - 100 * HOUR, NOW - 90 * HOUR)
    assert not covers(have, wanted(NOW - 110 * HOUR, NOW - 100 * HOUR, NOW, 1000))


def test_zooming_in_asks_for_a_finer_tier() -> None:
    have = loaded(NOW - 100 * HOUR, NOW - 90 * HOUR)
    assert not covers(have, wanted(NOW - 96 * HOUR, NOW - 94 * HOUR, NOW, 1000))


def test_live_asks_again_when_the_tail_has_grown_and_not_before() -> None:
    have = loaded(NOW - HOUR, NOW)
    soon, later = NOW + HOUR // 200, NOW + HOUR // 10
    assert covers(have, wanted(soon - HOUR, soon, soon, 1000))
    assert not covers(have, wanted(later - HOUR, later, later, 1000))


def test_an_interval_in_the_future_is_still_a_question() -> None:
    want = wanted(NOW + HOUR, NOW + 2 * HOUR, NOW, 1000)
    assert want.end_ns > want.start_ns and want.pixels >= 2
