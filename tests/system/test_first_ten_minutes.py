"""What the README promises, with the README's own words: a foreign device comes alive, is stored, and is exported."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def station_in(document: str) -> str:
    """The first whole station file that a document shows."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = (textwrap.dedent(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL))
    return next(block for block in blocks if block.startswith("version: 1"))


def gridroom(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app", *map(str, words)]
    return subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.fixture
def foreign_port() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.support.foreign_modbus"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()


@pytest.mark.parametrize("document", ["README.md", "docs/tutorial/first-ten-minutes.md"])
def test_the_documents_station_comes_alive(tmp_path: Path, foreign_port: int, document: str) -> None:
    site = tmp_path / "my_site"
    site.mkdir()
    (site / "station.yaml").write_text(station_in(document), encoding="utf-8")
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"devices: {{meter1: {{connection: {{host: 127.0.0.1, port: {foreign_port}}}}}}}\n")
    data = tmp_path / "data"

    check = gridroom("check", site)
    assert check.returncode == 0, check.stderr

    run = gridroom("engine", site, "--data", data, "--overlay", overlay, "--duration", "4s", "--status-every", "1s")
    assert run.returncode == 0, run.stderr
    assert "devices 1/1" in run.stdout.splitlines()[-1] and "history ok" in run.stdout.splitlines()[-1], run.stdout

    now = datetime.now(UTC)
    start, end = now - timedelta(minutes=5), now + timedelta(minutes=5)
    file = tmp_path / "out.csv"
    words = ("--points", "meter1.*", "--from", start.isoformat(), "--to", end.isoformat(), "--every", "raw", "-o", file)
    export = gridroom("export", site, "--data", data, *words)
    assert export.returncode == 0, export.stderr
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    power = [row for row in rows if row["point"] == "meter1.p_kw" and row["quality"] == ""]
    assert power and {(row["value"], row["unit"]) for row in power} == {("1234.6", "kW")}
    assert list(rows[0]) == ["time", "point", "value", "quality", "unit"]
    assert power[0]["time"].endswith("+08:00")


def test_a_folder_in_use_is_named_within_a_second(tmp_path: Path, foreign_port: int) -> None:
    site = tmp_path / "my_site"
    site.mkdir()
    (site / "station.yaml").write_text(station_in("README.md"), encoding="utf-8")
    data = tmp_path / "data"
    words = ["engine", str(site), "--data", str(data), "--status-every", "250ms"]
    with subprocess.Popen([sys.executable, "-m", "app", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        first.stdout.readline()
        for verb in (
            ["engine"],
            ["export", "--points", "*", "--from", "2026-01-01", "--to", "2026-01-02", "-o", str(tmp_path / "x.csv")],
        ):
            second = gridroom(verb[0], site, "--data", data, *verb[1:])
            assert second.returncode == 1
            assert f"process {first.pid}" in second.stderr and str(data) in second.stderr, second.stderr
            assert "Traceback" not in second.stderr
        first.terminate()
        assert first.wait(20) in (0, -15)
