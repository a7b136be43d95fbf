"""From updates to rows: times, heartbeats, runs that end when the clock jumps, buckets by a time that is believed."""

from __future__ import annotations

import math

import numpy as np

from app.history.layout import MS_NS, Tier
from app.history.recorder import Commit, Recorder
from app.history.schema import TIER_CODES
from app.model.quality import CLOCK, NT
from app.model.updates import Updates
from tests.support.history_station import SECOND_NS, START_NS, plain

S = SECOND_NS
IDS = np.array([10, 11], np.int32)


def recorder(**more: object) -> Recorder:
    return Recorder(plain("a", "b", **more), IDS, START_NS)


def batch(point: int, value: float, at_s: float, *, source_s: float | None = None, quality: int = 0) -> Updates:
    received = START_NS + round(at_s * S)
    source = received if source_s is None else START_NS + round(source_s * S)
    return Updates.of([point], value, quality, source, received)


def raw(commits: list[Commit]) -> list[tuple[int, float, float, int]]:
    """(id, seconds after the start, value, quality)"""
    return [
        (int(c.raw["point"][i]), (int(c.raw["time"][i]) - START_NS // MS_NS) / 1000, float(c.raw["value"][i]),
         int(c.raw["quality"][i]))
        for c in commits if c.raw is not None for i in range(len(c.raw["point"]))
    ]  # fmt: skip


def buckets(commits: list[Commit], tier: Tier) -> list[tuple[float, float, int]]:
    """(start in seconds, mean, count) of point a"""
    found = []
    for c in commits:
        if c.buckets is not None:
            b = c.buckets
            for i in range(len(b["point"])):
                if b["tier"][i] == TIER_CODES[tier] and b["point"][i] == 10:
                    found.append(
                        ((int(b["time"][i]) - START_NS // MS_NS) / 1000, float(b["mean"][i]), int(b["count"][i]))
                    )
    return sorted(found)


def run(subject: Recorder, batches: list[Updates], until_s: float) -> list[Commit]:
    """Give batches as they come, in cycles of a second."""
    commits: list[Commit] = []
    rest = sorted(batches, key=lambda b: b.received)
    for second in range(1, int(until_s) + 1):
        now = START_NS + second * S
        ready = [b for b in rest if b.received <= now]
        rest = rest[len(ready) :]
        commits += subject.take(ready, now)
    return commits


def test_samples_keep_the_sources_time_to_the_nearest_millisecond_and_their_decimals() -> None:
    subject = recorder()
    source = START_NS + 1_234_567
    (commit,) = subject.take([Updates.of([0], 1.23456, 0x10, source, START_NS + S)], START_NS + S)
    assert raw([commit]) == [(10, 0.001, 1.23, 0x10)]
    assert commit.raw is not None
    assert commit.raw["decimals"].tolist() == [2]


def test_what_was_never_received_leaves_no_row() -> None:
    subject = recorder()
    (commit,) = subject.take([Updates.of([0, 1], [math.nan, 2.0], [NT, 0], [0, START_NS], START_NS)], START_NS)
    assert [row[0] for row in raw([commit])] == [11]


def test_tiers_see_every_update_though_the_deadband_keeps_them_from_being_stored() -> None:
    commits = run(recorder(deadband=100.0), [batch(0, float(k), k + 0.5) for k in range(10)], 12)
    assert [row[2] for row in raw(commits)] == [0.0]
    assert [count for _, _, count in buckets(commits, Tier.S5)] == [5, 5]


def test_a_source_clock_hours_off_does_not_move_the_buckets_but_the_sample_keeps_its_time() -> None:
    commits = run(recorder(), [batch(0, 7.0, k + 0.5, source_s=k - 8 * 3600) for k in range(10)], 12)
    assert [start for start, _, _ in buckets(commits, Tier.S5)] == [0.0, 5.0]
    assert raw(commits)[0][1] == -8 * 3600


def test_a_doubtful_source_time_is_not_used_for_buckets() -> None:
    def pair(k: int) -> Updates:
        received = START_NS + round((k + 0.5) * S)
        return Updates.of([0, 0], [7.0, 8.0], CLOCK, [received - 100 * S, received - 99 * S], received)

    commits = run(recorder(), [pair(k) for k in range(10)], 12)
    assert [(start, count) for start, _, count in buckets(commits, Tier.S5)] == [(0.0, 10), (5.0, 10)]


def test_every_commit_says_where_the_record_stands() -> None:
    commits = run(recorder(), [], 10)
    assert [c.mark.alive_ms - START_NS // MS_NS for c in commits] == [1000 * k for k in range(1, 11)]
    assert all(c.mark.folded_ms == c.mark.alive_ms - 1000 and not c.mark.ended for c in commits)
    assert [c.mark.number for c in commits] == sorted({c.mark.number for c in commits})


def test_a_clock_set_back_ends_the_run_and_begins_another_and_nothing_is_lost() -> None:
    subject = recorder()
    commits = run(subject, [batch(0, float(k), k + 0.5) for k in range(10)], 10)
    back = START_NS - 3600 * S
    again = []
    for second in range(1, 8):
        now = back + second * S
        again += subject.take([Updates.of([0], 100.0 + second, 0, now, now)], now)
    assert [c.mark.ended for c in again] == [False, True, *[False] * 7]
    assert again[1].mark.run_ms == commits[0].mark.run_ms
    assert again[2].mark.run_ms == (back + S) // MS_NS
    assert [row[2] for row in raw(commits + again)] == [*map(float, range(10)), *(100.0 + k for k in range(1, 8))]
    starts = [start for start, _, _ in buckets(commits + again, Tier.S5)]
    assert starts == [-3600.0, 0.0, 5.0]
    assert (
        sum(count for _, _, count in buckets(commits + again, Tier.S5)) == 10 + 4
    )  # up to 5 s, with a second to settle


def test_a_machine_that_slept_leaves_a_gap_and_no_hour_of_a_value_that_nobody_saw() -> None:
    subject = recorder()
    commits = run(subject, [batch(0, 4.0, 0.5)], 3)
    commits += subject.take([], START_NS + 3000 * S)
    commits += [subject.end()]
    assert [c.mark.ended for c in commits[-4:]] == [False, True, False, True]
    assert commits[-2].mark.run_ms == START_NS // MS_NS + 3_000_000
    assert [(start, mean) for start, mean, _ in buckets(commits, Tier.MIN15)] == [(0.0, 4.0)]


def test_a_run_ended_and_begun_in_the_same_millisecond_has_another_name() -> None:
    subject = recorder()
    first = subject.end().mark.run_ms
    subject.begin(START_NS)
    assert subject.run_ms != first


def test_an_update_dated_in_the_future_does_not_wait_for_ever_when_the_clock_is_set_back() -> None:
    subject = recorder()
    commits = subject.take([batch(0, 4.0, 1, source_s=2.9)], START_NS + S)
    commits += [subject.end()]
    assert sum(count for _, _, count in buckets(commits, Tier.H1)) == 1
