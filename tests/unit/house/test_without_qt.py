"""The engine and every service run on a machine without Qt."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

IMPORT_ALL = """
import importlib, sys

class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("PySide6", "shiboken6", "pyqtgraph"):
            raise ModuleNotFoundError(f"no Qt here: {name}")

sys.meta_path.insert(0, NoQt())
for name in sys.argv[1:]:
    importlib.import_module(name)
print("imported", len(sys.argv) - 1)
"""


def test_everything_but_the_console_is_importable_without_qt() -> None:
    files = [file for top in ("app", "drivers") for file in (ROOT / top).rglob("*.py") if file.stem != "__main__"]
    names = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files}
    ours = {"app.records.migrations.env"}  # which alembic runs, and nobody imports
    headless = sorted(name for name in names - ours if not name.startswith("app.console"))
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *headless],
        cwd=ROOT,
        env=dict(os.environ, PYTHONUTF8="1"),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert result.stdout.strip() == f"imported {len(headless)}", result.stderr
