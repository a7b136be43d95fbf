"""When the history was recording: run intervals. Outside them a trend has a gap.

The run that goes on is marked alive with each commit, in the hot tables; closed hours fold their marks into
`history/runs.csv` (`start_ms,end_ms`). Intervals are only ever united, so that writing one twice changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.history.whole import write_whole

FILE_NAME: Final = "runs.csv"
_HEAD: Final = "start_ms,end_ms"


class Runs:
    """All run intervals of a data folder. Thread-safe. Milliseconds since 1970, UTC."""

    def __init__(self, intervals: Iterable[tuple[int, int]] = ()) -> None:
        self._lock = threading.Lock()
        self._ends: dict[int, int] = {}
        for start, end in intervals:
            self.add(start, end)

    def add(self, start_ms: int, end_ms: int) -> None:
        """It was recording from `start_ms` to `end_ms`."""
        with self._lock:
            self._ends[start_ms] = max(end_ms, self._ends.get(start_ms, start_ms))

    def has(self, start_ms: int) -> bool:
        """Whether a run began at this very millisecond."""
        with self._lock:
            return start_ms in self._ends

    def pieces(self, start_ms: int, end_ms: int) -> NDArray[np.int64]:
        """The recorded intervals within [start, end], united and rising: int64[k, 2]."""
        with self._lock:
            rows = [(s, e) for s, e in self._ends.items() if s < end_ms and e > start_ms]
        united: list[list[int]] = []
        for start, end in sorted(rows):
            start, end = max(start, start_ms), min(end, end_ms)
            if united and start <= united[-1][1]:
                united[-1][1] = max(united[-1][1], end)
            else:
                united.append([start, end])
        return np.array(united, dtype=np.int64).reshape(-1, 2)

    def last(self) -> int | None:
        """When it was last alive; None where it never was."""
        with self._lock:
            return max(self._ends.values(), default=None)

    def save(self, folder: Path) -> None:
        """Write `runs.csv` whole. Raises OSError."""
        with self._lock:
            rows = sorted(self._ends.items())
        write_whole(folder / FILE_NAME, "\n".join((_HEAD, *(f"{start},{end}" for start, end in rows), "")))


def load_runs(folder: Path) -> Runs:
    """Read `runs.csv`; none where there is no file. Raises ValueError or OSError where it cannot be read."""
    path = folder / FILE_NAME
    if not path.exists():
        return Runs()
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0] != _HEAD:
        raise ValueError(f"{path}: its first line is not '{_HEAD}'")
    intervals = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            start, end = (int(word) for word in line.split(","))
        except ValueError:
            raise ValueError(f"{path}:{number}: not two numbers") from None
        intervals.append((start, end))
    return Runs(intervals)
