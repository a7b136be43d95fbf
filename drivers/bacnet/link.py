"""The BACnet link: the devices that are reached from one local address."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from app.model.clock import Clock
from app.model.errors import ProtocolError, ReadOnlyError, RefusedByDevice, TransportError
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.bacnet import writing
from drivers.bacnet.address import DEVICE, PROPERTIES, Address
from drivers.bacnet.changes import Subscriptions
from drivers.bacnet.connection import Peer, interface_of
from drivers.bacnet.polling import BacnetPlan
from drivers.bacnet.reading import as_number, read_one
from drivers.bacnet.wire import Denied, Wire, Wires
from drivers.contract import Deliver, Link, Plan
from drivers.remarks import Remarks


class BacnetLink(Link):
    """Devices that answer, tell changes, and can be commanded (`Pollable`, `Reporting`, `Writable`)."""

    def __init__(self, devices: Sequence[Device], clock: Clock, wires: Wires, *, read_only: bool) -> None:
        self._clock = clock
        self._wires = wires
        self._read_only = read_only
        self._interface = interface_of(devices[0].connection)
        self._wire: Wire | None = None
        self._peers = {device.id: Peer.of(device.id, device.connection) for device in devices}
        self._met: set[str] = set()
        """Devices known to be who they should be."""
        self._plans: dict[str, list[BacnetPlan]] = {device.id: [] for device in devices}
        self._texts = {device.id: BacnetPlan(self._peers[device.id], device.texts) for device in devices}
        self._changes = {
            device.id: Subscriptions(
                self._peers[device.id], [one for one in device.points if one.form.address is not None], clock
            )
            for device in devices
        }
        self._remarks = Remarks()

    async def connect(self) -> None:
        if self._wire is None:
            wire = self._wires.of(self._interface)
            self._wire = wire
            try:
                await wire.open(max(peer.timeout_s for peer in self._peers.values()))
            except BaseException:
                self._wire = None
                raise

    async def close(self) -> None:
        for changes in self._changes.values():
            changes.end()
        if self._wire is not None:
            wire, self._wire = self._wire, None
            await wire.close()

    # ------------------------------------------------------------------------------------------------------- reading

    def plan(self, device: Device, points: Sequence[Point]) -> Plan:
        plan = BacnetPlan(self._peers[device.id], points)
        self._plans[device.id].append(plan)
        return plan

    async def read(self, plan: Plan) -> Updates:
        if not isinstance(plan, BacnetPlan):
            raise TypeError(f"{type(plan).__name__} was not made by this driver's plan()")
        wire = await self._meet(plan.peer)
        try:
            updates = await plan.read(wire, self._clock.now_ns(), self._clock.monotonic_ns())
        except TransportError:
            self._part(plan.peer)
            raise
        self._remarks.note(plan.peer.device, plan.names, plan.remarks)
        return updates

    async def read_texts(self, device: Device) -> Mapping[str, str]:
        wire = await self._meet(self._peers[device.id])
        texts = await self._texts[device.id].texts(wire)
        return {device.texts[row].id: text for row, text in texts.items()}

    def remarks(self, device: Device) -> Mapping[str, Text]:
        return self._remarks.of(device.id)

    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        """Tells the changes of the points that the device lets us subscribe to; all of them are polled as well."""
        await self._changes[device.id].report(await self._meet(self._peers[device.id]), deliver, online)

    # ------------------------------------------------------------------------------------------------------- writing

    async def write(self, point: Point, value: float) -> float:
        """Write one value at the priority of the point's address; NaN releases that priority.

        Returns what the device then holds, which another priority may have decided.
        """
        if self._read_only:
            raise ReadOnlyError(f"{point.name} was not written: the station is read-only")
        peer = self._peers[point.device]
        request = writing.request(point, value)
        wire = await self._meet(peer)
        try:
            await wire.ask(peer, request)
        except Denied as denied:
            text = Text(
                f"{point.name} was not written: {denied.text.en}; see what the device allows there",
                f"{point.name} 未写入：{denied.text.zh}；请查看设备对该对象的限制",
            )
            raise RefusedByDevice(text, device=peer.device, code=denied.code) from None
        try:
            held, _ = as_number(await read_one(wire, peer, Address.of(point.form.address or {}).reference))
        except (Denied, TransportError):
            return math.nan  # taken, and not to be asked for
        return held * point.form.scale + point.form.offset

    # ------------------------------------------------------------------------------------------------------- meeting

    async def _meet(self, peer: Peer) -> Wire:
        """The open socket, once the device at this address is known to be the one that the station means."""
        if self._wire is None:
            text = Text(f"{self._interface} was closed here", f"{self._interface} 已由本程序关闭")
            raise TransportError(text, device=peer.device)
        if peer.device not in self._met:
            reference = (DEVICE, peer.instance, PROPERTIES["object-name"], None)
            try:
                answer = await read_one(self._wire, peer, reference)
            except Denied as denied:
                raise denied.by_device(peer) from None
            if isinstance(answer, Denied):
                who, why = f"{peer.place}", answer.text
                text = Text(
                    f"{who} is not device {peer.instance}: {why.en}; correct `address` or `device`",
                    f"{who} 不是设备 {peer.instance}：{why.zh}；请更正 address 或 device",
                )
                raise ProtocolError(text, device=peer.device)
            self._met.add(peer.device)
        return self._wire

    def _part(self, peer: Peer) -> None:
        """It does not answer: whoever answers next may be another one, or the same with other firmware."""
        self._met.discard(peer.device)
        for plan in self._plans[peer.device]:
            plan.start_afresh()
