"""House rules that a machine can see."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted(file for top in ("app", "drivers", "widgets") for file in (ROOT / top).rglob("*.py"))
TRACKED = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
    "\0"
)
OWN_LOOP = ("app.exec", "application().exec")
"""The one event loop of the program, which is no nested one."""


def names(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", SOURCES, ids=names)
def test_a_module_is_a_room_that_one_can_know(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 600


@pytest.mark.parametrize("file", SOURCES, ids=names)
def test_nothing_is_run_that_a_file_says(file: Path) -> None:
    """No eval, exec, pickle, yaml.load or nested Qt event loop."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "compile", "yaml.load", "pickle.load", "pickle.loads"), called
            if file.is_relative_to(ROOT / "app" / "console") or file.is_relative_to(ROOT / "widgets"):
                nested = called.endswith((".exec", ".exec_")) and called not in OWN_LOOP
                assert not nested, f"{called}: a dialog is opened with open(), and its signal is awaited"


def test_there_are_no_drawers() -> None:
    drawers = {"utils", "util", "helpers", "common", "misc"}
    assert not [file for file in SOURCES if drawers & set(file.relative_to(ROOT).with_suffix("").parts)]


def test_packaging_does_not_hide_the_library_of_that_name() -> None:
    assert not (ROOT / "packaging" / "__init__.py").exists()


def test_no_package_host_and_no_path_of_one_machine_is_tracked() -> None:
    hosts = "|".join(("pypi" + r"\.org", "python" + "hosted", "registry" + r"\.npmjs", "deb" + r"\.debian"))
    places = "|".join(("/" + "work/", "/" + "root/", "/" + "farm/"))
    found = []
    for name in filter(None, TRACKED):
        file = ROOT / name
        if file.is_file() and file.suffix not in (".png", ".ico"):
            text = file.read_text(encoding="utf-8", errors="replace")
            found += [f"{name}: {match[0]}" for match in re.finditer(f"{hosts}|{places}", text)]
    assert not found
