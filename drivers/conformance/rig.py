"""What the author of a driver gives to the suite, and what a check works with."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np

from app.model import quality as q
from app.model.clock import Clock, SystemClock
from app.model.config import BlocksForm, ControlForm, DeviceKind, PointForm, RatingsForm
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.contract import Driver, Link, Plan, Pollable

PATIENCE_S: Final = 10.0
"""How long a device that sends by itself may take."""


class Nonconforming(AssertionError):
    """A driver does not do what the contract says."""


@dataclass(frozen=True)
class Rig:
    """One driver, devices on one line of it, and what is known of the peer that answers for them."""

    driver: Driver
    devices: Sequence[Device]
    """Sound, on one line, numbered on from 0. The first has two points or more that are polled."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Full point name -> what the peer holds, in the point's unit. As many as are known."""
    refused: Collection[str] = ()
    """Full names of polled points that the peer refuses."""
    faulty: Sequence[Device] = ()
    """Devices with a mistake each, in `connection` or in an `address`."""
    silence: Callable[[bool], None] | None = None
    """Makes the peer silent, or lets it speak again. A silent peer may hang up; it must come back."""
    writes: Callable[[], int] = lambda: 0
    """How many frames that change something have reached the peer."""
    order: tuple[str, float] | None = None
    """A point and a value that the peer takes; for drivers that can write."""
    releases: bool = False
    """Whether writing NaN takes a command back, as a priority of BACnet is released."""
    clock: Clock = field(default_factory=SystemClock)


class PolledLink(Link):
    """A link that is `Pollable` as well, to the eyes of a type checker."""

    @abstractmethod
    def plan(self, device: Device, points: Sequence[Point]) -> Plan: ...

    @abstractmethod
    async def read(self, plan: Plan) -> Updates: ...


class Bench:
    """The rig during one check, and the links that the check opens."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self._links: list[Link] = []

    def link(self, *, read_only: bool = False) -> Link:
        """A link for all devices, not connected yet. It is closed after the check."""
        link = self.rig.driver.open(self.rig.devices, self.rig.clock, read_only=read_only)
        made: object = link
        self.require(isinstance(made, Link), f"open() returned a {type(made).__name__}, and no Link")
        self._links.append(link)
        return link

    async def polled_link(self) -> PolledLink | None:
        """A connected link that is asked; None where the driver's devices only report."""
        link = self.link()
        if not isinstance(link, Pollable):
            return None
        await link.connect()
        return cast(PolledLink, link)

    async def clear(self) -> None:
        """Close what was opened."""
        for link in self._links:
            await link.close()

    @staticmethod
    def judge(wrong: str) -> None:
        """Raise Nonconforming where something is wrong."""
        if wrong:
            raise Nonconforming(wrong)

    @staticmethod
    def require(holds: bool, otherwise: str) -> None:
        """Raise Nonconforming with `otherwise` where something does not hold."""
        if not holds:
            raise Nonconforming(otherwise)

    @staticmethod
    async def expect(kinds: tuple[type[BaseException], ...], call: Awaitable[object], what: str) -> BaseException:
        """The error that a call must raise, one of `kinds`."""
        try:
            result = await call
        except kinds as error:
            return error
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            words = " or ".join(kind.__name__ for kind in kinds)
            raise Nonconforming(f"{what} must raise {words}, not {type(error).__name__}: {error}") from error
        raise Nonconforming(f"{what} must raise an error, and returned {result!r}")


def polled(device: Device) -> list[Point]:
    """The points that the engine would poll."""
    return [point for point in device.points if point.polled]


def wrong_with(updates: object, points: Sequence[Point], rig: Rig) -> str:
    """What is wrong with one batch as the answer to reading these points; empty where it is sound."""
    if not isinstance(updates, Updates):
        return f"read() returned a {type(updates).__name__}, and no Updates"
    expected = {"point": np.int32, "value": np.float64, "quality": np.uint16, "time": np.int64}
    for column, kind in expected.items():
        array = getattr(updates, column)
        if not isinstance(array, np.ndarray) or array.dtype != kind or array.shape != (len(points),):
            return f"column {column} must be {kind.__name__}[{len(points)}], one row a point, and is {array!r:.80}"
    if sorted(updates.point.tolist()) != sorted(point.index for point in points):
        return f"rows are of points {updates.point.tolist()}, and {[point.index for point in points]} were asked for"
    if not 0 < int(updates.time.min(initial=updates.received)) <= int(updates.time.max(initial=0)) <= _now(rig):
        return "source times must lie between 1970 and now, in UTC nanoseconds"
    return _wrong_values(updates, points, rig)


def _wrong_values(updates: Updates, points: Sequence[Point], rig: Rig) -> str:
    names = {point.index: point.name for point in points}
    for index, value, quality in zip(updates.point, updates.value, updates.quality, strict=True):
        name, letters = names[int(index)], q.letters(int(quality))
        usable = bool(np.isfinite(value)) and not quality & q.UNUSABLE
        if name in rig.refused and (np.isfinite(value) or not quality & q.IV):
            return f"{name} is refused by the peer and must be NaN with IV, not {value} with '{letters}'"
        if name not in rig.refused and not usable:
            return f"{name} is answered by the peer, and came as {value} with quality '{letters}'"
        if name in rig.values and not np.isclose(value, rig.values[name], rtol=1e-6):
            return f"{name} is {rig.values[name]:g} at the peer, and was read as {value:g}"
    return ""


def _now(rig: Rig) -> int:
    return rig.clock.now_ns() + 1_000_000_000


def device(
    id_: str,
    connection: Mapping[str, Any],
    points: Sequence[Mapping[str, Any]],
    *,
    driver: str = "any",
    blocks: Mapping[str, Any] | None = None,
    first_index: int = 0,
) -> Device:
    """A device without a station file around it. `points` are as in a file, and numbered from `first_index`.

    Raises pydantic.ValidationError where a point is none.
    """
    forms = [PointForm.model_validate({"name": form.get("id"), **form}) for form in points]
    table = [form for form in forms if form.kind != "text"]
    return Device(
        id=id_,
        name=Text.of(id_),
        kind=DeviceKind.METER,
        parent=None,
        driver=driver,
        connection=connection,
        ratings=RatingsForm(),
        control=ControlForm(),
        blocks=BlocksForm.model_validate(blocks or {}),
        points=tuple(Point(first_index + i, f"{id_}.{form.id}", id_, form) for i, form in enumerate(table)),
        texts=tuple(Point(-1, f"{id_}.{form.id}", id_, form) for form in forms if form.kind == "text"),
    )
