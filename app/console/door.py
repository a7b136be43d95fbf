"""Who is at this console: between the sign-in panel, the top bar, the pages, and the station's access service."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from functools import partial
from typing import Final, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QWidget

from app.console.bridge import Bridge
from app.facade import StationFacade
from app.model.access import SecondPersonNeeded, Standing
from widgets import language
from widgets.language import told
from widgets.sign_in import Purpose, SignInPanel

T = TypeVar("T")
_LOOK_MS: Final = 1000
_MOVED_PX: Final = 6
"""A pointer that a shaking desk moves is nobody."""


class Door(QObject):
    """Lives with the window. `changed` tells pages to look again at what may be done."""

    changed = Signal(object)
    """Standing."""

    def __init__(self, facade: StationFacade, bridge: Bridge, panel: SignInPanel) -> None:
        super().__init__(panel)
        self._access = facade.access
        self._bridge = bridge
        self._panel = panel
        self._waiting: tuple[str, Callable[[], None]] | None = None
        """What a second person is asked to confirm: its method, and how it goes on."""
        self.standing: Standing = self._access.standing()
        panel.answered.connect(self._on_answered)
        panel.demo_asked.connect(lambda: self._entered(self._access.sign_in_demo()))
        panel.closed.connect(self._on_closed)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()
        self._pointer = QCursor.pos()

    # ----------------------------------------------------------------------------------------------- what may be done

    def why_not(self, method: str, devices: Collection[str] | None = None) -> str:
        """Why `service.method` may not be called by who is here; empty where it may."""
        why = self._access.why_not(method, devices)
        return why.in_(language.name()) if why is not None else ""

    def allow(
        self, widget: QWidget, method: str, *, able: bool = True, hint: str = "", devices: Collection[str] | None = None
    ) -> None:
        """Enable what leads to a method, or disable it and say why. able: whether it makes sense now at all."""
        why = self.why_not(method, devices)
        widget.setEnabled(able and not why)
        widget.setToolTip(why or hint)

    def do(
        self,
        call: Callable[[], Future[T]],
        owner: QObject,
        on_result: Callable[[T], None],
        on_error: Callable[[BaseException], None],
        *,
        slot: str = "",
    ) -> None:
        """As `Bridge.ask`, and where it needs a second person, the panel asks for him and it is done again."""

        def failed(error: BaseException) -> None:
            if isinstance(error, SecondPersonNeeded):
                again = partial(self.do, call, owner, on_result, on_error, slot=slot)
                self._waiting = (error.method, again)
                self._panel.open(Purpose.CONFIRM, what=told(error))
            else:
                on_error(error)

        self._bridge.ask(call(), owner, on_result, failed, slot=slot)

    # ------------------------------------------------------------------------------------------------ coming and going

    def ask(self) -> None:
        """Open the panel for what is needed next."""
        standing = self.standing
        if standing.first_start:
            self._panel.open(Purpose.FIRST)
        elif standing.must_change:
            self._panel.open(Purpose.CHANGE)
        elif standing.locked:
            self._panel.open(Purpose.UNLOCK, name=standing.actor.name, demo=standing.demo)
        else:
            self._panel.open(Purpose.SIGN_IN, demo=standing.demo)

    def change_password(self) -> None:
        """Open the panel for one's own password."""
        self._panel.open(Purpose.CHANGE)

    def lock(self) -> None:
        """Leave the screen to whoever looks, and to nobody who acts."""
        self._take(self._access.lock())

    def sign_out(self) -> None:
        """End the session."""
        self._take(self._access.sign_out())

    def look(self) -> None:
        """Whether anything has changed: an idle lock, another role, an end by an administrator; and who moves works.

        The pointer is looked at, for a filter of every event would cost more than all else that the console does;
        whatever is done is seen by the station itself.
        """
        pointer = QCursor.pos()
        if (pointer - self._pointer).manhattanLength() >= _MOVED_PX:
            self._pointer = pointer
            self._access.touch()
        self._take(self._access.standing())

    def _take(self, standing: Standing) -> None:
        before, self.standing = self.standing, standing
        if standing != before or standing.version != before.version:
            self.changed.emit(standing)

    def _entered(self, standing: Standing) -> None:
        self._panel.close_again()
        self._take(standing)
        if standing.must_change:
            self.ask()

    def _on_answered(self, name: str, password: str, new: str) -> None:
        panel, access = self._panel, self._access
        panel.set_waiting()
        match panel.purpose:
            case Purpose.FIRST:
                self._send(access.name_administrator(name, new), self._entered)
            case Purpose.CHANGE:
                self._send(access.change_password(password, new), self._entered)
            case Purpose.CONFIRM if self._waiting is not None:
                self._send(access.confirm(self._waiting[0], name, password), self._confirmed)
            case _:
                self._send(access.sign_in(name, password), self._entered)

    def _send(self, answer: Future[T], done: Callable[[T], None]) -> None:
        def refuse(error: BaseException) -> None:
            self._panel.refuse(told(error))

        self._bridge.ask(answer, self._panel, done, refuse, slot="answer")

    def _confirmed(self, _: None) -> None:
        waiting, self._waiting = self._waiting, None
        self._panel.close_again()
        if waiting is not None:
            waiting[1]()

    def _on_closed(self) -> None:
        self._waiting = None
