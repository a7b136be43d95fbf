"""What a commissioning engineer does in the field, on a foreign device: try it, save it, read one point now."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.configuration import configure
from app.history.folder import DataFolder
from app.model.commissioning import Change
from app.model.errors import GridroomError
from app.station import RunningStation
from tests.support import bacnet_device
from tests.support.devices import until
from tests.support.foreign_modbus import POWER_W
from tests.support.sunspec_device import INVERTER_103, chain, model, serve

ROOT = Path(__file__).resolve().parents[2]
COMMON = model(1, Mn="Acme", Md="Sun 15k", SN="A-0042")
STATION = """version: 1
station: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}
devices: []
"""


@pytest.fixture
def foreign_port() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.support.foreign_modbus"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "station.yaml").write_text(STATION)
    with DataFolder.open(tmp_path / "data", "a test"):
        yield tmp_path


def meter(port: int) -> dict[str, object]:
    power = {"table": "input", "register": 52, "type": "f32"}
    beyond = {"table": "input", "register": 5000, "type": "u16"}
    return {
        "id": "m",
        "name": {"en": "Meter", "zh": "电表"},
        "kind": "meter",
        "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": port, "unit": 1, "timeout": "2s"},
        "points": [
            {
                "id": "p",
                "name": "P",
                "kind": "measurement",
                "unit": "kW",
                "address": power,
                "scale": 0.001,
                "scan": "1h",
            },
            {"id": "x", "name": "X", "kind": "measurement", "address": beyond, "scan": "1h"},
        ],
    }


def test_a_device_is_tried_before_it_is_saved_and_read_once_when_it_runs(folder: Path, foreign_port: int) -> None:
    station = RunningStation(configure(folder), folder / "data")
    station.start()
    try:
        new = station.commissioning.preview(Change("", meter(foreign_port))).result(10)
        trial = station.commissioning.try_("m", new.text).result(10)
        assert trial.trouble is None and trial.took_ms > 0
        power, beyond = trial.rows
        assert (power.point, power.value, power.quality, power.remark) == (
            "m.p",
            pytest.approx(POWER_W / 1000),
            0,
            None,
        )
        assert power.time > 0
        assert beyond.remark is not None and "异常码 2" in beyond.remark.zh and beyond.quality != 0
        station.commissioning.save(new).result(10)
    finally:
        station.stop()
    again = RunningStation(configure(folder), folder / "data")
    again.start()
    try:
        reading = again.read_once("m.p").result(10)
        assert reading.value.tolist() == [pytest.approx(POWER_W / 1000)] and reading.quality.tolist() == [0]
        first = again.snapshot().received[0]
        again.read_once("m.p").result(10)
        assert again.snapshot().received[0] > first, "what a person read is in the table"
        for name, why in (("m._online", "no point that is read"),):
            with pytest.raises(ValueError, match=why):
                again.read_once(name).result(10)
    finally:
        again.stop()


@pytest.mark.asyncio
async def test_devices_are_looked_for_beside_the_running_station_and_a_search_can_be_ended(folder: Path) -> None:
    station = RunningStation(configure(folder), folder / "data")
    service = station.commissioning
    try:
        async with bacnet_device.running() as peer, serve(chain(COMMON, INVERTER_103)) as sunspec:
            assert {"mqtt", "bacnet", "dlt645", "sunspec-tcp"} <= set(await asyncio.wrap_future(service.discovering()))
            here = {"driver": "bacnet", "address": peer.address, "interface": "127.0.0.1:0"}
            (found,) = await asyncio.wrap_future(service.discover("bacnet", here, 0.5))
            assert found.device["name"] == "Peer" and "在" in found.why.zh and service.discovered() == (found,)
            judged = await asyncio.wrap_future(service.preview(Change("", found.device)))
            assert not judged.faults and "bacnet_5" in judged.text
            at = {"host": "127.0.0.1", "port": sunspec.port}
            (inverter,) = await asyncio.wrap_future(service.discover("sunspec-tcp", at, 10))
            assert inverter.device["kind"] == "pv_inverter"
            endless = service.discover("bacnet", here, 300)
            await until(service.discovered, "an answer")
            waiting = service.discover("sunspec-tcp", at, 10)
            endless.cancel()
            assert [one.device["id"] for one in await asyncio.wrap_future(waiting)] == [inverter.device["id"]]
        for driver, connection, words in (
            ("modbus-tcp", at, "cannot look for devices; these can: dlt645"),
            ("mqtt", {"host": "127.0.0.1", "user": "u", "password": "plain"}, "password is a secret"),
            ("mqtt", {"port": 1}, "connection has no host"),
            ("sunspec-tcp", {"host": "127.0.0.1", "port": 0}, "port '0' is not a whole number"),
        ):
            with pytest.raises(GridroomError, match=words):
                await asyncio.wrap_future(service.discover(driver, connection, 5))
    finally:
        station.stop()
