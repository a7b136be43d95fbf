"""Between the finder of devices and the station's commissioning service."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QObject, QTimer, Signal

from app.console.pages.page import Context
from app.model.commissioning import Contents, Proposal
from app.model.errors import words_of
from widgets.editor.finder import DeviceFinder
from widgets.language import told

_LOOK_MS: Final = 300


class Finding(QObject):
    """The finder's errands. While a search runs, who has answered is looked up a few times a second."""

    opened = Signal()
    """The finder shows what may be chosen."""
    refused = Signal(str)
    """It cannot be opened now: why."""

    def __init__(self, context: Context, finder: DeviceFinder) -> None:
        super().__init__(finder)
        self._context, self._finder = context, finder
        self._look = QTimer(self)
        self._look.setInterval(_LOOK_MS)
        self._look.timeout.connect(self._on_look)
        finder.search_asked.connect(self._on_search)
        finder.stop_asked.connect(self.stop)
        finder.keys_asked.connect(self._on_keys)

    def open(self) -> None:
        """Ask who can look for devices, and which devices there are."""
        service = self._context.facade.commissioning

        def show(drivers: tuple[str, ...]) -> None:
            self._finder.set_drivers(drivers)
            self.renew()
            self.opened.emit()

        self._context.bridge.ask(
            service.discovering(), self, show, lambda error: self.refused.emit(told(error)), slot="drivers"
        )

    def renew(self) -> None:
        """Read anew which devices the file has."""

        def show(contents: Contents) -> None:
            self._finder.set_known(contents.devices)

        future = self._context.facade.commissioning.contents()
        self._context.bridge.ask(future, self, show, self._refuse, slot="contents")

    def stop(self) -> None:
        """End the search; what was found stays."""
        self._look.stop()
        self._context.bridge.forget(self, "search")

    def _on_search(self, connection: dict[str, Any], seconds: float) -> None:
        def end(found: tuple[Proposal, ...]) -> None:
            self._look.stop()
            self._finder.show_found(found)
            self._finder.show_ended()

        future = self._context.facade.commissioning.discover(str(connection.get("driver", "")), connection, seconds)
        self._context.bridge.ask(future, self, end, self._refuse, slot="search")
        self._look.start()

    def _on_look(self) -> None:
        self._finder.show_found(self._context.facade.commissioning.discovered())

    def _on_keys(self, driver: str) -> None:
        future = self._context.facade.commissioning.connection_keys(driver)
        self._context.bridge.ask(
            future, self, lambda known: self._finder.set_keys(driver, known), self._refuse, slot="keys"
        )

    def _refuse(self, error: BaseException) -> None:
        self._look.stop()
        self._finder.show_refusal(words_of(error))
