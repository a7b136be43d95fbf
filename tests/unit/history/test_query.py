"""What a trend is given: the tier that suits its width, lines that enter from the left, gaps where nothing is known."""

from __future__ import annotations

import math
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from app.history.layout import Tier
from app.history.query import Window, tiers_for
from app.history.readers import Task
from app.model.errors import StorageError
from app.model.quality import IV, NT
from tests.support.history_station import START_NS, Site, gaps, plain, seconds, until

DAY_S = 86_400


def test_the_last_second_is_in_it_committed_or_not(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        site.put({"a": 1.0})
        assert site.ask("a", start_s=-1, end_s=1)[0].mean.tolist() == [1.0]


def test_the_sample_before_the_start_is_in_it_if_it_held_then(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        for value in (1.0, 2.0, 3.0):
            site.step({"a": value}, seconds=5)
        series = site.ask("a", start_s=7, end_s=14)[0]
        assert seconds(series) == [5, 10]
        assert series.mean.tolist() == [2.0, 3.0]
        assert gaps(series) == []


def test_what_held_in_an_earlier_run_does_not_reach_into_this_one(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 1.0}, seconds=5)
        site.restart(off_s=1)
        site.clock.advance(4)
        site.settle()
        site.step({"a": 2.0}, seconds=3)
        series = site.ask("a", start_s=7, end_s=13)[0]
        assert seconds(series) == [10]
        assert gaps(series) == [(7, 10)]
        assert gaps(site.ask("a", start_s=0, end_s=13)[0]) == [(5, 10)]


def test_a_lost_device_is_a_gap_and_its_last_value_stands_at_the_edge(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 1.0}, seconds=5)
        site.step({"a": 1.0}, seconds=5, quality=NT)
        site.step({"a": 2.0}, seconds=5)
        series = site.ask("a", start_s=0, end_s=12)[0]
        assert gaps(series) == [(5, 10)]
        assert series.quality.tolist() == [0, NT, 0]


def test_bad_quality_is_told_and_is_no_gap(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 1.0}, quality=IV)
        series = site.ask("a", start_s=0, end_s=1)[0]
        assert (series.quality.tolist(), series.mean.tolist(), gaps(series)) == ([IV], [1.0], [])


def test_a_point_nobody_knows_is_one_gap(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 1.0}, seconds=5)
        known, unknown = site.ask("a", "nothing", start_s=0, end_s=4)
        assert (known.point, unknown.point) == ("d.a", "d.nothing")
        assert len(unknown.time) == 0
        assert gaps(unknown) == [(0, 4)]


def test_the_time_to_come_is_no_gap(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 1.0}, seconds=5)
        assert gaps(site.ask("a", start_s=0, end_s=1000)[0]) == []


