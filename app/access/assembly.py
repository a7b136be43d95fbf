"""The access of one running station, put together: audit, entrance, accounts, and the doors that are open."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from app.access.areas import Areas
from app.access.audit import Audit
from app.access.desk import Desk
from app.access.entrance import Entrance
from app.access.service import Accounts
from app.model.access import Action
from app.model.clock import Clock
from app.model.errors import StorageError
from app.model.station import Station
from app.records.service import Records

LOOK_EVERY_S: Final = 1.0
"""How soon what another process changed (`gridroom user disable`) is true here."""

_log = logging.getLogger("gridroom.access")


class Access:
    """Starts after the records, stops before them."""

    def __init__(
        self, records: Records, audit: Audit, clock: Clock, station: Callable[[], Station], *, demo: bool = False
    ) -> None:
        """`station` is what runs now: its areas, and what it asks (`access`)."""
        form = station().access
        self._audit = audit
        self._clock = clock
        self._station = station
        self._areas: tuple[Station, Areas] = (station(), Areas(station()))
        self._second_person = frozenset(map(Action, form.second_person))
        self._entrance = Entrance(records, audit, clock, lock_after_s=form.lock_after_s, demo=demo)
        self.accounts = Accounts(records, self._entrance, clock, self.areas)
        self._desks: list[Desk] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="access-watch", daemon=True)
        self._unread = False

    def start(self) -> None:
        """Read accounts and roles, and look after sessions. Records that cannot be read yet are tried again."""
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """End every session. Safe to call twice, and without a start."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        desks, self._desks = self._desks, []
        for desk in desks:
            desk.close()
        self.accounts.stop()
        self._entrance.stop()

    def areas(self) -> Areas:
        """Of the station as it runs now."""
        station = self._station()
        if self._areas[0] is not station:
            self._areas = (station, Areas(station))
        return self._areas[1]

    def facade(self, origin: str, station: object, services: Mapping[str, object]) -> Any:
        """The running station as a door named `origin` sees it, with `access` for who stands there."""
        desk = Desk(origin, self._entrance, self._audit, self._clock, self.areas, second_person=self._second_person)
        self._desks.append(desk)
        return desk.facade(station, services)

    def _watch(self) -> None:
        while not self._ending.wait(LOOK_EVERY_S):
            self._look()
            self._entrance.lock_idle()

    def _look(self) -> None:
        try:
            self._entrance.reload()
        except StorageError as error:
            if not self._unread:
                _log.error("accounts cannot be read: %s; nobody can sign in until then", error)
            self._unread = True
        else:
            self._unread = False
