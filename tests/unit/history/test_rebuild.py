"""After a kill the open buckets are made again from raw samples: none missing, none doubled."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from app.model.quality import NT
from tests.support.history_station import QUICK, START_NS, Site, plain, seconds

MINUTE_S = 60


def killed_copy(site: Site, to: Path) -> Path:
    """The folder as a kill now would leave it."""
    site.settle()
    shutil.copytree(site.folder, to)
    return to


def quarters(site: Site, end_s: float) -> list[tuple[float, float, int, int]]:
    series = site.ask("a", start_s=0, end_s=end_s, pixels=round(end_s / 900))[0]
    assert series.tier == "15min"
    return [
        (start, round(mean, 3), int(count), int(quality))
        for start, mean, count, quality in zip(
            seconds(series), series.mean.tolist(), series.count.tolist(), series.quality.tolist(), strict=True
        )
        if start >= 0
    ]


def test_open_quarters_and_hours_are_those_that_would_have_been(tmp_path: Path) -> None:
    """The same feed, once with a kill and once without."""
    station = plain("a", scan="10s")
    with Site(tmp_path / "live", station) as site:
        for k in range(200):  # 33 minutes
            site.step({"a": float(k)}, seconds=10, quality=NT if 100 <= k < 130 else 0)
        copy = killed_copy(site, tmp_path / "copy")
        site.history.stop()
        site.history = site._start()
        site.clock.advance(1)
        site.settle()
        expected = quarters(site, 1800)
        hour = site.ask("a", start_s=0, end_s=3600, pixels=1)[0]
    with Site(copy, station) as again:
        again.clock.set_wall(START_NS + 2001 * 10**9)
        again.rebuilt()
        assert quarters(again, 1800) == expected
        mine = again.ask("a", start_s=0, end_s=3600, pixels=1)[0]
        assert (mine.tier, hour.tier) == ("1h", "1h")
        assert mine.mean.tolist() == pytest.approx(hour.mean.tolist())
        assert (mine.min.tolist(), mine.max.tolist(), mine.count.tolist()) == (
            hour.min.tolist(), hour.max.tolist(), hour.count.tolist()
        )  # fmt: skip


def test_killed_again_and_again_nothing_is_doubled(tmp_path: Path) -> None:
    station = plain("a", scan="10s")
    folder = tmp_path / "0"
    fed = 0
    clock = None
    for kill in range(1, 4):
        with Site(folder, station, clock=clock) as site:
            assert bool(site.cut_off()) == (kill > 1)
            site.rebuilt()
            for _ in range(40):
                site.step({"a": 1.0 + fed % 2}, seconds=10)
                fed += 1
            folder = killed_copy(site, tmp_path / str(kill))
            clock = site.clock
    with Site(folder, station, clock=clock) as site:
        site.rebuilt()
        hour = site.ask("a", start_s=0, end_s=3600, pixels=1)[0]
        assert hour.count.tolist() == [fed]
        assert hour.mean.tolist() == [pytest.approx(1.5, abs=0.02)]
    with Site(folder, station, clock=clock) as site:
        assert site.cut_off() == []


def test_a_value_held_since_before_the_hour_is_in_the_rebuilt_hour(tmp_path: Path) -> None:
    station = plain("a", scan="10s")
    with Site(tmp_path / "live", station) as site:
        site.clock.set_wall(START_NS + 3000 * 10**9)
        site.settle()
        site.step({"a": 5.0}, seconds=9)
        for _ in range(100):
            site.step({}, seconds=9)
        copy = killed_copy(site, tmp_path / "copy")
    with Site(copy, station) as again:
        again.clock.set_wall(START_NS + 4000 * 10**9)
        again.rebuilt()
        hours = again.ask("a", start_s=0, end_s=7200, pixels=2)[0]
        assert hours.mean.tolist() == [5.0, 5.0]


def test_an_orderly_stop_leaves_nothing_to_rebuild(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 1.0}, seconds=5)
        site.restart()
        assert site.cut_off() == []


def test_a_point_that_the_station_lost_meanwhile_is_passed_over(tmp_path: Path) -> None:
    with Site(tmp_path / "live", plain("a", "b")) as site:
        for k in range(10):
            site.step({"a": float(k), "b": 1.0})
        copy = killed_copy(site, tmp_path / "copy")
    with Site(copy, plain("b", "c")) as again:
        again.rebuilt()
        hour = again.ask("b", start_s=0, end_s=3600, pixels=1)[0]
        assert hour.mean.tolist() == [1.0]


def test_the_end_of_a_rebuilt_run_is_marked_wherever_the_run_is(tmp_path: Path) -> None:
    """After a clock set back, hours are not closed in the order in which they were written."""
    station = plain("a")
    with Site(tmp_path / "live", station) as site:
        site.clock.set_wall(START_NS + 3590 * 10**9)
        site.settle()
        for k in range(20):  # across a whole hour
            site.step({"a": float(k)})
        copy = killed_copy(site, tmp_path / "copy")
    with Site(copy, station, replace(QUICK, keeper_s=60)) as again:  # at eight again, and nothing is closed yet
        (run,) = again.cut_off()
        again.rebuilt()
        parts = again.history._parts
        assert parts is not None
        store = parts.opened.archive.store
        with store.cursor() as cursor:
            for hour in parts.opened.archive.catalogue.view.hours:
                rows = cursor.execute(f"SELECT bool_or(ended) FROM {hour.alive} WHERE run = {run.run_ms}").fetchall()
                assert rows[0][0] in (True, None), hour
