"""Hours become files, files become days and months, old ones go; and no crash on the way loses or doubles a row."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app.history.hot import HotStore
from app.history.layout import Block, Hour, Span, Tier, blocks_in
from app.history.schema import file_list
from app.history.writer import Writer
from tests.support.history_station import HOUR_NS, SECOND_NS, START_NS, Site, plain, seconds, until

DAY_S = 86_400


def blocks(site: Site, tier: Tier = Tier.RAW) -> list[Block]:
    return sorted((b for b in blocks_in(site.folder / "history") if b.tier is tier), key=lambda b: (b.start_ms, b.part))


def spans(site: Site, tier: Tier = Tier.RAW) -> list[Span]:
    return [block.span for block in blocks(site, tier)]


def jump(site: Site, to_s: float) -> None:
    """Set the time to so many seconds after the start, and let the history notice."""
    site.clock.set_wall(START_NS + round(to_s * SECOND_NS))
    site.settle()
    site.settle()


def closed(site: Site, hours: int) -> None:
    until(lambda: len(blocks(site)) >= hours and len(tables(site)) == 1, f"{hours} closed hours")


def tables(site: Site) -> list[object]:
    parts = site.history._parts
    assert parts is not None
    return list(parts.opened.archive.catalogue.view.hours)


def values(site: Site, end_s: float, start_s: float = 0) -> list[float]:
    return site.ask("a", start_s=start_s, end_s=end_s, pixels=100_000)[0].mean.tolist()


def test_an_hour_that_is_over_is_a_sorted_file_of_whole_numbers(tmp_path: Path) -> None:
    with Site(tmp_path, plain("b", "a")) as site:
        for k in range(5):
            site.step({"a": 1.25 + k, "b": 7.0 - k})
        jump(site, 3600)
        closed(site, 1)
        (block,) = blocks(site)
        assert (block.span, block.start_ms) == (Span.HOUR, START_NS // 1_000_000)
        rows = duckdb.sql(
            f"SELECT point, time, value, decimals FROM read_parquet({file_list([block.path])})"
        ).fetchall()
        assert rows == sorted(rows)
        assert [row[2:] for row in rows if row[0] == 1] == [(125 + 100 * k, 2) for k in range(5)]
        assert (block.first_ms, block.last_ms) == (rows[0][1], rows[0][1] + 4000)
        encodings = duckdb.sql(
            f"SELECT DISTINCT encodings FROM parquet_metadata({file_list([block.path])}) WHERE path_in_schema = 'value'"
        ).fetchall()
        assert encodings == [("DELTA_BINARY_PACKED",)]
        assert values(site, 10) == [1.25 + k for k in range(5)]


def test_values_come_back_from_a_file_as_they_were_in_the_table(tmp_path: Path) -> None:
    """Without decimals, not finite, too large for whole numbers, negative, none."""
    odd = [0.1 + 0.2, float("inf"), float("-inf"), 1e300, -1e-7, float("nan"), 123456789.12]
    station = plain("rough", precision=None)
    fine = [12.34, float("inf"), 1e17, -0.01, float("nan"), 0.0, 90071992547409.93]
    with Site(tmp_path, station) as site:
        for value in odd:
            site.step({"rough": value})
        site.restart(plain("rough", precision=2))
        for value in fine:
            site.step({"rough": value})
        before = site.ask("rough", start_s=0, end_s=3000, pixels=1000)[0]
        jump(site, 3600)
        closed(site, 1)
        after = site.ask("rough", start_s=0, end_s=3000, pixels=1000)[0]
    assert repr(before.mean.tolist()) == repr(after.mean.tolist())
    assert before.time.tolist() == after.time.tolist()
    assert repr(after.mean.tolist()[:7]) == repr(odd)


def test_days_are_sealed_when_their_hours_are_closed_and_months_when_their_days_are(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        for hour in range(4):
            jump(site, hour * 3600 + 60)
            site.step({"a": float(hour)})
        jump(site, DAY_S)
        until(lambda: spans(site) == spans(site, Tier.MIN15) == [Span.DAY], "a day")
        assert values(site, DAY_S) == [0.0, 1.0, 2.0, 3.0]
        jump(site, 40 * DAY_S - 8 * 3600)
        until(lambda: spans(site, Tier.MIN15) == [Span.MONTH], "a month")
        until(lambda: not spans(site), "raw samples of 40 days ago are not kept")
        series = site.ask("a", start_s=0, end_s=DAY_S, pixels=96)[0]
        assert (series.tier, series.mean.tolist()) == ("15min", [0.0, 1.0, 2.0, 3.0])
        jump(site, 400 * DAY_S)
        until(lambda: spans(site, Tier.MIN15) == [Span.YEAR], "a year")
        assert site.ask("a", start_s=0, end_s=DAY_S, pixels=96)[0].mean.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_retention_is_each_tiers_own(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a", scan="200ms")) as site:
        site.step({"a": 1.0}, seconds=7)
        jump(site, 8 * DAY_S)
        until(lambda: spans(site) == [Span.DAY] and not spans(site, Tier.S1), "1 s buckets gone after 7 days")
        assert spans(site, Tier.S5) == [Span.DAY]


def test_a_clock_set_back_into_a_closed_hour_adds_to_it_and_overwrites_nothing(tmp_path: Path) -> None:
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 1.0})
        jump(site, 3605)
        site.step({"a": 2.0})
        closed(site, 1)
        jump(site, 1800)
        site.step({"a": 3.0})
        jump(site, 7205)
        closed(site, 3)
        assert [(b.start_ms - START_NS // 10**6, b.part) for b in blocks(site)] == [(0, 0), (0, 1), (3_600_000, 0)]
        series = site.ask("a", start_s=0, end_s=7200, pixels=1000)[0]
        assert list(zip(seconds(series), series.mean.tolist(), strict=True)) == [(0, 1.0), (1800, 3.0), (3605, 2.0)]
        jump(site, DAY_S)
        until(lambda: spans(site) == [Span.DAY], "a day of all parts")
        jump(site, 1900)
        site.step({"a": 4.0})
        jump(site, DAY_S + 3600)
        until(lambda: spans(site) == [Span.DAY, Span.DAY], "what came after the day was sealed is sealed beside it")
        assert values(site, 7200) == [1.0, 3.0, 4.0, 2.0]


STEPS = ["written", "published", "renamed", "dropped"]


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_while_an_hour_is_closed_neither_loses_nor_doubles_a_row(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is copied at each step of closing, as a crash there would leave it, and started from the copy."""
    copies: dict[str, Path] = {}

    def copy(name: str) -> None:
        if name not in copies:
            copies[name] = tmp_path / name
            shutil.copytree(tmp_path / "live", copies[name])

    from app.history import closing, whole, writing

    real_write, real_publish = writing.write_block, whole.publish

    def write(*args: Any) -> None:
        real_write(*args)
        copy("renamed")

    def publish(path: Path) -> None:
        copy("written")
        real_publish(path)
        copy("published")

    monkeypatch.setattr(closing, "write_block", write)
    monkeypatch.setattr(writing, "publish", publish)
    with Site(tmp_path / "live", plain("a")) as site:
        for k in range(5):
            site.step({"a": float(k)})
        jump(site, 3600)
        closed(site, 1)
        hours = tables(site)
    copy("dropped")  # at rest: a copy beside a checkpoint would tear the log from its file
    monkeypatch.undo()
    assert len(hours) == 1
    with Site(copies[step], plain("a")) as again:
        assert values(again, 10) == [0.0, 1.0, 2.0, 3.0, 4.0]
        again.clock.set_wall(START_NS + HOUR_NS)
        closed(again, 1)
        assert values(again, 10) == [0.0, 1.0, 2.0, 3.0, 4.0]
        assert not list((copies[step] / "history").rglob("*.unfinished"))


