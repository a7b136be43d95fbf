"""A trend on the screen, and its pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.model.clock import SECOND_NS, ManualClock
from app.model.text import Text
from app.model.views import Series
from widgets import fonts, language, theme
from widgets.trend import Pen, TrendView

NOW = 1_795_154_400 * SECOND_NS
"""2026-11-20 14:00:00 in Shanghai."""


@pytest.fixture(autouse=True)
def plain_house(qapp: QApplication) -> Iterator[None]:
    """Light, English, the console's font; and so again afterwards."""
    qapp.setFont(fonts.application_font())
    theme.choose("light")
    language.choose("en")
    yield
    theme.choose("light")
    language.choose("en")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def make(qtbot: QtBot, clock: ManualClock) -> Callable[..., TrendView]:
    """make(pens) -> a view of 1000 × 640 px that is shown."""

    def build(*pens: Pen) -> TrendView:
        view = TrendView(clock=clock)
        qtbot.addWidget(view)
        view.set_zone(ZoneInfo("Asia/Shanghai"))
        view.resize(1000, 640)
        view.set_pens(pens)
        view.show()
        settle()
        return view

    return build


def settle() -> None:
    """Let Qt paint what it was told to."""
    for _ in range(3):
        QApplication.processEvents()


def pen(point: str, unit: str = "kW", states: dict[int, Text] | None = None) -> Pen:
    return Pen(point, Text(point, f"{point}点"), unit, 1, states)


def series(
    point: str,
    seconds: NDArray[np.float64] | list[float],
    values: NDArray[np.float64] | list[float],
    *,
    gaps: list[tuple[float, float]] | None = None,
    quality: NDArray[np.uint16] | None = None,
    bucket_s: int = 0,
    spread: float = 0.0,
) -> Series:
    """Seconds count back from NOW: -60 is a minute ago."""
    time = (NOW + np.round(np.asarray(seconds, float) * SECOND_NS)).astype(np.int64)
    value = np.asarray(values, float)
    holes = np.array(gaps or [], float).reshape(-1, 2)
    return Series(
        point,
        "raw",
        bucket_s * SECOND_NS,
        time,
        value - spread,
        value + spread,
        value,
        value,
        value,
        np.ones(len(time), np.int64),
        np.zeros(len(time), np.uint16) if quality is None else quality,
        (NOW + np.round(holes * SECOND_NS)).astype(np.int64),
    )


class Picture:
    """The canvas as it was painted, asked in the pixels of its frame."""

    def __init__(self, view: TrendView) -> None:
        settle()
        image = view.canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
        self.pixels = np.array(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
        self.pixels = self.pixels[:, : image.width() * 4].reshape(image.height(), image.width(), 4)[:, :, 2::-1]
        self.frame = view.canvas.frame

    def found(
        self, colour: QColor, left: float, right: float, rows: tuple[float, float] | None = None
    ) -> NDArray[np.bool_]:
        """bool[height, width] of exactly this colour between two x and two y."""
        top, bottom = rows or (0, self.pixels.shape[0])
        part = self.pixels[int(top) : int(bottom), int(left) : int(right)]
        return np.all(part == [colour.red(), colour.green(), colour.blue()], axis=2)

    def count(self, colour: QColor, left: float, right: float, rows: tuple[float, float] | None = None) -> int:
        return int(self.found(colour, left, right, rows).sum())

    def x(self, second: float) -> float:
        return self.frame.x(NOW + round(second * SECOND_NS))


def text_of(widget: QWidget, kind: type) -> list[str]:
    return [child.text() for child in widget.findChildren(kind)]
