"""Control: who acts on each device, strategies, plans, any minute of the past, the ledger of every command."""

from __future__ import annotations

from app.console.control.devices import DevicesTab
from app.console.control.ledger import LedgerTab
from app.console.control.plan import PlanTab
from app.console.control.replay import ReplayTab
from app.console.control.strategies import StrategiesTab
from app.console.pages.page import Context
from app.console.pages.tabbed import TabbedPage


class ControlPage(TabbedPage):
    name = "control"
    title = "Control"
    kinds = (DevicesTab, StrategiesTab, PlanTab, ReplayTab, LedgerTab)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.retranslate()
