"""Trends: points picked at the left, their course in the middle, what is seen exported."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QDateTime, Qt, QTimer, QTimeZone
from PySide6.QtGui import QHideEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QDateTimeEdit,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.console.exporting import FORMATS, ExportBar
from app.console.loading import Loaded, Wanted, covers, wanted
from app.console.pages.page import Context, Page
from app.console.station_time import StationTime
from app.model.clock import MS_NS, SECOND_NS
from app.model.text import Text
from app.model.views import AlarmRow, Series, Snapshot
from widgets import language
from widgets.icons import PRIORITY_TOKENS, keep
from widgets.language import told, tr
from widgets.point_tree import PointTree, PointTreeModel
from widgets.trend.pens import Pen
from widgets.trend.view import TrendView

_HOUR_NS: Final = 3600 * SECOND_NS
_DAY_NS: Final = 24 * _HOUR_NS
SPANS: Final[tuple[tuple[str, int], ...]] = (
    ("1 h", _HOUR_NS), ("8 h", 8 * _HOUR_NS), ("24 h", _DAY_NS), ("7 d", 7 * _DAY_NS), ("30 d", 30 * _DAY_NS),
    ("1 y", 365 * _DAY_NS),
)  # fmt: skip
_TIERS: Final = ("raw", "1s", "5s", "15min", "1h")
_SETTLE_MS: Final = 40
"""A drag moves the range on every pixel; history is asked when it stands for so long."""
_MOST_PENS: Final = 16


class TrendsPage(Page):
    name = "trends"
    title = "Trends"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._pens: list[str] = []
        self._tiers: list[str] = []
        """Where the shown series come from."""
        self._loaded: Loaded | None = None
        self._asked: Wanted | None = None
        self.view = TrendView(clock=StationTime(context.bridge))
        self.view.set_zone(self.station.zone)
        self.tree = PointTree(PointTreeModel(self.station))
        self.filter = QLineEdit()
        self.filter.setClearButtonEnabled(True)
        self._spans = [QToolButton() for _ in SPANS]
        zone = QTimeZone(self.station.timezone.encode())
        self._from, self._to = QDateTimeEdit(), QDateTimeEdit()
        for edit in (self._from, self._to):
            edit.setTimeZone(zone)
            edit.setButtonSymbols(QDateTimeEdit.ButtonSymbols.NoButtons)
            edit.setDisplayFormat("yyyy-MM-dd HH:mm")
        self._show_range, self._export, self._clear = (QPushButton() for _ in range(3))
        keep(self._export, "export")
        self._export_menu = QMenu(self)
        self._export_menu.aboutToShow.connect(self._fill_export_menu)
        self._export.setMenu(self._export_menu)
        self.exporting = ExportBar(context)
        self._note = QLabel()
        self._note.setProperty("soft", True)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._lay_out()
        self._connect()
        self.retranslate()
        span = context.settings.get("trends.span", 0) or SPANS[0][1]
        now = context.bridge.snapshot.taken
        self._show(now - span, now, live=True)
        stored: list[str] = context.settings.get("trends.pens", [])
        self._set_pens([name for name in stored if name in self.station.by_name])

    def _lay_out(self) -> None:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.filter)
        column.addWidget(self.tree, 1)
        bar = QHBoxLayout()
        bar.setSpacing(4)
        for button in self._spans:
            button.setCheckable(True)
            bar.addWidget(button)
        bar.addSpacing(8)
        for widget in (self._from, self._to, self._show_range):
            bar.addWidget(widget)
        bar.addStretch(1)
        bar.addWidget(self._export)
        bar.addWidget(self._clear)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(bar)
        column.addWidget(self.view, 1)
        column.addWidget(self._note)
        column.addWidget(self.exporting)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(8)
        self.splitter.addWidget(left)
        self.splitter.addWidget(right)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes(self.context.settings.get("trends.split", []) or [230, 1000])
        whole = QHBoxLayout(self)
        whole.setContentsMargins(12, 12, 12, 12)
        whole.addWidget(self.splitter)

    def _connect(self) -> None:
        self.filter.textChanged.connect(self.tree.set_filter)
        self.tree.taken.connect(self.add_points)
        self.view.points_dropped.connect(self.add_points)
        self.view.pen_removed.connect(self._on_removed)
        self.view.range_changed.connect(self._on_range)
        self._settle.timeout.connect(self._load)
        for button, (_, span) in zip(self._spans, SPANS, strict=True):
            button.clicked.connect(lambda _=False, span=span: self.show_last(span))
        self._show_range.clicked.connect(self._on_from_to)
        self._clear.clicked.connect(lambda: self._set_pens([]))
        find = QShortcut(QKeySequence("Ctrl+F"), self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self.filter.setFocus)

    def retranslate(self) -> None:
        self.filter.setPlaceholderText(tr("Filter points"))
        self.filter.setAccessibleName(tr("Filter points"))
        self.tree.setAccessibleName(tr("Points"))
        for button, (text, _) in zip(self._spans, SPANS, strict=True):
            button.setText(tr(text))
            button.setToolTip(tr("Show the last {span} and follow", span=tr(text)))
        self._from.setToolTip(tr("From, in the station's time"))
        self._to.setToolTip(tr("To, in the station's time"))
        self._show_range.setText(tr("Show"))
        self._export.setText(tr("Export"))
        self.show_rights()
        self._clear.setText(tr("Remove all"))
        self._describe()

    def main_widget(self) -> QWidget:
        return self.view if self._pens else self.tree

    # --------------------------------------------------------------------------------------------------- pens

    def add_points(self, names: list[str]) -> None:
        """Show these as well; those that are there already stay."""
        new = [name for name in dict.fromkeys(names) if name in self.station.by_name and name not in self._pens]
        self._set_pens([*self._pens, *new][:_MOST_PENS])

    def _on_removed(self, name: str) -> None:
        self._set_pens([pen for pen in self._pens if pen != name])

    def _set_pens(self, names: list[str]) -> None:
        self._pens = names
        self._loaded = None
        self.view.set_pens([self._pen(name) for name in names])
        self.tree.points.set_chosen(names)
        self._clear.setEnabled(bool(names))
        self.show_rights()
        self.take_alarms(self.context.bridge.alarm_rows)
        self._describe()
        self._load()

    def _pen(self, name: str) -> Pen:
        point = self.station.points[self.station.by_name[name]]
        device = self.station.by_id[point.device]
        label = Text(f"{device.name.en} · {point.label.en}", f"{device.name.zh} · {point.label.zh}")
        return Pen(name, label, point.unit, point.form.precision, point.form.states)

    # --------------------------------------------------------------------------------------------------- time

    def show_last(self, span_ns: int) -> None:
        """The last so many nanoseconds, live."""
        now = self.context.bridge.snapshot.taken
        self.context.settings.set("trends.span", span_ns)
        self._show(now - span_ns, now, live=True)

    def _on_from_to(self) -> None:
        start, end = (edit.dateTime().toMSecsSinceEpoch() * MS_NS for edit in (self._from, self._to))
        if end > start:
            self._show(start, end, live=False)

    def _show(self, start_ns: int, end_ns: int, *, live: bool) -> None:
        self.view.show_range(start_ns, end_ns)
        self.view.follow(live)
        self._on_range(*self.view.shown_range())

    def _on_range(self, start_ns: int, end_ns: int) -> None:
        for edit, time_ns in ((self._from, start_ns), (self._to, end_ns)):
            if not edit.hasFocus():
                edit.setDateTime(QDateTime.fromMSecsSinceEpoch(time_ns // MS_NS, edit.timeZone()))
        span = end_ns - start_ns
        for button, (_, wide) in zip(self._spans, SPANS, strict=True):
            button.setChecked(abs(span - wide) < wide // 100)
        self._settle.start()

    # ---------------------------------------------------------------------------------------------------- data

    def _load(self) -> None:
        """Ask history for what is seen and a margin, unless that is there or on its way."""
        if not self._pens or not self.isVisible():
            return
        start, end = self.view.shown_range()
        want = wanted(start, end, self.context.bridge.snapshot.taken, self.view.pixels())
        if covers(self._loaded, want) or want == self._asked:
            return
        self._asked = want
        future = self.context.facade.history.query(self._pens, want.start_ns, want.end_ns, want.pixels)

        def show(series: list[Series]) -> None:
            self._asked = None
            self._loaded = Loaded(want.start_ns, want.end_ns, want.resolution_ns)
            self.view.set_series(series, want.start_ns, want.end_ns)
            self._tiers = sorted({one.tier for one in series})
            self._describe()

        self.context.bridge.ask(future, self, show, self._on_error, slot="series")

    def _on_error(self, error: BaseException) -> None:
        self._asked = None
        self._note.setText(tr("History did not answer: {why}. Move the trend to ask again.", why=told(error)))

    def take_values(self, changed: NDArray[np.intp], snapshot: Snapshot) -> None:
        if self._asked is not None and self._loaded is None:
            return
        rows = set(changed.tolist())
        for name in self._pens:
            i = self.station.by_name[name]
            if i in rows and snapshot.time[i]:
                self.view.append(name, int(snapshot.time[i]), float(snapshot.value[i]), int(snapshot.quality[i]))

    def take_alarms(self, rows: tuple[AlarmRow, ...]) -> None:
        devices = {name.partition(".")[0] for name in self._pens}
        self.view.set_marks(
            [
                (row.raised, PRIORITY_TOKENS[row.priority], row.message.in_(language.name()))
                for row in rows
                if row.source.partition(".")[0] in devices
            ]
        )

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._loaded = None
        self._load()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.context.bridge.forget(self, "series")
        self._asked = None

    def _fill_export_menu(self) -> None:
        """Formats, with the tier that is seen and the raw values."""
        self._export_menu.clear()
        shown = max(self._tiers, key=_TIERS.index) if self._tiers else "raw"
        for every in dict.fromkeys((shown, "raw")):
            for suffix, title in FORMATS.items():
                text = tr("{format}, raw values", format=title)
                if every != "raw":
                    text = tr("{format}, {tier} as shown", format=title, tier=tr(every))
                action = self._export_menu.addAction(text)
                action.triggered.connect(lambda _=False, every=every, suffix=suffix: self._on_export(every, suffix))
            self._export_menu.addSeparator()

    def _on_export(self, every: str, suffix: str) -> None:
        self.exporting.ask_file(list(self._pens), *self.view.shown_range(), every, suffix)

    def show_rights(self) -> None:
        hint = tr("Write what is seen to a file")
        self.context.door.allow(self._export, "station.export", able=bool(self._pens), hint=hint)

    def remember(self) -> None:
        settings = self.context.settings
        settings.set("trends.pens", self._pens)
        settings.set("trends.split", self.splitter.sizes())

    def _describe(self) -> None:
        if not self._pens:
            self._note.setText(
                tr("Drag points here, or double-click them at the left. Curves of one unit share an axis.")
            )
        elif self._tiers:
            tiers = [tr("raw values") if tier == "raw" else tr(tier) for tier in self._tiers]
            self._note.setText(tr("from the history: {tiers}", tiers=", ".join(tiers)))
