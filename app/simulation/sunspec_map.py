"""The register map of a simulated SunSpec device: the models that its points name, in one chain."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.model.station import Device, Point
from app.simulation.layout import rating_kw
from drivers.modbus.address import Type
from drivers.sunspec.address import Address, field_of
from drivers.sunspec.chain import BASES, END, MARK, Chain, Found, Place
from drivers.sunspec.models import HEADER, NOT_IMPLEMENTED, Field, models

_COMMON: Final = 1
"""The model that every device has, the first of all."""
_MOST: Final = {"V": 2000.0, "A": 3000.0, "Hz": 100.0, "%": 150.0, "degC": 150.0, "W/m2": 2000.0, "1": 1.0, "kWh": 1e6}
"""The largest value of a unit that a scale factor must make room for."""
_POWERS: Final = ("kW", "kvar", "kVA")
_UNKNOWN: Final = 10_000.0
_FINEST: Final = -3
_LARGEST: Final = {Type.I16: 2**15 - 2, Type.U16: 2**16 - 2, Type.I32: 2**31 - 2, Type.U32: 2**32 - 2}
_PACKED: Final = {Type.I16: ">h", Type.U16: ">H", Type.I32: ">i", Type.U32: ">I", Type.I64: ">q", Type.U64: ">Q"}
_NAN: Final = {Type.F32: (0x7FC0, 0), Type.F64: (0x7FF8, 0, 0, 0)}


@dataclass(frozen=True, slots=True)
class SunSpecMap:
    """A SunSpec device as a Modbus device."""

    device: Device
    """Its points have Modbus addresses, and scales that hold the scale factors."""
    base: int
    words: Sequence[int]
    """Everything from register `base` on: marks, headers and scale factors; other points as not implemented."""


def sunspec_map(device: Device) -> SunSpecMap:
    """The map of a device whose configuration has been judged."""
    points = [point for point in (*device.points, *device.texts) if point.form.address is not None]
    addresses = [_with_one_model(Address.of(point.form.address or {})) for point in points]
    base = int(device.connection.get("base", BASES[0]))
    shares = {
        point.name: _with_one_model(address.whole)
        for point, address in zip(points, addresses, strict=True) if address.whole is not None
    }  # fmt: skip
    chain = _chain(base, [*addresses, *shares.values()])
    places = {point.name: _place(chain, address) for point, address in zip(points, addresses, strict=True)}
    wholes = {name: _place(chain, address) for name, address in shares.items()}
    exponents = _exponents(device, points, places, wholes)
    words, whole_of = _words(chain, exponents), dict[str, float]()
    for point in points:
        if (whole := wholes.get(point.name)) is not None:  # 100 % of it is the device's rating
            power = 10.0 ** exponents.get(whole.scale_factor or -1, 0)
            words[whole.register - base] = raw = round(rating_kw(device) / point.form.scale / power)
            whole_of[point.name] = raw * power
    bits = {point.name: address.bit for point, address in zip(points, addresses, strict=True)}

    def moved(point: Point) -> Point:
        place = places.get(point.name)
        if place is None:
            return point
        exponent = exponents.get(place.scale_factor or -1, place.field.scale_factor)
        scale = point.form.scale * 10.0 ** (exponent if isinstance(exponent, int) else 0)
        scale *= whole_of.get(point.name, 100.0) / 100.0
        address = _modbus(place, bits[point.name])
        return replace(point, form=point.form.model_copy(update={"address": address, "scale": scale}))

    served = replace(device, points=tuple(map(moved, device.points)), texts=tuple(map(moved, device.texts)))
    return SunSpecMap(served, base, words)


def nothing(field: Field) -> Sequence[int]:
    """The registers that say that a point is not implemented; of an accumulator and a text, zeros."""
    if field.type in _NAN:
        return _NAN[field.type]
    raw = NOT_IMPLEMENTED.get(field.kind)
    if raw is None:
        return [0] * field.size
    packed = struct.pack(_PACKED[field.type], min(int(raw), 2**64 - 1) if raw > 0 else int(raw))
    return struct.unpack(f">{field.size}H", packed)


def empty(number: int, repetitions: int = 0) -> list[int]:
    """The registers of a model, header included, of which nothing is implemented."""
    model = models()[number]
    words = [0xFFFF] * (model.size + repetitions * model.repeat_size)
    words[:HEADER] = number, len(words) - HEADER
    fixed = [(field.at, field) for field in model.fields.values() if field.name not in ("ID", "L")]
    again = [
        (model.size + i * model.repeat_size + field.at, field)
        for i in range(repetitions)
        for field in model.repeated.values()
    ]
    for at, field in (*fixed, *again):
        words[at : at + field.size] = nothing(field)
    return words


def _with_one_model(address: Address) -> Address:
    """Of several models that a point may stand in, this device has the first."""
    number = next(number for number in address.models if field_of(number, address.point, address.group))
    return replace(address, models=(number,))


def _chain(base: int, addresses: Sequence[Address]) -> Chain:
    instances: dict[int, int] = {_COMMON: 1}
    groups: dict[int, int] = {}
    for address in addresses:
        (number,) = address.models
        instances[number] = max(instances.get(number, 1), address.instance)
        repeats = address.group or int(address.point not in models()[number].fields)
        groups[number] = max(groups.get(number, 0), repeats)
    found, at = [], base + 2
    for number, count in instances.items():
        length = len(empty(number, groups.get(number, 0))) - HEADER
        for _ in range(count):
            found.append(Found(number, at, length))
            at = found[-1].end
    return Chain(base, tuple(found))


def _place(chain: Chain, address: Address) -> Place:
    place = chain.place(address)
    if not isinstance(place, Place):
        raise LookupError(place.en)  # the chain was made for these addresses
    return place


def _exponents(
    device: Device, points: Sequence[Point], places: Mapping[str, Place], wholes: Mapping[str, Place]
) -> dict[int, int]:
    """Register of a scale factor -> the finest power of ten with which all its points have room."""
    found: dict[int, int] = {}

    def make_room(place: Place, most: float) -> None:
        if place.scale_factor is not None:
            least = math.ceil(math.log10(most / _LARGEST.get(place.field.type, 2**53)))
            found[place.scale_factor] = max(found.get(place.scale_factor, _FINEST), least)

    for point in points:
        most = _most(device, point) / abs(point.form.scale)
        whole = wholes.get(point.name)
        make_room(places[point.name], most if whole is None else _MOST["%"])
        if whole is not None:
            make_room(whole, most)
    return found


def _most(device: Device, point: Point) -> float:
    """The largest value to be expected of a point, in its own unit."""
    if point.form.range is not None:
        return max(map(abs, point.form.range))
    if point.unit in _POWERS:
        rated = any((device.ratings.power_kw, device.ratings.apparent_kva))
        return 2 * rating_kw(device) if rated else _UNKNOWN
    return _MOST.get(point.unit, _UNKNOWN)


def _modbus(place: Place, bit: int | None) -> dict[str, Any]:
    if bit is not None:  # the lowest bits stand in the last register
        register = place.register + place.field.size - 1 - bit // 16
        return {"table": "holding", "register": register, "type": "u16", "bit": bit % 16}
    address: dict[str, Any] = {"table": "holding", "register": place.register, "type": str(place.field.type)}
    if place.field.type is Type.STRING:
        address["count"] = place.field.size
    return address


def _words(chain: Chain, exponents: Mapping[int, int]) -> list[int]:
    words = list(struct.unpack(">2H", MARK))
    for found in chain.found:
        model = models()[found.model]
        words += empty(found.model, found.repetitions if model.repeat_size else 0)
    words += [END, 0]
    for register, exponent in exponents.items():
        words[register - chain.base] = exponent & 0xFFFF
    return words
