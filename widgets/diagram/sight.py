"""A view of a scene that fits itself into its window, is zoomed at the pointer and dragged."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QGraphicsScene, QGraphicsView, QWidget

ZOOM_A_NOTCH: Final = 1.15
_SMALLEST: Final = 0.05
_LARGEST: Final = 4.0
_FIT_AT_MOST: Final = 1.6
"""A small diagram is not blown up beyond this."""
_NEARLY_WHOLE: Final = 0.985


class SightView(QGraphicsView):
    """`fitting`: it shows all of its scene, and goes on doing so when the window changes its size."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fitting = True
        self.bounds = QRectF()
        self.setScene(QGraphicsScene(self))
        self.setFrameShape(QGraphicsView.Shape.NoFrame)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.MinimalViewportUpdate)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontSavePainterState)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontAdjustForAntialiasing)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 160)

    def look(self) -> None:
        """Called when another part of the scene, or another size of it, is seen."""

    def set_bounds(self, bounds: QRectF) -> None:
        """What there is to be seen; beyond it there is room on all sides, so that any part may lie anywhere."""
        self.bounds = bounds
        self.setSceneRect(bounds.adjusted(-bounds.width(), -bounds.height(), bounds.width(), bounds.height()))
        self.settle()

    def settle(self) -> None:
        """Bounds or window changed."""
        if self.fitting:
            self.fit()
        else:
            self.look()

    def fit(self) -> None:
        """Show all of it, as large as it goes."""
        self.fitting = True
        bounds = self.bounds
        if bounds.isEmpty():
            return
        size = self.viewport().size()
        scale = min(size.width() / bounds.width(), size.height() / bounds.height(), _FIT_AT_MOST)
        if _NEARLY_WHOLE <= scale < 1:
            scale = 1.0  # only the margin is lost, and every line is sharp
        self.resetTransform()
        self.scale(scale, scale)
        self.centerOn(bounds.center())
        self.look()

    def look_at(self, scale: float, centre: tuple[float, float] | None = None) -> None:
        """A scale, and the point that is to be in the middle; 1 is the size for which the scene is drawn."""
        self.fitting = False
        self.resetTransform()
        self.scale(scale, scale)
        if centre is not None:
            self.centerOn(*centre)
        self.look()

    def zoom(self, factor: float, about: QPointF | None = None) -> None:
        """What lies at a point of the window stays there; its middle when nothing else is said."""
        now = self.transform().m11()
        factor = min(max(now * factor, _SMALLEST), _LARGEST) / now
        about = about if about is not None else QRectF(self.viewport().rect()).center()
        before = self.mapToScene(about.toPoint())
        self.fitting = False
        self.scale(factor, factor)
        step = self.mapFromScene(before) - about.toPoint()
        self.drag_by(-step)
        self.look()

    def drag_by(self, step: QPoint) -> None:
        """Move the scene by so many pixels."""
        self.fitting = False
        self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() - step.x())
        self.verticalScrollBar().setValue(self.verticalScrollBar().value() - step.y())

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.accept()
        turn = event.angleDelta().y()
        if turn:
            self.zoom(ZOOM_A_NOTCH ** (turn / 120), event.position())

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        super().scrollContentsBy(dx, dy)
        self.look()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.settle()
