"""Trying a device before its connection is saved: a link of its own, opened read-only, closed again."""

from __future__ import annotations

import asyncio

import numpy as np

from app.model import quality as q
from app.model.clock import Clock
from app.model.commissioning import Trial, TrialRow
from app.model.errors import DeviceError, words_of
from app.model.station import Device
from app.model.text import Text
from app.model.updates import Updates
from drivers.contract import Link, Pollable, Reporting
from drivers.registry import driver


async def try_device(device: Device, clock: Clock, seconds: float) -> Trial:
    """Connect, read every point once, or listen for `seconds` to a device that sends by itself. Nothing is written."""
    if device.driver is None:
        return Trial(device.id, Text("it has no connection; add one first", "设备没有连接，请先添加"), 0.0, ())
    began = clock.monotonic_ns()
    points = [point for point in device.points if point.polled]
    newest: dict[int, tuple[float, int, int]] = {}
    took_ms = float("nan")

    def keep(updates: Updates) -> None:
        rows = zip(updates.point.tolist(), updates.value, updates.quality, updates.time, strict=True)
        newest.update({point: (float(value), int(quality), int(time)) for point, value, quality, time in rows})

    def there() -> None:
        nonlocal took_ms
        if np.isnan(took_ms):
            took_ms = (clock.monotonic_ns() - began) / 1e6

    trouble: Text | None = None
    link: Link | None = None
    try:
        link = driver(device.driver).open([device], clock, read_only=True)
        async with asyncio.timeout(None if isinstance(link, Pollable) else seconds):
            await link.connect()
            if isinstance(link, Pollable):
                keep(await link.read(link.plan(device, points)))
                there()
            elif isinstance(link, Reporting):
                await link.report(device, keep, there)
    except TimeoutError:
        if np.isnan(took_ms):
            trouble = Text(f"it did not come within {seconds:g} s", f"{seconds:g} s 内无数据")
    except DeviceError as error:
        trouble = error.text
    except (ValueError, OSError) as error:
        trouble = words_of(error)
    remarks = link.remarks(device) if link is not None else {}
    if link is not None:
        await link.close()
    rows = [
        TrialRow(point.name, *newest.get(point.index, (float("nan"), q.NT, 0)), remarks.get(point.name))
        for point in points
    ]
    return Trial(device.id, trouble, took_ms, tuple(rows))
