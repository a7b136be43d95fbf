"""The engine on a field in memory: what is read, lost, marked, found again and handed to sinks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.engine import supervision
from app.engine.computed import parse_all
from app.engine.engine import Engine
from app.model import quality as q
from app.model.clock import SystemClock
from app.model.errors import RefusedByDevice, TransportError
from app.model.loading import load_station
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import LinkState
from drivers import registry
from tests.support.field import MemoryField, MemoryLink

HEAD = """version: 1
station: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}
devices:
"""
DEVICE = """  - id: {id}
    name: {id}
    kind: meter
    connection: {{driver: memory, line: bus}}
    points:
      - {{id: p, name: P, kind: measurement, unit: kW, scan: 50ms, range: [0, 100], address: {{}}}}
      - {{id: slow, name: Slow, kind: measurement, unit: kW, scan: 200ms, address: {{}}}}
      - {{id: go, name: Go, kind: command, address: {{}}}}
      - {{id: twice, name: Twice, kind: measurement, unit: kW, value: p * 2}}
"""


class Collector:
    def __init__(self) -> None:
        self.batches: list[Updates] = []

    def take(self, updates: Updates) -> None:
        self.batches.append(updates)

    def of(self, index: int) -> list[tuple[float, int]]:
        joined = Updates.join(self.batches)
        rows = joined.point == index
        return list(zip(joined.value[rows].tolist(), joined.quality[rows].tolist(), strict=True))


@pytest.fixture
def field(monkeypatch: pytest.MonkeyPatch) -> MemoryField:
    made = MemoryField()
    monkeypatch.setattr(registry, "driver", lambda name: made)
    monkeypatch.setattr("app.engine.engine.driver", lambda name: made)
    monkeypatch.setattr(supervision, "SHORTEST_BACK_OFF_S", 0.1)
    return made


@asynccontextmanager
async def running(
    folder: Path, *devices: str, sinks: list[object] | None = None, on_tick: Callable[[], None] = lambda: None
) -> AsyncIterator[tuple[Engine, Collector]]:
    """Devices by id, or as the text of the station file."""
    texts = (text if ":" in text else DEVICE.format(id=text) for text in devices)
    (folder / "station.yaml").write_text(HEAD + "".join(texts))
    loaded = load_station(folder)
    expressions, faults = parse_all(loaded)
    assert not faults
    collector = Collector()
    everyone: list[Any] = [*(sinks or []), collector]
    engine = Engine(loaded.station, expressions, SystemClock(), sinks=everyone, on_tick=on_tick)
    task = asyncio.create_task(engine.run())
    try:
        yield engine, collector
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something is true; fails after a time that no sound run needs."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 (several things are waited for, few of them have an event)
            await asyncio.sleep(0.01)


def last_error(engine: Engine) -> str:
    text = engine.devices()[0].last_error
    return text.en if text else ""


def state(engine: Engine, device: str) -> LinkState:
    return next((status.state for status in engine.devices() if status.device == device), LinkState.STARTING)


@pytest.mark.asyncio
async def test_values_reach_table_computed_points_and_sinks(tmp_path: Path, field: MemoryField) -> None:
    field.values["a"] = 7.0
    async with running(tmp_path, "a") as (engine, collector):
        await until(lambda: len(collector.of(3)) > 0)
    assert engine.table.value[[0, 1]].tolist() == [7.0, 7.0]
    assert collector.of(3)[0] == (14.0, 0)
    assert np.isnan(engine.table.value[2]), "a command is never polled"
    assert field.links[0].closed


@pytest.mark.asyncio
async def test_a_value_outside_its_range_is_marked(tmp_path: Path, field: MemoryField) -> None:
    field.values["a"] = 101.0
    async with running(tmp_path, "a") as (_, collector):
        await until(lambda: len(collector.of(0)) > 0)
    assert collector.of(0)[0] == (101.0, q.RANGE)


@pytest.mark.asyncio
async def test_each_scan_keeps_its_own_pace(tmp_path: Path, field: MemoryField) -> None:
    async with running(tmp_path, "a") as (_, collector):
        await until(lambda: len(collector.of(1)) >= 4)
        assert len(collector.of(0)) > 2 * len(collector.of(1))


@pytest.mark.asyncio
async def test_a_lost_device_keeps_its_values_visibly_old_and_recovers(tmp_path: Path, field: MemoryField) -> None:
    field.values["a"] = 7.0
    async with running(tmp_path, "a") as (engine, collector):
        await until(lambda: state(engine, "a") is LinkState.ONLINE and len(collector.of(0)) > 1)
        field.failing["a"] = TransportError(Text("cable pulled", "线缆被拔出"))
        await until(lambda: state(engine, "a") is LinkState.LOST)
        await until(lambda: collector.of(0)[-1] == (7.0, q.NT))
        online = engine._station.by_name["a._online"]
        await until(lambda: collector.of(online)[-1][0] == 0.0)
        status = engine.devices()[0]
        assert status.last_error == Text("cable pulled", "线缆被拔出") and status.next_try > 0 and status.errors >= 2
        await until(lambda: collector.of(3)[-1][1] & q.DERIVED)
        del field.failing["a"]
        await until(lambda: collector.of(0)[-1] == (7.0, 0) and collector.of(online)[-1][0] == 1.0)
        assert state(engine, "a") is LinkState.ONLINE


@pytest.mark.asyncio
async def test_a_device_that_was_never_reached_is_told_as_lost(tmp_path: Path, field: MemoryField) -> None:
    field.failing["a"] = TransportError(Text.of("nobody there"))
    async with running(tmp_path, "a") as (engine, collector):
        await until(lambda: collector.of(0))
        value, quality = collector.of(0)[0]
        assert np.isnan(value) and quality == q.NT
        assert engine.table.time[0] == 0, "never received stays never received"


@pytest.mark.asyncio
async def test_one_failed_poll_is_noise_two_are_a_loss(tmp_path: Path, field: MemoryField) -> None:
    async with running(tmp_path, "a") as (engine, collector):
        await until(lambda: state(engine, "a") is LinkState.ONLINE)
        field.failing["a"] = TransportError(Text.of("noise"))
        before = engine.devices()[0].errors
        await until(lambda: engine.devices()[0].errors == before + 1)
        del field.failing["a"]
        count = len(collector.of(0))
        await until(lambda: len(collector.of(0)) > count + 2)
        assert state(engine, "a") is LinkState.ONLINE
        assert all(quality == 0 for _, quality in collector.of(0))


@pytest.mark.asyncio
async def test_a_busy_device_is_left_alone_at_once(tmp_path: Path, field: MemoryField) -> None:
    async with running(tmp_path, "a") as (engine, _):
        await until(lambda: state(engine, "a") is LinkState.ONLINE)
        field.failing["a"] = RefusedByDevice(Text.of("exception 6, device busy"), code=6)
        await until(lambda: state(engine, "a") is LinkState.LOST)
        assert last_error(engine) == "exception 6, device busy"


@pytest.mark.asyncio
async def test_a_dead_device_on_a_shared_line_does_not_stop_the_other(tmp_path: Path, field: MemoryField) -> None:
    field.hanging.add("dead")
    async with running(tmp_path, "dead", "alive") as (engine, collector):
        alive = engine._station.by_name["alive.p"]
        await until(lambda: len(collector.of(alive)) > 10)
        assert state(engine, "alive") is LinkState.ONLINE and state(engine, "dead") is not LinkState.ONLINE
        assert len(field.links) == 1, "devices of one line share one link"


@pytest.mark.asyncio
async def test_a_dead_device_is_asked_ever_more_seldom(tmp_path: Path, field: MemoryField) -> None:
    field.failing["a"] = TransportError(Text.of("no answer"))
    async with running(tmp_path, "a") as (engine, _):
        await until(lambda: len(field.reads) >= 3)
        await until(
            lambda: engine.devices()[0].next_try - engine._clock.now_ns() > 0.2e9
        )  # four times the first, jittered


@pytest.mark.asyncio
@pytest.mark.expects_errors
async def test_a_driver_that_breaks_stays_with_its_device(tmp_path: Path, field: MemoryField) -> None:
    field.failing["a"] = ZeroDivisionError("a bug in a driver")
    async with running(tmp_path, "a", "b") as (engine, collector):
        b = engine._station.by_name["b.p"]
        await until(lambda: len(collector.of(b)) > 3 and state(engine, "a") is LinkState.LOST)


class Broken:
    def take(self, updates: Updates) -> None:
        raise OSError("disk full")


@pytest.mark.asyncio
@pytest.mark.expects_errors
async def test_a_sink_that_breaks_takes_nothing_from_the_others(tmp_path: Path, field: MemoryField) -> None:
    async with running(tmp_path, "a", sinks=[Broken()]) as (_, collector):
        await until(lambda: len(collector.of(0)) > 3)


@pytest.mark.asyncio
async def test_points_that_are_read_seldom_are_read_once_at_the_start(tmp_path: Path, field: MemoryField) -> None:
    """Not only when their first scan is due, an hour later."""
    seldom = DEVICE.format(id="a").replace("scan: 200ms", "scan: 1h")
    async with running(tmp_path, DEVICE.format(id="b"), seldom) as (engine, collector):
        slow = engine._station.by_name["a.slow"]
        await until(lambda: collector.of(slow))
        await until(lambda: len(collector.of(engine._station.by_name["a.p"])) > 4)
        assert collector.of(slow) == [(1.0, 0)], "and then by their schedule"
        assert engine.lateness.worst_ms() < 2000


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "error", [TransportError(Text.of("no answer")), RefusedByDevice(Text.of("exception 4"), code=4)]
)
async def test_a_part_that_fails_is_marked_and_the_rest_goes_on(
    tmp_path: Path, field: MemoryField, error: Exception
) -> None:
    """A device may answer for some of its registers only. Old values must not look like new ones."""
    async with running(tmp_path, "a") as (engine, collector):
        await until(lambda: collector.of(1))
        field.failing["a.slow"] = error
        await until(lambda: collector.of(1)[-1] == (1.0, q.NT))
        count = len(collector.of(0))
        await until(lambda: len(collector.of(0)) > count + 20)
        assert state(engine, "a") is LinkState.ONLINE
        assert all(quality == 0 for _, quality in collector.of(0))
        online = engine._station.by_name["a._online"]
        assert [value for value, _ in collector.of(online)] == [1.0], "nothing flaps"
        assert last_error(engine) == str(error)
        del field.failing["a.slow"]
        await until(lambda: collector.of(1)[-1] == (1.0, 0))


@pytest.mark.asyncio
async def test_texts_that_cannot_be_read_keep_no_device_away(tmp_path: Path, field: MemoryField) -> None:
    field.failing["a texts"] = TransportError(Text.of("no answer to the serial number"))
    async with running(tmp_path, "a") as (engine, collector):
        await until(lambda: len(collector.of(0)) > 5)
        assert state(engine, "a") is LinkState.ONLINE
        assert "serial number" in last_error(engine)


@pytest.mark.asyncio
@pytest.mark.expects_errors
async def test_a_device_that_comes_and_goes_is_asked_ever_more_seldom(
    tmp_path: Path, field: MemoryField, caplog: pytest.LogCaptureFixture
) -> None:
    class Flapping(Exception):
        """Fails each second read."""

    real = MemoryLink.read

    async def read(self: MemoryLink, plan: Any) -> Updates:
        if len(field.reads) % 2:
            field.reads.append("a")
            raise Flapping("a bug in a driver")
        return await real(self, plan)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryLink, "read", read)
        async with running(tmp_path, "a") as (engine, _):
            await until(lambda: engine.devices() and engine.devices()[0].next_try - engine._clock.now_ns() > 0.5e9)
    assert len([record for record in caplog.records if record.exc_info]) == 1, "a traceback is said once"
    assert "device a lost: the driver failed (Flapping: a bug in a driver)" in caplog.text


@pytest.mark.asyncio
async def test_why_a_point_has_no_value_is_said_once_and_a_new_reason_as_well(
    tmp_path: Path, field: MemoryField, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a screen nobody sees an IV."""
    device = DEVICE.format(id="a").replace("address: {}", "address: {path: $.p, url: /a, map: {RUN: 1}}", 1)
    field.refusing["a.p"] = "exception 2, illegal data address"
    async with running(tmp_path, device):
        await until(lambda: field.reads.count("a") > 6)
        for _ in range(3):  # a sensor that comes and goes
            for why in ({"a.slow": "the device sent NaN"}, {}):
                field.numberless = why
                seen = len(field.reads)
                await until(lambda seen=seen: len(field.reads) > seen + 4)  # type: ignore[misc]
    said = [record.getMessage() for record in caplog.records if "marked IV" in record.getMessage()]
    mend = "compare the address with the device's own list"
    a_p = "a.p (path $.p, url /a)"
    assert said == [
        f"device a has no value for {a_p}, marked IV: exception 2, illegal data address; {mend}",
        f"device a has no value for a.slow, marked IV: the device sent NaN; {mend}",
    ]


