"""Opening, closing, cancelling, silence: what happens to a line day and night."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NoReturn

from app.model.errors import DeviceError, ProtocolError, TransportError
from app.model.updates import Updates
from drivers.conformance.rig import PATIENCE_S, Bench, Nonconforming, PolledLink, polled, wrong_with
from drivers.contract import Plan, Pollable, Reporting

_COMING_BACK: Final = 8
"""Attempts that a driver may need until it has the peer again."""
_PATIENCE_S: Final = 30.0
"""How long a device that sends by itself may take to be there, and a link to tell that it is not any more."""
_CANCELLED_AFTER_S: Final = (0.0, 0.0, 0.001, 0.002, 0.005, 0.01, 0.02)


async def opening_twice_is_opening_once(bench: Bench) -> None:
    link = bench.link()
    await link.connect()
    await link.connect()
    await asyncio.gather(link.connect(), link.connect())


async def closing_twice_is_closing_once(bench: Bench) -> None:
    unopened = bench.link()
    await unopened.close()
    await unopened.close()
    link = bench.link()
    await link.connect()
    await link.close()
    await link.close()
    await asyncio.gather(link.close(), link.close())


async def a_closed_link_stays_closed(bench: Bench) -> None:
    link = await bench.polled_link()
    if link is None:
        return
    device = bench.rig.devices[0]
    plan = link.plan(device, polled(device))
    await link.read(plan)
    await link.close()
    await bench.expect((TransportError,), link.read(plan), "reading over a closed link")


async def a_closed_link_reports_no_more(bench: Bench) -> None:
    link = bench.link()
    if not isinstance(link, Reporting):
        return
    await link.connect()
    async with _reporting(bench, link) as report:
        await link.close()
        await bench.expect((TransportError,), _ending(report), "a report whose link is closed")
    async with _reporting(bench, link, wait=False) as report:
        await bench.expect((TransportError,), _ending(report), "reporting over a closed link")


async def a_cancelled_read_leaves_the_line_usable(bench: Bench) -> None:
    link = await bench.polled_link()
    if link is None:
        return
    device = bench.rig.devices[0]
    points = polled(device)
    plan = link.plan(device, points)
    for after_s in _CANCELLED_AFTER_S:
        reading = asyncio.ensure_future(link.read(plan))
        await asyncio.sleep(after_s)
        reading.cancel()
        (ended,) = await asyncio.gather(reading, return_exceptions=True)
        if not isinstance(ended, (asyncio.CancelledError, Updates)):
            raise Nonconforming(f"a cancelled read must end with CancelledError, not {ended!r}")
        bench.judge(wrong_with(await _read_again(link, plan), points, bench.rig))


async def silence_is_told_and_ends(bench: Bench) -> None:
    """A peer that says nothing is told of by an error of the tree; when it speaks again, so do the values."""
    link, silence = await bench.polled_link(), bench.rig.silence
    if link is None or silence is None:
        return
    device = bench.rig.devices[0]
    points = polled(device)
    plan = link.plan(device, points)
    await link.read(plan)
    silence(True)
    try:
        for _ in range(2):
            error = await bench.expect((TransportError, ProtocolError), _attempt(link, plan), "reading a silent peer")
            bench.require(bool(str(error).strip()), "the error about a silent peer says nothing")
    finally:
        silence(False)
    bench.judge(wrong_with(await _read_again(link, plan), points, bench.rig))


async def a_device_that_sends_no_more_is_told_and_comes_back(bench: Bench) -> None:
    """Of links that are only told: silence ends `report` with an error of the tree; then it is called again."""
    link, silence = bench.link(), bench.rig.silence
    if not isinstance(link, Reporting) or isinstance(link, Pollable) or silence is None:
        return
    device, came = bench.rig.devices[0], asyncio.Event()

    async def attempt() -> None:
        await link.connect()
        await asyncio.wait_for(link.report(device, lambda _: came.set(), lambda: None), PATIENCE_S)

    silence(True)
    try:
        error = await bench.expect((TransportError, ProtocolError), attempt(), "the report of a silent device")
        bench.require(bool(str(error).strip()), "the error about a silent device says nothing")
    finally:
        silence(False)
    came.clear()
    reporting = asyncio.ensure_future(attempt())
    waiting = asyncio.ensure_future(came.wait())
    await asyncio.wait((reporting, waiting), return_when=asyncio.FIRST_COMPLETED)
    for one in (reporting, waiting):
        one.cancel()
    ended, _ = await asyncio.gather(reporting, waiting, return_exceptions=True)
    bench.require(came.is_set(), f"the device sends again, and nothing was delivered: {ended!r}")


@asynccontextmanager
async def _reporting(bench: Bench, link: Reporting, *, wait: bool = True) -> AsyncIterator[asyncio.Task[NoReturn]]:
    """The report of the first device, which is there if waited for; cancelled in the end."""
    online = asyncio.Event()
    report = asyncio.ensure_future(link.report(bench.rig.devices[0], lambda updates: None, online.set))
    waiting = asyncio.ensure_future(online.wait())
    try:
        if wait:
            await asyncio.wait((waiting, report), timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
            bench.require(online.is_set(), f"report() did not call online() within {_PATIENCE_S:g} s")
        yield report
    finally:
        waiting.cancel()
        report.cancel()
        await asyncio.gather(waiting, report, return_exceptions=True)


async def _ending(report: asyncio.Task[NoReturn]) -> str:
    """Raises what ends it."""
    done, _ = await asyncio.wait((report,), timeout=_PATIENCE_S)
    if done:
        report.result()
    return f"report() still runs after {_PATIENCE_S:g} s"


async def _attempt(link: PolledLink, plan: Plan) -> Updates:
    await link.connect()
    return await link.read(plan)


async def _read_again(link: PolledLink, plan: Plan) -> Updates:
    """As the engine does it: connect and read, until it answers."""
    told: DeviceError | None = None
    for _ in range(_COMING_BACK):
        try:
            return await _attempt(link, plan)
        except DeviceError as error:
            told = error
    raise Nonconforming(f"the peer is back, and after {_COMING_BACK} attempts still: {told}")
