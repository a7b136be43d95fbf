"""A prepared read of one SunSpec device: registers, scale factors and what is not implemented, all points at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.model import quality as q
from app.model.config import BlocksForm, PointForm
from app.model.errors import ProtocolError
from app.model.station import Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.contract import Plan
from drivers.modbus.address import Type
from drivers.modbus.polling import ModbusPlan
from drivers.modbus.requests import Peer
from drivers.sunspec.address import Address
from drivers.sunspec.chain import Chain, Place
from drivers.sunspec.models import NOT_IMPLEMENTED

_ANY: Final = PointForm.model_validate(
    {"id": "any", "name": "any", "kind": "measurement", "address": {"table": "holding", "register": 0, "type": "u16"}}
)
_MISSING: Final = Text("the device does not implement it", "设备未实现此点")
_NO_SCALE: Final = Text("its scale factor is not implemented", "设备未实现其比例因子")
_NO_WHOLE: Final = Text("what it is percent of is not implemented", "设备未实现其百分比的基准")
_LARGEST_SCALE: Final = 10
"""A scale factor is -10 to 10 (SunSpec Device Information Model Specification, sunssf)."""


class SunSpecPlan(Plan):
    """What is asked of one device for one set of points. Where they stand is known once the chain has been walked."""

    def __init__(self, device: str, points: Sequence[Point]) -> None:
        self.device = device
        self.points = tuple(points)
        self.addresses = [Address.of(point.form.address or {}) for point in points]
        self.resolved: Resolved | None = None

    def resolve(self, chain: Chain, peer: Peer, limits: BlocksForm) -> Resolved:
        """The registers of all points in this chain; worked out once a chain."""
        if self.resolved is None or self.resolved.chain is not chain:
            self.resolved = Resolved(self, chain, peer, limits)
        return self.resolved


@dataclass(frozen=True, slots=True)
class _Header:
    """A model's header, read along: whether the chain is still the one that was walked."""

    row: int
    expected: tuple[int, int]


