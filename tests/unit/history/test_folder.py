"""The data folder has one owner, who is named to others, and whose death frees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from app.history.folder import DataFolder
from app.model.errors import FolderHeld, StorageError

HOLD = """
import sys, time
from pathlib import Path
from app.history.folder import DataFolder
folder = DataFolder.open(Path(sys.argv[1]), "gridroom console")
print("held", flush=True)
time.sleep(60)
"""


def test_a_new_folder_has_all_its_parts(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path / "a" / "b", "test") as folder:
        for part in (folder.history, folder.exports, folder.backups, folder.logs, folder.outbox):
            assert part.is_dir()


def test_another_process_is_told_who_holds_it_within_a_second_and_gets_it_when_that_one_is_killed(
    tmp_path: Path,
) -> None:
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        began = time.monotonic()
        with pytest.raises(FolderHeld) as caught:
            DataFolder.open(tmp_path, "gridroom export")
        assert time.monotonic() - began < 1
        assert "gridroom console" in str(caught.value)
        assert f"process {holder.pid}" in str(caught.value)
        assert "--data" in str(caught.value)
        holder.kill()
        holder.wait()
    DataFolder.open(tmp_path, "gridroom export").close()


def test_it_cannot_be_opened_twice_in_one_process_but_again_after_closing(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, "first"), pytest.raises(FolderHeld, match="first"):
        DataFolder.open(tmp_path, "second")
    DataFolder.open(tmp_path, "third").close()


def test_a_folder_that_cannot_be_made_says_why_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"file.data cannot be written \(.+\); .*--data"):
        DataFolder.open(tmp_path / "file" / "data", "test")


@pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")
def test_a_folder_without_the_right_to_write_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root is denied nothing: be nobody for a moment
    try:
        with pytest.raises(StorageError, match="cannot be written"):
            DataFolder.open(tmp_path, "test")
    finally:
        if root:
            os.seteuid(0)


def test_the_holder_is_named_once_and_since_when_by_the_clock_on_the_wall(tmp_path: Path) -> None:
    before = datetime.now().astimezone().replace(microsecond=0)
    with (
        DataFolder.open(tmp_path, "gridroom engine"),
        pytest.raises(
            FolderHeld, match=r"is in use by gridroom engine \(process (\d+) on \S+, since ([^)]+)\);"
        ) as caught,
    ):
        DataFolder.open(tmp_path, "second")
    assert str(caught.value).count("process") == 1
    since = datetime.strptime(caught.value.holder.partition("since ")[2].rstrip(")"), "%Y-%m-%d %H:%M:%S").astimezone()
    assert before <= since <= datetime.now().astimezone()


@pytest.mark.parametrize("since", [5, "yesterday", None, "9999-12-31T23:59:59+00:00"])
def test_a_holder_that_does_not_say_since_when_is_named_all_the_same(tmp_path: Path, since: object) -> None:
    with DataFolder.open(tmp_path, "first"):
        (tmp_path / "gridroom.lock").write_text(json.dumps({"program": "first", "since": since}))
        with pytest.raises(FolderHeld, match="in use by first"):
            DataFolder.open(tmp_path, "second")


def test_a_lock_file_full_of_nonsense_does_not_hide_that_it_is_held(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, "first"):
        (tmp_path / "gridroom.lock").write_bytes(b"\xff\x00[]")
        with pytest.raises(FolderHeld, match="another process"):
            DataFolder.open(tmp_path, "second")


def test_a_folder_belongs_to_the_station_that_used_it_first(tmp_path: Path) -> None:
    """Otherwise values of one station's `meter1.p_kw` go into the other's series."""
    with DataFolder.open(tmp_path, "first") as folder:
        folder.belongs_to("park1")
        folder.belongs_to("park1")
    with DataFolder.open(tmp_path, "second") as folder:
        with pytest.raises(StorageError, match="belongs to station 'park1', not to 'park2'.*--data"):
            folder.belongs_to("park2")
        (tmp_path / "station.json").write_text('{"station": "park2"}')  # as the message says for a renamed one
        folder.belongs_to("park2")


@pytest.mark.parametrize("text", ["", "[]", '{"name": 1}', "\x00"])
def test_an_owner_that_cannot_be_read_is_no_reason_to_mix(tmp_path: Path, text: str) -> None:
    with DataFolder.open(tmp_path, "test") as folder:
        (tmp_path / "station.json").write_text(text)
        with pytest.raises(StorageError, match=r"station\.json.* cannot be read"):
            folder.belongs_to("park1")
        assert (tmp_path / "station.json").read_text() == text


@pytest.mark.parametrize("name", ["records.sqlite", "gridroom.lock", ".writable", "station.json", "logs/gridroom.log"])
def test_a_link_that_stands_for_a_file_is_refused_and_what_it_leads_to_is_as_it_was(tmp_path: Path, name: str) -> None:
    data, precious = tmp_path / "data", tmp_path / "precious"
    precious.write_text("mine", encoding="utf-8")
    (data / "logs").mkdir(parents=True)
    (data / name).symlink_to(precious)
    for open_ in (lambda: DataFolder.open(data, "test"), lambda: DataFolder.beside(data)):
        with pytest.raises(StorageError, match="is a symbolic link; .* put the file itself there"):
            open_()
    assert precious.read_text(encoding="utf-8") == "mine"


def test_history_may_be_a_link_to_a_folder_on_another_disk(tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "other"
    other.mkdir()
    data.mkdir()
    (data / "history").symlink_to(other, target_is_directory=True)
    with DataFolder.open(data, "test") as folder:
        assert folder.history.resolve() == other
