"""What stands in for a driver that cannot be used: its devices are lost, and say why; all others run."""

from __future__ import annotations

from collections.abc import Sequence

from app.model.clock import Clock
from app.model.errors import TransportError
from app.model.station import Device
from app.model.text import Text, joined
from drivers.contract import Complaint, Driver, Link


class AbsentDriver(Driver):
    """In the place of a driver that could not be loaded."""

    def __init__(self, why: Text, mend: Text) -> None:
        self.why = why
        self.mend = mend

    def check(self, device: Device) -> list[Complaint]:
        return [Complaint(device.id, "", "driver", self.why, self.mend)]

    def line(self, device: Device) -> str:
        return device.id

    def open(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> Link:
        return AbsentLink(joined([self.why, self.mend]))


class AbsentLink(Link):
    """In the place of a link that could not be made. It never connects."""

    def __init__(self, why: Text) -> None:
        self._why = why

    async def connect(self) -> None:
        raise TransportError(self._why)

    async def close(self) -> None:
        pass
