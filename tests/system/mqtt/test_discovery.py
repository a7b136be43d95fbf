"""Devices that nobody wrote down yet are proposed, and a proposal loads as it is."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.configuration import configure
from app.model.clock import SystemClock
from app.model.errors import TransportError
from drivers.contract import Discovering
from drivers.mqtt import mqtt
from tests.support.mqtt_broker import Amqtt, Mosquitto
from tests.support.mqtt_devices import device
from tests.support.mqtt_peer import VERSION, Peer
from tests.support.ports import free_port
from tests.support.sparkplug_payloads import DBIRTH, NBIRTH
from tests.system.mqtt.conftest import Lines, until
from tests.system.mqtt.test_reading import T_NS, at

pytestmark = pytest.mark.asyncio

EVENT = {
    "deviceName": "Meter-01", "profileName": "Meter", "origin": T_NS,
    "readings": [
        {"resourceName": "ActivePower", "valueType": "Float32", "value": "12.5", "origin": T_NS},
        {"resourceName": "Serial", "valueType": "String", "value": "A-7"},
    ],
}  # fmt: skip


async def test_whoever_publishes_is_proposed(
    broker: Mosquitto | Amqtt, peer: Callable[..., Peer], lines: Lines
) -> None:
    driver = mqtt()
    assert isinstance(driver, Discovering)
    there, listener = peer(broker.port), peer(broker.port, "#")
    there.send("plant/meter1/state", {"p": {"kw": 1.5}, "on": True, "name": "x", "Cell U [mV]": 3}, retain=True)
    looking = asyncio.create_task(driver.discover(at(broker.port), SystemClock(), 1.5))
    await asyncio.sleep(0.5)
    there.send("plant/sensor/temp", b"21.5")
    there.send("plant/sensor/Hum %", b"40")
    there.send("spBv1.0/plant/NBIRTH/edge", NBIRTH)
    there.send("spBv1.0/plant/DBIRTH/edge/dev", DBIRTH)
    there.send("edgex/events/device/ds/Meter/Meter-01/All", EVENT)
    there.send("plant/text", b"hello")
    there.send("plant/bytes", b"\xff\x00")
    found = {proposal.device["name"]: proposal for proposal in await looking}
    there.send("end", b"")
    await until(lambda: listener.heard[-1][0] == "end", "the end")
    assert len(listener.heard) == 9, "nothing was sent but what is above"
    assert set(found) == {"plant/meter1/state", "plant/sensor", "plant/edge/dev", "Meter-01"}
    points = {name: {p["id"]: p["address"] for p in proposal.device["points"]} for name, proposal in found.items()}
    assert points["plant/meter1/state"] == {
        "p_kw": {"topic": "plant/meter1/state", "path": "$.p.kw"},
        "on": {"topic": "plant/meter1/state", "path": "$.on"},
        "cell_u_mv": {"topic": "plant/meter1/state", "path": "$['Cell U [mV]']"},
    }
    assert points["plant/sensor"] == {"temp": {"topic": "plant/sensor/temp"}, "hum": {"topic": "plant/sensor/Hum %"}}
    assert points["Meter-01"] == {"activepower": {"resource": "ActivePower"}}
    assert points["plant/edge/dev"]["i16"] == {"sparkplug": "plant/edge/dev", "metric": "i16"}
    for proposal in found.values():
        connection = {key: value for key, value in proposal.device["connection"].items() if key != "driver"}
        proposed = device(proposal.device["id"], connection, proposal.device["points"])
        assert driver.check(proposed) == [] and proposal.why
    meter = found["Meter-01"].device
    m1 = device("m1", {k: v for k, v in meter["connection"].items() if k != "driver"}, meter["points"])
    watched = await lines.watch(lines.open(m1), m1)
    there.send("edgex/events/device/ds/Meter/Meter-01/All", EVENT)
    await until(lambda: watched.values() == [12.5], "its value")


async def test_what_the_command_finds_goes_into_a_file_as_it_is(
    broker: Mosquitto | Amqtt, peer: Callable[..., Peer], tmp_path: Path
) -> None:
    there = peer(broker.port)
    there.send("plant/meter1/state", {"p": {"kw": 1.5}, "U [V]": 230}, retain=True)
    keys = ["host=127.0.0.1", f"port={broker.port}", f"version={VERSION}", "topic=plant/#"]
    command = [sys.executable, "-m", "app", "discover", "mqtt", *keys, "--listen", "1s"]
    found = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await found.communicate()
    assert found.returncode == 0
    head = "version: 1\nstation: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}\n"
    (tmp_path / "station.yaml").write_bytes(head.encode() + out)
    station = configure(tmp_path).station
    assert [point.name for point in station.points if not point.own] == [
        "plant_meter1_state.p_kw",
        "plant_meter1_state.u_v",
    ]
    assert "# JSON on plant/meter1/state" in out.decode()


async def test_a_broker_that_is_not_there_is_told() -> None:
    driver = mqtt()
    assert isinstance(driver, Discovering)
    with pytest.raises(TransportError, match="no connection: connection refused"):
        await driver.discover(at(free_port()), SystemClock(), 1)
