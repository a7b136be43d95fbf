"""What a controlled station shows: its points, their present values, and the ASDUs that carry them. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.model import quality as q
from drivers.iec104.asdu import NO_TIME, TEST, Columns
from drivers.iec104.encoding import encode
from drivers.iec104.typeids import MONITORED_BY_TYPE, NUMBERS, Cause, Element

_STATES: Final[tuple[Element, ...]] = ("siq", "diq")
EVENTS: Final[tuple[Element, ...]] = (*_STATES, "bcr")
"""Whose every change counts; of the others only the last value does."""
_RANGES: Final[dict[Element, tuple[float, float]]] = {
    "vti": (-64, 63), "bsi": (0, 2**32 - 1), "nva": (-1, 32767 / 32768), "sva": (-32768, 32767),
    "ieee": (-3.4028234663852886e38, 3.4028234663852886e38), "bcr": (-(2**31), 2**31 - 1),
}  # fmt: skip
_WHOLE: Final[tuple[Element, ...]] = ("vti", "bsi", "sva", "bcr")
_BITS: Final = NUMBERS["M_BO_NA_1"]
_TIME_IV: Final = np.uint64(1 << 23)
"""The bit of CP56Time2a that says: this time is doubtful."""
_INITIAL: Final = np.uint16(q.IV | q.NT)


@dataclass(frozen=True, slots=True)
class OfferedPoint:
    """One line of the point table. `type` is the one without time; `deadband` in the units of the wire."""

    ioa: int
    type: int
    deadband: float = 0.0
    groups: tuple[int, ...] = ()
    """1 to 16; of a counter 1 to 4, which a counter interrogation asks for."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Values ready for the wire, all of length n: point int32 (position), value, quality (the octet, and q.TEST),
    time (octets of CP56Time2a)."""

    point: NDArray[np.int32]
    value: NDArray[np.float64]
    quality: NDArray[np.uint16]
    time: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.point)

    def take(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Rows:
        return Rows(self.point[which], self.value[which], self.quality[which], self.time[which])

    @staticmethod
    def join(parts: Sequence[Rows]) -> Rows:
        if len(parts) == 1:
            return parts[0]
        return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in Rows.__slots__))


class Offered:
    """The table of one common address, and what is true of it now."""

    def __init__(self, points: Sequence[OfferedPoint], ca: int, *, timed_measurements: bool = True) -> None:
        ordered = sorted(points, key=lambda point: point.ioa)
        n = len(ordered)
        self.ca = ca
        self.ioa = np.array([point.ioa for point in ordered], np.uint32)
        self.type = np.array([point.type for point in ordered], np.uint8)
        self.event = np.array([MONITORED_BY_TYPE[point.type].element in EVENTS for point in ordered], np.bool_)
        self.state = np.array([MONITORED_BY_TYPE[point.type].element in _STATES for point in ordered], np.bool_)
        self.counter = np.array([MONITORED_BY_TYPE[point.type].element == "bcr" for point in ordered], np.bool_)
        self._groups = np.array([sum(1 << group for group in point.groups) for point in ordered], np.uint32)
        self._deadband = np.array([point.deadband for point in ordered], np.float64)
        self._timed_measurements = timed_measurements
        self._value = np.zeros(n)
        self._quality = np.full(n, _INITIAL, np.uint16)
        self._time = np.full(n, NO_TIME, np.uint64)
        every = np.arange(n, dtype=np.int32)
        _, self._quality = self._fitted(every, np.full(n, np.nan), self._quality)
        self._told_value, self._told_quality = self._value.copy(), self._quality.copy()

    def __len__(self) -> int:
        return len(self.ioa)

    def learn(self, columns: Columns) -> Rows:
        """Take values as they are now; the rows that are changes worth telling, in their order.

        `columns.quality` are bits of `app.model.quality`. Rows with another cause than SPONTANEOUS are known
        without being told. Addresses that are not offered are left out.
        """
        place = np.minimum(np.searchsorted(self.ioa, columns.ioa), max(0, len(self.ioa) - 1))
        known = np.flatnonzero(self.ioa[place] == columns.ioa) if len(self) else np.empty(0, np.intp)
        point = place[known].astype(np.int32)
        doubtful = (columns.quality[known] & q.CLOCK) != 0
        time = np.where(doubtful, columns.time[known] | _TIME_IV, columns.time[known])
        value, quality = self._fitted(point, columns.value[known], columns.quality[known])
        rows = Rows(point, value, quality, time)
        spontaneous = columns.cause[known] == Cause.SPONTANEOUS
        told = np.zeros(len(point), np.bool_)
        for turn in _turns(point):
            told[turn] = self._judge(rows.take(turn), spontaneous[turn])
        return rows.take(told)

    def _judge(self, rows: Rows, spontaneous: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Rows of different points become true; which of them are worth telling."""
        point = rows.point
        differs = np.abs(rows.value - self._told_value[point]) > self._deadband[point]
        differs |= rows.quality != self._told_quality[point]
        self._value[point], self._quality[point], self._time[point] = rows.value, rows.quality, rows.time
        settled = differs | ~spontaneous
        self._told_value[point[settled]] = rows.value[settled]
        self._told_quality[point[settled]] = rows.quality[settled]
        return differs & spontaneous

    def _fitted(
        self, point: NDArray[np.int32], value: NDArray[np.float64], quality: NDArray[np.uint16]
    ) -> tuple[NDArray[np.float64], NDArray[np.uint16]]:
        value, fitted = value.astype(np.float64), np.zeros(len(point), np.uint16)
        types = self.type[point]
        for type_ in np.unique(types):
            mine = types == type_
            value[mine], fitted[mine] = fit(MONITORED_BY_TYPE[int(type_)].element, value[mine], quality[mine])
        return value, fitted

    # ------------------------------------------------------------------------------------------------ choosing

    def interrogated(self, group: int) -> Rows:
        """What an interrogation brings: all but counters, or those of a group from 1 to 16; `group` 0 is all."""
        chosen = ~self.counter
        if group:
            chosen &= (self._groups >> group & 1).astype(np.bool_)
        return self._present(np.flatnonzero(chosen))

    def counters(self, group: int) -> Rows:
        """What a counter interrogation brings; `group` 0 is all, 1 to 4 one of them."""
        chosen = self.counter.copy()
        if group:
            chosen &= (self._groups >> group & 1).astype(np.bool_)
        return self._present(np.flatnonzero(chosen))

    def measurements(self) -> Rows:
        """What may be sent cyclically: everything that is neither a state, a counter nor a bit string."""
        return self._present(np.flatnonzero(~self.event & (self.type != _BITS)))

    def one(self, ioa: int) -> Rows | None:
        """The value at an address; None where none is offered."""
        place = int(np.searchsorted(self.ioa, ioa))
        if place >= len(self) or self.ioa[place] != ioa:
            return None
        return self._present(np.array([place]))

    def _present(self, point: NDArray[np.intp]) -> Rows:
        return Rows(point.astype(np.int32), self._value[point], self._quality[point], self._time[point])

    # ------------------------------------------------------------------------------------------------ encoding

    def asdus(self, rows: Rows, cause: int, *, timed: bool = False, originator: int = 0) -> list[bytes]:
        """ASDUs of rows, by type; rows of one point stay in their order."""
        made: list[bytes] = []
        test = (rows.quality & q.TEST) != 0
        ends = np.flatnonzero(test[1:] != test[:-1]) + 1 if len(rows) else np.empty(0, np.intp)
        for start, end in zip([0, *ends.tolist()], [*ends.tolist(), len(rows)], strict=True):
            part = rows.take(slice(start, end))
            types = self.type[part.point]
            for type_ in np.unique(types).tolist():
                kind = MONITORED_BY_TYPE[type_]
                with_time = timed and (self._timed_measurements or kind.element in EVENTS)
                mine = part.take(types == type_)
                made += encode(
                    kind.timed if with_time else kind.plain, cause | (TEST if test[start] else 0), self.ca,
                    self.ioa[mine.point], mine.value, mine.quality & 0xFF, mine.time,
                )  # fmt: skip
        if originator:
            made = [asdu[:3] + bytes((originator,)) + asdu[4:] for asdu in made]
        return made


