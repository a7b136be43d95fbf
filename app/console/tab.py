"""What every tab of the System page is: a row of verbs, a word on what is wrong, a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, ClassVar, TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.console.pages.page import Context
from widgets.language import told, tr
from widgets.rows_table import RowsTable, Tell
from widgets.times import moment_text

T = TypeVar("T")


class Tab(QWidget):
    """Reads when it appears and after what was done; says why nothing is shown to whoever may not see it."""

    title: ClassVar[str] = ""
    reads: ClassVar[str] = ""
    """`service.method` that it shows."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self._denied = False
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.note.hide()
        self.verbs = QHBoxLayout()
        self.verbs.setSpacing(8)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 8, 0, 0)
        self.column.setSpacing(8)
        self.column.addLayout(self.verbs)
        self.column.addWidget(self.note)

    def table(self, titles: Sequence[str], widths: Sequence[int], tell: Tell, *, stretch: int) -> RowsTable:
        """A table of this tab; with a selection its verbs are looked at again."""
        table = RowsTable(titles, widths, tell, stretch=stretch)
        table.selectionModel().selectionChanged.connect(lambda *_: self.show_rights())
        return table

    def verb(self, run: Callable[[], None]) -> QPushButton:
        """A button in the row of verbs."""
        button = QPushButton()
        button.clicked.connect(run)
        self.verbs.addWidget(button)
        return button

    def reload(self) -> None:
        """Read anew what it shows, where who is here may see it."""
        why = self.context.door.why_not(self.reads)
        if why:
            self.clear()
            self.say(why)
        elif self._denied:
            self.say("")
        self._denied = bool(why)
        if not why:
            self.read()

    def resume(self, before: Tab) -> None:
        """Take over what the same tab of an earlier window had chosen and typed, when the configuration has changed."""

    def read(self) -> None:
        """Ask, and show the answer."""

    def clear(self) -> None:
        """Show nothing: who is here may not see it."""

    def retranslate(self) -> None:
        """Set every text anew."""

    def show_rights(self) -> None:
        """Enable what may be done, and say why not of the rest."""

    def say(self, words: str, *, bad: bool = False) -> None:
        """Above the table; empty for nothing."""
        self.note.setProperty("trouble", bad)
        self.note.style().polish(self.note)
        self.note.setText(words)
        self.note.setVisible(bool(words))

    def ask(self, future: Future[T], show: Callable[[T], None], slot: str) -> None:
        """Show an answer, or why there is none."""
        self.context.bridge.ask(future, self, show, self.refuse, slot=slot)

    def do(self, call: Callable[[], Future[Any]], done: Callable[[Any], None]) -> None:
        """Do something, read anew, and say what `done` says."""

        def after(answer: Any) -> None:
            self.reload()
            done(answer)

        self.say("")
        self.context.door.do(call, self, after, self.refuse)

    def refuse(self, error: BaseException) -> None:
        self.say(told(error), bad=True)

    def moment(self, time_ns: int) -> str:
        """In the station's zone; a dash for never."""
        return moment_text(time_ns, self.context.facade.station.zone)

    def may(self, button: QWidget, method: str, *, able: bool = True, hint: str = "") -> None:
        """As `Door.allow`."""
        self.context.door.allow(button, method, able=able, hint=hint)


def fill(tab: Tab, table: RowsTable, rows: Sequence[Any], none: str = "") -> None:
    """Show rows; where there are none, a word on that."""
    table.rows_model.set_rows(rows)
    if none and not rows:
        tab.say(tr(none))
    tab.show_rights()
