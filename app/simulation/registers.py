"""The registers of all devices as one image in memory: encoded from points in one go, read and written by requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.model.station import Device, Point
from app.simulation.noise import Floats
from drivers.modbus.address import Address, Table, Type
from drivers.modbus.codec import decode, encode, limits

_FORMS: Final[dict[Type, np.dtype[Any]]] = {
    Type.U16: np.dtype(">u2"), Type.I16: np.dtype(">i2"), Type.U32: np.dtype(">u4"), Type.I32: np.dtype(">i4"),
    Type.U64: np.dtype(">u8"), Type.I64: np.dtype(">i8"), Type.F32: np.dtype(">f4"), Type.F64: np.dtype(">f8"),
}  # fmt: skip


@dataclass(slots=True)
class Span:
    """One table of one device: from its first mapped address to its last, gaps included."""

    table: Table
    start: int
    cells: NDArray[Any]
    """A view into the image: registers as >u2, bits as uint8."""
    forbidden: tuple[tuple[int, int], ...]

    def holds(self, first: int, count: int) -> bool:
        """Whether a request may touch these addresses."""
        inside = self.start <= first and first + count <= self.start + len(self.cells)
        return inside and not any(low < first + count and first <= high for low, high in self.forbidden)

    def read(self, first: int, count: int) -> NDArray[Any]:
        at = first - self.start
        return self.cells[at : at + count]


class DeviceRegisters:
    """The registers of one device, and which points stand where."""

    def __init__(self, device: Device, places: Sequence[tuple[Point, Address]]) -> None:
        self.device = device
        self.places = tuple(places)
        self.spans: dict[Table, Span] = {}
        self._writable: dict[Table, set[int]] = {}
        for point, address in places:
            if point.kind in ("setpoint", "command"):
                cells = range(address.register, address.end)
                self._writable.setdefault(address.table, set()).update(cells)

    def writable(self, table: Table, first: int, count: int) -> bool:
        """Whether every address belongs to an order or a setting."""
        allowed = self._writable.get(table, set())
        return all(cell in allowed for cell in range(first, first + count))

    def write(self, table: Table, first: int, cells: Sequence[int]) -> list[tuple[Point, float]]:
        """Keep what was written, and tell which points were written as a whole, with their raw value."""
        span = self.spans[table]
        span.read(first, len(cells))[:] = cells
        end = first + len(cells)
        return [
            (point, self.raw(address))
            for point, address in self.places
            if address.table is table and point.kind in ("setpoint", "command")
            and first <= address.register and address.end <= end and address.type is not Type.STRING
        ]  # fmt: skip

    def text(self, address: Address) -> str:
        """What stands at an address of a text."""
        data = self.spans[address.table].read(address.register, address.count).tobytes()
        return data.partition(b"\0")[0].decode("utf-8", "replace")

    def put(self, address: Address, raw: float | str) -> None:
        """Set one value by hand. Raises ValueError where it does not fit."""
        cells = self.spans[address.table].read(address.register, address.count)
        cells[:] = encode(address, raw, int(cells[0]))

    def raw(self, address: Address) -> float:
        """What stands at an address that is no text."""
        cells = self.spans[address.table].read(address.register, address.count)
        if address.bit is not None:
            return float(int(cells[0]) >> address.bit & 1)
        return decode(address, [int(cell) for cell in cells])


class Image:
    """All registers of the park in two flat arrays, so that one pass of numpy encodes every value of every device."""

    def __init__(
        self,
        devices: Iterable[tuple[Device, Sequence[tuple[Point, Address]]]],
        maps: Mapping[str, tuple[int, Sequence[int]]] = MappingProxyType({}),
    ) -> None:
        """`maps`: device id -> (first register, what stands from there on in its holding registers), points aside."""
        self.devices = {device.id: DeviceRegisters(device, places) for device, places in devices}
        extents = [
            (registers, table, *_extent(table, registers.places, maps.get(registers.device.id)))
            for registers in self.devices.values()
            for table in Table
            if any(address.table is table for _, address in registers.places)
        ]
        sizes = {bits: sum(e - s for _, t, s, e in extents if t.of_bits is bits) for bits in (False, True)}
        self._words = np.zeros(sizes[False], dtype=">u2")
        self._bits = np.zeros(sizes[True], dtype=np.uint8)
        self._offset: dict[tuple[str, Table], int] = {}
        used = {False: 0, True: 0}
        for registers, table, start, end in extents:
            at = used[table.of_bits]
            used[table.of_bits] += end - start
            flat = self._bits if table.of_bits else self._words
            forbidden = () if table.of_bits else registers.device.blocks.forbidden
            registers.spans[table] = Span(table, start, flat[at : at + end - start], forbidden)
            self._offset[registers.device.id, table] = at - start
        for id_, (first, words) in maps.items():
            self.devices[id_].spans[Table.HOLDING].read(first, len(words))[:] = words

    def encoder(self, places: Sequence[tuple[str, Address]]) -> Encoder:
        """An encoder for values at these places, (device id, address) each."""
        at = [self._offset[device, address.table] + address.register for device, address in places]
        return Encoder(self._words, self._bits, [address for _, address in places], at)


class Encoder:
    """Writes many raw values into an image at once."""

    def __init__(
        self, words: NDArray[np.uint16], bits: NDArray[np.uint8], addresses: Sequence[Address], at: Sequence[int]
    ) -> None:
        self._words, self._bits = words, bits
        spans = [limits(address) for address in addresses]
        self.low: Floats = np.array([low for low, _ in spans], dtype=np.float64)
        # The largest 64-bit integers are no doubles: the next double below is what fits.
        self.high: Floats = np.array(
            [np.nextafter(high, 0) if high > 2**53 and type_ in (Type.U64, Type.I64) else high
             for (_, high), type_ in zip(spans, (a.type for a in addresses), strict=True)], dtype=np.float64,
        )  # fmt: skip
        self._whole = np.array([a.type not in (Type.F32, Type.F64) for a in addresses], dtype=np.bool_)
        self._groups = []
        for type_, form in _FORMS.items():
            rows = [i for i, address in enumerate(addresses) if address.type is type_]
            places = [_positions(addresses[i], at[i]) for i in rows]
            if rows:
                self._groups.append((form, np.array(rows), np.array(places, dtype=np.intp)))
        flags = [i for i, address in enumerate(addresses) if address.bit is not None]
        self._flag_rows = np.array(flags, dtype=np.intp)
        self._flag_bits = np.array([1 << (addresses[i].bit or 0) for i in flags], dtype=np.uint16)
        self._flag_words, self._flag_of = np.unique(
            np.array([at[i] for i in flags], dtype=np.intp), return_inverse=True
        )
        self._flag_mask = np.zeros(len(self._flag_words), dtype=np.uint16)
        np.bitwise_or.at(self._flag_mask, self._flag_of, self._flag_bits)
        single = [i for i, address in enumerate(addresses) if address.table.of_bits]
        self._single_rows = np.array(single, dtype=np.intp)
        self._single_at = np.array([at[i] for i in single], dtype=np.intp)

    def encode(self, raw: Floats) -> None:
        """Write raw values float64[n], in the order of the places; what does not fit becomes the nearest that does."""
        number = np.clip(np.nan_to_num(raw), self.low, self.high)
        np.rint(number, out=number, where=self._whole)
        for form, rows, places in self._groups:
            self._words[places] = number[rows].astype(form).view(">u2").reshape(places.shape)
        if len(self._flag_rows):
            raised = np.zeros(len(self._flag_words), dtype=np.uint16)
            set_ = np.where(number[self._flag_rows] > 0.0, self._flag_bits, np.uint16(0))
            np.bitwise_or.at(raised, self._flag_of, set_)
            self._words[self._flag_words] = (self._words[self._flag_words] & ~self._flag_mask) | raised
        if len(self._single_rows):
            self._bits[self._single_at] = number[self._single_rows] > 0.0


def _extent(
    table: Table, places: Sequence[tuple[Point, Address]], map_: tuple[int, Sequence[int]] | None
) -> tuple[int, int]:
    own = [(address.register, address.end) for _, address in places if address.table is table]
    if map_ is not None and table is Table.HOLDING:
        own.append((map_[0], map_[0] + len(map_[1])))
    return min(start for start, _ in own), max(end for _, end in own)


def _positions(address: Address, at: int) -> list[int]:
    positions = range(at, at + address.count)
    return list(positions if address.word_order == "big" else reversed(positions))
