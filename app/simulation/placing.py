"""Where the values of a device stand in the panel's registers, whatever protocol it speaks.

A Modbus device has its own registers, a SunSpec device the map that it would have. Of the others each number takes a
double of its own: what speaks their protocol reads it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.model.config import PointKind
from app.model.station import Device, Point
from app.simulation.sunspec_map import sunspec_map
from drivers.modbus.connection import Kind
from drivers.sunspec.driver import WORDS

MODBUS: Final = tuple(kind.value for kind in Kind)
SUNSPEC: Final = tuple(WORDS.values())
DLT645: Final = "dlt645"
HTTP: Final = "http"
_TEXT_REGISTERS: Final = 32


@dataclass(frozen=True, slots=True)
class Placed:
    """A device that is served."""

    original: Device
    device: Device
    """With Modbus addresses."""
    map: tuple[int, Sequence[int]] | None = None
    """First register and what stands from there on, points aside."""


def is_served(device: Device) -> bool:
    """Whether a simulated device can speak this one's protocol. A device that calls us by itself has no server."""
    return device.driver in (*MODBUS, *SUNSPEC, DLT645) or (device.driver == HTTP and "url" in device.connection)


def placed(device: Device) -> Placed:
    """A device that `is_served`, with a place for each of its values."""
    if device.driver in MODBUS:
        return Placed(device, device)
    if device.driver in SUNSPEC:
        own = sunspec_map(device)
        return Placed(device, own.device, (own.base, own.words))
    count = 0

    def moved(point: Point) -> Point:
        nonlocal count
        if point.form.address is None:
            return point
        address: dict[str, Any] = {"table": "holding", "register": count, "type": "f64"}
        if point.kind is PointKind.TEXT:
            address |= {"type": "string", "count": _TEXT_REGISTERS}
        count += _TEXT_REGISTERS if point.kind is PointKind.TEXT else 4
        return replace(point, form=point.form.model_copy(update={"address": address}))

    points, texts = tuple(map(moved, device.points)), tuple(map(moved, device.texts))
    return Placed(device, replace(device, points=points, texts=texts))
