"""What a diagram of 500 symbols costs at 10 updates a second, beside an empty repaint of the same number of items."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Final

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QApplication,
    QGraphicsItem,
    QGraphicsScene,
    QGraphicsView,
    QStyleOptionGraphicsItem,
    QWidget,
)

from app.model.clock import SECOND_NS, ManualClock
from app.model.config import DeviceKind
from app.model.text import Text
from widgets.diagram.elements import Element, ElementValue, Kind, Role, Switch
from widgets.diagram.folding import group_id
from widgets.diagram.view import DiagramView

SYMBOLS: Final = 500
RATE_HZ: Final = 10
STEPS: Final = 60
GOAL_PERCENT: Final = 10.0
_FEEDERS: Final = 20
_SMALL: Final = (1366, 768)
_MIDDLE: Final = (1920, 1080)
_LARGE: Final = (3840, 2160)


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
    figures = []
    for name, size, share, whole, goal in (
        ("500 symbols, all change, read one by one on 1366 × 768", _SMALL, 1.0, False, GOAL_PERCENT),
        ("500 symbols, all change, all seen on 1920 × 1080", _MIDDLE, 1.0, True, GOAL_PERCENT),
        ("500 symbols, every tenth changes, all seen and read on 3840 × 2160", _LARGE, 0.1, True, GOAL_PERCENT),
        ("500 symbols, all change, all seen and read on 3840 × 2160", _LARGE, 1.0, True, None),
    ):
        spent, seen = _diagram(application, size, share, whole=whole)
        bare = _bare(application, size, round(seen * share))
        figures.append(
            {
                "name": f"{name} ({seen} seen)",
                "value": round(spent, 2),
                "unit": "% of a core at 10/s",
                "goal": goal,
                "holds": goal is None or spent <= goal,
                "limit": f"{bare:.1f} % for as many bare items that only fill a rectangle",
            }
        )
    return figures


def park() -> list[Element]:
    """Twenty feeders of inverters, opened, 500 symbols together."""
    elements = [
        Element("grid", Kind.GRID, Text.of("Grid"), role=Role.GRID, voltage_kv=10),
        Element("t1", Kind.TRANSFORMER, Text.of("T1"), from_="grid", to="bus"),
        Element("bus", Kind.BUS, Text.of("0.4 kV"), voltage_kv=0.4),
    ]
    for feeder in range(_FEEDERS):
        elements += [
            Element(f"qf{feeder}", Kind.BREAKER, Text.of(f"QF{feeder}"), from_="bus", to=f"f{feeder}"),
            Element(f"f{feeder}", Kind.FEEDER, Text.of(f"Feeder {feeder}"), role=Role.LOAD),
            Element(f"m{feeder}", Kind.DEVICE, Text.of(f"Meter {feeder}"), parent=f"f{feeder}", inline=True,
                    device_kind=DeviceKind.METER, role=Role.LOAD),
        ]  # fmt: skip
    number = 0
    while len(elements) + _FEEDERS < SYMBOLS:
        feeder = number % _FEEDERS
        elements.append(
            Element(f"c{number}", Kind.DEVICE, Text.of(f"Charger {number}"), parent=f"f{feeder}",
                    device_kind=DeviceKind.CHARGER, role=Role.LOAD)
        )  # fmt: skip
        number += 1
    return elements


def _diagram(application: Any, size: tuple[int, int], share: float, *, whole: bool) -> tuple[float, int]:
    """Per cent of a core at ten updates a second, and how many symbols were seen."""
    view = DiagramView(clock=ManualClock())
    view.resize(*size)
    elements = park()
    view.set_elements(elements)
    for feeder in range(_FEEDERS):
        view.unfold(group_id(f"f{feeder}", DeviceKind.CHARGER))
    view.show()
    if not whole:
        view.look_at(1.0)
    view.set_values(
        {element.id: ElementValue(state=Switch.CLOSED) for element in elements if element.kind is Kind.BREAKER}
    )
    view.set_values({"grid": ElementValue(100.0, voltage_v=10_000.0)})
    application.processEvents()
    names = [element.id for element in elements if element.kind in (Kind.DEVICE, Kind.FEEDER)]
    generator = np.random.default_rng(1)
    spent = 0.0
    for step in range(STEPS + 5):
        powers = generator.uniform(0, 120, len(names))
        chosen = names if share == 1 else [n for i, n in enumerate(names) if i % round(1 / share) == step % 10]
        values = {
            name: ElementValue(float(power), time_ns=step * SECOND_NS)
            for name, power in zip(chosen, powers, strict=False)
        }
        begin = time.process_time()
        view.set_values(values)
        application.processEvents()
        if step >= 5:
            spent += time.process_time() - begin
    rect = view.mapToScene(view.viewport().rect()).boundingRect()
    seen = sum(
        1
        for place in view.shown().places.values()
        if rect.intersects(QRectF(place.x, place.y, place.width, place.height))
    )
    view.close()
    view.deleteLater()
    return spent / STEPS * RATE_HZ * 100, seen


class _Box(QGraphicsItem):
    def boundingRect(self) -> QRectF:
        return QRectF(0, 0, 90, 17)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        painter.fillRect(self.boundingRect(), QColor(128, 128, 128))


def _bare(application: Any, size: tuple[int, int], count: int) -> float:
    """The same with items that only fill a rectangle of a number's size: what Qt and Python take for themselves."""
    scene = QGraphicsScene()
    view = QGraphicsView(scene)
    view.resize(*size)
    items = [_Box() for _ in range(count)]
    columns = max(size[0] // 100, 1)
    for number, item in enumerate(items):
        item.setPos(number % columns * 100, number // columns * 30)
        scene.addItem(item)
    view.show()
    application.processEvents()
    begin = time.process_time()
    for _ in range(STEPS):
        for item in items:
            item.update()
        application.processEvents()
    spent = time.process_time() - begin
    view.close()
    view.deleteLater()
    return spent / STEPS * RATE_HZ * 100
