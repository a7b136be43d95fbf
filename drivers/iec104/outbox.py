"""What waits to be sent to one controlling station: bounded, and in order for each point. No I/O.

A change waits behind what came before it. When too much waits, of each measured point only the newest value is kept;
changes of states and counters are dropped, the oldest first, only when they alone are too many, and then everything is
sent once more as soon as there is room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np

from drivers.iec104.offered import Offered, Rows
from drivers.iec104.typeids import MONITORED_BY_TYPE, Cause

CAPACITY: Final = 20_000
"""Changes that wait at most, but no less than two for each point."""
ENCODED_AT_ONCE: Final = 1_000
MOST_ANSWERS: Final = 4
"""Interrogations whose values wait."""


class Outbox:
    """Of one group of connections."""

    def __init__(self, offered: Offered, capacity: int = CAPACITY) -> None:
        self._offered = offered
        self._capacity = max(capacity, 2 * len(offered))
        self._urgent: deque[bytes] = deque()
        self._ready: deque[bytes] = deque()
        """Made already, and next."""
        self._items: deque[Rows | Sequence[bytes]] = deque()
        self._rows = 0
        self.superseded = 0
        """Values that a newer one of their point has replaced while they waited."""
        self.lost = 0
        """Changes of states and counters that were dropped."""
        self._gap = False

    def __len__(self) -> int:
        """Changes that wait."""
        return self._rows

    @property
    def urgent(self) -> int:
        return len(self._urgent)

    @property
    def answers(self) -> int:
        """Interrogations whose values wait."""
        return sum(not isinstance(item, Rows) for item in self._items)

    def reply(self, *asdus: bytes) -> None:
        """Something that goes before all values: confirmations."""
        self._urgent.extend(asdus)

    def answer(self, asdus: Sequence[bytes]) -> None:
        """ASDUs behind the changes that wait already: the values of an interrogation, and its end."""
        self._items.append(tuple(asdus))

    def put(self, rows: Rows) -> None:
        """Changes that were just learned."""
        if not len(rows):
            return
        self._items.append(rows)
        self._rows += len(rows)
        if self._rows > self._capacity:
            self._shrink()

    def repeat_everything(self) -> None:
        """Send all present values once what waits is sent: changes were missed before they came here."""
        self._gap = True

    def take(self, most: int) -> list[bytes]:
        """The next ASDUs, `most` of them."""
        taken: list[bytes] = []
        while len(taken) < most:
            if self._urgent:
                taken.append(self._urgent.popleft())
            elif self._ready:
                taken.append(self._ready.popleft())
            elif not self._make_ready():
                break
        return taken

    def interrupted(self, unacknowledged: Sequence[bytes], *, keep_states: bool) -> None:
        """The connection is lost, or another one goes on: answers go, and of changes those of states are kept where
        another connection will ask for them, also those that were sent and not acknowledged."""
        ours = (*unacknowledged, *self._ready)
        kept = [asdu for asdu in ours if keep_states and self._is_of_states(asdu)]
        rows = [item for item in self._items if isinstance(item, Rows)]
        self._urgent.clear()
        self._items.clear()
        self._ready = deque(kept)
        self._rows = 0
        if rows and keep_states:
            waiting = Rows.join(rows)
            self.put(waiting.take(self._offered.state[waiting.point]))

    def _is_of_states(self, asdu: bytes) -> bool:
        kind = MONITORED_BY_TYPE.get(asdu[0])
        return kind is not None and asdu[2] & 0x3F == Cause.SPONTANEOUS and kind.element in ("siq", "diq")

    def _make_ready(self) -> bool:
        """Encode what is next. False when nothing is left."""
        if not self._items:
            if not self._gap:
                return False
            self._gap = False
            self._ready.extend(self._offered.asdus(self._offered.interrogated(0), Cause.BACKGROUND))
            self._ready.extend(self._offered.asdus(self._offered.counters(0), Cause.SPONTANEOUS))
            return bool(self._ready)
        parts: list[Rows] = []
        free = ENCODED_AT_ONCE
        while free and self._items:
            item = self._items.popleft()
            if not isinstance(item, Rows):
                if parts:
                    self._items.appendleft(item)
                else:
                    self._ready.extend(item)
                break
            if len(item) > free:
                self._items.appendleft(item.take(slice(free, None)))
                item = item.take(slice(0, free))
            parts.append(item)
            free -= len(item)
        if parts:
            rows = Rows.join(parts)
            self._rows -= len(rows)
            self._ready.extend(self._offered.asdus(rows, Cause.SPONTANEOUS, timed=True))
        return True

    def _shrink(self) -> None:
        """Keep the newest of each measured point, and of the others as many as there is room for."""
        items = list(self._items)
        places = [i for i, item in enumerate(items) if isinstance(item, Rows)]
        rows = Rows.join([item for item in items if isinstance(item, Rows)])
        item = np.repeat(places, [len(items[i]) for i in places])
        keep = self._offered.event[rows.point]
        backwards = rows.point[::-1]
        _, last = np.unique(backwards, return_index=True)
        keep[len(rows) - 1 - last] = True
        self.superseded += int(np.count_nonzero(~keep))
        kept = np.flatnonzero(keep)
        if len(kept) > self._capacity:
            first = len(kept) - self._capacity * 3 // 4
            self.lost += first
            kept, self._gap = kept[first:], True
        for i in places:
            items[i] = rows.take(kept[item[kept] == i])
        self._items = deque(one for one in items if not isinstance(one, Rows) or len(one))
        self._rows = len(kept)
