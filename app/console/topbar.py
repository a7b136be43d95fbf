"""The top bar: which station, in what mode, how it is, what time it is there, and who is here."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from app.model.access import Standing
from app.model.station import Station
from app.model.views import Health
from widgets import language, theme
from widgets.icons import IconView, keep
from widgets.language import tr
from widgets.times import clock_text

HEIGHT: Final = 40
_LONGEST_WORDS: Final = 40
_LONGEST_NAME: Final = 16
_MODE_ICONS: Final = {"LIVE": "live", "DEMO": "demo", "READ ONLY": "read-only", "SHADOW": "shadow"}


class TopBar(QFrame):
    """Words and shapes only; what it shows is set by the window."""

    back_asked = Signal()
    forward_asked = Signal()
    find_asked = Signal()
    sign_in_asked = Signal()
    lock_asked = Signal()
    sign_out_asked = Signal()
    password_asked = Signal()

    def __init__(self, station: Station, mode: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._station, self._mode_word = station, mode
        self._health: Health | None = None
        self._now_ns = 0
        self._standing: Standing | None = None
        self.setObjectName("topbar")
        self.setFixedHeight(HEIGHT)
        self._name = QLabel()
        self._name.setProperty("level", "title")
        self._mode_icon = IconView(_MODE_ICONS.get(mode, "live"), 18)
        self._mode, self._devices, self._history, self._clock = (QLabel() for _ in range(4))
        self._mode.setProperty("heading", True)
        for label in (self._devices, self._history, self._clock):
            label.setProperty("apart", True)
        self._back, self._forward, self._find, self.user = (QToolButton() for _ in range(4))
        for button, icon in (
            (self._back, "back"),
            (self._forward, "forward"),
            (self._find, "search"),
            (self.user, "user"),
        ):
            button.setProperty("flat", True)
            keep(button, icon)
        self.user.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.user.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.user.setMenu(self._user_menu())
        self._back.clicked.connect(self.back_asked)
        self._forward.clicked.connect(self.forward_asked)
        self._find.clicked.connect(self.find_asked)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 8, 0)
        row.setSpacing(8)
        for widget in (
            self._back,
            self._forward,
            self._name,
            self._mode_icon,
            self._mode,
            self._devices,
            self._history,
        ):
            row.addWidget(widget)
        row.addStretch(1)
        for widget in (self._find, self._clock, self.user):
            row.addWidget(widget)
        language.changed.connect(self.retranslate)
        self.set_places(back=False, forward=False)
        self.retranslate()

    def _user_menu(self) -> QMenu:
        menu = QMenu(self)
        self._menu_titles: list[tuple[QAction, str]] = []
        self._door_actions: dict[str, QAction] = {}
        for title, asked in (
            ("Sign in", self.sign_in_asked), ("Lock (Ctrl+L)", self.lock_asked), ("Sign out", self.sign_out_asked),
            ("Change password", self.password_asked),
        ):  # fmt: skip
            action = menu.addAction("", asked.emit)
            self._door_actions[title] = action
            self._menu_titles.append((action, title))
        menu.addSeparator()
        for title, choices, now, choose in (
            ("Language", (("en", "English"), ("zh", "中文")), language.name(), language.choose),
            ("Theme", (("light", "Light"), ("dark", "Dark")), theme.name(), theme.choose),
        ):
            heading = menu.addAction("")
            heading.setEnabled(False)
            self._menu_titles.append((heading, title))
            group = QActionGroup(menu)
            for value, text in choices:
                action = menu.addAction("")
                action.setCheckable(True)
                action.setChecked(value == now)
                action.triggered.connect(lambda _=False, choose=choose, value=value: choose(value))
                group.addAction(action)
                self._menu_titles.append((action, text))
            menu.addSeparator()
        return menu

    def set_places(self, *, back: bool, forward: bool) -> None:
        """Whether there is anywhere to go back and forward to."""
        self._back.setEnabled(back)
        self._forward.setEnabled(forward)

    def set_health(self, health: Health) -> None:
        """Connections, rate and history state."""
        self._health = health
        lost = health.devices_online < health.devices_total
        rate = health.points_per_s
        shown = f"{rate / 1000:.1f}k" if rate >= 1000 else f"{rate:.0f}"
        self._devices.setText(
            tr("{online}/{total} devices", online=health.devices_online, total=health.devices_total)
            + " · "
            + tr("{rate} pts/s", rate=shown)
        )
        words = health.history.in_(language.name()) if health.history else ""
        shown = words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}…"
        self._history.setText(tr("history: {words}", words=shown) if words else tr("history ok"))
        self._history.setToolTip(words)
        for label, bad in ((self._devices, lost), (self._history, bool(words))):
            if label.property("state") != ("bad" if bad else ""):
                label.setProperty("state", "bad" if bad else "")
                label.style().polish(label)

    def set_standing(self, standing: Standing) -> None:
        """Who is at this screen."""
        self._standing = standing
        here = bool(standing.actor.name)
        for title, shown in (
            ("Sign in", True),
            ("Lock (Ctrl+L)", here and not standing.locked),
            ("Sign out", here),
            ("Change password", here and not standing.locked and not standing.demo),
        ):
            self._door_actions[title].setVisible(shown)
        self._describe_user()

    def _describe_user(self) -> None:
        standing, spoken = self._standing, language.name()
        self.user.setProperty("verbatim", bool(standing and standing.actor.name and not standing.demo))  # a name
        if standing is None or not standing.actor.name:
            self.user.setText(tr("nobody signed in"))
            self.user.setToolTip(tr("Sign in, language and theme"))
            return
        name = standing.actor.name if not standing.demo else tr("demo engineer")
        shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
        state = tr("locked") if standing.locked else standing.label.in_(spoken)
        self.user.setText(shown if standing.demo and not standing.locked else f"{shown} · {state}")
        self.user.setToolTip(f"{name} · {state}")

    def set_time(self, now_ns: int) -> None:
        """The station's time."""
        if now_ns // 1_000_000_000 != self._now_ns // 1_000_000_000:
            self._now_ns = now_ns
            self._clock.setText(clock_text(now_ns, self._station.zone))

    def retranslate(self) -> None:
        """All texts in the present language."""
        self._name.setText(self._station.name.in_(language.name()))
        self._mode.setText(tr(self._mode_word))
        for button, text in (
            (self._back, "Back (Alt+Left)"), (self._forward, "Forward (Alt+Right)"), (self._find, "Find (Ctrl+K)"),
        ):  # fmt: skip
            button.setToolTip(tr(text))
            button.setAccessibleName(tr(text))
        self._describe_user()
        for action, text in self._menu_titles:
            action.setText(tr(text) if text != "中文" else text)
        if self._health is not None:
            self.set_health(self._health)
