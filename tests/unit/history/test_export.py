"""Exports as the contracts promise them, read back with other people's readers."""

from __future__ import annotations

import csv
import math
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import openpyxl
import pytest

from app.history.archive import Archive
from app.history.export import rows as export_rows
from app.history.export import sinks
from app.history.export.request import ExportError, ExportRequest, ExportResult
from app.history.export.text import csv_text, number, times
from app.history.folder import DataFolder
from app.history.opening import open_history
from app.history.reader import HistoryReader, export_from_folder
from app.history.trouble import Troubles
from app.model.clock import ManualClock
from app.model.errors import FolderHeld, StorageError
from app.model.quality import CLOCK, IV, NT
from app.model.station import Station
from tests.support.history_station import QUICK, SECOND_NS, START_NS, Site, plain, station, until

TWO: Station = station(
    {"inv1": [{"id": "p_kw"}, {"id": "t", "unit": "degC", "precision": 1}], "meter1": [{"id": "p_kw"}]}
)


def request(path: Path, points: str = "*", every: str = "raw", *, to_s: float = 3600, **more: Any) -> ExportRequest:
    return ExportRequest(points, START_NS, START_NS + round(to_s * SECOND_NS), every, path, **more)


def export(site: Site, *args: Any, **more: Any) -> ExportResult:
    return site.history.export(request(*args, **more)).result(timeout=30)


def exported(data: Path, wanted: ExportRequest) -> int:
    """Rows, from a station that does not run."""
    with DataFolder.open_existing(data, "gridroom export") as folder:
        return export_from_folder(TWO, folder, wanted).rows


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Ten seconds of three points, with a bad sample, none, and a lost device."""
    with Site(tmp_path_factory.mktemp("fed"), TWO) as site:
        for k in range(10):
            quality = {3: IV | CLOCK, 6: NT}.get(k, 0)
            value = math.nan if k == 5 else 12.34 + k
            site.step({"inv1.p_kw": value, "inv1.t": 20.5}, quality=quality)
            site.step({"meter1.p_kw": -1.0 * k}, seconds=0)
        yield site


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """The module's site lives longer than one test."""