@pytest.mark.parametrize("leave", ["all", "some"])
def test_a_crash_while_a_day_is_sealed_neither_loses_nor_doubles_a_row(tmp_path: Path, leave: str) -> None:
    with Site(tmp_path / "live", plain("a")) as site:
        for hour in range(3):
            jump(site, hour * 3600 + 5)
            site.step({"a": float(hour)})
        jump(site, 3 * 3600 + 5)
        closed(site, 3)
        hours = tmp_path / "hours"
        shutil.copytree(tmp_path / "live" / "history", hours)
        jump(site, DAY_S)
        until(lambda: spans(site) == [Span.DAY], "a day")
    files = sorted((hours / "raw").iterdir())
    for file in files if leave == "all" else files[:1]:
        shutil.copy(file, tmp_path / "live" / "history" / "raw")
    with Site(tmp_path / "live", plain("a")) as again:
        again.clock.set_wall(START_NS + DAY_S * SECOND_NS + 5)
        assert values(again, DAY_S) == [0.0, 1.0, 2.0]
        assert spans(again) == [Span.DAY]


@pytest.mark.parametrize("late_s", [10 * 365 * DAY_S, 5 * 3600, -400 * DAY_S])
def test_a_sample_with_a_wild_source_time_is_found_at_that_time(tmp_path: Path, late_s: float) -> None:
    with Site(tmp_path, plain("a")) as site:
        site.put({"a": 9.0}, late_s=late_s)
        site.settle()
        jump(site, 3600)
        closed(site, 1)
        series = site.ask("a", start_s=-late_s - 5, end_s=-late_s + 5)[0]
        assert seconds(series) == [-late_s]


