"""Starting and ending the console: the application, its dress, the window, and the order in which they go."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication

from app.console.bridge import Bridge
from app.console.settings import Settings
from app.console.window import Heartbeat, MainWindow
from app.facade import StationFacade
from widgets import fonts, language, stylesheet, theme


class _Dress(QObject):
    """Keeps the application in the present theme."""

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._app = app
        theme.changed.connect(self._on_theme)
        self._on_theme()

    def _on_theme(self) -> None:
        stylesheet.apply(self._app)


def application() -> QApplication:
    """The one QApplication of the process, with our fonts and style."""
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    if app.objectName() != "gridroom":
        app.setObjectName("gridroom")
        app.setApplicationName("Gridroom")
        app.setStyle("Fusion")
        app.setFont(fonts.application_font())
        _Dress(app)
    return app


class Console:
    """A bridge and a window on one running station. `close` ends both in order; the station is somebody else's."""

    def __init__(self, facade: StationFacade, settings_path: Path) -> None:
        self.settings = Settings(settings_path)
        language.choose(self.settings.get("language", language.name()))
        theme.choose(self.settings.get("theme", theme.name()))
        self._facade = facade
        self._closed = False
        self._build()

    def _build(self) -> None:
        self.bridge = Bridge(self._facade)
        if self.bridge.snapshot.configuration != self._facade.station.config_hash:
            self.bridge = Bridge(self._facade)  # it was changed in this very moment
        self.window = MainWindow(self._facade, self.bridge, self.settings)
        Heartbeat(self.window)
        # Not within the bridge's own call: it goes with its window.
        self.bridge.reconfigured.connect(self._renew, Qt.ConnectionType.QueuedConnection)

    def open(self) -> None:
        """Show it and let values flow."""
        self.bridge.start()
        self.window.show()
        self.window.greet()

    def _renew(self) -> None:
        """The same window, page and choices on the points of the changed configuration."""
        if self._closed:
            return
        bridge, window = self.bridge, self.window
        device = window.faceplate.device.id if window.faceplate.isVisible() and window.faceplate.device else ""
        shown = window.isVisible()
        window.remember()
        self._build()
        if shown:
            self.bridge.start()
            self.window.show()
        if device:
            self.window.show_device(device)
        for name, page in self.window.pages.items():
            page.resume(window.pages[name])
        self.window.tell_changed()
        window.close()
        bridge.close(cancel=False)
        window.deleteLater()
        bridge.deleteLater()

    def close(self) -> None:
        """First nothing is delivered any more, then the window goes, then the last settings are written.

        Closing twice does no harm.
        """
        if self._closed:
            return
        self._closed = True
        self.window.close()
        self.bridge.close()
        self.window.deleteLater()
        self.bridge.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        self.settings.close()
