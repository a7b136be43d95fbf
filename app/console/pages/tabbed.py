"""A page of tabs, each with a table and its verbs: System, Control."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from app.console.pages.page import Context, Page
from app.console.tab import Tab
from widgets.language import tr


class TabbedPage(Page):
    """The tab that was chosen is remembered; before one was, it is the first that may be seen."""

    kinds: ClassVar[tuple[type[Tab], ...]]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.views: list[Tab] = [kind(context) for kind in self.kinds]
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        for view in self.views:
            self.tabs.addTab(view, "")
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(12, 8, 12, 12)
        self.column.addWidget(self.tabs)
        stored = context.settings.get(f"{self.name}.tab", -1)
        self._chosen = 0 <= stored < len(self.views)
        """By whoever sits here; else it is the first that they may see."""
        self.tabs.setCurrentIndex(stored if self._chosen else 0)
        self.tabs.currentChanged.connect(self._on_tab)

    @property
    def view(self) -> Tab:
        """The tab that is shown."""
        return self.views[self.tabs.currentIndex()]

    def _on_tab(self) -> None:
        self._chosen = True
        self.view.reload()

    def _choose(self) -> None:
        if self._chosen:
            return
        why_not = self.context.door.why_not
        first = next((i for i, view in enumerate(self.views) if not why_not(view.reads)), 0)
        self.tabs.blockSignals(True)
        self.tabs.setCurrentIndex(first)
        self.tabs.blockSignals(False)

    def retranslate(self) -> None:
        for i, view in enumerate(self.views):
            self.tabs.setTabText(i, tr(view.title))
            view.retranslate()
        if self.isVisible():
            self.view.reload()

    def main_widget(self) -> QWidget:
        return self.tabs.tabBar()

    def show_rights(self) -> None:
        for view in self.views:
            view.show_rights()
        if self.isVisible():
            self._choose()
            self.view.reload()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._choose()
        self.view.reload()

    def resume(self, before: Page) -> None:
        if isinstance(before, TabbedPage):
            for mine, its in zip(self.views, before.views, strict=True):
                mine.resume(its)

    def remember(self) -> None:
        if self._chosen:
            self.context.settings.set(f"{self.name}.tab", self.tabs.currentIndex())