def test_an_hour_that_cannot_be_closed_is_told_and_closed_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.history import keeper, writing

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    refuse: Callable[[Path], None] = full
    monkeypatch.setattr(writing, "publish", refuse)
    monkeypatch.setattr(keeper, "_RETRY_S", 0.05)
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 1.0})
        jump(site, 3600)
        until(lambda: "history.closing" in site.standing(), "told")
        assert values(site, 10) == [1.0]
        monkeypatch.undo()
        closed(site, 1)
        until(lambda: not site.standing(), "well again")
        assert values(site, 10) == [1.0]


@pytest.mark.expects_errors
def test_a_fault_in_housekeeping_is_told_and_ends_it_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.history import keeper
    from app.history.closing import Closer

    def breaks(closer: Closer, now_ms: int) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(Closer, "seal", breaks)
    monkeypatch.setattr(keeper, "_RETRY_S", 0.05)
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 1.0})
        until(lambda: "history.housekeeping" in site.standing(), "told")
        monkeypatch.undo()
        jump(site, 3600)
        closed(site, 1)
        until(lambda: not site.standing(), "well again")
        assert values(site, 10) == [1.0]


def test_tables_that_could_not_be_dropped_are_not_seen_again_after_their_day_is_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.history import keeper

    def refuse_to(store: HotStore, hour: Hour) -> None:
        raise duckdb.IOException("no")

    monkeypatch.setattr(HotStore, "drop", refuse_to)
    monkeypatch.setattr(keeper, "_RETRY_S", 0.0)
    monkeypatch.setattr(Writer, "drop_leftovers", lambda writer: writer.call(lambda: None))
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 1.0})
        jump(site, DAY_S)
        until(lambda: spans(site) == [Span.DAY], "a day")
        assert values(site, 10) == [1.0]
    monkeypatch.undo()
    with Site(tmp_path, plain("a")) as again:
        again.clock.set_wall(START_NS + DAY_S * SECOND_NS + 5)
        again.settle()
        assert values(again, 10) == [1.0]
        closed(again, 1)
        assert values(again, 10) == [1.0]


def test_tables_that_could_not_be_dropped_are_dropped_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.history import keeper

    def refuse_to(store: HotStore, hour: Hour) -> None:
        raise duckdb.IOException("no")

    monkeypatch.setattr(HotStore, "drop", refuse_to)
    monkeypatch.setattr(keeper, "_RETRY_S", 0.0)
    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 1.0})
        jump(site, 3600)
        until(lambda: "history.closing" in site.standing(), "told")
        monkeypatch.undo()
        until(lambda: not site.standing(), "well again")
        parts = site.history._parts
        assert parts is not None
        with parts.opened.archive.store.cursor() as cursor:
            names = cursor.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        assert len({Hour.of_table(name) for (name,) in names} - {None}) == 1


def test_more_rows_than_are_sorted_at_once_make_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.history import writing

    names = [f"p{i}" for i in range(7)]
    found = []
    for rows in (10_000_000, 30):
        monkeypatch.setattr(writing, "_SLICE_ROWS", rows)
        with Site(tmp_path / str(rows), plain(*names)) as site:
            for k in range(20):
                site.step({name: float(k * (i + 1)) for i, name in enumerate(names)})
            jump(site, 3600)
            closed(site, 1)
            jump(site, DAY_S)
            until(lambda: spans(site) == [Span.DAY], "a day")
            (block,) = blocks(site)
            found.append(duckdb.sql(f"SELECT * FROM read_parquet({file_list([block.path])})").fetchall())
            assert list(block.path.parent.iterdir()) == [block.path]
    assert found[0] == found[1] == sorted(found[0], key=lambda row: row[:2])


def test_other_programs_read_the_files_as_the_document_says(tmp_path: Path) -> None:
    document = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "history.md"
    query = re.search(r"    SELECT name.*?'meter1\.p_kw'\n", document.read_text(encoding="utf-8"), re.DOTALL)
    assert query is not None
    with Site(tmp_path, plain("a", "b")) as site:
        site.step({"a": 1.25, "b": 2.5})
        jump(site, 3600)
        closed(site, 1)
    text = query[0].replace("meter1.p_kw", "d.b").replace("'history/", f"'{tmp_path.as_posix()}/history/")
    rows = duckdb.sql(text).fetchall()
    assert [(name, value) for name, _, value in rows] == [("d.b", 2.5)]
    assert str(rows[0][1]) == "2025-11-21 08:00:00"
