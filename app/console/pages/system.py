"""System: users and roles, sessions, the audit, versions of the configuration, secrets, and what it all runs on."""

from __future__ import annotations

from app.console.pages.page import Context
from app.console.pages.tabbed import TabbedPage
from app.console.system.log import AuditTab
from app.console.system.people import RolesTab, SessionsTab, UsersTab
from app.console.system.setup import SecretsTab, StationTab, VersionsTab


class SystemPage(TabbedPage):
    name = "system"
    title = "System"
    kinds = (UsersTab, RolesTab, SessionsTab, AuditTab, VersionsTab, SecretsTab, StationTab)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.retranslate()
