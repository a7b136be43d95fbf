"""The driver contract: what a protocol must do for the engine, and nothing more.

A `Driver` judges configuration and groups devices into lines; a `Link` is one open line (a socket, a serial port) and
serves every device on it. The engine supervises each device by itself: it decides when to read, how long to back off
and what is marked; a link only does what it is asked, and raises `TransportError` or `ProtocolError` when it cannot.
What errors and remarks say is shown to operators as it stands, so they carry it in both languages (`app.model.text`).

Abilities beyond reading in turn are asked of small protocols (`Writable`), not of flags.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from app.model.clock import Clock
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates


@dataclass(frozen=True, slots=True)
class Complaint:
    """A fault that only the driver can see. `point` is empty where the connection is at fault."""

    device: str
    point: str
    key: str
    """The key in `address` or `connection` that is wrong; empty for the whole."""
    what: str
    mend: str


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

    @abstractmethod
    def plan(self, device: Device, points: Sequence[Point]) -> Plan:
        """Prepare reading these points of one device together. Pure; called once a scan group."""

    @abstractmethod
    async def read(self, plan: Plan) -> Updates:
        """Read every point of the plan once, one row each.

        A point that the device refuses comes back NaN with IV, and is explained in `remarks`. Raises TransportError
        when the device did not answer, ProtocolError when its answer cannot be trusted, RefusedByDevice when it is
        busy or broken as a whole. Cancelling it leaves the line usable.
        """

    @abstractmethod
    async def read_texts(self, device: Device) -> Mapping[str, str]:
        """The device's texts by point id; empty when it has none. Raises as `read` does."""

    @abstractmethod
    def remarks(self, device: Device) -> Mapping[str, Text]:
        """Full point name -> why the device refuses it, for the points that it refused."""


@runtime_checkable
class Writable(Protocol):
    """A link that can command."""

    async def write(self, point: Point, value: float) -> float:
        """Write one value in the point's unit, ahead of all polls, and return what the device then holds (read back).

        Raises TransportError, ProtocolError, RefusedByDevice, or ValueError where the value does not fit the register.
        """


class Driver(ABC):
    """One protocol."""

    @abstractmethod
    def check(self, device: Device) -> list[Complaint]:
        """Everything wrong with the device's connection and addresses; empty when it may start."""

    def check_line(self, devices: Sequence[Device]) -> list[Complaint]:
        """What devices of one line disagree about, such as its baudrate; empty where nothing can be."""
        return []

    @abstractmethod
    def line(self, device: Device) -> str:
        """Names the line that the device is on. Devices with equal lines share one link."""

    @abstractmethod
    def open(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> Link:
        """The link for the devices of one line. Does not connect yet. If read-only, it refuses writes at the socket."""
