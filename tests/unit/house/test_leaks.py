"""The checks that every test goes through catch what they are for."""

from __future__ import annotations

import asyncio
import logging
import threading

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from tests.support import leaks
from tests.support.leaks import Errors, Leaks


def test_a_thread_left_is_found(monkeypatch: object) -> None:
    leaks_before = Leaks()
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten", daemon=True)
    thread.start()
    grace, leaks.GRACE_S = leaks.GRACE_S, 0.05  # type: ignore[misc]
    try:
        assert leaks_before.found() == ["thread forgotten"]
    finally:
        leaks.GRACE_S = grace  # type: ignore[misc]
        end.set()
        thread.join()
    assert leaks_before.found() == []


def test_a_task_left_is_found() -> None:
    before = Leaks()
    loop = asyncio.new_event_loop()
    task = loop.create_task(asyncio.sleep(60), name="forgotten")
    loop.run_until_complete(asyncio.sleep(0))
    assert before.found() == ["task forgotten"]
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    assert before.found() == []


def test_a_window_and_a_timer_left_are_found(qtbot: QtBot) -> None:
    before = Leaks()
    window = QWidget()
    timer = QTimer()
    timer.start(50_000)
    assert before.found() == ["window QWidget", "timer of 50000 ms"]
    timer.stop()
    window.deleteLater()
    assert before.found() == []


def test_an_error_line_is_found() -> None:
    with Errors() as errors:
        logging.getLogger("gridroom.test").setLevel(logging.INFO)
        logging.getLogger("gridroom.test").propagate = True
        record = logging.LogRecord("gridroom.test", logging.ERROR, "", 0, "lost %s", ("meter1",), None)
        errors.handle(record)
    assert errors.lines == ["gridroom.test: lost meter1"]
