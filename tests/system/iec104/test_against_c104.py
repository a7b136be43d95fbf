"""Against an outstation that this project did not write: c104, in a process of its own."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.model import quality as q
from app.model.errors import ReadOnlyError, RefusedByDevice
from app.model.station import Device
from tests.support.c104_outstation import COMMANDS, MONITORED, TIMED, TIMED_COMMANDS
from tests.support.c104_process import Outstation, outstation_of
from tests.support.iec104_devices import Listening, devices

VALUES = {1: 1, 2: 1, 3: -17, 4: 0xDEADBEEF, 5: 0.25, 6: -12345, 7: 3.5, 8: 123456}
"""One value that fits each type."""
WITHOUT_QUALITY = (4, 8)
"""A counter has none of these bits; of a bit string c104 2.2.1 sends them as 0."""


def station_of(folder: Path, port: int, more: str = "") -> tuple[Device, ...]:
    points = [f"m{ioa} measurement ioa: {ioa}, type: {name}" for ioa, name in enumerate(MONITORED, 1)]
    points += [f"m{ioa} measurement ioa: {ioa}, type: {name}" for ioa, name in enumerate(TIMED, 11)]
    commands = [*enumerate(COMMANDS, 101), *enumerate(TIMED_COMMANDS, 111)]
    points += [f"c{ioa} setpoint ioa: {ioa}, type: {name}, termination: none" for ioa, name in commands]
    connection = f"host: 127.0.0.1, port: {port}, ca: 1, timeout: 3s, execution: 3s{more}"
    return devices(folder, {"a": connection}, {"a": points})


@pytest.mark.asyncio
async def test_interrogation_brings_every_type(tmp_path: Path, outstation: Outstation) -> None:
    for ioa, value in VALUES.items():
        outstation.order(show=ioa, value=value, send=False)
    async with Listening(station_of(tmp_path, outstation.port)) as station:
        wanted = {f"m{ioa}": (value, 0) for ioa, value in VALUES.items() if ioa != 8}
        await station.until(lambda: wanted.items() <= station.latest().items())
        assert station.online["a"] == 1


@pytest.mark.asyncio
async def test_spontaneous_values_of_every_type_with_quality_and_time(tmp_path: Path, outstation: Outstation) -> None:
    now = round(time.time(), 3)
    async with Listening(station_of(tmp_path, outstation.port)) as station:
        await station.until(lambda: station.online["a"] > 0)
        for ioa, value in VALUES.items():
            quality = 0 if ioa in WITHOUT_QUALITY else q.BL | q.SB
            outstation.order(show=ioa, value=value, quality=quality)
            outstation.order(show=ioa + 10, value=value, quality=quality, time=now)
        wanted = {
            f"m{ioa + more}": (value, 0 if ioa in WITHOUT_QUALITY else q.BL | q.SB)
            for ioa, value in VALUES.items()
            for more in (0, 10)
        }
        await station.until(lambda: wanted.items() <= station.latest().items())
        times = {point: at for point, _, _, at in station.rows()}
        assert {times[f"m{ioa + 10}"] for ioa in VALUES} == {round(now * 1000) * 1_000_000}
        assert station.link.remarks(station.devices[0]) == {}


@pytest.mark.asyncio
async def test_cyclic_values_come_without_a_time_and_have_that_of_their_arrival(
    tmp_path: Path, outstation: Outstation
) -> None:
    outstation.order(show=7, value=3.5, send=False)
    async with Listening(station_of(tmp_path, outstation.port)) as station:
        await station.until(lambda: station.online["a"] > 0)
        before = time.time_ns()
        outstation.order(every=7, ms=200)
        await station.until(lambda: sum(point == "m7" for point, *_ in station.rows()) >= 4)
        rows = [row for row in station.rows() if row[0] == "m7"][-3:]
        assert {row[1:3] for row in rows} == {(3.5, 0)} and before < rows[0][3] < rows[1][3] < rows[2][3]


@pytest.mark.asyncio
async def test_direct_commands_of_every_type(tmp_path: Path, outstation: Outstation) -> None:
    """The even addresses are refused, the odd ones are carried out. c104 ends no direct command by a termination."""
    values = {1: 1, 2: 1, 3: -1, 4: 0.25, 5: -1234, 6: 2.5, 7: 0x01020304}
    (device,) = station_of(tmp_path, outstation.port)
    async with Listening((device,)) as station:
        for first in (100, 110):
            for place, value in values.items():
                point = device.point(f"c{first + place}")
                assert point is not None
                before = time.time()
                if place % 2:
                    assert math.isnan(await station.link.write(point, value))
                else:
                    with pytest.raises(RefusedByDevice, match=f"at {first + place} of station 1 was refused"):
                        await station.link.write(point, value)
                heard = await outstation.hears("command")
                assert (heard["command"], heard["value"]) == (first + place, value)
                if first == 110:
                    assert before - 0.01 <= heard["recorded"] <= time.time() + 0.01


@pytest.mark.asyncio
async def test_select_before_operate(tmp_path: Path, outstation: Outstation) -> None:
    """c104's server ends some executions before it confirms them, so their end is not waited for here."""
    points = [
        "c101 command ioa: 101, type: C_SC_NA_1, select: true, termination: none",
        "c112 command ioa: 112, type: C_DC_TA_1, select: true, termination: none",
    ]
    (device,) = devices(tmp_path, {"a": f"host: 127.0.0.1, port: {outstation.port}, ca: 1"}, {"a": points})
    for ioa in (101, 112):
        outstation.order(mode=ioa)
    async with Listening((device,)) as station:
        point = device.point("c101")
        assert point is not None
        for value in (1, 0):
            assert math.isnan(await station.link.write(point, value))
            assert (await outstation.hears("command"))["value"] == value
        refused = device.point("c112")
        assert refused is not None
        with pytest.raises(RefusedByDevice):
            await station.link.write(refused, 1)


