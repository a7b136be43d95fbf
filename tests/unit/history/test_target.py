"""Where an export may go: nowhere that something of the station's stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.history.export.request import ExportError
from app.history.export.target import Judge, targets
from app.history.whole import appearing, write_whole
from app.model.errors import StorageError


@pytest.fixture
def station(tmp_path: Path) -> Path:
    folder = tmp_path / "station"
    (folder / "plans").mkdir(parents=True)
    (folder / "station.yaml").write_text("version: 1\n", encoding="utf-8")
    (folder / "northbound.yaml").write_text("iec104:\n  - {table: points.csv}\n", encoding="utf-8")
    (folder / "strategies.yaml").write_text("strategies:\n  - {params: {plan: plans/day.xlsx}}\n", encoding="utf-8")
    for name in ("points.csv", "plans/day.xlsx", "heads.csv", "notes.csv"):
        (folder / name).write_bytes(b"x")
    (folder / "data" / "exports").mkdir(parents=True)
    (folder / "data" / "history").mkdir()
    return folder


@pytest.fixture
def judge(station: Path) -> Judge:
    return targets(station, station / "data", "heads.csv")


@pytest.mark.parametrize(
    "name",
    [
        "points.csv", "plans/day.xlsx", "plans/../points.csv", "heads.csv", "station.yaml", "data/july.csv",
        "data/history/2026-01-01_0_1_2.parquet", "data/exports/../july.csv", "way/points.csv", "way/data/a.csv",
        "points_link.csv",
    ],
)  # fmt: skip
def test_what_is_the_stations_is_never_replaced(station: Path, judge: Judge, name: str) -> None:
    (station / "way").symlink_to(station, target_is_directory=True)
    (station / "points_link.csv").hardlink_to(station / "points.csv")
    with pytest.raises(ExportError):
        judge(station / name)


@pytest.mark.parametrize("name", ["data/exports/july.csv", "july.csv", "notes.csv", "../july.xlsx", "no/july.csv"])
def test_all_else_is_free(station: Path, judge: Judge, name: str) -> None:
    judge(station / name)


@pytest.mark.parametrize("name", ["a\0b.csv", f"{'x' * 300}.csv"])
def test_names_that_no_disk_takes_are_told_in_words(station: Path, judge: Judge, name: str) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        judge(station / name)


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me", encoding="utf-8")
    (tmp_path / "july.csv").symlink_to(precious)
    (tmp_path / "july.csv.unfinished").symlink_to(precious)
    with appearing(tmp_path / "july.csv") as temporary:
        temporary.write_text("new", encoding="utf-8")
    write_whole(tmp_path / "july.csv", "newer")
    assert precious.read_text(encoding="utf-8") == "keep me"
    assert (tmp_path / "july.csv").read_text(encoding="utf-8") == "newer"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["july.csv", "precious"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "july.csv").write_text("old", encoding="utf-8")
    with pytest.raises(ZeroDivisionError), appearing(tmp_path / "july.csv") as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise ZeroDivisionError
    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["old"]