class Resolved:
    """A plan in the chain of one device: a read of Modbus registers, and what makes values of them."""

    def __init__(self, plan: SunSpecPlan, chain: Chain, peer: Peer, limits: BlocksForm) -> None:
        self.chain = chain
        self._plan = plan
        places = [_whole_of(chain, address) or chain.place(address) for address in plan.addresses]
        self.absent = {plan.points[i].name: place for i, place in enumerate(places) if isinstance(place, Text)}
        self._rows = np.array([i for i, place in enumerate(places) if isinstance(place, Place)], np.intp)
        own = [place for place in places if isinstance(place, Place)]
        shares = [(k, of) for k, i in enumerate(self._rows.tolist()) if (of := plan.addresses[i].whole) is not None]
        wholes = [place for _, of in shares if isinstance(place := chain.place(of), Place)]
        self._share_rows = np.array([k for k, _ in shares], np.intp)
        """Of the points that are percent of another; behind all points stand those others, in this order."""
        present = [*own, *wholes]
        asked = [_at(plan.points[i], place) for i, place in zip(self._rows.tolist(), own, strict=True)]
        asked += [_at(None, place) for place in wholes]
        self._scale_row, self._fixed = self._add_scales(asked, present)
        self._headers = self._add_headers(asked, present)
        self.modbus = ModbusPlan(plan.device, peer, asked, limits)
        self._missing = np.array([NOT_IMPLEMENTED.get(place.field.kind, np.nan) for place in present])
        bits = [plan.addresses[i].bit for i in self._rows.tolist()]
        self._bit_rows = np.array([k for k, bit in enumerate(bits) if bit is not None], np.intp)
        self._bits = np.array([bit for bit in bits if bit is not None], np.uint64)
        forms = [plan.points[i].form for i in self._rows.tolist()]
        self._factor = np.array([form.scale for form in forms])
        self._offset = np.array([form.offset for form in forms])
        self._index = np.array([point.index for point in plan.points], np.int32)
        self._bad: NDArray[np.bool_] = np.zeros(len(own), np.bool_)
        self.remarks: Mapping[str, Text] = dict(self.absent)

    @staticmethod
    def _add_scales(asked: list[Point], present: Sequence[Place]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Rows of the scale factors, each asked for once; -1 where there is none. And the fixed powers of ten."""
        row_of: dict[int, int] = {}
        for place in present:
            if place.scale_factor is not None and place.scale_factor not in row_of:
                row_of[place.scale_factor] = len(asked)
                asked.append(_registers(None, place.scale_factor, Type.I16, 1))
        rows = [-1 if place.scale_factor is None else row_of[place.scale_factor] for place in present]
        fixed = [
            float(place.field.scale_factor) if isinstance(place.field.scale_factor, int) else 0.0 for place in present
        ]
        return np.array(rows, np.intp), np.array(fixed)

    @staticmethod
    def _add_headers(asked: list[Point], present: Sequence[Place]) -> list[_Header]:
        headers = []
        for found in sorted({place.found for place in present}, key=lambda found: found.start):
            headers.append(_Header(len(asked), (found.model, found.length)))
            asked += [_registers(None, found.start + k, Type.U16, 1) for k in (0, 1)]
        return headers

    def updates(self, now_ns: int) -> Updates:
        """All points, a row each. Raises ProtocolError where the chain is not the one that was walked."""
        read = self.modbus.updates(now_ns)
        self._check_headers(read.value)
        count, every = len(self._rows), len(self._missing)
        raw = read.value[:every].copy()
        missing = np.isnan(raw) | (raw == self._missing)
        exponent, bad_scale = self._exponents(read.value)
        bad = missing | bad_scale
        if len(self._bit_rows):
            whole = np.where(bad[:count], 0.0, raw[:count])[self._bit_rows].astype(np.uint64)
            raw[self._bit_rows] = (whole >> self._bits) & np.uint64(1)
        with np.errstate(over="ignore", invalid="ignore"):
            # Divided where the exponent is negative: 3 / 10 is 0.3, and 3 * 10**-1 is not.
            power = 10.0 ** np.abs(exponent)
            scaled = np.where(exponent < 0, raw / power, raw * power)
            scaled[self._share_rows] *= scaled[count:] / 100.0
            value = scaled[:count] * self._factor + self._offset
        no_whole = np.zeros(count, np.bool_)
        no_whole[self._share_rows] = bad[count:]
        self._judge(value, missing[:count], bad[:count], no_whole)
        return self._spread(value, read.time[:count], now_ns)

    def _judge(
        self,
        value: NDArray[np.float64],
        missing: NDArray[np.bool_],
        bad: NDArray[np.bool_],
        no_whole: NDArray[np.bool_],
    ) -> None:
        """What is no value is none, and says why."""
        every = bad | no_whole
        value[every] = np.nan
        if (every == self._bad).all():
            return
        self._bad = every
        found = dict(self.absent)
        for k in np.flatnonzero(every).tolist():
            why = _MISSING if missing[k] else _NO_SCALE if bad[k] else _NO_WHOLE
            found[self._plan.points[int(self._rows[k])].name] = why
        self.remarks = found

    def _exponents(self, value: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Each point's scale factor as it is now, and where that is none."""
        scaled = self._scale_row >= 0
        exponent = self._fixed.copy()
        exponent[scaled] = value[self._scale_row[scaled]]
        bad = ~(np.abs(exponent) <= _LARGEST_SCALE)
        exponent[bad] = 0.0
        return exponent, bad

    def _check_headers(self, value: NDArray[np.float64]) -> None:
        for header in self._headers:
            seen = value[header.row : header.row + 2]
            if tuple(seen.tolist()) != header.expected:
                model, length = header.expected
                now, size = f"{seen[0]:g}", f"{seen[1]:g}"
                text = Text(
                    f"the chain of models has changed: where model {model} of {length} registers was, now stands "
                    f"{now} of {size}; it is walked again",
                    f"模型链已变化：原为模型 {model}（{length} 个寄存器），现为 {now}（{size} 个）；将重新遍历",
                )
                raise ProtocolError(text)

    def _spread(self, value: NDArray[np.float64], time: NDArray[np.int64], now_ns: int) -> Updates:
        """To the rows of all points; those that the device has not are NaN."""
        whole = np.full(len(self._index), np.nan)
        whole[self._rows] = value
        times = np.full(len(self._index), now_ns, np.int64)
        times[self._rows] = time
        quality = np.where(np.isfinite(whole), 0, q.IV).astype(np.uint16)
        whole[quality != 0] = np.nan
        return Updates(self._index, whole, quality, times, now_ns)

    def texts(self) -> dict[int, str]:
        """Row of the plan -> text."""
        found = self.modbus.texts()
        return {int(row): found[k] for k, row in enumerate(self._rows.tolist()) if k in found}


def modbus_address(register: int, type_: Type, size: int, bit: int | None = None) -> dict[str, Any]:
    """The `address` of these registers as Modbus has it. A bit is counted from the lowest of the last register."""
    if bit is not None:
        return {"table": "holding", "register": register + size - 1 - bit // 16, "type": "u16", "bit": bit % 16}
    length = {"count": size} if type_ is Type.STRING else {}
    return {"table": "holding", "register": register, "type": str(type_), **length}


def _whole_of(chain: Chain, address: Address) -> Text | None:
    """Why the device has not what a point is percent of."""
    place = chain.place(address.whole) if address.whole is not None else None
    return place if isinstance(place, Text) else None


def _at(point: Point | None, place: Place) -> Point:
    return _registers(point, place.register, place.field.type, place.field.size)


def _registers(point: Point | None, register: int, type_: Type, size: int) -> Point:
    """A point of raw registers."""
    form = _ANY.model_copy(update={"address": modbus_address(register, type_, size)})
    return Point(-1, point.name if point else f"register {register}", point.device if point else "", form)
