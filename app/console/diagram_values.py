"""What the single-line diagram shows of a snapshot: power, voltage, positions, state of charge, lost, alarms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.model.config import DeviceKind, PointKind, Priority
from app.model.quality import NT, UNUSABLE
from app.model.station import Device, Point, Station
from app.model.views import DeviceStatus, LinkState, Snapshot
from widgets import language
from widgets.diagram import Element, ElementValue, Kind, Switch
from widgets.language import tr
from widgets.values import format_value

RUNNING_KW: Final = 0.5
"""From here a device counts as running, and a breaker before it as closed where no point tells its position."""
_PRESENT_V: Final = 50.0
_RUNS: Final = frozenset({DeviceKind.PV_INVERTER, DeviceKind.PCS, DeviceKind.GENSET, DeviceKind.CHARGER})
_AC_METERS: Final = frozenset({DeviceKind.METER, DeviceKind.LOAD})
"""Kinds of which every voltage is one of the line."""
_LINES: Final = (("soc", "SOC {value}"), ("oil_temperature", "oil {value}"))


@dataclass(slots=True)
class _Reader:
    """Where an element's values are: indices into the table, -1 for none."""

    element: Element
    power: int = -1
    voltage: int = -1
    position: int = -1
    lines: list[tuple[Point, str]] = field(default_factory=list)
    behind: list[_Reader] = field(default_factory=list)
    """Of a breaker without a position: the readers of what it feeds."""
    own_voltage: bool = False
    """Whether its voltage is one that it makes itself, on its own side of the breaker."""
    running: bool = False
    """Whether its power tells that it runs."""