@pytest.mark.asyncio
async def test_the_clock_is_set(tmp_path: Path, outstation: Outstation) -> None:
    (device,) = station_of(tmp_path, outstation.port)
    async with Listening((device,)) as station:
        await station.link.set_clock(device)
        heard = datetime.fromisoformat((await outstation.hears("clock"))["clock"])
        assert abs(heard.replace(tzinfo=heard.tzinfo or UTC).timestamp() - time.time()) < 2


@pytest.mark.asyncio
async def test_an_end_of_initialisation_is_followed_by_an_interrogation(tmp_path: Path, outstation: Outstation) -> None:
    async with Listening(station_of(tmp_path, outstation.port)) as station:
        await station.until(lambda: station.online["a"] > 0 and "m7" in station.latest())
        outstation.order(show=7, value=9.5, send=False)
        outstation.order(initialised=True)
        await station.until(lambda: station.latest()["m7"] == (9.5, 0))


@pytest.mark.asyncio
async def test_counters_come_with_their_interrogation(tmp_path: Path, outstation: Outstation) -> None:
    outstation.order(show=8, value=777, send=False)
    async with Listening(station_of(tmp_path, outstation.port, ", counters: 1h")) as station:
        await station.until(lambda: station.latest().get("m8") == (777, 0))


@pytest.mark.asyncio
async def test_one_of_two_outstations_dies_and_the_other_takes_over(tmp_path: Path, outstation: Outstation) -> None:
    async with outstation_of() as second:
        outstation.order(show=7, value=1.5, send=False)
        second.order(show=7, value=7.5, send=False)
        (device,) = station_of(tmp_path, outstation.port, f", backup: 127.0.0.1, backup_port: {second.port}")
        async with Listening((device,)) as station:
            await station.until(lambda: station.latest().get("m7") == (1.5, 0))
            outstation.process.kill()
            await station.until(lambda: station.latest()["m7"] == (7.5, 0))
            assert not station.lost
            point = device.point("c101")
            assert point is not None and math.isnan(await station.link.write(point, 1))
            assert (await second.hears("command"))["command"] == 101


@pytest.mark.asyncio
async def test_a_read_only_station_is_read_and_never_written(tmp_path: Path, outstation: Outstation) -> None:
    (device,) = station_of(tmp_path, outstation.port)
    async with Listening((device,), read_only=True) as station:
        await station.until(lambda: "m7" in station.latest())
        point = device.point("c101")
        assert point is not None
        with pytest.raises(ReadOnlyError):
            await station.link.write(point, 1)
        with pytest.raises(ReadOnlyError):
            await station.link.set_clock(device)
