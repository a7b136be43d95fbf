"""A field in memory: a driver whose devices answer, refuse, hang and come back as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from app.model.clock import Clock
from app.model.errors import TransportError
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.contract import Complaint, Deliver, Driver, Link, Plan


@dataclass
class MemoryPlan(Plan):
    device: Device
    names: Sequence[str]
    rows: Any


@dataclass
class MemoryField(Driver):
    """`connection: {driver: memory, line: NAME}`. Set `failing[device]` to an exception, `hanging` to hang.

    `failing["device.point"]` fails only the reads that ask for this point, `failing["device texts"]` those of texts.
    """

    failing: dict[str, Exception] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    refusing: dict[str, str] = field(default_factory=dict)
    """Full point name -> why the device refuses it."""
    numberless: dict[str, str] = field(default_factory=dict)
    """Full point name -> what the device sends in place of a number."""
    values: dict[str, float] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    links: list[BareLink] = field(default_factory=list)
    reporting: str = ""
    """`only` for links whose devices send by themselves, `also` for those that are polled as well."""
    reports: dict[str, asyncio.Queue[Updates | Exception]] = field(default_factory=dict)
    """What each device sends; an exception is its loss."""
    read_only: bool | None = None
    """As the engine asked for it."""

    def check(self, device: Device) -> list[Complaint]:
        return []

    def line(self, device: Device) -> str:
        return str(device.connection.get("line", device.id))

    def open(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> Link:
        self.read_only = read_only
        kind = {"": MemoryLink, "only": ReportingLink, "also": PolledAndReportingLink}[self.reporting]
        self.links.append(kind(self, clock))
        return self.links[-1]


class BareLink(Link):
    def __init__(self, owner: MemoryField, clock: Clock) -> None:
        self.owner = owner
        self.clock = clock
        self.closed = False

    async def connect(self) -> None:
        pass

    async def close(self) -> None:
        self.closed = True


class MemoryLink(BareLink):
    def plan(self, device: Device, points: Sequence[Point]) -> Plan:
        rows = np.array([point.index for point in points], np.int32)
        return MemoryPlan(device, [point.name for point in points], rows)

    async def read(self, plan: Plan) -> Updates:
        assert isinstance(plan, MemoryPlan)
        device = plan.device.id
        self.owner.reads.append(device)
        if device in self.owner.hanging:
            await asyncio.sleep(0.05)
            raise TransportError(Text.of(f"no answer from {device} within 50 ms"))
        for name in (device, *plan.names):
            if name in self.owner.failing:
                raise self.owner.failing[name]
        now = self.clock.now_ns()
        return Updates.of(plan.rows, self.owner.values.get(device, 1.0), 0, now, now)

    async def read_texts(self, device: Device) -> Mapping[str, str]:
        if f"{device.id} texts" in self.owner.failing:
            raise self.owner.failing[f"{device.id} texts"]
        return {}

    def remarks(self, device: Device) -> Mapping[str, Text]:
        said = self.owner.refusing | self.owner.numberless
        return {name: Text(why, why) for name, why in said.items() if name.startswith(f"{device.id}.")}

    def refused(self, device: Device) -> Collection[str]:
        return [name for name in self.owner.refusing if name.startswith(f"{device.id}.")]


class ReportingLink(BareLink):
    """Its devices are there with the first batch that they send."""

    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        queue = self.owner.reports.setdefault(device.id, asyncio.Queue())
        while True:
            sent = await queue.get()
            if isinstance(sent, Exception):
                raise sent
            online()
            deliver(sent)


class PolledAndReportingLink(MemoryLink, ReportingLink):
    pass