class DiagramValues:
    """Knows where the values of a diagram's elements are; reads them from snapshots."""

    def __init__(self, station: Station, elements: Sequence[Element]) -> None:
        self._station = station
        self._readers = {element.id: self._reader(element) for element in elements}
        for element in elements:
            if element.kind is Kind.BREAKER:
                self._behind(element, elements)
        self._watched = np.zeros(len(station.points), dtype=np.bool_)
        for reader in self._readers.values():
            indices = [reader.power, reader.voltage, reader.position, *(point.index for point, _ in reader.lines)]
            self._watched[[i for i in indices if i >= 0]] = True

    def touched(self, changed: NDArray[np.intp]) -> bool:
        """Whether any of these rows is shown."""
        return bool(self._watched[changed].any())

    def read(
        self,
        snapshot: Snapshot,
        devices: Mapping[str, DeviceStatus],
        alarms: Mapping[str, tuple[Priority, bool]],
    ) -> dict[str, ElementValue]:
        """Element id -> what it shows now. `alarms`: device id -> (worst, whether any is unacknowledged)."""
        return {id_: self._value(reader, snapshot, devices, alarms) for id_, reader in self._readers.items()}

    # ------------------------------------------------------------------------------------------------- finding

    def _reader(self, element: Element) -> _Reader:
        reader = _Reader(element)
        device = self._station.by_id.get(element.device or "")
        if device is not None:
            reader.power = _index(device.role("active_power"))
            reader.voltage = _voltage(device)
            reader.position = _index(device.role("breaker")) if element.kind is Kind.BREAKER else -1
            reader.running = device.kind in _RUNS
            reader.own_voltage = device.kind is DeviceKind.GENSET
            reader.lines = [(point, words) for role, words in _LINES if (point := device.role(role)) is not None]
        if element.kind is Kind.BREAKER:
            node = next(node for node in self._station.topology if node.id == element.id)
            reader.position = self._station.by_name.get(node.state or "", reader.position)
        return reader

    def _behind(self, breaker: Element, elements: Iterable[Element]) -> None:
        """What a breaker without a position feeds, and whether a device there tells the position for it."""
        reader = self._readers[breaker.id]
        if reader.position >= 0:
            return
        target = next((e for e in elements if e.id == breaker.to), None)
        hanging = [e for e in elements if breaker.to in {e.id, e.parent}]
        if target is not None and target.kind is Kind.BUS:
            hanging = [element for element in hanging if element.inline]
        reader.behind = [self._readers[element.id] for element in hanging]
        own = [self._station.by_id[e.device] for e in hanging if e.device in self._station.by_id]
        if len(own) == 1:
            reader.position = _index(own[0].role("breaker"))

    # ------------------------------------------------------------------------------------------------- reading

    def _value(
        self,
        reader: _Reader,
        snapshot: Snapshot,
        devices: Mapping[str, DeviceStatus],
        alarms: Mapping[str, tuple[Priority, bool]],
    ) -> ElementValue:
        element = reader.element
        device = element.device or ""
        status = devices.get(device)
        alarm, unacknowledged = alarms.get(device, (None, False))
        power, quality, time = math.nan, 0, 0
        if reader.power >= 0:
            power, quality, time = _read(snapshot, reader.power)
        usable = not math.isnan(power) and not quality & UNUSABLE
        state, inferred = self._position(reader, snapshot) if element.kind is Kind.BREAKER else (None, False)
        lost = status is not None and status.state is LinkState.LOST
        return ElementValue(
            power_kw=power,
            quality=quality if reader.power >= 0 else 0,
            time_ns=time,
            voltage_v=_usable(snapshot, reader.voltage),
            state=state,
            inferred=inferred,
            running=abs(power) >= RUNNING_KW if reader.running and usable else None,
            lines=tuple(_line(snapshot, point, words) for point, words in reader.lines),
            alarm=alarm,
            unacknowledged=unacknowledged,
            lost_since_ns=status.since if status is not None and lost else 0,
            tip=status.last_error.in_(language.name()) if status is not None and lost and status.last_error else "",
        )

    def _position(self, reader: _Reader, snapshot: Snapshot) -> tuple[Switch, bool]:
        """(position, whether it follows from power or voltage because no point tells it)."""
        if reader.position >= 0:
            told = _usable(snapshot, reader.position)
            return (Switch.UNKNOWN if math.isnan(told) else Switch.CLOSED if told else Switch.OPEN), False
        powers = [_usable(snapshot, other.power) for other in reader.behind]
        if any(abs(power) >= RUNNING_KW for power in powers):
            return Switch.CLOSED, True
        volts = [(abs(_usable(snapshot, other.voltage)), other.own_voltage) for other in reader.behind]
        if any(volt >= _PRESENT_V and not own for volt, own in volts):
            return Switch.CLOSED, True
        # A dead line behind a breaker says open; a genset's own voltage does not say closed, for it may idle.
        return (Switch.OPEN if any(volt < _PRESENT_V for volt, _ in volts) else Switch.UNKNOWN), True


def _index(point: Point | None) -> int:
    return -1 if point is None else point.index


def _voltage(device: Device) -> int:
    """The voltage of the line that a device stands on; a battery's own says nothing about it."""
    if device.kind is DeviceKind.BMS:
        return -1
    point = device.role("voltage")
    if point is None and device.kind in _AC_METERS:
        volts = (p for p in device.points if p.unit == "V" and p.kind is PointKind.MEASUREMENT)
        point = next(volts, None)
    return _index(point)


def _read(snapshot: Snapshot, index: int) -> tuple[float, int, int]:
    value = float(snapshot.value[index])
    return (value if not math.isnan(value) else math.nan), int(snapshot.quality[index]), int(snapshot.time[index])


def _usable(snapshot: Snapshot, index: int) -> float:
    """The value, or the one NaN, so that equal answers compare equal."""
    if index < 0:
        return math.nan
    value, quality, _ = _read(snapshot, index)
    return math.nan if quality & UNUSABLE else value


def _line(snapshot: Snapshot, point: Point, words: str) -> str:
    value, quality, _ = _read(snapshot, point.index)
    text = format_value(value, point.form.precision, point.unit)
    stale = " (NT)" if quality & NT and not math.isnan(value) else ""
    return tr(words, value=text) + stale
