"""The driver contract: what a protocol must do for the engine, and nothing more.

A `Driver` judges configuration and groups devices into lines; a `Link` is one open line (a socket, a serial port, a
broker) and serves every device on it. The engine supervises each device by itself: it decides when to read, how long to
back off and what is marked; a link only does what it is asked, and raises `TransportError` or `ProtocolError` when it
cannot.
What errors and remarks say is shown to operators as it stands, so they carry it in both languages (`app.model.text`).

What a link can do is asked of small protocols, not of flags: `Pollable` (answers when it is asked), `Reporting` (its
devices send by themselves), `Writable`, `ClockSettable`; and of a driver `Discovering`. A link is one of the first two
at least, and may be both: then each point is also read by its scan, because reports get lost.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NoReturn, Protocol, runtime_checkable

from app.model.clock import Clock
from app.model.commissioning import Proposal as Proposal  # noqa: PLC0414 (told to those who write drivers)
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates

VERSION: Final = 1
"""Of this contract. Additions keep it; what breaks a driver of others raises it."""

Deliver = Callable[[Updates], None]
"""Takes a batch. Called on the engine's loop; it never blocks or raises."""
Found = Callable[[Proposal], None]
"""Takes a device that was found, and again when more is known of it: its `id` tells. Never blocks or raises."""


def unheard(proposal: Proposal) -> None:
    """For who waits until all are found."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A fault that only the driver can see. `point` is empty where the connection is at fault."""

    device: str
    point: str
    key: str
    """The key in `address` or `connection` that is wrong; empty for the whole."""
    what: Text | str
    mend: Text | str
    """Plain text stands for both languages."""
    of_machine: bool = False
    """The files are sound, and this machine lacks something, such as a certificate or a library: the station runs, and
    the device stays lost until it is there."""


class Plan:
    """What a link prepared for reading a set of points again and again. Opaque to the engine."""


class Link(ABC):
    """One open line. All methods run on the engine's loop; none blocks it."""

    @abstractmethod
    async def connect(self) -> None:
        """Open the line; nothing happens when it is open. Raises TransportError."""

    @abstractmethod
    async def close(self) -> None:
        """Close the line for good. Never raises; may be called twice."""

    async def read_texts(self, device: Device) -> Mapping[str, str]:
        """The device's texts by point id; empty when it has none. Raises as `Pollable.read` does."""
        return {}

    def texts(self, device: Device) -> Mapping[str, str]:
        """Point id -> text, of the texts that the device reported by itself. Any thread."""
        return {}

    def remarks(self, device: Device) -> Mapping[str, Text]:
        """Full point name -> why it has no value: the device refuses it, or sent no number. Any thread."""
        return {}

    def refused(self, device: Device) -> Collection[str]:
        """Full names of the points that the device refuses to give: of those with a remark, unless a driver knows."""
        return self.remarks(device).keys()


@runtime_checkable
class Pollable(Protocol):
    """A link whose devices answer when they are asked."""

    def plan(self, device: Device, points: Sequence[Point]) -> Plan:
        """Prepare reading these points of one device together. Pure; called once a scan group."""

    async def read(self, plan: Plan) -> Updates:
        """Read every point of the plan once, one row each.

        A point that the device refuses comes back NaN with IV, and is explained in `remarks`. Raises TransportError
        when the device did not answer, ProtocolError when its answer cannot be trusted, RefusedByDevice when it is
        busy or broken as a whole. Cancelling it leaves the line usable.
        """


@runtime_checkable
class Reporting(Protocol):
    """A link whose devices send by themselves."""

    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        """Give what the device sends to `deliver`, as whole batches, from now until cancelled.

        Devices of a line whose `deliver` is equal, as it is for all in the engine, may share a batch.

        Calls `online` when the device is known to be there: it answered, was born, or its subscription was granted.
        Called after `connect`; after an error `connect` and this are called again. Raises TransportError when the
        device does not come in time or is lost, ProtocolError when it cannot be trusted any more.
        """


@runtime_checkable
class Writable(Protocol):
    """A link that can command."""

    async def write(self, point: Point, value: float) -> float:
        """Write one value in the point's unit, ahead of all polls, and return what the device then holds (read back).

        NaN where the device took it but cannot be asked for it. Raises ReadOnlyError, TransportError (then it is not
        known whether the device took it), ProtocolError, RefusedByDevice, or ValueError where the value does not fit.
        """


@runtime_checkable
class ClockSettable(Protocol):
    """A link that can set its devices' clocks."""

    async def set_clock(self, device: Device) -> None:
        """Set the device's clock to the link's. Raises as `Writable.write` does."""


class Driver(ABC):
    """One protocol."""

    contract_version: ClassVar[int] = 0
    """The `VERSION` that a plugin was written for. Gridroom's own drivers go along with the contract and say none."""

    @abstractmethod
    def check(self, device: Device) -> list[Complaint]:
        """Everything wrong with the device's connection and addresses; empty when it may start."""

    def check_line(self, devices: Sequence[Device]) -> list[Complaint]:
        """What devices of one line disagree about, such as its baudrate; empty where nothing can be."""
        return []

    def keys(self) -> Mapping[str, object]:
        """What a `connection` may say, each key with its default, None where there is none; for forms to offer.

        Empty where the driver does not tell: then a person writes keys by hand, and `check` judges them as ever.
        """
        return {}

    @abstractmethod
    def line(self, device: Device) -> str:
        """Names the line that the device is on. Devices with equal lines share one link."""

    @abstractmethod
    def open(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> Link:
        """The link for the devices of one line. Does not connect yet. If read-only, it refuses writes at the socket."""


@runtime_checkable
class Discovering(Protocol):
    """A driver that finds devices by itself."""

    async def discover(
        self, connection: Mapping[str, Any], clock: Clock, seconds: float, found: Found = unheard
    ) -> Sequence[Proposal]:
        """Look around on one connection for this long; nothing is written to the field.

        Each device is given to `found` as soon as it answers; all of them are the answer. What cannot be asked, such as
        keys that are wrong or missing, is told as any other trouble. Raises DeviceError, or ValueError.
        """
