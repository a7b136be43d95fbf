"""Commands: read back, refused where they do not fit, and none at all in a read-only station."""

from __future__ import annotations

import math

from app.model.errors import ReadOnlyError, RefusedByDevice
from app.model.station import Point
from drivers.conformance.rig import Bench, polled
from drivers.contract import ClockSettable, Pollable, Writable


def _ordered(bench: Bench) -> tuple[Point, float] | None:
    if bench.rig.order is None:
        return None
    name, value = bench.rig.order
    points = [point for device in bench.rig.devices for point in device.points if point.name == name]
    return (points[0], value) if points else None


async def a_read_only_link_writes_nothing(bench: Bench) -> None:
    """It reads as any other; every write is refused, and none reaches the peer."""
    before = bench.rig.writes()
    link = bench.link(read_only=True)
    await link.connect()
    device, order = bench.rig.devices[0], _ordered(bench)
    if isinstance(link, Pollable):
        await link.read(link.plan(device, polled(device)))
    if isinstance(link, Writable) and order:
        await bench.expect((ReadOnlyError,), link.write(*order), "writing in a read-only station")
    if isinstance(link, ClockSettable):
        await bench.expect((ReadOnlyError,), link.set_clock(device), "setting a clock in a read-only station")
    if isinstance(link, Pollable):
        await link.read(link.plan(device, polled(device)))
    reached = bench.rig.writes() - before
    bench.require(not reached, f"{reached} writes of a read-only link reached the peer")


async def what_is_written_is_read_back(bench: Bench) -> None:
    link, order = bench.link(), _ordered(bench)
    if not isinstance(link, Writable) or order is None:
        return
    await link.connect()
    before = bench.rig.writes()
    held = await link.write(*order)
    bench.require(bench.rig.writes() > before, "write() returned, and no write has reached the peer")
    sound = math.isnan(held) or math.isclose(held, order[1], rel_tol=1e-6)
    bench.require(sound, f"{order[0].name} was set to {order[1]:g}, and write() says that it holds {held:g}")


async def what_does_not_fit_is_refused(bench: Bench) -> None:
    """A value that is no number is never sent; NaN may be, where it takes a command back."""
    link, order = bench.link(), _ordered(bench)
    if not isinstance(link, Writable) or order is None:
        return
    await link.connect()
    before = bench.rig.writes()
    for value, called in ((math.inf, "infinity"), *(() if bench.rig.releases else ((math.nan, "NaN"),))):
        await bench.expect((ValueError, RefusedByDevice), link.write(order[0], value), f"writing {called}")
        bench.require(not bench.rig.writes() > before, f"{called} was sent to the peer")
