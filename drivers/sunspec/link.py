"""The SunSpec link: a Modbus link whose devices say themselves where their values stand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from app.model.clock import Clock
from app.model.errors import DeviceError, ProtocolError, ReadOnlyError, TransportError
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.contract import Plan
from drivers.modbus.address import Address as ModbusAddress
from drivers.modbus.codec import decode
from drivers.modbus.line import Endpoint
from drivers.modbus.link import ModbusLink, content_of
from drivers.sunspec.address import Address
from drivers.sunspec.chain import BASES, Chain, Place, walk
from drivers.sunspec.models import NOT_IMPLEMENTED
from drivers.sunspec.polling import Resolved, SunSpecPlan, modbus_address
from drivers.turns import Precedence


class SunSpecLink(ModbusLink):
    """One line and the SunSpec devices on it. Each chain is walked before the first read and after each loss."""

    def __init__(self, endpoint: Endpoint, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> None:
        super().__init__(endpoint, [replace(device, texts=()) for device in devices], clock, read_only=read_only)
        self._devices = {device.id: device for device in devices}
        self._chains: dict[str, Chain] = {}
        self._walking = {device.id: asyncio.Lock() for device in devices}
        self._text_plans = {d.id: SunSpecPlan(d.id, d.texts) for d in devices if d.texts}

    # ------------------------------------------------------------------------------------------------------- reading

    def plan(self, device: Device, points: Sequence[Point]) -> Plan:
        return SunSpecPlan(device.id, points)

    async def read(self, plan: Plan) -> Updates:
        if not isinstance(plan, SunSpecPlan):
            raise TypeError(f"{type(plan).__name__} was not made by this driver's plan()")
        async with self._asked(plan) as resolved:
            return resolved.updates(self._clock.now_ns())

    async def read_texts(self, device: Device) -> Mapping[str, str]:
        plan = self._text_plans.get(device.id)
        return {} if plan is None else await self._read_texts(plan)

    async def texts_of(self, device: Device) -> Mapping[str, str]:
        """Texts by point id, of points that need not be those that the link was opened with. Raises as `read` does."""
        return await self._read_texts(SunSpecPlan(device.id, device.texts))

    async def _read_texts(self, plan: SunSpecPlan) -> Mapping[str, str]:
        async with self._asked(plan) as resolved:
            return {plan.points[row].id: text for row, text in resolved.texts().items()}

    @contextlib.asynccontextmanager
    async def _asked(self, plan: SunSpecPlan) -> AsyncIterator[Resolved]:
        """Everything of the plan was answered or refused; what its answers come to is remarked afterwards."""
        try:
            chain = await self.chain(plan.device)
            resolved = plan.resolve(chain, self._peers[plan.device], self._devices[plan.device].blocks)
            try:
                await self._poll(resolved.modbus)
                yield resolved
            finally:
                self._note_resolved(plan, resolved)
        except (TransportError, ProtocolError) as error:
            raise self._lost(plan.device, error) from None

    def _note_resolved(self, plan: SunSpecPlan, resolved: Resolved) -> None:
        """Of the plan's own points: registers that are read along have names that nobody knows."""
        names = [point.name for point in plan.points]
        remarks, refused = resolved.modbus.remarks(), set(resolved.modbus.refused())
        found = {**resolved.remarks, **{name: remarks[name] for name in names if name in remarks}}
        self._remarks.note(plan.device, names, found)
        self._refusals.note(plan.device, names, {name: remarks[name] for name in names if name in refused})

    def _lost(self, device: str, error: DeviceError) -> DeviceError:
        """Walk the chain again before the next read: what comes back may be another device, or another firmware."""
        self._chains.pop(device, None)
        error.device = device
        return error

    async def chain(self, device: str) -> Chain:
        """The device's chain of models, walked where it is not known. Raises as `read` does."""
        async with self._walking[device]:
            if device not in self._chains:
                base = self._devices[device].connection.get("base")

                async def registers(start: int, count: int) -> bytes | None:
                    return await self.registers(device, start, count, Precedence.POLL)

                self._chains[device] = await walk(registers, BASES if base is None else (base,))
            return self._chains[device]

    # ------------------------------------------------------------------------------------------------------- writing

    async def write(self, point: Point, value: float) -> float:
        """As of Modbus, with the scale factor as it is now.

        Raises ValueError also where the device has no such point, or where its model says that it is only read.
        """
        if self._read_only:
            raise ReadOnlyError(f"{point.name} was not written: the station is read-only")
        address = Address.of(point.form.address or {})
        place = (await self.chain(point.device)).place(address)
        if isinstance(place, Text):
            raise ValueError(f"{point.name} cannot be written: {place.en}")
        if not place.field.writable:
            raise ValueError(
                f"{point.name} cannot be written: model {place.found.model} has {place.field.name} to read only"
            )
        scale = point.form.scale * 10.0 ** await self._exponent(point, place)
        if address.whole is not None:
            scale *= await self._whole(point, address.whole) / 100.0
        raw = (value - point.form.offset) / scale
        if round(raw) == NOT_IMPLEMENTED.get(place.field.kind) and address.bit is None:
            raise ValueError(
                f"{point.name} cannot be set to {value:g}: the registers would say that it is not implemented"
            )
        registers = modbus_address(place.register, place.field.type, place.field.size, address.bit)
        form = point.form.model_copy(update={"address": registers, "scale": scale})
        own = replace(point, form=form)
        return await (self._write_both(own, value) if address.opposite else super().write(own, value))

    async def _write_both(self, point: Point, value: float) -> float:
        """The value at its registers and its negative right behind them, in one request. Of what both then hold, as
        values, the one that is farther from what was asked for."""
        first = ModbusAddress.of(point.form.address or {})
        second = replace(first, register=first.end)
        behind = replace(point, form=point.form.model_copy(update={"scale": -point.form.scale}))
        content = [*content_of(point, first, value), *content_of(behind, second, value)]
        await self._put(point.device, replace(first, write="multiple"), content)
        peer = self._peers[point.device]
        held, opposite = await self._read_back(peer, point, first), await self._read_back(peer, behind, second)
        return opposite if abs(opposite - value) > abs(held - value) else held

    async def _whole(self, point: Point, whole: Address) -> float:
        """What a point is percent of, asked for. Raises ValueError where that is nothing."""
        place = (await self.chain(point.device)).place(whole)
        if isinstance(place, Text):
            raise ValueError(f"{point.name} cannot be written: {place.en}")
        content = await self.registers(point.device, place.register, place.field.size, Precedence.COMMAND)
        address = ModbusAddress.of(modbus_address(place.register, place.field.type, place.field.size))
        words = [int.from_bytes(content[i : i + 2], "big") for i in range(0, len(content), 2)] if content else []
        raw = decode(address, words) if words else float("nan")
        if raw == NOT_IMPLEMENTED.get(place.field.kind) or not raw > 0:
            what = f"{whole.point} of {whole}, of which it is a percentage, is {raw:g} there"
            raise ValueError(f"{point.name} cannot be written: {what}; set it in the device")
        exponent: float = await self._exponent(point, place)
        return float(raw * 10.0**exponent)

    async def _exponent(self, point: Point, place: Place) -> float:
        """The scale factor of a point, asked for. Raises ValueError where it is not implemented."""
        if place.scale_factor is None:
            return float(place.field.scale_factor) if isinstance(place.field.scale_factor, int) else 0.0
        content = await self.registers(point.device, place.scale_factor, 1, Precedence.COMMAND)
        address = ModbusAddress.of(modbus_address(place.scale_factor, place.field.type.I16, 1))
        exponent = decode(address, [int.from_bytes(content, "big")]) if content else float("nan")
        if not abs(exponent) <= 10:
            raise ValueError(f"{point.name} cannot be written: its scale factor is not implemented")
        return exponent
