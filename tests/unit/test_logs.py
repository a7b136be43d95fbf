"""Log lines: into a file of the data folder, warnings to the terminal, and a plain word where that cannot be."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from app.logs import Logs
from app.model.errors import StorageError


def test_lines_stand_in_the_file_and_warnings_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = Logs(tmp_path)
    logs.start()
    log = logging.getLogger("gridroom.test")
    log.info("device inv1 is back, 逆变器")
    log.warning("device inv1 lost")
    logs.stop()
    text = (tmp_path / "logs" / "gridroom.log").read_text(encoding="utf-8")
    assert "INFO    gridroom.test: device inv1 is back, 逆变器" in text and "device inv1 lost" in text
    assert capsys.readouterr().err == "WARNING: device inv1 lost\n"


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "logs" / "gridroom.log").mkdir(parents=True)
    with pytest.raises(
        StorageError, match=r"gridroom\.log cannot be written .*; a folder stands where the file should be"
    ):
        Logs(tmp_path)


@pytest.mark.expects_errors
def test_a_thread_that_ends_by_an_error_is_in_the_file(tmp_path: Path) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a bug of ours")

    logs = Logs(tmp_path)
    logs.start()
    thread = threading.Thread(target=fail, name="history-keeper")
    thread.start()
    thread.join()
    logs.stop()
    text = (tmp_path / "logs" / "gridroom.log").read_text(encoding="utf-8")
    assert "history-keeper has ended by an error" in text and "ZeroDivisionError: a bug of ours" in text


@pytest.mark.expects_errors
def test_a_message_is_one_line_whatever_was_put_into_it(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    logs.start()
    logging.getLogger("gridroom.test").error("refused: %s 名称 🔋", "x\nsite 3 0000 2026-01-01T00:00:00Z\r\x1b[2Jy")
    logs.stop()
    (file,) = (tmp_path / "logs").glob("*.log")
    (line,) = [one for one in file.read_text(encoding="utf-8").split("\n") if "refused" in one]
    assert line.endswith(r"refused: x\nsite 3 0000 2026-01-01T00:00:00Z\r\x1b[2Jy 名称 🔋")