@pytest.mark.asyncio
async def test_a_reason_that_is_another_at_every_read_does_not_fill_the_log(
    tmp_path: Path, field: MemoryField, caplog: pytest.LogCaptureFixture
) -> None:
    """It quotes what the device sent, and a device sends anything."""
    async with running(tmp_path, "a") as (engine, _):
        await until(lambda: state(engine, "a") is LinkState.ONLINE)
        for count in range(8):
            field.numberless = {"a.slow": f"the text 'error {count}' where a number should be"}
            seen = len(field.reads)
            await until(lambda seen=seen: len(field.reads) > seen + 4)  # type: ignore[misc]
        assert "'error 7'" in engine.devices()[0].remarks["a.slow"].en, "the card has the newest"
    assert len([record for record in caplog.records if "a.slow" in record.getMessage()]) == supervision.MOST_REASONS


@pytest.mark.asyncio
async def test_a_device_that_refuses_all_of_its_points_is_lost_until_it_gives_one(
    tmp_path: Path, field: MemoryField, caplog: pytest.LogCaptureFixture
) -> None:
    """It answers, and would look healthy for ever."""
    field.refusing = {f"a.{id_}": "exception 2, illegal data address" for id_ in ("p", "slow")}
    async with running(tmp_path, "a") as (engine, collector):
        online = engine._station.by_name["a._online"]
        await until(lambda: state(engine, "a") is LinkState.LOST and field.reads.count("a") > 8)
        assert collector.of(online) == [(0.0, 0)], "never online in between"
        why = engine.devices()[0].last_error
        assert why is not None and "it refuses all of its points: exception 2, illegal data address" in why.en
        assert "设备拒绝了所有测点" in why.zh
        del field.refusing["a.slow"]
        await until(lambda: state(engine, "a") is LinkState.ONLINE)
        field.refusing["a.slow"] = "exception 2, illegal data address"
        await until(lambda: state(engine, "a") is LinkState.LOST)
    lost = [record for record in caplog.records if "a lost: it refuses all" in record.getMessage()]
    assert len(lost) == 2, "said once a time that it happens"