def fit(
    element: Element, value: NDArray[np.float64], quality: NDArray[np.uint16]
) -> tuple[NDArray[np.float64], NDArray[np.uint16]]:
    """Values and qualities of one element as the wire can carry them: never NaN, never beyond its range.

    OV stands for a value beyond the range of the type or of the point, IV for one that is none or comes from bad
    ones, SB for one that a person or an estimate put there. A state knows no OV, a counter nothing but IV.
    """
    absent = np.isnan(value)
    bits = quality & np.uint16(q.OV | q.BL | q.SB | q.NT | q.IV)
    bits |= np.where(quality & q.RANGE, q.OV, 0).astype(np.uint16)
    bits |= np.where(absent | ((quality & q.DERIVED) != 0), q.IV, 0).astype(np.uint16)
    bits |= np.where(quality & (q.ESTIMATED | q.FORCED), q.SB, 0).astype(np.uint16)
    if element in _STATES:
        strange = absent | ((value != 0) & (value != 1))
        bits |= np.where(strange | ((bits & q.OV) != 0), q.IV, 0).astype(np.uint16)
        bits &= np.uint16(q.BL | q.SB | q.NT | q.IV)
        nothing = np.nan if element == "diq" else 0.0  # a double point can say that it is neither
        return np.where(strange, nothing, value), bits | quality & np.uint16(q.TEST)
    low, high = _RANGES[element]
    wire = np.where(absent, 0.0, value)
    wire = np.round(wire) if element in _WHOLE else wire
    beyond = (wire < low) | (wire > high)
    bits |= np.where(beyond, q.OV, 0).astype(np.uint16)
    if element == "bcr":
        bits = np.where(bits & (q.OV | q.NT | q.IV), q.IV, 0).astype(np.uint16)
    return np.clip(wire, low, high), bits | quality & np.uint16(q.TEST)


def _turns(point: NDArray[np.int32]) -> list[NDArray[np.intp]]:
    """Positions in turns in which no point is twice: all first rows of a point, then all second ones, and so on."""
    if len(np.unique(point)) == len(point):
        return [np.arange(len(point))] if len(point) else []
    order = np.argsort(point, kind="stable")
    first = np.ones(len(point), np.bool_)
    first[1:] = point[order][1:] != point[order][:-1]
    starts = np.flatnonzero(first)
    turn = np.arange(len(point)) - np.repeat(starts, np.diff(np.append(starts, len(point))))
    by_turn = np.argsort(turn, kind="stable")
    return np.split(order[by_turn], np.cumsum(np.bincount(turn))[:-1])
