"""System: users and roles, sessions, the audit, versions of the configuration, secrets, and what it all runs on."""

from __future__ import annotations

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from app.console.pages.page import Context, Page
from app.console.system.log import AuditTab
from app.console.system.people import RolesTab, SessionsTab, UsersTab
from app.console.system.setup import SecretsTab, StationTab, VersionsTab
from app.console.system.tab import Tab
from widgets.language import tr


class SystemPage(Page):
    name = "system"
    title = "System"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        kinds = (UsersTab, RolesTab, SessionsTab, AuditTab, VersionsTab, SecretsTab, StationTab)
        self.views: list[Tab] = [kind(context) for kind in kinds]
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        for view in self.views:
            self.tabs.addTab(view, "")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 12)
        column.addWidget(self.tabs)
        stored = context.settings.get("system.tab", -1)
        self._chosen = 0 <= stored < len(self.views)
        """By whoever sits here; else it is the first that they may see."""
        self.tabs.setCurrentIndex(stored if self._chosen else 0)
        self.tabs.currentChanged.connect(self._on_tab)
        self.retranslate()

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

    def remember(self) -> None:
        if self._chosen:
            self.context.settings.set("system.tab", self.tabs.currentIndex())
