"""A trial in a process of its own: it would take the processor from the engine, whose cycles must not wait.

`Trial` is the parent's side, `python -m app.trial` the child's. What passes between them is numpy's plain format, with
what is no column as JSON in it.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.backtesting import tariff_of
from app.control.backtest import Record, backtest
from app.control.loading import load_strategies
from app.model.backtest import Report, Side, Used
from app.model.control import Running
from app.model.errors import GridroomError, words_of
from app.model.loading import load_station
from app.model.text import Text

LONGEST_S: Final = 600.0
_ROOT: Final = Path(__file__).resolve().parents[1]
_COLUMNS: Final = ("time_ns", "before_kw", "after_kw", "storage_kw", "soc")


class Trial:
    """One at a time. `stop` from any thread."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def stop(self) -> None:
        """End what runs; nothing begins any more."""
        self._stopped, child = True, self._child
        if child is not None:
            child.kill()

    def run(
        self, directory: Path, overlay: Path | None, strategies: str, record: Record, modes: Mapping[str, Running]
    ) -> Report:
        """Strategies (the text of `strategies.yaml`) over a record, each as `modes` say. Raises GridroomError."""
        words = {"directory": str(directory.absolute()), "overlay": str(overlay.absolute()) if overlay else None,
                 "strategies": strategies, "step_s": record.step_s, "points": list(record.points),
                 "modes": dict(modes)}  # fmt: skip
        given = {"time_ns": record.time_ns, "site_kw": record.site_kw, "pv_kw": record.pv_kw}
        return _report(*self._ask(_packed(words, {**given, "points": np.array(list(record.points.values()))})))

    def _ask(self, asked: bytes) -> tuple[bytes, bytes]:
        """What the child says and what it complains of."""
        try:
            with subprocess.Popen([sys.executable, "-m", "app.trial"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, cwd=_ROOT) as child:  # fmt: skip
                self._child = child
                if self._stopped:
                    child.kill()
                try:
                    return child.communicate(asked, LONGEST_S)
                except subprocess.TimeoutExpired:
                    child.kill()
                    raise
                finally:
                    self._child = None
        except subprocess.TimeoutExpired:
            words = Text("the trial took too long; try a shorter period", "试算耗时过长；请缩短时段")
            raise GridroomError(words) from None
        except OSError as error:
            raise GridroomError(Text(f"the trial cannot be started: {error}", f"试算无法启动：{error}")) from error


def _report(out: bytes, complaint: bytes) -> Report:
    try:
        said, columns = _unpacked(out)
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        last = complaint.decode("utf-8", "replace").strip().rpartition("\n")[2]
        what = Text(f"the trial ended without an answer ({last}); send the log", f"试算异常结束（{last}）；请反馈日志")
        raise GridroomError(what) from error
    if "refused" in said:
        raise GridroomError(Text(**said["refused"]))
    return Report(
        Side(**said["before"]), Side(**said["after"]), tuple(Used(**one) for one in said["storage"]),
        said["pv_lost_kwh"], said["steps"], said["unknown"], said["unsound"], *(columns[name] for name in _COLUMNS),
    )  # fmt: skip


def main() -> None:
    """The child."""
    said, columns = _unpacked(sys.stdin.buffer.read())
    try:
        points = dict(zip(said["points"], columns["points"], strict=True))
        record = Record(columns["time_ns"], said["step_s"], columns["site_kw"], columns["pv_kw"], points)
        answer = _answer(said, record)
    except GridroomError as error:
        answer = _packed({"refused": asdict(words_of(error))}, {})
    sys.stdout.buffer.write(answer)


def _answer(said: Mapping[str, Any], record: Record) -> bytes:
    station = load_station(Path(said["directory"]), Path(said["overlay"]) if said["overlay"] else None).station
    bound, faults, _ = load_strategies(station, said["strategies"])
    if faults:
        raise GridroomError(faults[0].line_of(faults[0].file))
    modes = {id_: Running(mode) for id_, mode in said["modes"].items()}
    report = backtest(station, bound, record, tariff_of(bound), modes=modes)
    words = {"before": asdict(report.before), "after": asdict(report.after),
             "storage": [asdict(one) for one in report.storage], "pv_lost_kwh": report.pv_lost_kwh,
             "steps": report.steps, "unknown": report.unknown, "unsound": dict(report.unsound)}  # fmt: skip
    return _packed(words, {name: getattr(report, name) for name in _COLUMNS})


def _packed(words: Mapping[str, Any], columns: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, words=np.frombuffer(json.dumps(words).encode(), np.uint8), **columns)
    return file.getvalue()


def _unpacked(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Raises what numpy raises for anything else."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        columns = {name: file[name] for name in file.files}
    return json.loads(columns.pop("words").tobytes()), columns


if __name__ == "__main__":
    main()
