"""The history as the station uses it: start and stop, what the last run knew, edited stations, many points."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from app.history.service import History
from app.model.clock import ManualClock
from app.model.errors import StorageError
from app.model.quality import NT
from app.model.updates import Updates
from tests.support.history_station import MS_NS, QUICK, SECOND_NS, START_NS, Site, plain, seconds, station


def test_a_station_that_names_a_database_server_is_told_that_this_version_has_none(tmp_path: Path) -> None:
    named = station({"d": [{"id": "a"}]}, url="postgresql://u@h/db")
    with pytest.raises(StorageError, match=r"history\.url .* remove it from station\.yaml"):
        History(named, tmp_path, ManualClock(), on_trouble=lambda key, text: None)


def test_what_each_point_held_last_is_known_at_the_next_start_and_stays_as_of_then(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a", "b", "never")) as site:
        assert site.history.last_values() == {}
        site.step({"a": 1.0, "b": 7.0})
        site.step({"a": 2.5})
        site.step({"b": 7.0}, quality=NT)
        site.restart()
        site.step({"a": 99.0})
        assert site.history.last_values() == {
            "d.a": (2.5, 0, START_NS + SECOND_NS), "d.b": (7.0, NT, START_NS + 2 * SECOND_NS)
        }  # fmt: skip


def test_last_values_are_found_when_the_last_hour_was_closed_long_ago(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 2.5})
        site.restart(off_s=30 * 3600)
        assert site.history.last_values()["d.a"][0] == 2.5
        site.restart(off_s=30 * 3600)
        assert site.history.last_values() == {}  # the run between never received it


def test_an_edited_station_finds_its_old_samples_under_their_names(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a", "b")) as site:
        site.step({"a": 1.0, "b": 2.0}, seconds=2)
        site.restart(plain("c", "b", "a", precision=1))
        site.step({"a": 1.26, "c": 3.0})
        a, b, c = site.ask("a", "b", "c", start_s=0, end_s=3)
        assert (a.mean.tolist(), b.mean.tolist(), c.mean.tolist()) == ([1.0, 1.3], [2.0], [3.0])


def test_samples_are_kept_to_the_millisecond(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        now = site.clock.now_ns()
        for k, source in enumerate((now + 1_499_999, now + 1_500_000)):
            site.history.take(Updates.of([0], float(k), 0, source, now))
        site.settle()
        series = site.history.query(["d.a"], now, now + SECOND_NS, 100).result()[0]
        assert [t - now for t in series.time.tolist()] == [MS_NS, 2 * MS_NS]


def test_changes_within_one_millisecond_keep_their_order_through_closing(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a", precision=0)) as site:
        now = site.clock.now_ns()
        site.history.take(Updates.of([0] * 6, [0, 1, 0, 1, 1, 0], 0, now, now))
        site.settle()
        before = site.ask("a", start_s=0, end_s=1)[0].mean.tolist()
        site.clock.set_wall(START_NS + 3600 * SECOND_NS)
        site.settle()
        from tests.support.history_station import until

        until(lambda: bool(site.raw_files()), "closed")
        assert before == site.ask("a", start_s=0, end_s=1)[0].mean.tolist() == [0, 1, 0, 1, 0]


def test_a_heartbeat_is_stored_though_nothing_changes(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 1.0}, seconds=0)
        for _ in range(130):
            site.step({})
        assert seconds(site.ask("a", start_s=0, end_s=200)[0]) == [0, 60, 120]


def test_a_clock_set_back_an_hour_overwrites_nothing(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        for k in range(10):
            site.step({"a": float(k)})
        site.clock.set_wall(START_NS - 3590 * SECOND_NS)
        for k in range(10, 20):
            site.step({"a": float(k)})
        site.clock.set_wall(START_NS + 2 * SECOND_NS)
        site.step({"a": 50.0})
        site.settle()
        assert site.ask("a", start_s=-3600, end_s=-3000)[0].mean.tolist() == [float(k) for k in range(10, 20)]
        assert sorted(site.ask("a", start_s=-1, end_s=60)[0].mean.tolist()) == [*map(float, range(10)), 50.0]
        assert site.history.state() == "ok"


def test_while_one_thread_feeds_others_read_and_every_row_is_seen_once(tmp_path: Path) -> None:
    names = [f"p{i}" for i in range(50)]
    with Site(tmp_path, plain(*names), clock=ManualClock(START_NS)) as site:
        wrong: list[object] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                series = site.ask("p3", start_s=-1, end_s=7300, pixels=1_000_000)[0]
                found = series.mean.tolist()
                if found != [float(k) for k in range(len(found))]:
                    wrong.append(found)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for k in range(300):
            now = site.clock.now_ns()
            site.history.take(Updates.of(np.arange(50), float(k), 0, now, now))
            if k % 10 == 0:
                site.settle()
            site.clock.advance(9)
        site.settle()
        done.set()
        for reader in readers:
            reader.join()
        assert wrong == []
        assert len(site.ask("p3", start_s=-1, end_s=7300, pixels=1_000_000)[0].time) == 300


def test_stop_stores_what_was_taken_just_before(tmp_path: Path) -> None:
    site = Site(tmp_path, plain("a"), settings=QUICK)
    site.put({"a": 5.0})
    site.history.stop()
    with Site(tmp_path, plain("a")) as again:
        assert again.history.last_values()["d.a"][0] == 5.0
    assert not (tmp_path / "history.duckdb.wal").exists()


def test_batches_before_the_start_and_after_the_stop_are_let_go(tmp_path: Path) -> None:
    history = History(plain("a"), tmp_path, ManualClock(START_NS), settings=QUICK, on_trouble=lambda key, text: None)
    batch = Updates.of([0], 1.0, 0, START_NS, START_NS)
    history.take(batch)
    history.start()
    history.stop()
    history.take(batch)
    history.stop()
