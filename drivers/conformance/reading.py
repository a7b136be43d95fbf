"""Rows, order, quality, texts, reports: what a driver brings from the field."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np

from app.model.errors import TransportError
from app.model.updates import Updates
from drivers.conformance.rig import PATIENCE_S, Bench, polled, wrong_with
from drivers.contract import Reporting


async def a_read_has_one_row_a_point(bench: Bench) -> None:
    link = await bench.polled_link()
    if link is None:
        return
    for device in bench.rig.devices:
        points = polled(device)
        plan = link.plan(device, points)
        for _ in range(2):
            bench.judge(wrong_with(await link.read(plan), points, bench.rig))


async def points_keep_their_values_in_any_order(bench: Bench) -> None:
    """A plan of some points, backwards, gives to each the value that it has among all."""
    link = await bench.polled_link()
    if link is None:
        return
    device = bench.rig.devices[0]
    points = polled(device)
    for some in (points[::-1], points[1::2], points[:1]):
        bench.judge(wrong_with(await link.read(link.plan(device, some)), some, bench.rig))


async def batches_do_not_change_afterwards(bench: Bench) -> None:
    """What was read belongs to who read it: the next read writes into columns of its own."""
    link = await bench.polled_link()
    if link is None:
        return
    device = bench.rig.devices[0]
    plan = link.plan(device, polled(device))
    first, second = await link.read(plan), await link.read(plan)
    for column in ("value", "quality", "time"):
        shared = np.shares_memory(getattr(first, column), getattr(second, column))
        bench.require(not shared, f"column {column} of two reads is the same memory")


async def what_is_refused_is_invalid_and_explained(bench: Bench) -> None:
    link = await bench.polled_link()
    if link is None or not bench.rig.refused:
        return
    for device in bench.rig.devices:
        points = polled(device)
        bench.judge(wrong_with(await link.read(link.plan(device, points)), points, bench.rig))
        told = link.remarks(device)
        refused = {point.name for point in points if point.name in bench.rig.refused}
        bench.require(set(told) == refused, f"remarks() explain {sorted(told)}, and refused is {sorted(refused)}")
        bench.require(
            all(why.en.strip() and why.zh.strip() for why in told.values()),
            "a remark does not say why in both languages",
        )


async def devices_of_a_line_are_read_together(bench: Bench) -> None:
    """As their supervisors do it, and one device by two plans at once."""
    link = await bench.polled_link()
    if link is None:
        return
    work = [(device, polled(device)) for device in (*bench.rig.devices, bench.rig.devices[0])]
    found = await asyncio.gather(*(link.read(link.plan(device, points)) for device, points in work))
    for updates, (_, points) in zip(found, work, strict=True):
        bench.judge(wrong_with(updates, points, bench.rig))


async def texts_are_those_of_the_device(bench: Bench) -> None:
    link = bench.link()
    await link.connect()
    for device in bench.rig.devices:
        texts = {**await link.read_texts(device), **link.texts(device)}
        ids = {point.id for point in device.texts}
        sound = set(texts) <= ids and all(isinstance(text, str) for text in texts.values())
        bench.require(sound, f"the link gives {texts!r:.200}, and the device has the texts {sorted(ids)}")


async def reports_come_as_whole_batches(bench: Bench) -> None:
    """A device that sends by itself is online in time, sends sound batches of its own points, and ends when
    cancelled."""
    link = bench.link()
    if not isinstance(link, Reporting):
        return
    await link.connect()
    device = bench.rig.devices[0]
    batches: list[Updates] = []
    online, came = asyncio.Event(), asyncio.Event()

    def deliver(updates: Updates) -> None:
        batches.append(updates)
        came.set()

    reporting = asyncio.ensure_future(link.report(device, deliver, online.set))
    try:
        for event, what in ((online, "call online()"), (came, "deliver a batch")):
            waiting = asyncio.ensure_future(event.wait())
            await asyncio.wait((waiting, reporting), timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if reporting.done():
                bench.judge(f"report() ended before it was cancelled: {reporting.exception()!r}")
            bench.require(event.is_set(), f"report() did not {what} within {PATIENCE_S:g} s")
    finally:
        reporting.cancel()
        with contextlib.suppress(asyncio.CancelledError, TransportError):
            await reporting
    own = {point.index: point for point in device.points}
    strange = {int(index) for updates in batches for index in updates.point} - own.keys()
    bench.require(not strange, f"report() delivered points {sorted(strange)}, which are not of {device.id}")
    for updates in batches:
        bench.judge(wrong_with(updates, [own[int(index)] for index in updates.point], bench.rig))