@pytest.mark.asyncio
async def test_a_device_without_any_number_is_there(tmp_path: Path, field: MemoryField) -> None:
    """As an inverter at night may be."""
    field.numberless = {f"a.{id_}": "the device sent NaN" for id_ in ("p", "slow")}
    async with running(tmp_path, "a") as (engine, _):
        await until(lambda: field.reads.count("a") > 8)
        assert state(engine, "a") is LinkState.ONLINE and engine.devices()[0].errors == 0


@pytest.mark.asyncio
async def test_points_that_are_refused_anew_count_as_an_error(tmp_path: Path, field: MemoryField) -> None:
    async with running(tmp_path, "a") as (engine, _):
        await until(lambda: state(engine, "a") is LinkState.ONLINE)
        field.refusing["a.slow"] = "exception 2, illegal data address"
        await until(lambda: engine.devices()[0].errors == 1)
        seen = len(field.reads)
        await until(lambda: len(field.reads) > seen + 6)
        assert engine.devices()[0].errors == 1 and state(engine, "a") is LinkState.ONLINE


@pytest.mark.asyncio
async def test_a_lost_device_has_no_round_trip(tmp_path: Path, field: MemoryField) -> None:
    async with running(tmp_path, "a") as (engine, collector):
        rtt = engine._station.by_name["a._rtt_ms"]
        await until(lambda: state(engine, "a") is LinkState.ONLINE)
        field.failing["a"] = TransportError(Text.of("cable pulled"))
        await until(lambda: state(engine, "a") is LinkState.LOST and collector.of(rtt))
        await until(lambda: collector.of(rtt)[-1][1] == q.NT)


