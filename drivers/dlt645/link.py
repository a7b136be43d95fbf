"""The link to meters: reads plans over one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.model.clock import Clock
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.channel import Endpoint
from drivers.contract import Link, Plan
from drivers.dlt645.connection import peer_of
from drivers.dlt645.line import Line
from drivers.dlt645.polling import Dlt645Plan
from drivers.remarks import Remarks


class Dlt645Link(Link):
    """One line and the meters on it. It cannot command, in any station."""

    def __init__(self, endpoint: Endpoint, devices: Sequence[Device], clock: Clock) -> None:
        self._line = Line(endpoint)
        self._clock = clock
        self._peers = {device.id: peer_of(device) for device in devices}
        self._timeout_s = max(peer.timeout_s for peer in self._peers.values())
        self._texts = {device.id: self._prepare(device, device.texts) for device in devices if device.texts}
        self._remarks = Remarks()

    async def connect(self) -> None:
        await self._line.open(self._timeout_s)

    async def close(self) -> None:
        await self._line.close()

    def plan(self, device: Device, points: Sequence[Point]) -> Plan:
        return self._prepare(device, points)

    def _prepare(self, device: Device, points: Sequence[Point]) -> Dlt645Plan:
        return Dlt645Plan(device.id, self._peers[device.id], points)

    async def read(self, plan: Plan) -> Updates:
        if not isinstance(plan, Dlt645Plan):
            raise TypeError(f"{type(plan).__name__} was not made by this driver's plan()")
        await self._poll(plan)
        return plan.updates(self._clock.now_ns())

    async def read_texts(self, device: Device) -> Mapping[str, str]:
        plan = self._texts.get(device.id)
        if plan is None:
            return {}
        await self._poll(plan)
        return {device.texts[row].id: text for row, text in plan.texts().items()}

    def remarks(self, device: Device) -> Mapping[str, Text]:
        return self._remarks.of(device.id)

    async def _poll(self, plan: Dlt645Plan) -> None:
        """Ask for every identifier, in turns of one; the first that is not answered ends it."""
        try:
            await self._retry_refused(plan)
            done = 0
            while done < len(plan.asks):
                ask = plan.asks[done]
                answer = await self._line.ask(ask.request)
                if not answer.refused:
                    plan.take(ask, answer.data[4:], self._clock.now_ns())
                    done += 1
                else:
                    plan.refuse(ask, answer.data[0], self._clock.monotonic_ns())
        finally:
            self._remarks.note(plan.device, plan.names, plan.remarks())

    async def _retry_refused(self, plan: Dlt645Plan) -> None:
        for refusal in plan.retry(self._clock.monotonic_ns()):
            answer = await self._line.ask(refusal.ask.request)
            if answer.refused:
                plan.put_off(refusal, answer.data[0], self._clock.monotonic_ns())
            else:
                plan.restore(refusal)
