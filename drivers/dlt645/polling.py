"""A prepared read of one meter: which identifiers are asked, what was learnt of them, and the decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.model import quality as q
from app.model.clock import SECOND_NS
from app.model.station import Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.contract import Plan
from drivers.dlt645 import identifiers, requests, values
from drivers.dlt645.address import Address
from drivers.dlt645.requests import OTHER_ERROR, Peer, Request

RETRY_REFUSED_NS: Final = 600 * SECOND_NS
"""How often something refused is asked for again."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, and where in its answer each row finds its value."""

    request: Request
    di: int
    rows: tuple[tuple[int, int], ...]
    """(row, first byte)."""


@dataclass(slots=True)
class Refusal:
    """An identifier that the meter refuses."""

    ask: Ask
    why: Text
    retry_ns: int
    """Monotonic; 0 for the next read."""


class Dlt645Plan(Plan):
    """What is asked of one meter for one set of points: every identifier once, however many points it holds."""

    def __init__(self, device: str, peer: Peer, points: Sequence[Point]) -> None:
        self.device = device
        self.names = tuple(point.name for point in points)
        self._peer = peer
        self._addresses = [Address.of(point.form.address or {}) for point in points]
        self._whole = self._asks_of_all()
        self.asks = list(self._whole)
        self.refusals: list[Refusal] = []
        self._short: dict[int, Text] = {}
        """Row -> why the answer does not hold it."""
        self._point = np.array([point.index for point in points], np.int32)
        self._scale = np.array([point.form.scale for point in points])
        self._offset = np.array([point.form.offset for point in points])
        self._data = [b""] * len(points)
        self._time = np.zeros(len(points), np.int64)

    def _asks_of_all(self) -> list[Ask]:
        places: dict[int, list[tuple[int, int]]] = {}
        for row, address in enumerate(self._addresses):
            places.setdefault(address.di, []).append((row, address.start))
        return [self._ask(di, rows) for di, rows in places.items()]

    def _ask(self, di: int, rows: Sequence[tuple[int, int]]) -> Ask:
        longest = max(self._addresses[row].longest for row, _ in rows)
        return Ask(requests.read(self._peer, di, longest), di, tuple(rows))

    # ------------------------------------------------------------------------------------------------- what answered

    def take(self, ask: Ask, data: bytes, now_ns: int) -> None:
        """Keep an answer: the data behind its identifier."""
        for row, start in ask.rows:
            size = self._addresses[row].format.size
            self._data[row] = data[start : start + size]
            self._time[row] = now_ns
            if start + size > len(data):
                self._data[row] = b""
                what, size = ask.request.what, len(data)
                self._short[row] = Text(
                    f"the answer to {what} ends after {size} bytes, before this value",
                    f"{what} 的应答只有 {size} 个字节，不含此值",
                )
            else:
                self._short.pop(row, None)

    def updates(self, now_ns: int) -> Updates:
        """All points, a row each, from what was taken."""
        found = [
            values.number(data, address.format) if data else None
            for data, address in zip(self._data, self._addresses, strict=True)
        ]
        value = np.array(found, np.float64) * self._scale + self._offset
        missing = np.isnan(value)
        time = np.where(self._time == 0, now_ns, self._time)
        return Updates(self._point, value, np.where(missing, q.IV, q.GOOD).astype(np.uint16), time, now_ns)

    def texts(self) -> dict[int, str]:
        """Row -> text, of every row that was taken."""
        rows = enumerate(zip(self._data, self._addresses, strict=True))
        return {row: values.text(data, address.format) for row, (data, address) in rows if data}

    # ------------------------------------------------------------------------------------------------- what refused

    def refuse(self, ask: Ask, error: int, now_ns: int) -> None:
        """The meter refused: ask for a block's values one by one, else do without, for a while or for one read."""
        for row, _ in ask.rows:
            self._data[row], self._time[row] = b"", 0
        if ask not in self.asks:
            return
        lasting = error & ~OTHER_ERROR
        if lasting and ask.di == self._addresses[ask.rows[0][0]].di and self._divide(ask):
            return
        self.asks.remove(ask)
        self.refusals.append(Refusal(ask, requests.words(error), now_ns + RETRY_REFUSED_NS if lasting else 0))

    def _divide(self, ask: Ask) -> bool:
        """Ask for the values of a block alone. False where a value of it has no identifier of its own."""
        parts = []
        for row, start in ask.rows:
            address = self._addresses[row]
            if address.single is None:
                return False
            layout = identifiers.layout(address.single)
            parts.append((address.single, row, start % layout.size if layout else 0))
        at = self.asks.index(ask)
        places: dict[int, list[tuple[int, int]]] = {}
        for di, row, start in parts:
            places.setdefault(di, []).append((row, start))
        self.asks[at : at + 1] = [self._ask(di, rows) for di, rows in places.items()]
        return True

    def retry(self, now_ns: int) -> list[Refusal]:
        """What was refused and is due to be asked again: passing trouble at every read, of the rest one.

        Where nothing else is left, one is always due.
        """
        due = [refusal for refusal in self.refusals if refusal.retry_ns == 0]
        lasting = [refusal for refusal in self.refusals if refusal.retry_ns]
        if lasting:
            first = min(lasting, key=lambda refusal: refusal.retry_ns)
            if first.retry_ns <= now_ns or not (self.asks or due):
                due.append(first)
        return due

    def put_off(self, refusal: Refusal, error: int, now_ns: int) -> None:
        """It was refused again."""
        refusal.why = requests.words(error)
        refusal.retry_ns = now_ns + RETRY_REFUSED_NS if error & ~OTHER_ERROR else 0

    def restore(self, refusal: Refusal) -> None:
        """It has answered."""
        self.refusals.remove(refusal)
        self.asks.append(refusal.ask)

    def remarks(self) -> dict[str, Text]:
        """Full point name -> why it has no value."""
        found = {self.names[row]: why for row, why in self._short.items()}
        for refusal in self.refusals:
            found |= {self.names[row]: refusal.why for row, _ in refusal.ask.rows}
        return found
