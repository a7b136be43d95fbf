"""The table of docs/reference/permissions.md, made from what is declared at the methods.

`python -m tests.support.permissions` writes it; a test fails where it is not what is declared.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.access.audit import Audit
from app.access.desk import Desk
from app.access.guard import declared
from app.access.roles import GIVEN, NOBODY
from app.access.secrets.service import Secrets
from app.access.service import Accounts
from app.alarms.events import Events
from app.alarms.service import Alarms
from app.commissioning.service import Commissioning
from app.control.service import Control
from app.history.service import History
from app.model.access import Action, Grant, Permit
from app.northbound.service import Northbound
from app.station import SERVICES, RunningStation
from app.strategy_settings import StrategySettings
from app.versions import Versions

FILE: Final = Path(__file__).parents[2] / "docs" / "reference" / "permissions.md"
KINDS: Final[dict[str, type]] = {
    "control": Control, "station": RunningStation, "access": Desk, "history": History, "alarms": Alarms, "events": Events,
    "northbound": Northbound, "commissioning": Commissioning, "accounts": Accounts, "audit": Audit,
    "secrets": Secrets, "versions": Versions, "strategies": StrategySettings,
}  # fmt: skip
COLUMNS: Final = ("observer", "operator", "engineer", "administrator")
WITHIN: Final = frozenset(
    [
        "station.facade",
        "station.late_worst_ms",
        "station.points_total",
        "station.reset_figures",
        "station.start",
        "station.stop",
        "access.close",
        "access.facade",
        "access.pass_",
        "history.export",
        "history.flush",
        "history.last_values",
        "history.start",
        "history.state",
        "history.stop",
        "history.take",
        "history.trouble",
        "alarms.clear_system",
        "alarms.raise_system",
        "alarms.start",
        "alarms.stop",
        "alarms.take",
        "alarms.tick",
        "control.order",
        "control.change",
        "control.heard",
        "control.prepare",
        "control.start",
        "control.stop",
        "events.note",
        "events.start",
        "events.take",
        "northbound.start",
        "northbound.stop",
        "northbound.take",
        "commissioning.form",
        "commissioning.stop",
        "commissioning.text",
        "accounts.stop",
        "audit.append",
        "audit.start",
        "audit.stop",
        "audit.write",
        "strategies.stop",
        "secrets.start",
        "secrets.stop",
        "versions.loaded",
        "versions.stop",
        "alarms.change",
        "alarms.prepare",
        "events.change",
        "history.change",
        "history.prepare",
        "northbound.change",
        "northbound.prepare",
        "northbound.settle",
    ]
)
"""What the parts of a station say to each other, and no door leads to."""


def members() -> Iterator[tuple[str, Permit | None]]:
    """(`service.member`, permit) of everything public of every service."""
    assert set(KINDS) == {"station", "access", *SERVICES}
    for service, member, permit in declared(KINDS.items()):
        yield f"{service}.{member}", permit


def may(role: str, action: Action | None) -> bool:
    """What a given role, or nobody (empty), may on the whole station."""
    return action is None or Grant(action) in (GIVEN[role].grants if role else NOBODY)


def table() -> str:
    """Markdown."""
    lines = [f"| method | asks for | nobody | {' | '.join(COLUMNS)} |", "|---|---|---|---|---|---|---|"]
    for path, permit in members():
        if permit is None:
            continue
        asks = "–" if permit.action is None else permit.action.value
        asks += ", of its devices" if permit.where else ""
        asks += ", audited" if permit.changes else ""
        marks = ("yes" if may(role, permit.action) else "no" for role in ("", *COLUMNS))
        lines.append(f"| `{path}` | {asks} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


def document() -> str:
    head, begin, rest = FILE.read_text(encoding="utf-8").partition("<!-- made -->\n")
    _, end, tail = rest.partition("<!-- until here -->\n")
    return head + begin + "\n" + table() + "\n" + end + tail


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
