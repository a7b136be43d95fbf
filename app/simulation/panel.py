"""Between physics and registers: shows the park's quantities in the points of its devices, and carries writes back."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.model.config import PointKind
from app.model.station import Device, Point
from app.simulation.dynamics import Verb
from app.simulation.faults import FaultKind
from app.simulation.mapping import Meaning, Order, constant, meaning, order
from app.simulation.noise import Floats, uniform
from app.simulation.park import Park
from app.simulation.registers import Image
from drivers.modbus.address import Address
from drivers.modbus.codec import limits

_log: Final = logging.getLogger("gridroom.simulation")
_STATES: Final = 16


class Panel:
    """The points of some devices over one park. Their addresses are those of Modbus, whatever is spoken outside."""

    def __init__(
        self,
        park: Park,
        devices: Sequence[Device],
        seed: int,
        maps: Mapping[str, tuple[int, Sequence[int]]] = MappingProxyType({}),
    ) -> None:
        self._park = park
        places = {
            device.id: [
                (point, Address.of(point.form.address))
                for point in (*device.points, *device.texts)
                if point.form.address is not None
            ]
            for device in devices
        }
        self.image = Image(((device, places[device.id]) for device in devices), maps)
        known: dict[str, set[str]] = {}
        for device_id, quantity in park.index:
            known.setdefault(device_id, set()).add(quantity)
        self._orders: dict[str, Order] = {}
        self._mirrors: set[str] = set()
        self._mirrored: list[tuple[int, int]] = []
        """(row of `_shown`, place in the park's values): powers that show the setpoint instead."""
        self._shown: list[tuple[Point, Address, Meaning]] = []
        for device in devices:
            for point, address in places[device.id]:
                self._place(device, point, address, known.get(device.id, set()))
        self._compile([device.id for device in devices])
        self._random = np.random.default_rng(seed)
        self.show()

    def _place(self, device: Device, point: Point, address: Address, known: set[str]) -> None:
        """Decide how one point is served: text, live, or kept as written."""
        registers = self.image.devices[device.id]
        if point.kind is PointKind.TEXT:
            registers.put(address, _text(device, point)[: 2 * address.count])
            return
        asks = order(device, point)
        if asks is not None:
            self._orders[point.name] = asks
        means = meaning(device, point, known)
        live = means is not None and (asks is not None or point.kind is not PointKind.SETPOINT)
        if means is not None and live and point.kind is not PointKind.COMMAND:
            self._shown.append((point, address, means))
        elif point.kind is not PointKind.COMMAND:
            value = constant(point)
            if means is not None:
                value = float(self._park.values[self._park.index[device.id, means.quantity]])
            raw = (value - point.form.offset) / point.form.scale
            low, high = limits(address)
            registers.put(address, min(max(raw, low), high))

    def _compile(self, devices: Sequence[str]) -> None:
        """Columns for `show`, a row a shown point."""
        shown = self._shown
        park_index = self._park.index
        self._at = np.array([park_index[p.device, m.quantity] for p, _, m in shown], dtype=np.intp)
        scale = np.array([p.form.scale for p, _, _ in shown])
        offset = np.array([p.form.offset for p, _, _ in shown])
        self._gain: Floats = np.array([m.factor for _, _, m in shown]) / scale
        self._shift: Floats = (np.array([m.offset for _, _, m in shown]) - offset) / scale
        coded = [row for row, (_, _, m) in enumerate(shown) if m.codes is not None]
        self._coded = np.array(coded, dtype=np.intp)
        self._codes = np.zeros((len(coded), _STATES))
        for k, row in enumerate(coded):
            codes = np.array(shown[row][2].codes, dtype=np.float64)
            self._codes[k, : len(codes)] = (codes - offset[row]) / scale[row]
        position = {id_: row for row, id_ in enumerate(devices)}
        self._device_row = position
        self._device = np.array([position[p.device] for p, _, _ in shown], dtype=np.intp)
        self._measured = np.array([p.kind is PointKind.MEASUREMENT for p, _, _ in shown], dtype=np.bool_)
        self._frozen = np.zeros(len(devices), dtype=np.bool_)
        self._noise_pct = np.zeros(len(devices))
        self._encoder = self.image.encoder([(p.device, address) for p, address, _ in shown])
        self._raw: Floats = np.zeros(len(shown))
        self._too_big = np.zeros(len(shown), dtype=np.bool_)

    def show(self) -> None:
        """Encode what the park's quantities are now into all registers."""
        quantity = self._park.values[self._at]
        for k, at in self._mirrored:
            quantity[k] = self._park.values[at]
        raw = quantity * self._gain + self._shift
        if len(self._coded):
            state = np.clip(quantity[self._coded].astype(np.intp), 0, _STATES - 1)
            raw[self._coded] = self._codes[np.arange(len(self._coded)), state]
        if self._noise_pct.any():
            percent = np.where(self._measured, self._noise_pct[self._device], 0.0)
            raw = raw * (1.0 + percent / 100.0 * self._random.standard_normal(len(raw)))
        if self._frozen.any():
            raw = np.where(self._frozen[self._device], self._raw, raw)
        self._raw = raw
        self._say_what_does_not_fit(raw)
        self._encoder.encode(raw)

    def set_fault(self, device: str, kind: FaultKind, amount: float, *, on: bool) -> None:
        """Begin or end a fault of the values: freeze or noise."""
        row = self._device_row[device]
        if kind is FaultKind.FREEZE:
            self._frozen[row] = on
        elif kind is FaultKind.MIRROR:
            (self._mirrors.add if on else self._mirrors.discard)(device)
            setpoint, power = Verb.POWER, "active_power"
            self._mirrored = [
                (k, self._park.index[point.device, setpoint])
                for k, (point, _, means) in enumerate(self._shown)
                if point.device in self._mirrors and means.quantity == power
            ]
        elif kind is FaultKind.NOISE:
            self._noise_pct[row] = amount if on else 0.0

    def written(self, device: str, points: list[tuple[Point, float]]) -> None:
        """Ask of the physics what a write asks for."""
        for point, raw in points:
            asked = self._orders.get(point.name)
            value = raw * point.form.scale + point.form.offset
            if asked is None or (asked.only and value not in asked.only):
                continue
            argument = float(value == asked.on) if asked.on is not None else value * asked.factor
            self._park.command(device, asked.verb, argument)

    @property
    def shown(self) -> list[tuple[Point, Meaning]]:
        """Every point that follows the physics, and the quantity it shows."""
        return [(point, means) for point, _, means in self._shown]

    def values(self) -> NDArray[np.float64]:
        """What the registers were last encoded from, in the points' units, in the order of `shown`."""
        scale = np.array([point.form.scale for point, _, _ in self._shown])
        offset = np.array([point.form.offset for point, _, _ in self._shown])
        result: NDArray[np.float64] = self._raw * scale + offset
        return result

    def _say_what_does_not_fit(self, raw: Floats) -> None:
        """Once a point: its register cannot hold what physics has for it, so the template's scale does not suit."""
        beyond = ((raw > self._encoder.high + 0.5) | (raw < self._encoder.low - 0.5)) & ~self._too_big
        if not beyond.any():
            return
        self._too_big |= beyond
        for row in np.flatnonzero(beyond):
            point, address, _ = self._shown[row]
            value = raw[row] * point.form.scale + point.form.offset
            _log.warning(
                "%s: %g %s does not fit its register (%s, scale %g) and shows the nearest that does; "
                "give the point another scale in the station file",
                point.name, value, point.unit, address.type, point.form.scale,
            )  # fmt: skip


def _text(device: Device, point: Point) -> str:
    """A believable text: what it is, and a serial number that is plainly a simulator's."""
    if "serial" in point.id or point.id in ("sn", "pn"):
        number = int(1e8 * float(uniform(sum(device.id.encode()), 0, len(device.id))[0]))
        return f"SIM{number:08d}"
    if any(word in point.id for word in ("firmware", "version", "software")):
        return "SIM 1.0"
    if "brand" in point.id or "manufacturer" in point.id:
        return device.vendor or "Gridroom"
    return f"{device.vendor} {device.model}".strip() or device.id
