"""What can be seen without the field: abilities have their shape, and configuration is judged without failing."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from app.model.station import Device, Point
from drivers.conformance.rig import Bench, polled
from drivers.contract import (
    VERSION,
    ClockSettable,
    Complaint,
    Discovering,
    Driver,
    Pollable,
    Reporting,
    Writable,
)

_ABSURD: Final[tuple[object, ...]] = (
    None,
    True,
    -1,
    0,
    10**20,
    1e101,
    float("nan"),
    "",
    " ",
    "\x00",
    "x" * 1000,
    [],
    {},
    [1],
    {"a": 1},
)
_COROUTINES: Final[dict[type[Any], tuple[str, ...]]] = {
    Pollable: ("read",), Reporting: ("report",), Writable: ("write",), ClockSettable: ("set_clock",),
}  # fmt: skip


async def the_driver_judges_its_own_devices_sound(bench: Bench) -> None:
    driver, devices = bench.rig.driver, bench.rig.devices
    given: object = driver
    bench.require(isinstance(given, Driver), f"the driver is a {type(given).__name__}, and no Driver")
    for device in devices:
        bench.judge(_words(driver.check(device), device))
    bench.judge("; ".join(str(one.what) for one in driver.check_line(devices)))
    lines = {driver.line(device) for device in devices} | {driver.line(device) for device in devices}
    sound = len(lines) == 1 and all(lines)
    bench.require(sound, f"all devices must be on one line with one name, and line() says {sorted(lines)}")


def _words(complaints: list[Complaint], device: Device) -> str:
    return "; ".join(f"{device.id} is sound, and check() says of {one.key}: {one.what}" for one in complaints)


async def the_driver_says_what_it_was_written_for(bench: Bench) -> None:
    told = bench.rig.driver.contract_version
    bench.require(told in (0, VERSION), f"contract_version is {told}, and the contract here is {VERSION}")


async def abilities_have_their_shape(bench: Bench) -> None:
    link = bench.link()
    found = [ability for ability in _COROUTINES if isinstance(link, ability)]
    bench.require(isinstance(link, (Pollable, Reporting)), "a link must be Pollable, Reporting or both")
    for ability in found:
        for method in _COROUTINES[ability]:
            right = inspect.iscoroutinefunction(getattr(link, method))
            bench.require(right, f"{method}() must be a coroutine function")
    driver = bench.rig.driver
    if isinstance(driver, Discovering):
        bench.require(inspect.iscoroutinefunction(driver.discover), "discover() must be a coroutine function")
    for device in bench.rig.devices:
        right = isinstance(link.remarks(device), Mapping)
        bench.require(right, "remarks() must be a mapping before anything was read")


async def every_mistake_is_told_with_its_mend(bench: Bench) -> None:
    for device in bench.rig.faulty:
        found = bench.rig.driver.check(device)
        bench.require(bool(found), f"check() finds nothing wrong with {device.connection} and its points")
        for complaint in found:
            bench.judge(_wrong_complaint(complaint, device))


def _wrong_complaint(complaint: object, device: Device) -> str:
    if not isinstance(complaint, Complaint):
        return f"check() returned a {type(complaint).__name__}, and no Complaint"
    if complaint.device != device.id:
        return f"a complaint names device '{complaint.device}', and was asked about '{device.id}'"
    names = {name for point in (*device.points, *device.texts) for name in (point.id, point.name)}
    if complaint.point and complaint.point not in names:
        return f"a complaint names point '{complaint.point}', which {device.id} has not"
    if not (str(complaint.what).strip() and str(complaint.mend).strip()):
        return f"a complaint about '{complaint.key}' does not say what is wrong and how to mend it"
    return ""


async def no_configuration_makes_judging_fail(bench: Bench) -> None:
    """Each key of the connection and of every address is replaced by what makes no sense, and is left out."""
    driver = bench.rig.driver
    for device in _spoilt(bench.rig.devices[0]):
        where = f"connection {device.connection} and addresses {[point.form.address for point in device.points]}"
        try:
            found = driver.check(device)
            for complaint in found:
                bench.judge(_wrong_complaint(complaint, device))
            if not found:
                driver.line(device)
        except AssertionError:
            raise
        except Exception as error:
            bench.judge(f"judging {where:.300} failed: {type(error).__name__}: {error}")


def _spoilt(device: Device) -> Iterator[Device]:
    for connection in _variants(device.connection):
        yield replace(device, connection=connection)
    for point in polled(device)[:3]:
        for address in _variants(point.form.address or {}):
            yield replace(device, points=(_readdressed(point, address),))


def _variants(mapping: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {}
    yield {**mapping, "no_such_key": 1}
    for key in mapping:
        yield {other: value for other, value in mapping.items() if other != key}
        for value in _ABSURD:
            yield {**mapping, key: value}


def _readdressed(point: Point, address: dict[str, Any]) -> Point:
    return replace(point, form=point.form.model_copy(update={"address": address}))
