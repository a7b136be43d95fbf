"""`gridroom user` by real processes, on a folder of nobody yet, and beside a station that runs on it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.remote_station import RemoteStation

ROOT = Path(__file__).resolve().parents[2]
STATION = """
version: 1
station: {id: site, name: {en: Site, zh: 站点}, timezone: Asia/Shanghai, location: {latitude: 30, longitude: 120}}
"""
NEW = "seven large green dogs"


class Folder:
    """A station's file and its data folder."""

    def __init__(self, place: Path) -> None:
        self.station, self.data = place / "site", place / "data"
        self.station.mkdir()
        self.data.mkdir()
        (self.station / "station.yaml").write_text(STATION, encoding="utf-8")

    def run(self, verb: str, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "app", *verb.split(), *words, str(self.station), "--data", str(self.data)],
            cwd=ROOT, capture_output=True, text=True, encoding="utf-8", stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done

    def listed(self) -> list[list[str]]:
        return [line.split("\t") for line in self.run("user list").stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def audited(folder: Folder) -> str:
    """The audit as CSV, after it was found sound."""
    assert folder.run("audit verify").stdout.startswith("sound: ")
    file = folder.data.parent / "audit.csv"
    folder.run("audit export", "-o", str(file))
    return file.read_text(encoding="utf-8-sig")


def test_accounts_of_a_station_that_never_ran(folder: Folder) -> None:
    nobody = folder.run("user list")
    assert nobody.stdout == "" and "nobody yet" in nobody.stderr
    refused = folder.run("user add", "li", "--role", "operator", code=2)
    assert "the first account must be one that manages the others; add an administrator first" in refused.stderr
    password = folder.run("user add", "阿达", "--role", "administrator").stdout.strip()
    assert len(password) == 19
    assert [row[:3] for row in folder.listed()] == [["阿达", "administrator", "must change its password"]]
    last = folder.run("user disable", "阿达", code=2)
    assert "nobody could manage accounts any more" in last.stderr
    assert "there is an account '阿达' already" in folder.run("user add", "阿达", "--role", "observer", code=2).stderr
    assert "there is no role 'boss'" in folder.run("user add", "bo", "--role", "boss", code=2).stderr
    assert "there is no account 'bo'" in folder.run("user reset", "bo", code=2).stderr
    told = audited(folder)
    assert told.count("accounts.add") == 4 and "accounts.set_disabled" in told and "command line" in told
    assert password not in told


def test_a_station_that_runs_takes_what_the_command_line_does(folder: Folder) -> None:
    first = folder.run("user add", "ada", "--role", "administrator").stdout.strip()
    station = RemoteStation(folder.station, folder.data)
    try:
        assert station.access.sign_in("ada", first).must_change
        station.access.change_password(first, NEW)
        password = folder.run("user add", "li", "--role", "operator").stdout.strip()
        until(lambda: signs_in(station, "li", password))
        folder.run("user reset", "li")
        until(lambda: station.access.standing().actor.name == "")
        assert not signs_in(station, "li", password)
        assert not station.access.sign_in("ada", NEW).must_change
        other = folder.run("user add", "bo", "--role", "administrator").stdout.strip()
        folder.run("user disable", "ada")
        until(lambda: station.access.standing().actor.name == "")
        assert not signs_in(station, "ada", NEW)
        assert signs_in(station, "bo", other)
    finally:
        station.close()
    told = audited(folder)
    assert not any(secret in told for secret in (first, password, other, NEW))
    assert folder.listed()[0][:3] == ["ada", "administrator", "disabled"]


def test_another_stations_folder_is_refused(folder: Folder) -> None:
    (folder.data / "station.json").write_text('{"station": "elsewhere"}', encoding="utf-8")
    refused = folder.run("user add", "ada", "--role", "administrator", code=1)
    assert "belongs to station 'elsewhere'" in refused.stderr
    assert not (folder.data / "records.sqlite").exists()


def test_an_export_of_the_audit_is_in_the_audit(folder: Folder) -> None:
    folder.run("user add", "ada", "--role", "administrator")
    audited(folder)
    again = audited(folder)
    assert again.count("audit.export") == 3  # asked and done of the first, asked of this one
    assert "audit.csv" in again and "command line" in again


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_is_named_and_left_for_the_engine(folder: Folder, content: bytes) -> None:
    records = folder.data / "records.sqlite"
    records.write_bytes(content)
    for verb in (
        "user list",
        "user add ada --role administrator",
        "audit verify",
        f"audit export -o {folder.data}/a.csv",
    ):
        said = folder.run(verb, code=1).stderr
        assert str(records) in said and "Traceback" not in said, said
        assert said.count("\n") == 1, said
    assert records.read_bytes() == content
    assert not (folder.data / "a.csv").exists()
    assert not list(folder.data.glob("*damaged*"))


def signs_in(station: RemoteStation, name: str, password: str) -> bool:
    try:
        station.access.sign_in(name, password)
    except Exception as error:
        assert type(error).__name__ == "WrongPassword", error
        return False
    return True


def until(true: object) -> None:
    """Wait for what comes within a second or two; a machine that is busy takes longer."""
    assert callable(true)
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)
