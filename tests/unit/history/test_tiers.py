"""Buckets against a plain reckoning, point by point and millisecond by millisecond."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.history.layout import BUCKET_MS, MS_NS, Tier
from app.history.tiers import Buckets, Tiers, emitted_by
from app.model.quality import IV, NT, OV, UNUSABLE

S = 1_000_000_000
BASE = 1_763_712_000 * S  # a whole hour

Update = tuple[int, int, float, int]  # point, time in ms after BASE, value, quality


def feed(tiers: Tiers, updates: list[Update]) -> None:
    if updates:
        point, time, value, quality = zip(*updates, strict=True)
        tiers.feed(
            np.array(point, np.int32), BASE + np.array(time, np.int64) * MS_NS, np.array(value, float),
            np.array(quality, np.uint16),
        )  # fmt: skip


def rows(tiers: Tiers) -> dict[tuple[Tier, int, int], dict[str, float]]:
    """(tier, point, start in ms after BASE) -> columns; each bucket may stand once."""
    found: dict[tuple[Tier, int, int], dict[str, float]] = {}
    for buckets in tiers.take():
        for i in range(len(buckets)):
            key = buckets.tier, int(buckets.point[i]), int(buckets.start[i] - BASE) // MS_NS
            assert key not in found
            found[key] = {name: getattr(buckets, name)[i].item() for name in Buckets.__slots__ if name != "tier"}
    return found


def plain(updates: list[Update], point: int, bucket_ms: int, end_ms: int) -> dict[int, dict[str, float]]:
    """The reckoning: what held in each millisecond."""
    mine = sorted((u for u in updates if u[0] == point), key=lambda u: u[1])
    found: dict[int, dict[str, float]] = {}
    for start in range(0, end_ms, bucket_ms):
        inside = [u for u in mine if start <= u[1] < start + bucket_ms]
        before = [u for u in mine if u[1] < start]
        pieces = []  # (value, quality, ms it held)
        if before and not (inside and inside[0][1] == start):
            pieces.append((before[-1][2], before[-1][3], (inside[0][1] if inside else start + bucket_ms) - start))
        for at, update in enumerate(inside):
            until = inside[at + 1][1] if at + 1 < len(inside) else start + bucket_ms
            pieces.append((update[2], update[3], until - update[1]))
        good = [p for p in pieces if not p[1] & UNUSABLE and math.isfinite(p[0])]
        held = sum(p[2] for p in good)
        if inside or held:
            found[start] = {
                "min": min((p[0] for p in good), default=math.nan),
                "max": max((p[0] for p in good), default=math.nan),
                "mean": sum(p[0] * p[2] for p in good) / held if held else math.nan,
                "first": good[0][0] if good else math.nan,
                "last": good[-1][0] if good else math.nan,
                "count": len(inside),
                "good": held * MS_NS,
                "quality": np.bitwise_or.reduce([p[1] for p in pieces]),
            }
    return found


TIMES = st.integers(1, 20_000)
VALUES = st.sampled_from([0.0, 1.0, -3.5, 7.25, 1e15, math.nan, math.inf])
UPDATES = st.lists(
    st.tuples(st.integers(0, 1), TIMES, VALUES, st.sampled_from([0, 0, 0, NT, IV, OV, 0x100])), max_size=30,
    unique_by=lambda u: (u[0], u[1]),
)  # fmt: skip


@settings(max_examples=150)
@given(UPDATES, st.lists(TIMES, max_size=4))
def test_buckets_are_those_of_a_plain_reckoning_however_batches_fall(updates: list[Update], cuts: list[int]) -> None:
    """One point has 1 s buckets, the other 5 s ones."""
    tiers = Tiers(np.array([0.25, 1.0]))
    tiers.begin(BASE)
    for low, high in zip([0, *sorted(cuts)], [*sorted(cuts), 20_001], strict=True):
        # Within a batch rows may stand in any order of time.
        feed(tiers, [u for u in updates if low <= u[1] < high])
        tiers.advance(BASE + min(high, 20_000) * MS_NS)
    tiers.advance(BASE + 20_000 * MS_NS)
    updates = [u for u in updates if u[1] < 20_000]
    found = rows(tiers)
    for tier, points in ((Tier.S1, (0,)), (Tier.S5, (0, 1))):
        for point in points:
            expected = plain(updates, point, BUCKET_MS[tier], 20_000)
            mine = {key[2]: row for key, row in found.items() if key[:2] == (tier, point)}
            assert mine.keys() == expected.keys()
            for start, row in expected.items():
                for name, value in row.items():
                    assert mine[start][name] == pytest.approx(value, nan_ok=True, rel=1e-9, abs=1e-9), (start, name)
    assert not {key for key in found if key[0] is Tier.S1 and key[1] == 1}


def test_a_value_that_stands_for_hours_still_has_its_quarter_hours_and_hours() -> None:
    tiers = Tiers(np.array([1.0]))
    tiers.begin(BASE)
    feed(tiers, [(0, 500, 4.0, 0)])
    tiers.advance(BASE + 2 * 3600 * S)
    found = rows(tiers)
    hours = [found[Tier.H1, 0, h * 3_600_000] for h in range(2)]
    assert [(row["mean"], row["count"], row["good"]) for row in hours] == [(4.0, 1, 3599.5 * S), (4.0, 0, 3600 * S)]
    assert sum(1 for key in found if key[0] is Tier.MIN15) == 8


def test_while_the_device_is_lost_there_are_no_buckets() -> None:
    tiers = Tiers(np.array([1.0]))
    tiers.begin(BASE)
    feed(tiers, [(0, 0, 4.0, 0), (0, 7000, 4.0, NT), (0, 21_000, 6.0, 0)])
    tiers.advance(BASE + 30 * S)
    found = {key[2] // 1000: row for key, row in rows(tiers).items() if key[0] is Tier.S5}
    assert sorted(found) == [0, 5, 20, 25]
    assert (found[5]["mean"], found[5]["good"], found[5]["quality"]) == (4.0, 2 * S, NT)
    assert (found[20]["first"], found[20]["good"], found[20]["quality"]) == (6.0, 4 * S, NT)


def test_a_run_that_ends_leaves_parts_which_with_the_next_runs_make_up_the_bucket() -> None:
    tiers = Tiers(np.array([1.0]))
    tiers.begin(BASE)
    feed(tiers, [(0, 0, 10.0, 0)])
    tiers.finish(BASE + 60 * S)
    first = rows(tiers)[Tier.H1, 0, 0]
    tiers.begin(BASE + 120 * S)
    feed(tiers, [(0, 120_000, 20.0, 0)])
    tiers.finish(BASE + 180 * S)
    second = rows(tiers)[Tier.H1, 0, 0]
    assert (first["mean"], first["good"], first["at"]) == (10.0, 60 * S, 0)
    assert (second["mean"], second["good"], second["at"]) == (20.0, 60 * S, 120 * S)


def test_updates_that_come_late_go_to_the_bucket_they_belong_to_and_take_no_time_from_it() -> None:
    tiers = Tiers(np.array([1.0]))
    tiers.begin(BASE)
    feed(tiers, [(0, 0, 1.0, 0), (0, 299_000, 2.0, 0)])
    tiers.advance(BASE + 300 * S)
    rows(tiers)
    feed(tiers, [(0, 101_000, 50.0, 0), (0, 102_000, 60.0, IV)])
    late = rows(tiers)[Tier.S5, 0, 100_000]
    assert (late["min"], late["max"], late["count"], late["good"], late["quality"]) == (50.0, 50.0, 2, 0, IV)
    assert math.isnan(late["mean"])
    tiers.advance(BASE + 305 * S)
    assert rows(tiers)[Tier.S5, 0, 300_000]["mean"] == 2.0  # what holds did not change


def test_the_newest_value_holds_from_when_it_came_however_old_it_is() -> None:
    """A device that was asked once at start answers with the time at which the value last changed."""
    tiers = Tiers(np.array([1.0]))
    tiers.begin(BASE + 600 * S)
    feed(tiers, [(0, 10_000, 5.0, 0)])
    tiers.advance(BASE + 605 * S)
    assert rows(tiers)[Tier.S5, 0, 600_000]["mean"] == 5.0


def test_a_device_whose_clock_is_a_little_behind_is_counted_as_it_comes() -> None:
    tiers = Tiers(np.array([1.0]))
    tiers.begin(BASE)
    for second in range(20):
        feed(tiers, [(0, second * 1000 - 4000, float(second), 0)])
        tiers.advance(BASE + second * S)
    found = {key[2] // 1000: row["count"] for key, row in rows(tiers).items() if key[0] is Tier.S5}
    assert sum(found.values()) >= 14
    assert set(found) == {0, 5, 10}


@pytest.mark.parametrize(
    ("scan_s", "tiers"),
    [(0.1, "1s 5s 15min 1h"), (0.25, "1s 5s 15min 1h"), (0.26, "5s 15min 1h"), (1.25, "5s 15min 1h"),
     (1.3, "15min 1h"), (225, "15min 1h"), (226, "1h"), (3600, "1h")],
)  # fmt: skip
def test_no_tier_is_finer_than_four_scans_but_every_point_has_the_coarsest(scan_s: float, tiers: str) -> None:
    scan = np.array([scan_s])
    assert " ".join(t for t in Tier if t is not Tier.RAW and emitted_by(scan, t)[0]) == tiers


def test_a_thousand_updates_of_one_point_in_one_batch_are_all_counted() -> None:
    tiers = Tiers(np.array([1.0, 1.0]))
    tiers.begin(BASE)
    feed(tiers, [(1, 4 * i, float(i), 0) for i in range(1000)])
    tiers.advance(BASE + 5 * S)
    row = {key[1]: row for key, row in rows(tiers).items()}
    assert (row[1]["count"], row[1]["min"], row[1]["max"], row[1]["last"]) == (1000, 0.0, 999.0, 999.0)
    assert set(row) == {1}


def test_values_at_the_end_of_what_a_double_holds_do_not_stop_the_tiers() -> None:
    tiers = Tiers(np.array([1.0]))
    tiers.begin(BASE)
    feed(tiers, [(0, 0, 1.7e308, 0), (0, 2000, -1.7e308, 0)])
    tiers.advance(BASE + 3600 * S)
    found = rows(tiers)
    assert (found[Tier.H1, 0, 0]["min"], found[Tier.H1, 0, 0]["max"]) == (-1.7e308, 1.7e308)
