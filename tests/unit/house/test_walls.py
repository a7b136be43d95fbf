"""The walls between the rooms stand: each is broken once, in a copy, and import-linter says so."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

# wall -> (a module behind it, an import that it must not have)
SEEDS = {
    "The model imports nothing of ours": ("app/model/units.py", "import app.engine.table"),
    "Drivers know the model only": ("drivers/turns.py", "import app.engine.table"),
    "The engine knows drivers and the model": ("app/engine/table.py", "import app.alarms.service"),
    "History, records and energy stand alone": ("app/energy/figures.py", "import app.records.service"),
    "Services do not know who composes them": ("app/alarms/rules.py", "import app.station"),
    "Commissioning does not know the running station": ("app/commissioning/editing.py", "import app.station"),
    "Services do not know the field": ("app/energy/figures.py", "import drivers.registry"),
    "Nobody within the gate knows it": ("app/history/service.py", "import app.access.roles"),
    "Nothing that alarms build on knows alarms": ("app/records/tables.py", "import app.alarms.rules"),
    "Alarms, energy and simulation stand apart": ("app/alarms/rules.py", "import app.energy.figures"),
    "Northbound reaches no device, and needs no c104": ("app/northbound/serving.py", "import drivers.iec104.library"),
    "What the command line starts does not know it": ("app/headless.py", "import app.cli"),
    "Widgets know the model only": ("widgets/theme.py", "import app.engine.table"),
    "The console goes through the station's facade": ("app/console/window.py", "import app.engine.engine"),
    "No Qt below the widgets": ("app/model/quality.py", "import PySide6.QtCore"),
}


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, encoding="utf-8", check=False
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The house without its furniture."""
    folder = tmp_path_factory.mktemp("house")
    for package in ("app", "drivers", "widgets"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_the_house_as_it_stands_breaks_no_wall(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout


def test_every_wall_has_a_seed() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    names = [
        line.split('"')[1] for line in text.split("[tool.importlinter]")[1].splitlines() if line.startswith("name = ")
    ]
    assert set(names) == set(SEEDS)


def test_no_room_is_without_a_wall() -> None:
    """A new room fails here until the contracts say what it may not import."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    walled = {room for contract in contracts for room in contract.get("source_modules", contract.get("modules"))}
    rooms = {f"app.{init.parent.name}" for init in ROOT.glob("app/*/__init__.py")}
    assert rooms <= walled


@pytest.mark.parametrize("wall", SEEDS)
def test_a_hole_in_a_wall_is_seen(copy: Path, wall: str) -> None:
    module, hole = SEEDS[wall]
    file = copy / module
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(before + f"\n{hole}\n", encoding="utf-8")
        result = lint(copy)
    finally:
        file.write_text(before, encoding="utf-8")
    assert result.returncode == 1
    assert f"{wall} BROKEN" in result.stdout
