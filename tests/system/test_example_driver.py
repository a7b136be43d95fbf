"""The worked example of the documents, as a stranger would use it: installed, found, and run through the suite."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.conformance import CHECKS

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "gridroom-lines"
HOW_TO = ROOT / "docs" / "how-to" / "write-a-driver.md"
STATION = """version: 1
station: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}
devices:
  - id: tank
    name: Tank
    kind: other
    connection: {driver: lines, host: 127.0.0.1}
    points: [{id: level, name: Level, kind: measurement, address: {name: tank.level}}]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built and installed into a folder by pip, without a network."""
    folder = tmp_path_factory.mktemp("stranger")
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    done = run(folder, "-m", "pip", *words, "--target", str(folder / "site"), str(folder / "source"))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python, with what is installed in the folder beside Gridroom."""
    path = os.pathsep.join([str(folder / "site"), str(ROOT)])
    return subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False,
        env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"}, timeout=300,
    )  # fmt: skip


def test_it_passes_the_suite_that_it_brings_with_it(installed: Path) -> None:
    done = run(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "source/test_gridroom_lines.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CHECKS)} passed" in done.stdout


def test_its_word_is_known_where_it_is_installed(installed: Path) -> None:
    (installed / "station.yaml").write_text(STATION, encoding="utf-8")
    done = run(installed, "-m", "app", "check", str(installed))
    assert (done.returncode, "good, 1 device," in done.stdout) == (0, True), done.stdout + done.stderr


def test_its_faults_are_told_with_file_and_line(installed: Path) -> None:
    (installed / "station.yaml").write_text(STATION.replace("tank.level}", "tank level}"), encoding="utf-8")
    done = run(installed, "-m", "app", "check", str(installed))
    assert done.returncode == 2
    assert "station.yaml:8: device tank, point level: name 'tank level' is no name of a value" in done.stderr


def test_the_how_to_shows_the_example_as_it_is() -> None:
    """Every fenced block of Python or TOML in it stands word for word in the package."""
    package = "\n".join(file.read_text(encoding="utf-8") for file in EXAMPLE.iterdir() if file.is_file())
    blocks = re.findall(
        r"^```(?:python|toml)\n(.*?)^```$", HOW_TO.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert len(blocks) >= 4
    for block in blocks:
        for part in block.split("...\n"):
            assert part.strip("\n") in package, part
