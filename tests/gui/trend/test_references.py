"""Painting must not use up the references to None: PySide6 6.12 did, until the interpreter aborted (decision 0002)."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPointF

from app.model.clock import SECOND_NS as S
from app.model.text import Text
from widgets.trend import TrendView

from .conftest import NOW, pen, series, settle

FRAMES = 500


def test_references_to_none_stay_level_over_500_painted_frames(make: Callable[..., TrendView]) -> None:
    states = {0: Text("open", "分"), 1: Text("closed", "合")}
    view = make(*(pen(f"p{i}.v", ("kW", "%")[i % 2]) for i in range(7)), pen("b.s", "", states))
    second = np.arange(-3600, 1, 1.0)
    view.set_series(
        [series(f"p{i}.v", second, np.sin(second / (50 + i)), gaps=[(-900, -800)]) for i in range(7)]
        + [series("b.s", second[::600], (np.arange(len(second[::600])) % 2).astype(float))],
        NOW - 3600 * S,
        NOW,
    )
    view.set_marks([(NOW - 600 * S, "priority-1", "Oil too hot")])
    view.show_range(NOW - 3600 * S, NOW)
    view.canvas.overlay.pointer = QPointF(400, 200)
    view.canvas.overlay.cursors = (NOW - 2000 * S, NOW - 1000 * S)

    def paint(frames: int) -> None:
        for number in range(frames):
            view.canvas.pan_time(0.01 if number % 2 else -0.01)
            view.canvas.repaint()
            settle()

    paint(30)
    gc.collect()
    painted, references = view.canvas.frames_painted, sys.getrefcount(None)
    paint(FRAMES)
    gc.collect()
    drift = sys.getrefcount(None) - references
    assert view.canvas.frames_painted - painted >= FRAMES
    assert abs(drift) < FRAMES // 10, f"{drift / FRAMES:+.2f} references to None a frame"
