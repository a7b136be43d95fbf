"""What a step of a trend costs: 8 pens of 1,000,000 samples, beside bare pyqtgraph with its own downsampling."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyqtgraph
from PySide6.QtWidgets import QApplication

from app.model.clock import SECOND_NS, ManualClock
from app.model.text import Text
from app.model.views import Series
from widgets.trend.pens import Pen
from widgets.trend.view import TrendView

PENS: Final = 8
SAMPLES: Final = 1_000_000
STEPS: Final = 60
PAN_GOAL_MS: Final = 33.0
_WIDTH, _HEIGHT = 1900, 900
_START_NS: Final = 1_700_000_000 * SECOND_NS


def run(seconds: float | None = None) -> list[dict[str, Any]]:
    """Figures as `gridroom bench --json` prints them. Needs no screen; makes a QApplication where there is none.

    seconds: as every bench takes it; the number of steps here is fixed and takes some ten seconds.
    """
    if QApplication.instance() is None:
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        application = QApplication([])
    else:
        application = QApplication.instance()  # type: ignore[assignment]
    walks = np.random.default_rng(1).normal(size=(PENS, SAMPLES)).cumsum(axis=1)
    view = _view(walks)
    application.processEvents()
    canvas = view.canvas

    def step(share: float) -> Callable[[int], None]:
        def move(number: int) -> None:
            canvas.pan_time(share if number % 2 else -share)
            canvas.repaint()
            application.processEvents()

        return move

    def tail(number: int) -> None:
        for pen in range(PENS):
            view.append(f"walk.p{pen}", [_START_NS + (SAMPLES + number) * SECOND_NS], [walks[pen, -1]], [0])
        canvas.repaint()
        application.processEvents()

    view.show_range(_START_NS, _START_NS + SAMPLES * SECOND_NS)
    pan = _measure(step(0.01))
    view.show_range(_START_NS, _START_NS + (SAMPLES + 2 * STEPS) * SECOND_NS)
    appended = _measure(tail)
    view.show_range(_START_NS, _START_NS + SAMPLES // 200 * SECOND_NS)
    near = _measure(step(0.1))
    view.close()
    view.deleteLater()
    bare = _bare(application, walks)
    return [
        _figure("pan step, 8 × 1,000,000 samples, all of them", pan, bare, PAN_GOAL_MS),
        _figure("pan step, 8 × 1,000,000 samples, 5,000 seen", near, bare, PAN_GOAL_MS),
        _figure("one live sample on each of 8 × 1,000,000", appended, bare, PAN_GOAL_MS),
    ]


def _view(walks: np.ndarray[Any, Any]) -> TrendView:
    time_ns = _START_NS + np.arange(SAMPLES, dtype=np.int64) * SECOND_NS
    view = TrendView(clock=ManualClock(int(time_ns[-1])))
    view.resize(_WIDTH, _HEIGHT)
    names = [f"walk.p{i}" for i in range(PENS)]
    view.set_pens([Pen(name, Text.of(name), "kW", 1) for name in names])
    none, count = np.empty((0, 2), np.int64), np.ones(SAMPLES, np.int64)
    good = np.zeros(SAMPLES, np.uint16)
    view.set_series(
        [Series(n, "raw", 0, time_ns, w, w, w, w, w, count, good, none) for n, w in zip(names, walks, strict=True)],
        int(time_ns[0]),
        int(time_ns[-1]) + 1,
    )
    view.show()
    return view


def _bare(application: Any, walks: np.ndarray[Any, Any]) -> float:
    """The same pan by pyqtgraph alone: peak downsampling, clipped to the view, pen width 1."""
    plot = pyqtgraph.PlotWidget(useOpenGL=False)
    plot.resize(_WIDTH, _HEIGHT)
    plot.setDownsampling(auto=True, mode="peak")
    plot.setClipToView(True)
    x = np.arange(SAMPLES, dtype=np.float64)
    for walk in walks:
        plot.plot(x, walk, pen=pyqtgraph.mkPen("w", width=1), skipFiniteCheck=True)
    plot.show()
    application.processEvents()

    def move(number: int) -> None:
        begin = SAMPLES * 0.01 * (number % 2)
        plot.setXRange(begin, begin + SAMPLES, padding=0)
        plot.repaint()
        application.processEvents()

    spent = _measure(move, STEPS // 6)
    plot.close()
    plot.deleteLater()
    return spent


def _measure(step: Callable[[int], None], steps: int = STEPS) -> float:
    """95th percentile of the step, in milliseconds. The first one warms caches and does not count."""
    step(0)
    spent = []
    for number in range(1, steps + 1):
        begin = time.perf_counter()
        step(number)
        spent.append(time.perf_counter() - begin)
    return float(np.percentile(spent, 95)) * 1000


def _figure(name: str, value_ms: float, limit_ms: float, goal_ms: float) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value_ms, 2),
        "unit": "ms p95",
        "goal": goal_ms,
        "holds": value_ms <= goal_ms,
        "limit": f"{limit_ms:.1f} ms by bare pyqtgraph with peak downsampling",
    }