def lines(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_csv_is_the_contracts_to_the_letter(fed: Site, tmp_path: Path) -> None:
    result = export(fed, tmp_path / "o.csv", "inv1.p_kw")
    assert (result.rows, result.points) == (10, 1)
    assert lines(tmp_path / "o.csv")[:8] == [
        ["time", "point", "value", "quality", "unit"],
        ["2025-11-21T16:00:00.000+08:00", "inv1.p_kw", "12.34", "", "kW"],
        ["2025-11-21T16:00:01.000+08:00", "inv1.p_kw", "13.34", "", "kW"],
        ["2025-11-21T16:00:02.000+08:00", "inv1.p_kw", "14.34", "", "kW"],
        ["2025-11-21T16:00:03.000+08:00", "inv1.p_kw", "15.34", "IV|CLOCK", "kW"],
        ["2025-11-21T16:00:04.000+08:00", "inv1.p_kw", "16.34", "", "kW"],
        ["2025-11-21T16:00:05.000+08:00", "inv1.p_kw", "", "", "kW"],
        ["2025-11-21T16:00:06.000+08:00", "inv1.p_kw", "18.34", "NT", "kW"],
    ]


def test_raw_export_has_the_stored_samples_and_nothing_between(fed: Site, tmp_path: Path) -> None:
    export(fed, tmp_path / "o.csv", "inv1.t")
    assert [(row[0][17:23], row[3]) for row in lines(tmp_path / "o.csv")[1:]] == [
        ("00.000", ""), ("03.000", "IV|CLOCK"), ("04.000", ""), ("06.000", "NT"), ("07.000", "")
    ]  # fmt: skip


def test_a_tiers_csv_has_its_own_columns_and_the_buckets_start(fed: Site, tmp_path: Path) -> None:
    export(fed, tmp_path / "o.csv", "meter1.*", "5s")
    assert lines(tmp_path / "o.csv")[:2] == [
        ["time", "point", "min", "max", "mean", "first", "last", "count", "quality", "unit"],
        ["2025-11-21T16:00:00.000+08:00", "meter1.p_kw", "-3", "0", "-1.5", "0", "-3", "4", "", "kW"],
    ]


def test_a_tier_that_no_chosen_point_has_is_named_with_those_they_have(fed: Site, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="none of these points is kept every 1s.*choose one of: raw 5s 15min 1h"):
        export(fed, tmp_path / "o.csv", "*.p_kw", "1s")
    assert list(tmp_path.iterdir()) == []


def test_points_that_a_tier_leaves_out_are_counted(tmp_path: Path) -> None:
    mixed = station({"m": [{"id": "fast", "scan": "200ms"}, {"id": "slow"}, {"id": "never", "scan": "200ms"}]})
    with Site(tmp_path / "data", mixed) as site:
        for k in range(4):
            site.step({"m.fast": 1.0 * k, "m.slow": 1.0 * k})
        result = export(site, tmp_path / "o.csv", "*", "1s")
        assert result.points == 1 and result.without == 1, "slow; never has nothing yet, and may"


def test_a_pattern_crosses_dots_and_the_interval_is_half_open(fed: Site, tmp_path: Path) -> None:
    export(fed, tmp_path / "o.csv", "*kw", to_s=2)
    assert [(row[1], row[0][17:19]) for row in lines(tmp_path / "o.csv")[1:]] == [
        ("inv1.p_kw", "00"), ("inv1.p_kw", "01"), ("meter1.p_kw", "01")
    ]  # fmt: skip


def test_excel_has_a_sheet_a_device_with_the_same_columns(fed: Site, tmp_path: Path) -> None:
    export(fed, tmp_path / "o.xlsx")
    book = openpyxl.load_workbook(tmp_path / "o.xlsx")
    assert book.sheetnames == ["inv1", "meter1"]
    sheet = list(book["inv1"].values)
    assert sheet[0] == ("time", "point", "value", "quality", "unit")
    assert sheet[1] == ("2025-11-21T16:00:00.000+08:00", "inv1.p_kw", 12.34, None, "kW")
    assert sheet[4][3] == "IV|CLOCK"
    assert sheet[6][2] is None
    assert {row[1] for row in sheet[11:]} == {"inv1.t"}
    export(fed, tmp_path / "t.xlsx", "inv1.t", "5s")
    tier = list(openpyxl.load_workbook(tmp_path / "t.xlsx")["inv1"].values)
    assert tier[0] == ("time", "point", "min", "max", "mean", "first", "last", "count", "quality", "unit")


def test_excel_goes_on_in_a_further_sheet_when_one_is_full(
    fed: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "SHEET_ROWS", 6)
    export(fed, tmp_path / "o.xlsx", "*.p_kw")
    book = openpyxl.load_workbook(tmp_path / "o.xlsx")
    assert book.sheetnames == ["inv1", "inv1 (2)", "meter1", "meter1 (2)"]
    counts = [sum(1 for _ in book[name].values) - 1 for name in book.sheetnames]
    assert counts[:2] == [6, 4]
    assert next(iter(book["inv1 (2)"].values))[0] == "time"


def test_parquet_holds_instants_doubles_and_the_zone(fed: Site, tmp_path: Path) -> None:
    file = tmp_path / "o.parquet"
    export(fed, file, "inv1.p_kw")
    assert duckdb.sql(f"SELECT epoch_ms(time), * EXCLUDE (time) FROM '{file}' LIMIT 1").fetchall() == [
        (START_NS // 10**6, "inv1.p_kw", 12.34, "", "kW")
    ]
    assert duckdb.sql(f"DESCRIBE SELECT time FROM '{file}'").fetchall()[0][1] == "TIMESTAMP WITH TIME ZONE"
    assert duckdb.sql(
        f"SELECT decode(value) FROM parquet_kv_metadata('{file}') WHERE decode(key) = 'timezone'"
    ).fetchall() == [("Asia/Shanghai",)]
    export(fed, tmp_path / "t.parquet", "meter1.p_kw", "5s")
    assert duckdb.sql(f"SELECT min, max, mean, count FROM '{tmp_path / 't.parquet'}' LIMIT 1").fetchall() == [
        (-3.0, 0.0, -1.5, 4)
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.parquet", "t.parquet"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"path": "o.pdf"}, r"\.csv, \.xlsx, \.parquet"),
        ({"path": "nowhere/o.csv"}, "does not exist"),
        ({"every": "1min"}, "one of: raw 1s 5s 15min 1h"),
        ({"to_s": 0}, "not after its start"),
        ({"zone": "Mars/Olympus"}, "is not a time zone"),
        ({"points": "nothing.*"}, r"no point with a history matches 'nothing\.\*'"),
    ],
)
def test_a_wrong_request_says_what_is_wrong_and_leaves_no_file(
    fed: Site, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = tmp_path / change.pop("path", "o.csv")
    with pytest.raises(ExportError, match=said):
        export(fed, path, **change)
    assert list(tmp_path.iterdir()) == []


def test_progress_rises_to_one_and_portions_do_not_change_the_file(
    fed: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(fed, tmp_path / "whole.csv", to_s=60)
    shares: list[float] = []
    monkeypatch.setattr(export_rows, "_ROWS_AT_ONCE", 4)
    export(fed, tmp_path / "portions.csv", to_s=60, progress=shares.append)
    assert (tmp_path / "portions.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(set(shares)) > 3


def test_months_in_which_nothing_was_recorded_are_not_read(
    fed: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is that of the ten seconds, and so is the work."""
    export(fed, tmp_path / "alone.csv", to_s=60)
    reads: list[tuple[int, ...]] = []
    raw = Archive.raw

    def counted(self: Archive, task: Any, ids: Any, *window_ms: int) -> Any:
        reads.append(window_ms)
        return raw(self, task, ids, *window_ms)

    monkeypatch.setattr(Archive, "raw", counted)
    for rows_at_once, most in ((300_000, 1), (4, 3 * 4)):
        monkeypatch.setattr(export_rows, "_ROWS_AT_ONCE", rows_at_once)
        before_ns = START_NS - 200 * 86_400 * SECOND_NS
        wanted = ExportRequest("*", before_ns, START_NS + 60 * SECOND_NS, "raw", tmp_path / "months.csv")
        fed.history.export(wanted).result(timeout=30)
        assert (tmp_path / "months.csv").read_bytes() == (tmp_path / "alone.csv").read_bytes()
        assert 1 <= len(reads) <= most
        reads.clear()


def test_a_called_off_export_leaves_the_old_file_as_it_was(
    fed: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("o.csv", "o.xlsx", "o.parquet"):
        (tmp_path / name).write_text("old")
        holder: list[Any] = []

        def stop(share: float, holder: list[Any] = holder) -> None:
            until(lambda: bool(holder), "submitted")
            holder[0].cancel()

        holder.append(fed.history.export(request(tmp_path / name, progress=stop)))
        with pytest.raises(CancelledError):
            holder[0].result(timeout=10)
        assert (tmp_path / name).read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.csv", "o.parquet", "o.xlsx"]


def test_a_file_that_cannot_be_written_is_told_with_its_name(fed: Site, tmp_path: Path) -> None:
    (tmp_path / "o.csv").mkdir()
    with pytest.raises(StorageError, match=r"o\.csv cannot be written"):
        export(fed, tmp_path / "o.csv")


def test_an_export_of_a_point_that_the_station_no_longer_has(tmp_path: Path) -> None:
    with Site(tmp_path / "data", plain("a", "b")) as site:
        site.step({"a": 1.0, "b": 2.0})
        site.restart(plain("b"))
        export(site, tmp_path / "o.csv", "d.a")
    assert lines(tmp_path / "o.csv")[1:] == [["2025-11-21T16:00:00.000+08:00", "d.a", "1", "", ""]]


def test_a_folder_whose_station_does_not_run_is_exported_and_left_untouched(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Site(data, TWO) as site:
        for k in range(5):
            site.step({"inv1.p_kw": float(k)})
        site.clock.set_wall(START_NS + 3600 * SECOND_NS)
        site.settle()
        until(lambda: bool(site.raw_files()), "closed")
        site.step({"inv1.p_kw": 9.0})
    before = {p.relative_to(data): p.stat().st_mtime_ns for p in data.rglob("*") if p.is_file()}
    wanted = ExportRequest("*", START_NS, START_NS + 7200 * SECOND_NS, "raw", tmp_path / "o.csv")
    assert exported(data, wanted) == 6
    assert [row[2] for row in lines(tmp_path / "o.csv")[1:]] == ["0", "1", "2", "3", "4", "9"]
    after = {p.relative_to(data): p.stat().st_mtime_ns for p in data.rglob("*") if p.is_file()}
    assert {path: time for path, time in after.items() if path.name != "gridroom.lock"} == before


def test_a_held_folder_and_one_without_a_history_are_refused_by_name(tmp_path: Path) -> None:
    wanted = ExportRequest("*", START_NS, START_NS + 1, "raw", tmp_path / "o.csv")
    with DataFolder.open(tmp_path / "data", "gridroom engine"), pytest.raises(FolderHeld, match="gridroom engine"):
        exported(tmp_path / "data", wanted)
    with pytest.raises(StorageError, match="there is no history in"):
        exported(tmp_path / "data", wanted)


def test_a_history_that_never_got_a_sample_is_exported_as_a_head_alone(tmp_path: Path) -> None:
    """The station was killed before it had tables for an hour."""
    clock, wanted = ManualClock(START_NS), ExportRequest("*", START_NS, START_NS + 1, "raw", tmp_path / "o.csv")
    opened = open_history(tmp_path / "data", TWO, clock, QUICK, Troubles(lambda key, text: None))
    opened.archive.store.close()
    assert exported(tmp_path / "data", wanted) == 0
    assert lines(tmp_path / "o.csv") == [["time", "point", "value", "quality", "unit"]]


def test_a_first_start_that_was_killed_at_once_left_no_history(tmp_path: Path) -> None:
    """There is a database then, and nothing in it."""
    (tmp_path / "history").mkdir()
    duckdb.connect(str(tmp_path / "history.duckdb")).close()
    wanted = ExportRequest("*", START_NS, START_NS + 1, "raw", tmp_path / "o.csv")
    with pytest.raises(StorageError, match="there is no history in .*; start the station on it once"):
        exported(tmp_path, wanted)


def test_a_folder_after_a_kill_is_read_with_its_write_ahead_log(tmp_path: Path) -> None:
    import shutil

    with Site(tmp_path / "live", plain("a")) as site:
        site.step({"a": 1.0})
        site.settle()
        shutil.copytree(tmp_path / "live", tmp_path / "copy")
    with HistoryReader.open(plain("a"), tmp_path / "copy", ManualClock(START_NS + 10**9)) as reader:
        assert reader.query(["d.a"], START_NS, START_NS + 10**9, 100).result()[0].mean.tolist() == [1.0]
    (tmp_path / "copy" / "history.duckdb").write_bytes(b"nonsense" * 2000)
    with pytest.raises(StorageError, match="cannot be read"):
        HistoryReader.open(plain("a"), tmp_path / "copy", ManualClock(START_NS))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx"])
def test_no_text_becomes_a_formula(text: str) -> None:
    assert csv_text(text) == f"'{text}"


def test_texts_with_commas_quotes_and_lines_stay_one_cell() -> None:
    assert next(csv.reader([csv_text('a,"b"')])) == ['a,"b"']
    assert csv_text("inv1.p_kw") == "inv1.p_kw"


def test_times_follow_the_zones_clock_changes() -> None:
    from zoneinfo import ZoneInfo

    before = 1_761_440_399_999  # the last millisecond of summer time in Berlin, 2025
    assert times(np.array([before, before + 1]), ZoneInfo("Europe/Berlin")) == [
        "2025-10-26T02:59:59.999+02:00", "2025-10-26T02:00:00.000+01:00"
    ]  # fmt: skip
    assert times(np.array([0]), ZoneInfo("America/St_Johns")) == ["1969-12-31T20:30:00.000-03:30"]


@pytest.mark.parametrize(
    ("value", "text"), [(5.0, "5"), (-0.1, "-0.1"), (math.nan, ""), (1e22, "1e+22"), (0.1 + 0.2, "0.30000000000000004")]
)
def test_numbers_are_the_shortest_text_that_is_that_number(value: float, text: str) -> None:
    assert number(value) == text


def test_sheet_names_are_such_as_excel_takes(tmp_path: Path) -> None:
    from zoneinfo import ZoneInfo

    from app.history.layout import Tier

    sink = sinks.ExcelSink(tmp_path / "o.xlsx", Tier.RAW, ZoneInfo("UTC"))
    names = [sink._sheet_name("d" * 40, 1), sink._sheet_name("d" * 45, 1), sink._sheet_name("history", 1)]
    sink.finish()
    assert len(set(names)) == 3
    assert all(len(name) <= 31 for name in names)
    assert names[2] != "history"
