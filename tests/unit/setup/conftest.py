"""run.py as a module, and as a command of a small project that is set up for real, without a network."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]

# A build backend of its own, so that the small project needs nothing from a package index.
BACKEND = """
import base64, hashlib, zipfile

INFO = "small-0.dist-info"
FILES = {
    "small_main.py": "import os, sys\\ndef main():\\n    print(sys.argv[1:], os.environ['PYTHONUTF8'])\\n    return 7\\n",
    INFO + "/METADATA": "Metadata-Version: 2.1\\nName: small\\nVersion: 0\\n",
    INFO + "/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    INFO + "/entry_points.txt": "[console_scripts]\\ngridroom = small_main:main\\n",
}

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "small-0-py3-none-any.whl"
    with zipfile.ZipFile(wheel_directory + "/" + name, "w") as wheel:
        record = ""
        for path, text in FILES.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(text.encode())}\\n"
            wheel.writestr(path, text)
        wheel.writestr(INFO + "/RECORD", record + INFO + "/RECORD,,\\n")
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "small_backend"
backend-path = ["."]

[project]
name = "small"
version = "0"
"""


@pytest.fixture
def run() -> ModuleType:
    """A fresh module of the real run.py."""
    spec = importlib.util.spec_from_file_location("gridroom_run", ROOT / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """A folder with the real run.py, an empty lock and a project whose `gridroom` prints its arguments and ends with 7."""
    folder = tmp_path / "a project"  # people's folders have spaces
    folder.mkdir()
    shutil.copy(ROOT / "run.py", folder)
    (folder / "requirements.lock").write_text("# nothing\n", encoding="utf-8")
    # A machine for which the GPL part is not made, as macOS.
    (folder / "requirements-iec104.lock").write_text(f"c104==0.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (folder / "small_backend.py").write_text(BACKEND, encoding="utf-8")
    return folder


@pytest.fixture
def start(run: ModuleType) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Starts a project's run.py as a person would; no system package is ever installed, whoever runs the test."""

    def start(project: Path, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        without_apt = f"import shutil, runpy, sys; shutil.which = lambda *a, **k: None; sys.argv[:] = {[str(project / 'run.py'), *words]!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
        return subprocess.run(
            [sys.executable, "-c", without_apt],
            cwd=cwd or project,
            env={**os.environ, "PIP_NO_INDEX": "1"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            check=False,
        )

    return start
