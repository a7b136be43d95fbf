"""The link that is told: the devices whose messages come to one host and port."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from app.model.clock import Clock
from app.model.station import Device
from app.model.text import Text
from drivers.contract import Deliver, Link
from drivers.http.connection import receiver_of
from drivers.http.hooks import DeviceHook
from drivers.http.server import Receiver


class HookLink(Link):
    """Devices that send by themselves (`drivers.contract.Reporting`)."""

    def __init__(self, devices: Sequence[Device], clock: Clock) -> None:
        self._hooks = {device.id: DeviceHook(device, clock) for device in devices}
        by_path = {hook.hook.path: hook for hook in self._hooks.values()}
        self._receiver = Receiver(*receiver_of(devices[0].connection), by_path, clock)

    async def connect(self) -> None:
        await self._receiver.open()

    async def close(self) -> None:
        await self._receiver.close()

    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        """The device is there with its first message, and lost when none comes for its `silence`."""
        await self._hooks[device.id].report(deliver, online)

    def remarks(self, device: Device) -> Mapping[str, Text]:
        return self._hooks[device.id].remarks
