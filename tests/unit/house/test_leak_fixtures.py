"""The checks that every test goes through fail the test that deserves it, and only that one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

UNTIDY = '''
import asyncio, logging, threading
import pytest
from PySide6.QtCore import QTimer, qWarning
from PySide6.QtWidgets import QWidget

kept = []

def test_clean(qtbot):
    thread = threading.Thread(target=lambda: None)
    thread.start()
    widget = QWidget()
    qtbot.addWidget(widget)
    QTimer(widget).start(50_000)

def test_thread():
    kept.append(threading.Event())
    threading.Thread(target=kept[-1].wait, name="forgotten", daemon=True).start()

def test_task():
    loop = asyncio.new_event_loop()
    kept.append((loop, loop.create_task(asyncio.sleep(60), name="forgotten")))
    loop.run_until_complete(asyncio.sleep(0))

def test_task_is_not_blamed_on_the_next(qtbot):
    kept[-1][1].cancel()
    kept[-1][0].run_until_complete(asyncio.gather(kept[-1][1], return_exceptions=True))
    kept.pop()[0].close()

def test_window(qtbot):
    kept.append(QWidget())

def test_timer(qtbot):
    kept.append(QTimer())
    kept[-1].start(50_000)

def test_timer_ends(qtbot):
    kept.pop().stop()

def test_message_of_qt(qtbot):
    qWarning("QPainter::begin: Paint device returned engine == 0")

def test_error():
    logging.getLogger("gridroom.history").error("lost %d rows", 3)

@pytest.mark.expects_errors
def test_error_that_is_meant():
    logging.getLogger("gridroom.history").error("lost %d rows", 3)

def test_warning():
    import warnings
    warnings.warn("old")

@pytest.mark.slow
def test_slow():
    pass

def test_end(qtbot):
    """Leaves the process tidy."""
    for thing in kept:
        thing.set() if isinstance(thing, threading.Event) else thing.deleteLater()
'''
BLAMED = {
    "test_thread": "left behind: thread forgotten",
    "test_task": "left behind: task forgotten",
    "test_window": "left behind: window QWidget",
    "test_timer": "left behind: timer of 50000 ms",
    "test_message_of_qt": "Paint device returned engine",
    "test_error": "logged errors: gridroom.history: lost 3 rows",
    "test_warning": "UserWarning: old",
}
CLEAN = {
    "test_clean",
    "test_task_is_not_blamed_on_the_next",
    "test_timer_ends",
    "test_error_that_is_meant",
    "test_end",
}


def run(folder: Path, *words: str) -> str:
    """pytest's words about a folder of tests, under the project's own conftest and configuration."""
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)]
    command += ["-p", "no:cacheprovider", "-rA", *words, str(folder)]
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONUTF8="1", QT_QPA_PLATFORM="offscreen", COLUMNS="200")
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    ).stdout


@pytest.fixture(scope="module")
def untidy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untidy")
    shutil.copy(ROOT / "tests" / "conftest.py", folder)
    (folder / "test_untidy.py").write_text(UNTIDY, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def said(untidy: Path) -> str:
    return run(untidy)


@pytest.mark.parametrize("name", BLAMED)
def test_what_is_untidy_fails_and_says_why(said: str, name: str) -> None:
    lines = [line for line in said.splitlines() if re.match(rf"(FAILED|ERROR) .*::{name}\b", line)]
    assert lines, said
    assert BLAMED[name] in said


def test_what_is_tidy_passes(said: str) -> None:
    failed = set(re.findall(r"^(?:FAILED|ERROR) \S*::(\w+)", said, re.MULTILINE))
    passed = set(re.findall(r"^PASSED \S*::(\w+)", said, re.MULTILINE))
    assert failed == set(BLAMED), said
    assert passed - failed == CLEAN, said


def test_slow_tests_run_at_night_only(untidy: Path, said: str) -> None:
    assert "1 deselected" in said
    assert re.search(r"PASSED \S*::test_slow\b", run(untidy, "--nightly", "-k", "slow"))
