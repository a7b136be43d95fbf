"""The suite itself: a good driver passes it, and every defect that it is for is caught by the check that names it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
import pytest

from app.model import quality as q
from app.model.clock import Clock
from app.model.errors import ReadOnlyError, TransportError
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.conformance import CHECKS, Check, Nonconforming, Rig, conform, device, life, name
from drivers.contract import Complaint, Deliver, Driver, Link, Plan

pytestmark = pytest.mark.asyncio


@dataclass
class Peer:
    values: dict[str, float] = field(default_factory=lambda: {"m.a": 1.0, "m.b": 2.0, "m.c": 3.0, "m.set": 0.0})
    silent: bool = False
    writes: int = 0


@dataclass
class GoodPlan(Plan):
    points: Sequence[Point]


class Good(Link):
    """Reads and writes a peer in memory, as the contract says."""

    def __init__(self, peer: Peer, clock: Clock, read_only: bool) -> None:
        self.peer, self.clock, self.read_only, self.closed = peer, clock, read_only, False

    async def connect(self) -> None:
        if self.closed:
            raise TransportError(Text.of("closed here"))

    async def close(self) -> None:
        self.closed = True

    def plan(self, device: Device, points: Sequence[Point]) -> Plan:
        return GoodPlan(points)

    async def read(self, plan: Plan) -> Updates:
        assert isinstance(plan, GoodPlan)
        await asyncio.sleep(0.001)
        if self.closed or self.peer.silent:
            raise TransportError(Text.of("no answer"))
        return self.batch(plan.points)

    def batch(self, points: Sequence[Point]) -> Updates:
        value = np.array([self.peer.values.get(point.name, np.nan) for point in points])
        quality = np.where(np.isnan(value), q.IV, q.GOOD)
        now = self.clock.now_ns()
        return Updates(
            np.array([point.index for point in points], np.int32),
            value,
            quality.astype(np.uint16),
            np.full(len(points), now),
            now,
        )

    def remarks(self, device: Device) -> Mapping[str, Text]:
        return {"m.none": Text("not there", "不存在")}

    async def read_texts(self, device: Device) -> Mapping[str, str]:
        return {"no": "123"}

    async def write(self, point: Point, value: float) -> float:
        if self.read_only:
            raise ReadOnlyError("read-only")
        if not np.isfinite(value):
            raise ValueError("no number")
        self.peer.writes += 1
        self.peer.values[point.name] = value
        return value

    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        online()
        while not self.closed:
            deliver(self.batch(device.points[:2]))
            await asyncio.sleep(0.01)
        raise TransportError(Text.of("closed here"))


class GoodReports(Good):
    """Only sends by itself."""

    plan = read = None  # type: ignore[assignment]

    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        online()
        while not (self.closed or self.peer.silent):
            deliver(self.batch(device.points[:2]))
            await asyncio.sleep(0.01)
        raise TransportError(Text.of("nothing comes any more"))


class OnlyReports(Link):
    """Is told by the peer in memory, and cannot ask it."""

    def __init__(self, peer: Peer, clock: Clock, read_only: bool) -> None:
        self._good, self.peer, self.closed = Good(peer, clock, read_only), peer, False

    async def connect(self) -> None: ...
    async def close(self) -> None:
        self.closed = True

    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        while not (self.peer.silent or self.closed):
            online()
            deliver(self._good.batch(device.points[:2]))
            await asyncio.sleep(0.01)
        raise TransportError(Text.of("nothing came"))


class GoodDriver(Driver):
    contract_version = 1

    def __init__(self, peer: Peer, link: type[Any] = Good) -> None:
        self.peer, self.kind = peer, link

    def check(self, device: Device) -> list[Complaint]:
        host = device.connection.get("host")
        if not isinstance(host, str):
            return [Complaint(device.id, "", "host", f"host {host!r} is not a name", "write a name")]
        return []

    def line(self, device: Device) -> str:
        return str(device.connection["host"]) or "?"

    def open(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> Link:
        return self.kind(self.peer, clock, read_only)


POINTS: list[dict[str, Any]] = [
    *({"id": id_, "kind": "measurement", "address": {"at": id_}} for id_ in ("a", "b", "c", "none")),
    {"id": "set", "kind": "setpoint", "address": {"at": "set"}},
    {"id": "no", "kind": "text", "address": {"at": "no"}},
]


def rig_of(peer: Peer, driver: Driver) -> Rig:
    def silence(silent: bool) -> None:
        peer.silent = silent

    return Rig(
        driver,
        [device("m", {"host": "h"}, POINTS)],
        values={"m.a": 1.0, "m.b": 2.0, "m.c": 3.0},
        refused={"m.none"},
        faulty=[device("bad", {}, [])],
        silence=silence,
        writes=lambda: peer.writes,
        order=("m.set", 5.0),
    )


@pytest.mark.parametrize("link", [Good, GoodReports])
@pytest.mark.parametrize("check", CHECKS, ids=name)
async def test_a_good_driver_conforms(check: Check, link: type[Good]) -> None:
    peer = Peer()
    await conform(check, rig_of(peer, GoodDriver(peer, link)))


@pytest.mark.parametrize("check", CHECKS, ids=name)
async def test_a_good_driver_that_is_only_told_conforms(check: Check) -> None:
    peer = Peer()
    await conform(check, rig_of(peer, GoodDriver(peer, OnlyReports)))


async def test_nan_may_take_a_command_back_and_infinity_never_does() -> None:
    peer = Peer()
    rig = rig_of(peer, GoodDriver(peer, Releases))
    (check,) = [one for one in CHECKS if name(one) == "what_does_not_fit_is_refused"]
    await conform(check, replace(rig, releases=True))
    with pytest.raises(Nonconforming, match="writing NaN must raise"):
        await conform(check, rig)


# ------------------------------------------------------------------------------------------------------- defects


class NoAbility(Link):
    def __init__(self, *_: object) -> None: ...
    async def connect(self) -> None: ...
    async def close(self) -> None: ...


class BlockingRead(Good):
    def read(self, plan: Plan) -> Any:
        return self.batch(plan.points)  # type: ignore[attr-defined]


class ConnectsTwice(Good):
    opened = False

    async def connect(self) -> None:
        if self.opened:
            raise TransportError(Text.of("already connected"))
        self.opened = True


class ClosesOnce(Good):
    async def close(self) -> None:
        if self.closed:
            raise RuntimeError("already closed")
        self.closed = True


class NeverCloses(Good):
    async def close(self) -> None:
        pass


class DiesWhenCancelled(Good):
    dead = False

    async def read(self, plan: Plan) -> Updates:
        if self.dead:
            raise TransportError(Text.of("in use"))
        self.dead = True
        result = await super().read(plan)
        self.dead = False
        return result


class SwallowsCancelling(Good):
    async def read(self, plan: Plan) -> Updates:
        try:
            return await super().read(plan)
        except asyncio.CancelledError:
            raise TransportError(Text.of("cancelled")) from None


class ForeignError(Good):
    async def read(self, plan: Plan) -> Updates:
        if self.peer.silent:
            raise TimeoutError
        return await super().read(plan)


class NeverComesBack(Good):
    lost = False

    async def read(self, plan: Plan) -> Updates:
        self.lost |= self.peer.silent
        if self.lost:
            raise TransportError(Text.of("lost for ever"))
        return await super().read(plan)


class LosesRows(Good):
    def batch(self, points: Sequence[Point]) -> Updates:
        return super().batch([point for point in points if point.id != "none"])


class Sorts(Good):
    """Values in the order of the station, rows in that of the plan."""

    def batch(self, points: Sequence[Point]) -> Updates:
        given, by_index = super().batch(points), super().batch(sorted(points, key=lambda point: point.index))
        return Updates(given.point, by_index.value, by_index.quality, given.time, given.received)


class WrongTypes(Good):
    def batch(self, points: Sequence[Point]) -> Updates:
        found = super().batch(points)
        return Updates(found.point, found.value, found.quality.astype(np.int64), found.time, found.received)  # type: ignore[arg-type]


class Milliseconds(Good):
    def batch(self, points: Sequence[Point]) -> Updates:
        found = super().batch(points)
        return Updates(found.point, found.value, found.quality, found.time * 1000, found.received)


class OneMemory(Good):
    value = np.zeros(5)

    def batch(self, points: Sequence[Point]) -> Updates:
        found = super().batch(points)
        self.value[: len(points)] = found.value
        return Updates(found.point, self.value[: len(points)], found.quality, found.time, found.received)


class GoodQuality(Good):
    def batch(self, points: Sequence[Point]) -> Updates:
        found = super().batch(points)
        return Updates(found.point, found.value, np.zeros_like(found.quality), found.time, found.received)


class NoRemarks(Good):
    def remarks(self, device: Device) -> Mapping[str, Text]:
        return {}


class StrangeTexts(Good):
    async def read_texts(self, device: Device) -> Mapping[str, str]:
        return {"serial": "123"}


class StrangeReportedTexts(Good):
    def texts(self, device: Device) -> Mapping[str, str]:
        return {"serial": "123"}


class ReportsNothing(Good):
    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        online()
        raise TransportError(Text.of("nothing"))


class ReportsOthers(Good):
    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        online()
        deliver(Updates.of([77], 1.0, 0, 1, 1))
        await asyncio.Event().wait()
        raise AssertionError


class ReportsWrongly(Good):
    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        online()
        deliver(Updates.of([1], 7.0, 0, self.clock.now_ns(), self.clock.now_ns()))
        await asyncio.Event().wait()
        raise AssertionError


class HidesSilence(OnlyReports):
    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        if self.peer.silent:
            raise TimeoutError
        return await super().report(device, deliver, online)


class StaysSilent(OnlyReports):
    lost = False

    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        self.lost |= self.peer.silent
        if self.lost:
            raise TransportError(Text.of("lost for ever"))
        return await super().report(device, deliver, online)


class ReportsAfterItsEnd(GoodReports):
    async def close(self) -> None:
        pass


class WritesAnyway(Good):
    async def write(self, point: Point, value: float) -> float:
        self.peer.writes += 1
        if self.read_only:
            raise ReadOnlyError("too late")
        return value


class Releases(Good):
    async def write(self, point: Point, value: float) -> float:
        return await super().write(point, 0.0 if np.isnan(value) else value)


class SaysItWrote(Good):
    async def write(self, point: Point, value: float) -> float:
        if self.read_only:
            raise ReadOnlyError("read-only")
        return value


class WritesNan(Good):
    async def write(self, point: Point, value: float) -> float:
        if self.read_only:
            raise ReadOnlyError("read-only")
        self.peer.writes += 1
        return value


class LeavesTask(Good):
    async def connect(self) -> None:
        self.task = asyncio.create_task(asyncio.sleep(3), name="forgotten")


class LeavesThread(Good):
    async def connect(self) -> None:
        threading.Thread(target=time.sleep, args=(2,), name="forgotten thread").start()


class LosesError(Good):
    async def connect(self) -> None:
        def fail() -> None:
            raise RuntimeError("nobody listens")

        asyncio.get_running_loop().call_soon(fail)


class Sleeps(Good):
    def batch(self, points: Sequence[Point]) -> Updates:
        time.sleep(0.03)
        return super().batch(points)


LINKS: list[tuple[str, type[Any], str]] = [
    ("abilities_have_their_shape", NoAbility, "Pollable, Reporting or both"),
    ("abilities_have_their_shape", BlockingRead, r"read\(\) must be a coroutine function"),
    ("opening_twice_is_opening_once", ConnectsTwice, "already connected"),
    ("closing_twice_is_closing_once", ClosesOnce, "already closed"),
    ("a_closed_link_stays_closed", NeverCloses, "closed link must raise"),
    ("a_cancelled_read_leaves_the_line_usable", DiesWhenCancelled, "after 8 attempts still: in use"),
    ("a_cancelled_read_leaves_the_line_usable", SwallowsCancelling, "must end with CancelledError"),
    ("silence_is_told_and_ends", ForeignError, "must raise TransportError or ProtocolError, not TimeoutError"),
    ("silence_is_told_and_ends", NeverComesBack, "the peer is back, and after 8 attempts still"),
    ("a_read_has_one_row_a_point", LosesRows, "one row a point"),
    ("a_read_has_one_row_a_point", WrongTypes, "column quality must be uint16"),
    ("a_read_has_one_row_a_point", Milliseconds, "source times must lie"),
    ("points_keep_their_values_in_any_order", Sorts, "m.none is refused|was read as"),
    ("batches_do_not_change_afterwards", OneMemory, "column value of two reads is the same memory"),
    ("what_is_refused_is_invalid_and_explained", GoodQuality, "must be NaN with IV"),
    ("what_is_refused_is_invalid_and_explained", NoRemarks, r"refused is \['m.none'\]"),
    ("texts_are_those_of_the_device", StrangeTexts, "the device has the texts"),
    ("texts_are_those_of_the_device", StrangeReportedTexts, "the device has the texts"),
    ("reports_come_as_whole_batches", ReportsNothing, "ended before it was cancelled"),
    ("reports_come_as_whole_batches", ReportsOthers, "not of m"),
    ("reports_come_as_whole_batches", ReportsWrongly, "m.b is 2 at the peer, and was read as 7"),
    ("a_device_that_sends_no_more_is_told_and_comes_back", HidesSilence, "silent device must raise TransportError"),
    ("a_device_that_sends_no_more_is_told_and_comes_back", StaysSilent, "nothing was delivered.*lost for ever"),
    ("a_closed_link_reports_no_more", ReportsAfterItsEnd, "must raise an error, and returned 'report.. still runs"),
    ("a_read_only_link_writes_nothing", WritesAnyway, "1 writes of a read-only link"),
    ("what_is_written_is_read_back", SaysItWrote, "no write has reached the peer"),
    ("what_does_not_fit_is_refused", WritesNan, "writing infinity must raise"),
    ("opening_twice_is_opening_once", LeavesTask, "task forgotten"),
    ("opening_twice_is_opening_once", LeavesThread, "thread forgotten thread"),
    ("opening_twice_is_opening_once", LosesError, "nobody listens"),
    ("a_read_has_one_row_a_point", Sleeps, "the loop was held for"),
]


@pytest.mark.parametrize(("check", "link", "words"), LINKS, ids=[link.__name__ for _, link, _ in LINKS])
async def test_a_defect_of_a_link_is_caught_by_the_check_that_names_it(
    check: str, link: type[Good], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "_PATIENCE_S", 0.3)
    peer = Peer()
    (named,) = [one for one in CHECKS if name(one) == check]
    with pytest.raises((Nonconforming, TransportError, RuntimeError), match=words):
        await conform(named, rig_of(peer, GoodDriver(peer, link)))
    for thread in threading.enumerate():
        if thread.name.startswith("forgotten"):
            thread.join()
    for task in asyncio.all_tasks():
        if task.get_name() == "forgotten":
            task.cancel()


class Complains(GoodDriver):
    def check(self, device: Device) -> list[Complaint]:
        return [Complaint(device.id, "", "host", "no", "mend")]


class SeesNothing(GoodDriver):
    def check(self, device: Device) -> list[Complaint]:
        return []


class Mute(GoodDriver):
    def check(self, device: Device) -> list[Complaint]:
        return [Complaint(one.device, "", one.key, "wrong", " ") for one in super().check(device)]


class Stumbles(GoodDriver):
    def check(self, device: Device) -> list[Complaint]:
        return [] if device.connection["host"].strip() else super().check(device)


class OtherVersion(GoodDriver):
    contract_version = 9


DRIVERS: list[tuple[str, type[GoodDriver], str]] = [
    ("the_driver_judges_its_own_devices_sound", Complains, "m is sound"),
    ("every_mistake_is_told_with_its_mend", SeesNothing, "finds nothing wrong"),
    ("every_mistake_is_told_with_its_mend", Mute, "how to mend it"),
    ("no_configuration_makes_judging_fail", Stumbles, "failed: KeyError|failed: AttributeError"),
    ("the_driver_says_what_it_was_written_for", OtherVersion, "contract_version is 9"),
]


@pytest.mark.parametrize(("check", "driver", "words"), DRIVERS, ids=[driver.__name__ for _, driver, _ in DRIVERS])
async def test_a_defect_of_a_driver_is_caught_by_the_check_that_names_it(
    check: str, driver: type[GoodDriver], words: str
) -> None:
    peer = Peer()
    (named,) = [one for one in CHECKS if name(one) == check]
    with pytest.raises(Nonconforming, match=words):
        await conform(named, rig_of(peer, driver(peer)))
