"""The Modbus link: reads plans and writes points over one line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from app.model.clock import Clock
from app.model.errors import ProtocolError, ReadOnlyError, RefusedByDevice, TransportError
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.contract import Link, Plan
from drivers.modbus import codec, requests
from drivers.modbus.address import Address, Table, Type
from drivers.modbus.connection import peer_of
from drivers.modbus.exceptions import LASTING, mend, words
from drivers.modbus.line import Ask, Endpoint, Line
from drivers.modbus.polling import ModbusPlan
from drivers.modbus.requests import Peer, Request
from drivers.remarks import Remarks
from drivers.turns import Precedence


class ModbusLink(Link):
    """One line and the devices on it. Can command (`drivers.contract.Writable`)."""

    def __init__(self, endpoint: Endpoint, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> None:
        self._line = Line(endpoint, read_only=read_only)
        self._clock = clock
        self._read_only = read_only
        self._peers = {device.id: peer_of(device) for device in devices}
        self._timeout_s = max(peer.timeout_s for peer in self._peers.values())
        self._remarks = Remarks()
        self._refusals = Remarks()
        """Of the remarks, those of points that a device refuses."""
        self._texts = {device.id: self._prepare(device, device.texts) for device in devices if device.texts}

    async def connect(self) -> None:
        await self._line.open(self._timeout_s)

    async def close(self) -> None:
        await self._line.close()

    # ------------------------------------------------------------------------------------------------------- reading

    def plan(self, device: Device, points: Sequence[Point]) -> Plan:
        return self._prepare(device, points)

    def _prepare(self, device: Device, points: Sequence[Point]) -> ModbusPlan:
        plan = ModbusPlan(device.id, self._peers[device.id], points, device.blocks)
        self._note(plan)
        return plan

    async def read(self, plan: Plan) -> Updates:
        if not isinstance(plan, ModbusPlan):
            raise TypeError(f"{type(plan).__name__} was not made by this driver's plan()")
        try:
            await self._poll(plan)
            return plan.updates(self._clock.now_ns())
        finally:
            self._note(plan)

    async def read_texts(self, device: Device) -> Mapping[str, str]:
        plan = self._texts.get(device.id)
        if plan is None:
            return {}
        try:
            await self._poll(plan)
        finally:
            self._note(plan)
        return {device.texts[row].id: text for row, text in plan.texts().items()}

    def remarks(self, device: Device) -> Mapping[str, Text]:
        return self._remarks.of(device.id)

    async def registers(self, device: str, start: int, count: int, precedence: Precedence) -> bytes | None:
        """Holding registers as they are; None where the device says that they do not exist. Raises as `read` does."""
        request = requests.read(self._peers[device], Table.HOLDING, start, count)
        answer = await self._line.ask(request, precedence)
        if not answer[0] & 0x80:
            return answer[2:]
        if answer[1] in LASTING:
            return None
        raise _refusal(request, answer[1])

    def refused(self, device: Device) -> Collection[str]:
        return self._refusals.of(device.id).keys()

    async def _poll(self, plan: ModbusPlan) -> None:
        """Ask for every block, in turns of one request."""
        await self._retry_refused(plan)
        place = 0
        while place < len(plan.asks):
            ask = plan.asks[place]
            answer = await self._line.ask(ask.request, Precedence.POLL)
            if answer[0] & 0x80:
                self._refused(plan, place, answer[1])
            else:
                plan.take(ask, answer, self._clock.now_ns())
                place += 1

    def _refused(self, plan: ModbusPlan, place: int, code: int) -> None:
        if code not in LASTING:
            raise _refusal(plan.asks[place].request, code)
        plan.refuse(place, code, self._clock.monotonic_ns())

    async def _retry_refused(self, plan: ModbusPlan) -> None:
        refusal = plan.retry(self._clock.monotonic_ns())
        if refusal is None:
            return
        answer = await self._line.ask(refusal.ask.request, Precedence.POLL)
        if not answer[0] & 0x80:
            plan.start_afresh()
        elif answer[1] in LASTING:
            plan.put_off(refusal, self._clock.monotonic_ns())
        else:
            raise _refusal(refusal.ask.request, answer[1])

    def _note(self, plan: ModbusPlan) -> None:
        remarks = plan.remarks()
        self._remarks.note(plan.device, plan.names, remarks)
        self._refusals.note(plan.device, plan.names, {name: remarks[name] for name in plan.refused()})

    # ------------------------------------------------------------------------------------------------------- writing

    async def write(self, point: Point, value: float) -> float:
        """Write one value in the point's unit ahead of all polls, and return what the device then holds.

        NaN where the device took it but cannot be asked for it. Raises ReadOnlyError, TransportError, ProtocolError,
        RefusedByDevice, or ValueError where the value does not fit the register.
        """
        if self._read_only:
            raise ReadOnlyError(f"{point.name} was not written: the station is read-only")
        address = Address.of(point.form.address or {})
        if not address.table.writable or address.type is Type.STRING:
            raise ValueError(f"{point.name} cannot be written: {address.type} in table {address.table}")
        content = content_of(point, address, value)
        if address.bit is None:
            await self._put(point.device, address, content)
        else:
            peer = self._peers[point.device]
            async with self._line.turn(peer, Precedence.COMMAND) as ask:
                await self._write_bit(ask, peer, address, bool(content[0]))
        return await self._read_back(self._peers[point.device], point, address)

    async def _put(self, device: str, address: Address, content: Sequence[int]) -> None:
        """Write registers in one request, ahead of all polls."""
        request = requests.write(self._peers[device], address, content)
        _judge(request, await self._line.ask(request, Precedence.COMMAND))

    async def _write_bit(self, ask: Ask, peer: Peer, address: Address, state: bool) -> None:
        """Change one bit of a register within one turn, so that no other command of ours comes in between."""
        present = requests.read(peer, address.table, address.register, 1)
        answer = _judge(present, await ask(present))
        request = requests.write(peer, address, codec.encode(address, state, int.from_bytes(answer[2:4], "big")))
        _judge(request, await ask(request))

    async def _read_back(self, peer: Peer, point: Point, address: Address) -> float:
        request = requests.read(peer, address.table, address.register, address.count)
        try:
            answer = await self._line.ask(request, Precedence.COMMAND)
        except (TransportError, ProtocolError) as error:
            text = Text(
                f"{point.name} was written, but not read back: {error.text.en}",
                f"{point.name} 已写入，但未能回读：{error.text.zh}",
            )
            raise type(error)(text, device=peer.device) from error
        if answer[0] & 0x80:
            if answer[1] in LASTING:
                return float("nan")  # registers that can only be written are usual for commands
            raise _refusal(request, answer[1])
        if address.table is Table.COIL:
            registers = [answer[2] & 1]
        else:
            registers = [int.from_bytes(answer[i : i + 2], "big") for i in range(2, len(answer), 2)]
        return codec.decode(address, registers) * point.form.scale + point.form.offset


def content_of(point: Point, address: Address, value: float) -> list[int]:
    """What goes into the registers. Raises ValueError naming point, value and what the registers hold."""
    form = point.form
    try:
        return codec.encode(address, (value - form.offset) / form.scale)
    except ValueError:
        ends = sorted(limit * form.scale + form.offset for limit in codec.limits(address))
        raise ValueError(
            f"{point.name} cannot be set to {value:g} {point.unit}: its {address.type} at register {address.register} "
            f"holds {ends[0]:g} to {ends[1]:g}"
        ) from None


def _judge(request: Request, answer: bytes) -> bytes:
    if answer[0] & 0x80:
        raise _refusal(request, answer[1])
    return answer


def _refusal(request: Request, code: int) -> RefusedByDevice:
    peer = request.peer
    function, register, why, what_to_do = request.function, request.register, words(code), mend(code)
    text = Text(
        f"unit {peer.unit} refused function {function} at {register}: {why.en}; {what_to_do.en}",
        f"单元 {peer.unit} 拒绝了功能码 {function}（地址 {register}）：{why.zh}；{what_to_do.zh}",
    )
    return RefusedByDevice(text, device=peer.device, code=code)
