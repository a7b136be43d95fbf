"""A data folder that another program has is named before anything heavy is loaded, whatever the machine is doing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.history.folder import DataFolder

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = """
import sys
for name in ("duckdb", "numpy", "pydantic", "pyarrow", "PySide6", "pymodbus", "yaml"):
    sys.modules[name] = None  # importing it fails
from app import cli
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("verb", "more"),
    [
        ("engine", []),
        ("console", []),
        ("screenshots", ["-o", "pictures"]),
        ("export", ["--points", "*", "--from", "2026-01-01", "--to", "2026-01-02", "-o", "o.csv"]),
    ],
)
@pytest.mark.parametrize("station", ["demo", "mine"])
def test_it_is_named_before_the_libraries_of_a_station_are_loaded(
    tmp_path: Path, verb: str, more: list[str], station: str
) -> None:
    data = tmp_path / "data"
    with DataFolder.open(data, "gridroom engine"):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, verb, station, "--data", str(data), *more],
            cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"},
        )  # fmt: skip
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert f"data folder {data} is in use by gridroom engine (process {os.getpid()}" in done.stderr
    assert done.stderr.count("process") == 1


def test_the_demo_without_data_is_held_in_the_users_own_place(tmp_path: Path) -> None:
    there = (
        f"import platformdirs, pathlib\nplatformdirs.user_data_path = lambda *_, **__: pathlib.Path({str(tmp_path)!r})"
    )
    with DataFolder.open(tmp_path / "demo", "gridroom console"):
        done = subprocess.run(
            [sys.executable, "-c", there + WITHOUT, "engine", "demo"], cwd=ROOT, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == 1 and "is in use by gridroom console" in done.stderr, done.stderr