def test_more_samples_than_pixels_are_drawn_together_and_no_peak_is_lost(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a", scan="2s")) as site:
        for k in range(120):
            site.step({"a": 100.0 if k == 77 else math.sin(k)}, seconds=1)
        series = site.ask("a", start_s=0, end_s=120, pixels=12)[0]
        assert series.tier == "raw"
        assert series.bucket_ns == 10_000_000_000
        assert len(series.time) == 12
        assert (series.max.max(), int(series.count.sum())) == (100.0, 120)
        assert seconds(series)[int(series.max.argmax())] == 70


@pytest.mark.parametrize(
    ("span_s", "pixels", "scan", "tier"),
    [
        (10, 1000, "100ms", "raw"),
        (60, 1000, "1s", "raw"),
        (3600, 1000, "100ms", "1s"),
        (DAY_S, 2000, "1s", "5s"),
        (DAY_S, 2000, "2s", "raw"),
        (30 * DAY_S, 1000, "1s", "15min"),
        (365 * DAY_S, 1000, "1s", "1h"),
        (365 * DAY_S, 1000, "15min", "1h"),
    ],
)
def test_the_coarsest_tier_of_which_a_pixel_holds_a_bucket_is_asked_first(
    tmp_path: Path, span_s: int, pixels: int, scan: str, tier: str
) -> None:
    with Site(tmp_path, plain("a", scan=scan)) as site:
        parts = site.history._parts
        assert parts is not None
        now = START_NS // 10**6
        window = Window(now - span_s * 1000, now, pixels, now)
        assert tiers_for(parts.opened.archive, "d.a", window)[0] == tier


def test_beyond_the_retention_of_raw_samples_a_narrow_window_shows_what_is_kept(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        parts = site.history._parts
        assert parts is not None
        now = START_NS // 10**6
        for age_days, tier in ((1, Tier.RAW), (60, Tier.S5), (200, Tier.MIN15)):
            start = now - age_days * DAY_S * 1000
            assert tiers_for(parts.opened.archive, "d.a", Window(start, start + 60_000, 1000, now))[0] is tier


def test_where_the_chosen_tier_has_nothing_the_others_are_asked(tmp_path: Path) -> None:
    """A point whose scan was slowed down had 5 s buckets once, and has raw samples now."""
    with Site(tmp_path, plain("a", scan="2s")) as site:
        for k in range(60):
            site.step({"a": float(k)})
        site.restart(plain("a", scan="1s"))
        series = site.ask("a", start_s=0, end_s=60, pixels=10)[0]
        assert (series.tier, int(series.count.sum())) == ("raw", 60)


def test_tier_gaps_are_where_no_bucket_has_a_usable_moment(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        for k in range(60):
            site.step({"a": 1.0}, quality=NT if 20 <= k < 40 else 0)
        series = site.ask("a", start_s=0, end_s=60, pixels=12)[0]
        assert series.tier == "5s"
        assert gaps(series) == [(20, 40)]


def test_parts_of_a_bucket_from_two_runs_are_one_bucket(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 10.0}, seconds=2)
        site.restart()
        site.step({"a": 20.0}, seconds=9)
        series = site.ask("a", start_s=0, end_s=10, pixels=2)[0]
        assert (series.tier, seconds(series)) == ("5s", [0, 5])
        assert series.mean.tolist() == [pytest.approx((2 * 10 + 3 * 20) / 5), 20.0]
        assert series.count.tolist() == [2, 0]


def test_an_impossible_interval_is_refused(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site, pytest.raises(ValueError, match="cannot be drawn"):
        site.ask("a", start_s=5, end_s=5)


def test_a_broken_file_is_set_aside_by_name_and_the_rest_is_served(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        for hour in range(3):
            site.clock.set_wall(START_NS + hour * 3_600_000_000_000)
            site.settle()
            site.step({"a": float(hour)})
        until(lambda: len(site.raw_files()) == 2, "closed")
        first = site.raw_files()[0]
        content = bytearray(first.read_bytes())
        content[4:200] = bytes(196)
        content[-20:] = bytes(20)
        first.write_bytes(content)
        series = site.ask("a", start_s=0, end_s=3 * 3600, pixels=100_000)[0]
        assert series.mean.tolist() == [1.0, 2.0]
        assert site.standing() == {f"history.file.raw/{first.name}"}
        assert [path.name for path in first.parent.glob("*.broken-*")] == [f"{first.name}.broken-{_stamp(site)}"]
        assert site.ask("a", start_s=0, end_s=3 * 3600, pixels=100_000)[0].mean.tolist() == [1.0, 2.0]


def _stamp(site: Site) -> str:
    from app.model.clock import to_datetime

    return to_datetime(site.clock.now_ns()).strftime("%Y%m%dT%H%M%SZ")


def test_a_file_that_somebody_removed_does_not_stop_the_rest(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 1.0})
        site.clock.set_wall(START_NS + 3_600_000_000_000)
        site.settle()
        site.step({"a": 2.0})
        until(lambda: bool(site.raw_files()), "closed")
        site.raw_files()[0].unlink()
        assert site.ask("a", start_s=0, end_s=3700, pixels=100_000)[0].mean.tolist() == [2.0]
        assert len(site.standing()) == 1


def test_a_query_that_waits_or_runs_can_be_called_off(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        parts = site.history._parts
        assert parts is not None

        def long(task: Task[object]) -> object:
            with parts.opened.archive.store.cursor() as cursor, task.using(cursor):
                return cursor.execute(
                    "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"
                ).fetchone()

        tasks = [parts.readers.submit(long) for _ in range(4)]
        until(lambda: sum(task.running() for task in tasks) == 2, "two of them run")
        for task in tasks:
            assert task.cancel()
        for task in tasks:
            with pytest.raises(CancelledError):
                task.result(timeout=5)
        assert not tasks[0].cancel()  # it is over
        site.put({"a": 1.0})
        assert site.ask("a", start_s=-1, end_s=1)[0].mean.tolist() == [1.0]


def test_after_the_end_nothing_is_answered_but_why(tmp_path: Path) -> None:
    site = Site(tmp_path, plain("a"))
    site.history.stop()
    with pytest.raises(StorageError, match="not open"):
        site.history.query(["d.a"], 0, 10, 10).result()
