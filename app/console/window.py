"""The main window: the frame about the pages, and the ways between them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import numpy as np
from PySide6.QtCore import QEvent, QObject, QRect, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QGuiApplication, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from app.console.bridge import Bridge
from app.console.door import Door
from app.console.find import FindPanel, Hit, Index
from app.console.pages.alarms import AlarmsPage
from app.console.pages.control import ControlPage
from app.console.pages.devices import DevicesPage
from app.console.pages.overview import OverviewPage
from app.console.pages.page import Context, Intents, Page
from app.console.pages.system import SystemPage
from app.console.pages.trends import TrendsPage
from app.console.rail import Rail
from app.console.settings import Settings
from app.console.topbar import TopBar
from app.facade import StationFacade
from app.model.access import Standing
from app.model.views import AlarmRow, DeviceStatus, Health, Series, Snapshot
from widgets import blink, language, theme
from widgets.banner import AlarmBanner
from widgets.faceplate import SPARK_NS, Faceplate
from widgets.language import tr
from widgets.sign_in import SignInPanel

log = logging.getLogger("gridroom.console")

PAGES: tuple[type[Page], ...] = (OverviewPage, DevicesPage, TrendsPage, AlarmsPage, ControlPage, SystemPage)
DRAWER_PX = 330
SMALLEST = (1100, 640)
_SPARK_PIXELS = 120
_REACHABLE_PX = 160
"""So much of a window's upper edge must be on some monitor, or nobody can move it back."""
_SPARK_EVERY_S = 30
_SETTINGS = [("en", "English"), ("zh", "Chinese"), ("light", "Light"), ("dark", "Dark")]