@pytest.mark.asyncio
async def test_devices_stand_in_the_stations_order(tmp_path: Path, field: MemoryField) -> None:
    alone = DEVICE.format(id="b").replace("line: bus", "line: other")
    async with running(tmp_path, "a", alone, "c") as (engine, _):
        assert [status.device for status in engine.devices()] == ["a", "b", "c"], "known before anything is connected"


@pytest.mark.asyncio
@pytest.mark.expects_errors
async def test_a_fault_in_each_tick_ends_nothing_and_is_not_said_each_time(
    tmp_path: Path, field: MemoryField, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a bug in the alarms")

    async with running(tmp_path, "a", sinks=[Broken()], on_tick=fail) as (_, collector):
        await until(lambda: len(collector.batches) > 10)
    assert len([record for record in caplog.records if record.exc_info]) == 2, "one of the sink, one of the tick"


@pytest.mark.asyncio
async def test_when_the_engine_breaks_nothing_looks_new(
    tmp_path: Path, field: MemoryField, monkeypatch: pytest.MonkeyPatch
) -> None:
    field.values["a"] = 7.0
    (tmp_path / "station.yaml").write_text(HEAD + DEVICE.format(id="a"))
    loaded = load_station(tmp_path)
    collector = Collector()
    engine = Engine(loaded.station, parse_all(loaded)[0], SystemClock(), sinks=[collector])

    def broken() -> None:
        if len(collector.of(3)) > 2:
            raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(engine, "_watch_clock", broken)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(engine.run(), 5)
    assert collector.of(0)[-1] == (7.0, q.NT) and collector.of(3)[-1] == (14.0, q.NT | q.DERIVED)


@pytest.mark.asyncio
async def test_own_points_tell_of_the_connection(tmp_path: Path, field: MemoryField) -> None:
    async with running(tmp_path, "a") as (engine, collector):
        errors = engine._station.by_name["a._errors"]
        rtt = engine._station.by_name["a._rtt_ms"]
        await until(lambda: collector.of(errors) and collector.of(rtt))
        assert collector.of(errors)[-1] == (0.0, 0) and 0 <= collector.of(rtt)[-1][0] < 1000


def test_what_is_known_of_a_thousand_connections_is_one_batch(tmp_path: Path, field: MemoryField) -> None:
    """One a device held the loop for 30 ms."""
    lean = "  - {{id: d{0}, name: D, kind: meter, connection: {{driver: memory}}}}\n"
    (tmp_path / "station.yaml").write_text(HEAD + "".join(lean.format(i) for i in range(1000)))
    station = load_station(tmp_path).station
    engine = Engine(station, {}, SystemClock(), sinks=[])
    took = []
    for _ in range(5):
        began = time.thread_time()
        engine._publish_own()
        took.append(time.thread_time() - began)
    assert min(took) < 0.02, "seconds of CPU, not of the clock"
    assert len(engine._pending) == 5


@pytest.mark.parametrize("read_only", [True, False])
def test_a_read_only_station_opens_its_lines_so(tmp_path: Path, field: MemoryField, read_only: bool) -> None:
    head = HEAD.replace("name: S", f"name: S, read_only: {str(read_only).lower()}")
    (tmp_path / "station.yaml").write_text(head + DEVICE.format(id="a"))
    Engine(load_station(tmp_path).station, {}, SystemClock(), sinks=[])
    assert field.read_only is read_only


@pytest.mark.asyncio
async def test_groups_faster_than_the_device_starve_no_slower_one(
    tmp_path: Path, field: MemoryField, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earliest due goes first, and each scan that was left out is counted as late."""
    real = MemoryLink.read

    async def slowly(self: MemoryLink, plan: Any) -> Updates:
        await asyncio.sleep(0.06)
        return await real(self, plan)

    monkeypatch.setattr(MemoryLink, "read", slowly)
    fast = DEVICE.format(id="a").replace("scan: 50ms", "scan: 20ms")
    async with running(tmp_path, fast) as (engine, collector):
        await until(lambda: len(collector.of(1)) > 5)
        done = len(collector.of(0))
        late = engine.devices()[0].late_scans
    assert done > 5 and late > done, "two of three are missed"
