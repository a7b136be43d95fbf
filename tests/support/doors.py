"""Doors to a station that is not there: records on a real file, the audit as a list, services of a few methods."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from app.access.areas import Areas
from app.access.desk import Desk
from app.access.entrance import Entrance
from app.access.service import Accounts
from app.model.access import Action, Actor
from app.model.audit import AuditEntry
from app.model.clock import ManualClock
from app.model.errors import StorageError
from app.model.station import Station
from app.records.database import Place
from app.records.service import Records
from tests.support.alarm_station import load

GOOD = "four small grey cats"
BETTER = "seven large green dogs"


class Rows(list[AuditEntry]):
    """The audit. `broken`: nothing can be written."""

    broken = False

    def write(self, entry: AuditEntry) -> Future[int]:
        future: Future[int] = Future()
        if self.broken:
            future.set_exception(StorageError("the disk is full"))
        else:
            self.append_row(entry)
            future.set_result(len(self))
        return future

    def append_row(self, entry: AuditEntry) -> None:
        super().append(entry)

    def append(self, connection: Connection, entry: AuditEntry) -> int:  # type: ignore[override]
        if self.broken:
            raise StorageError("the disk is full")
        self.append_row(entry)
        return len(self)

    def told(self) -> list[tuple[str, str, str]]:
        """(who, what, result)."""
        return [(one.actor.name, one.what, str(one.result)) for one in self]


def small_station(folder: Path) -> Station:
    """Two devices at two buses of one grid."""
    point = {
        "id": "p",
        "name": "P",
        "kind": "measurement",
        "address": {"table": "holding", "register": 0, "type": "u16"},
    }
    topology = [
        {"id": "grid", "kind": "grid"},
        {"id": "t1", "kind": "transformer", "from": "grid", "to": "bus_a"},
        {"id": "bus_a", "kind": "bus"},
        {"id": "bus_b", "kind": "bus"},
        {"id": "qf1", "kind": "breaker", "from": "bus_a", "to": "bus_b"},
    ]
    devices = [
        {"id": "pcs1", "name": "PCS 1", "parent": "bus_a", "points": [point]},
        {"id": "pcs2", "name": "PCS 2", "parent": "bus_b", "points": [point]},
    ]
    return load(folder, devices, topology=topology)


ADMINISTRATOR = Actor("root", "administrator", "a test")


class AsAdministrator:
    """A service as the administrator at a door has it, without the door."""

    def __init__(self, service: Any) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._service, name)
        return partial(method, who=ADMINISTRATOR) if "who" in signature(method).parameters else method


class House:
    """Everything of `app.access` on one records file, or another place."""

    def __init__(
        self,
        folder: Path,
        *,
        demo: bool = False,
        second: Collection[Action] = (),
        lock_after_s: float = 600,
        place: Place | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = ManualClock()
        self.audit = Rows()
        self.records = Records(folder, on_trouble=lambda key, text: None, place=place)
        self.records.start()
        self.station = small_station(folder)
        areas = Areas(self.station)
        self.entrance = Entrance(self.records, self.audit, self.clock, lock_after_s=lock_after_s, demo=demo)
        self.entrance.reload()
        self.service = Accounts(self.records, self.entrance, self.clock, lambda: areas)
        self.accounts = AsAdministrator(self.service)
        self.areas = areas
        self.second = second
        self.desks: list[Desk] = []

    def desk(self, origin: str = "console") -> Desk:
        desk = Desk(origin, self.entrance, self.audit, self.clock, lambda: self.areas, second_person=self.second)
        self.desks.append(desk)
        return desk

    def close(self) -> None:
        for desk in self.desks:
            desk.close()
        self.service.stop()
        self.entrance.stop()
        self.records.stop()

    def person(self, name: str, role: str, origin: str = "console") -> tuple[Desk, Any]:
        """Somebody of that role, signed in at a door of his own with a password that he chose, and his facade."""
        once = self.accounts.add(name, role).result(20).answer
        desk = self.desk(origin)
        desk.sign_in(name, once).result(20)
        desk.change_password(once, GOOD + name).result(20)
        return desk, desk.facade(self, {"accounts": self.service})