class MainWindow(QWidget):
    """Everything that is on the screen. `Bridge` and `Settings` are given, and outlive it."""

    def __init__(self, facade: StationFacade, bridge: Bridge, settings: Settings) -> None:
        super().__init__()
        self._facade, self._bridge, self._settings = facade, bridge, settings
        self._seconds = 0
        blink.set_still(settings.get("alarms.still", False))
        self.intents = Intents(self)
        self.sign_in = SignInPanel(self)
        self.door = Door(facade, bridge, self.sign_in)
        context = Context(facade, bridge, settings, self.intents, self.door)
        station = facade.station
        self.topbar = TopBar(station, facade.mode)
        self.rail = Rail([(page.name, page.title) for page in PAGES])
        self.banner = AlarmBanner(station)
        self.faceplate = Faceplate(station)
        self.stack = QStackedWidget()
        self.pages: dict[str, Page] = {}
        for kind in PAGES:
            self.pages[kind.name] = kind(context)
            self.stack.addWidget(self.pages[kind.name])
        self.finder = FindPanel(self._index, self)
        self._past: list[str] = []
        self._future: list[str] = []
        self._lay_out()
        self._connect()
        self.setObjectName("window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumSize(*SMALLEST)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setFocus()  # nothing is framed before somebody reaches for the keyboard
        self._restore()
        self._on_alarms(bridge.alarm_rows)
        self._on_health(bridge.health_now, bridge.devices)
        self.topbar.set_time(bridge.snapshot.taken)
        self._on_standing(self.door.standing)
        self._title()

    def _lay_out(self) -> None:
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(1)
        self.splitter.addWidget(self.stack)
        self.splitter.addWidget(self.faceplate)
        self.splitter.setStretchFactor(0, 1)
        self.faceplate.setMinimumWidth(DRAWER_PX - 40)
        self.faceplate.hide()
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.rail)
        middle.addWidget(self.splitter, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.topbar)
        column.addLayout(middle, 1)
        column.addWidget(self.banner)

    def _connect(self) -> None:
        self.rail.chosen.connect(lambda position: self.go(PAGES[position].name))
        self.topbar.back_asked.connect(self.back)
        self.topbar.forward_asked.connect(self.forward)
        self.topbar.find_asked.connect(self.finder.open)
        self.topbar.sign_in_asked.connect(self.door.ask)
        self.topbar.lock_asked.connect(self.door.lock)
        self.topbar.sign_out_asked.connect(self.door.sign_out)
        self.topbar.password_asked.connect(self.door.change_password)
        self.door.changed.connect(self._on_standing)
        self.banner.clicked.connect(lambda: self.show_alarms(""))
        self.finder.chosen.connect(self._on_found)
        self.intents.device.connect(self.show_device)
        self.intents.looked_at.connect(self._on_looked_at)
        self.intents.devices_page.connect(self.show_points)
        self.intents.trend.connect(self.show_trend)
        self.intents.alarms_page.connect(self.show_alarms)
        self.faceplate.closed.connect(self.close_drawer)
        self.faceplate.points_asked.connect(self.show_points)
        self.faceplate.trend_asked.connect(self.show_trend)
        self.faceplate.alarms_asked.connect(self.show_alarms)
        self.faceplate.history_asked.connect(self._on_history_asked)
        self._bridge.values.connect(self._on_values)
        self._bridge.alarms.connect(self._on_alarms)
        self._bridge.health.connect(self._on_health)
        language.changed.connect(self._title)
        shortcuts: dict[str, Callable[[], None]] = {
            "Alt+Left": self.back,
            "Alt+Right": self.forward,
            "Ctrl+K": self.finder.open,
            "Ctrl+L": self._on_lock_key,
            "Esc": self.close_drawer,
            "F6": self._next_area,
        }
        for number, page in enumerate(PAGES, start=1):
            shortcuts[str(number)] = partial(self.go, page.name)
        for keys, act in shortcuts.items():
            QShortcut(QKeySequence(keys), self).activated.connect(act)

    def _index(self) -> Index:
        return Index(self._facade.station, [(page.name, page.title) for page in PAGES], _SETTINGS)

    def _title(self) -> None:
        self.setWindowTitle(f"{self._facade.station.name.in_(language.name())} · Gridroom")

    # ----------------------------------------------------------------------------------------------- going about

    @property
    def page(self) -> str:
        """Name of the page that is shown."""
        return PAGES[self.stack.currentIndex()].name

    def go(self, name: str) -> None:
        """Show a page; Back leads to the one before."""
        if name != self.page:
            self._past.append(self.page)
            self._future.clear()
            self._show(name)

    def back(self) -> None:
        """The page before."""
        if self._past:
            self._future.append(self.page)
            self._show(self._past.pop())

    def forward(self) -> None:
        """Undo `back`."""
        if self._future:
            self._past.append(self.page)
            self._show(self._future.pop())

    def _show(self, name: str) -> None:
        position = next(i for i, page in enumerate(PAGES) if page.name == name)
        page = self.pages[name]
        if not any(_has_focus(area) for area in (self.rail, self.topbar, self.faceplate, self.banner)):
            # Qt would give the focus of the page that goes to whatever comes next, a filter that takes the next key.
            self.setFocus()
            self.stack.setCurrentIndex(position)
            page.main_widget().setFocus()
        self.stack.setCurrentIndex(position)
        self.rail.show_current(position)
        self.topbar.set_places(back=bool(self._past), forward=bool(self._future))

    def show_device(self, device_id: str) -> None:
        """Open the faceplate."""
        device = self._facade.station.by_id.get(device_id)
        if device is None:
            return
        opened = self.faceplate.isVisible()
        self.faceplate.show_device(device, self._bridge.snapshot)
        self.faceplate.set_status(self._bridge.devices.get(device_id))
        self.faceplate.set_alarms(self._bridge.alarm_rows)
        self.faceplate.show()
        if not opened:
            width = self._settings.get("window.drawer", DRAWER_PX)
            self.splitter.setSizes([max(self.splitter.width() - width, 1), width])

    def _on_looked_at(self, device_id: str) -> None:
        if self.faceplate.isVisible():
            self.show_device(device_id)

    def close_drawer(self) -> None:
        """Close what is open over or beside the page."""
        if self.finder.isVisible():
            self.finder.close_again()
        elif self.sign_in.isVisible():
            self.sign_in.close_again()
        elif self.faceplate.isVisible():
            self._settings.set("window.drawer", self.faceplate.width())
            self.faceplate.hide()

    def show_points(self, device_id: str) -> None:
        """All points of a device."""
        page = self.pages["devices"]
        if isinstance(page, DevicesPage):
            page.show_device(device_id)
        self.go("devices")

    def show_trend(self, names: list[str]) -> None:
        """These points on the Trends page."""
        page = self.pages["trends"]
        if isinstance(page, TrendsPage):
            page.add_points(names)
        self.go("trends")

    def show_alarms(self, device_id: str) -> None:
        """The active list."""
        page = self.pages["alarms"]
        if isinstance(page, AlarmsPage):
            page.show_device(device_id)
        self.go("alarms")

    def _on_found(self, hit: Hit) -> None:
        if hit.kind == "page":
            self.go(hit.id)
        elif hit.kind == "device":
            self.show_device(hit.id)
        elif hit.kind == "point":
            self.show_points(hit.id.partition(".")[0])
        elif hit.id in {"en", "zh"}:
            language.choose(hit.id)
        else:
            theme.choose(hit.id)

    def _next_area(self) -> None:
        """F6 walks: rail, page, faceplate, banner."""
        areas: list[QWidget] = [self.rail, self.stack.currentWidget(), self.faceplate, self.banner]
        shown = [area for area in areas if area.isVisible()]
        here = next((i for i, area in enumerate(shown) if _has_focus(area)), -1)
        target = shown[(here + 1) % len(shown)]
        if target is self.banner:
            target.setFocus(Qt.FocusReason.TabFocusReason)
            return
        for child in target.findChildren(QWidget):
            if child.isVisible() and child.isEnabled() and child.focusPolicy() & Qt.FocusPolicy.TabFocus:
                child.setFocus(Qt.FocusReason.TabFocusReason)
                return

    # ------------------------------------------------------------------------------------------------ who is here

    def greet(self) -> None:
        """At the start: where nobody is named yet, ask for the administrator."""
        if self.door.standing.first_start:
            self.door.ask()

    def tell_changed(self) -> None:
        """The station runs with another configuration since a moment ago."""
        page = self.pages["devices"]
        if isinstance(page, DevicesPage):
            page.tell(tr("The station runs with the changed configuration."))

    def _on_standing(self, standing: Standing) -> None:
        self.topbar.set_standing(standing)

    def _on_lock_key(self) -> None:
        standing = self.door.standing
        if standing.actor.name and not standing.locked:
            self.door.lock()
        else:
            self.door.ask()

    # --------------------------------------------------------------------------------------------------- live

    def _on_values(self, changed: np.ndarray[tuple[int], np.dtype[np.intp]], snapshot: Snapshot) -> None:
        self.topbar.set_time(snapshot.taken)
        if self.faceplate.isVisible():
            self.faceplate.set_snapshot(snapshot)

    def _on_alarms(self, rows: tuple[AlarmRow, ...]) -> None:
        self.banner.set_rows(rows, self._bridge.snapshot.taken)
        if self.faceplate.isVisible():
            self.faceplate.set_alarms(rows)

    def _on_health(self, health: Health, devices: dict[str, DeviceStatus]) -> None:
        self.topbar.set_health(health)
        device = self.faceplate.device
        if self.faceplate.isVisible() and device is not None:
            self.faceplate.set_status(devices.get(device.id))
            self._seconds += 1
            if self._seconds % _SPARK_EVERY_S == 0:
                self.faceplate.ask_history()

    def _on_history_asked(self, names: list[str]) -> None:
        end = self._bridge.snapshot.taken
        start = end - SPARK_NS
        future = self._facade.history.query(names, start, end, _SPARK_PIXELS)

        def show(series: list[Series]) -> None:
            self.faceplate.set_history(series, start, end)

        def say(error: BaseException) -> None:
            log.warning("small trends of %s: %s", names, error)

        self._bridge.ask(future, self.faceplate, show, say, slot="history")

    # -------------------------------------------------------------------------------------------- remembering

    def _restore(self) -> None:
        settings = self._settings
        stored = settings.get("window.geometry", [0])
        if len(stored) == 4 and all(isinstance(number, int) for number in stored):
            self.setGeometry(on_a_screen(QRect(*stored)))
        else:
            screen = QGuiApplication.primaryScreen().availableGeometry()
            self.resize(min(1600, screen.width()), min(900, screen.height()))
        if settings.get("window.maximised", False):
            self.setWindowState(Qt.WindowState.WindowMaximized)
        name = settings.get("window.page", PAGES[0].name)
        self._show(name if name in self.pages else PAGES[0].name)

    def remember(self) -> None:
        """Put the present place of everything into the settings and write them."""
        settings = self._settings
        frame = self.normalGeometry() if self.isMaximized() else self.geometry()
        settings.set("window.geometry", [frame.x(), frame.y(), frame.width(), frame.height()])
        settings.set("window.maximised", self.isMaximized())
        settings.set("window.page", self.page)
        settings.set("language", language.name())
        settings.set("theme", theme.name())
        if self.faceplate.isVisible():
            settings.set("window.drawer", self.faceplate.width())
        for page in self.pages.values():
            page.remember()
        settings.save()

    # ------------------------------------------------------------------------------------------------ Qt's own

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange:
            self._bridge.set_visible(self.isVisible() and not self.isMinimized())

    def showEvent(self, event: QEvent) -> None:
        self._bridge.set_visible(not self.isMinimized())

    def hideEvent(self, event: QEvent) -> None:
        self._bridge.set_visible(False)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.finder.move((self.width() - self.finder.width()) // 2, self.topbar.height() + 12)
        self.sign_in.move(self.width() - self.sign_in.width() - 8, self.topbar.height() + 8)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.remember()
        super().closeEvent(event)


def _has_focus(area: QWidget) -> bool:
    return area.hasFocus() or any(child.hasFocus() for child in area.findChildren(QWidget))


def on_a_screen(wanted: QRect) -> QRect:
    """A remembered place, moved and shrunk where its monitor is gone or smaller now."""
    screens = [screen.availableGeometry() for screen in QGuiApplication.screens()]
    title_bar = QRect(wanted.x(), wanted.y(), wanted.width(), 20)
    if any(screen.intersected(title_bar).width() >= _REACHABLE_PX for screen in screens):
        return wanted
    home = QGuiApplication.primaryScreen().availableGeometry()
    size = wanted.size().boundedTo(home.size())
    placed = QRect(home.topLeft(), size)
    placed.moveCenter(home.center())
    return placed


class Heartbeat(QObject):
    """Writes the settings now and then, so that a killed console forgets little."""

    def __init__(self, window: MainWindow, every_s: int = 60) -> None:
        super().__init__(window)
        timer = QTimer(self)
        timer.timeout.connect(window.remember)
        timer.start(every_s * 1000)
