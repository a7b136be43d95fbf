"""How the program ends: told by a signal, and when nobody reads what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from app.history.settings import Settings
from app.model.errors import StorageError
from app.starting import running

ROOT = Path(__file__).resolve().parents[2]
STATION = """version: 1
station: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}
devices: [{id: m, name: M, kind: meter, connection: {driver: modbus-tcp, host: 127.0.0.1, port: 1}}]
"""
posix = pytest.mark.skipif(os.name != "posix", reason="signals to another process as POSIX has them")


@contextmanager
def gridroom(*words: object) -> Iterator[subprocess.Popen[str]]:
    """The program as a process group of its own, as a shell starts it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is true; fails after a time that no sound run needs."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.05)


def log_of(data: Path) -> str:
    file = data / "logs" / "gridroom.log"
    return file.read_text(encoding="utf-8") if file.exists() else ""


def ended_well(data: Path) -> bool:
    """Whether the last run's end is stored: nothing was cut off."""
    with duckdb.connect(str(data / "history.duckdb"), read_only=True) as database:
        tables = database.execute("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'alive%'").fetchall()
        return any(database.execute(f"SELECT 1 FROM {name} WHERE ended").fetchone() for (name,) in tables)


@posix
@pytest.mark.parametrize(("verb", "name"), [("console", "SIGINT"), ("console", "SIGTERM"), ("engine", "SIGINT")])
def test_a_signal_ends_the_demo_in_order(tmp_path: Path, verb: str, name: str) -> None:
    """Control-C reaches the whole group: the simulator must not be gone before the station that reads it."""
    with gridroom(verb, "demo", "--data", tmp_path) as process:
        until(lambda: "station demo runs" in log_of(tmp_path))
        time.sleep(2.0)  # a window needs a moment to be on the screen; nothing says when
        if name == "SIGINT":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(getattr(signal, name))
        _, complaints = process.communicate(timeout=30)
    assert process.returncode == 0, complaints
    assert complaints.startswith(f"INFO: data folder {tmp_path}\n")
    assert "lost" not in log_of(tmp_path) and "Traceback" not in complaints
    assert ended_well(tmp_path)


@posix
@pytest.mark.parametrize("after_s", [0.0, 0.4, 0.8])
def test_a_signal_while_the_console_starts_ends_it_as_well(tmp_path: Path, after_s: float) -> None:
    """An interrupt in the midst of loading Qt was lost, or crashed it."""
    with gridroom("console", "demo", "--data", tmp_path) as process:
        until((tmp_path / "logs" / "gridroom.log").exists)
        time.sleep(after_s)  # any moment will do
        os.killpg(process.pid, signal.SIGINT)
        _, complaints = process.communicate(timeout=30)
    assert process.returncode == 0 and "Traceback" not in complaints


def test_a_station_goes_on_when_nobody_reads_its_status(tmp_path: Path) -> None:
    (tmp_path / "station.yaml").write_text(STATION)
    data = tmp_path / "data"
    with gridroom("engine", tmp_path, "--data", data, "--status-every", "100ms", "--duration", "4s") as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        until(lambda: "status lines" in log_of(data))
        assert process.poll() is None
        complaints = process.stderr.read()
        assert process.wait(30) == 0, complaints
    assert "Traceback" not in complaints and "Exception ignored" not in complaints
    assert ended_well(data)


@posix
def test_a_reader_that_has_enough_is_no_fault() -> None:
    """`gridroom schema station | head -1`"""
    with gridroom("schema", "station") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        complaints = process.stderr.read()
    assert not complaints


INTERRUPTED = """
import os, signal, sys, threading
from app import cli
from app.history.export.sinks import CsvSink
from app.history.readers import Task
write, cancel, cancelled = CsvSink.write, Task.cancel, threading.Event()
def interrupted(sink, portion):
    write(sink, portion)
    os.kill(os.getpid(), signal.SIGINT)
    cancelled.wait(20)
def noted(task):
    cancel(task)
    cancelled.set()
CsvSink.write, Task.cancel = interrupted, noted
sys.exit(cli.main(sys.argv[1:]))
"""
"""An interrupt in the midst of a file, which is not done before that is noticed."""


@posix
@pytest.mark.parametrize("before", [None, "yesterday's"])
def test_an_interrupted_export_is_1_and_leaves_no_half_file(tmp_path: Path, before: str | None) -> None:
    (tmp_path / "station.yaml").write_text(STATION)
    data, file = tmp_path / "data", tmp_path / "out" / "o.csv"
    file.parent.mkdir()
    with gridroom("engine", tmp_path, "--data", data, "--duration", "1s") as engine:
        assert engine.wait(30) == 0
    if before is not None:
        file.write_text(before)
    words = [
        "export",
        tmp_path,
        "--data",
        data,
        "--points",
        "*",
        "--from",
        "2020-01-01",
        "--to",
        "2100-01-01",
        "-o",
        file,
    ]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    kept = f"no {file} is left" if before is None else f"{file} is as it was"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"gridroom export: interrupted; {kept}, start it again\n"
    assert [path.read_text() for path in file.parent.iterdir()] == ([] if before is None else [before])
    with gridroom(*words) as again:
        said, _ = again.communicate(timeout=30)
    assert again.returncode == 0 and said.startswith(f"{file}: ")
    assert said.endswith("rows\n" if before is None else "rows; the file that was there is replaced\n")


@posix
def test_interrupted_screenshots_are_1_and_leave_whole_pictures_only(tmp_path: Path) -> None:
    (tmp_path / "station.yaml").write_text(STATION)
    out = tmp_path / "out"
    with gridroom("screenshots", tmp_path, "-o", out, "--warm", "0s", "--sizes", "640x480,800x600") as process:
        until(lambda: out.is_dir() and any(out.iterdir()))
        os.killpg(process.pid, signal.SIGINT)
        _, complaints = process.communicate(timeout=30)
    pictures = list(out.iterdir())
    assert process.returncode == 1 and "Traceback" not in complaints
    assert f"interrupted; {len(pictures)} whole pictures are in {out}" in complaints
    assert all(picture.read_bytes().endswith(b"IEND\xaeB`\x82") for picture in pictures)


@pytest.mark.expects_errors
def test_rows_that_are_lost_at_the_end_are_1_with_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full until the end."""
    (tmp_path / "station.yaml").write_text(STATION)
    monkeypatch.setattr("app.history.service.Settings", lambda: Settings(no_space_mb=10**9))
    with (
        pytest.raises(StorageError, match=r"[1-9][0-9]* rows are lost: the history in .*data could not be written"),
        running(tmp_path, tmp_path / "data", None, "a test") as station,
    ):
        until(lambda: station.devices()[0].errors)
