"""Commands over a real broker: sent once, answered, refused, or said to be lost."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from app.model.errors import ReadOnlyError, RefusedByDevice, TransportError
from drivers.mqtt.sparkplug_b_pb2 import Payload
from tests.support.mqtt_broker import Amqtt, Mosquitto
from tests.support.mqtt_devices import device, json_point, point
from tests.support.mqtt_peer import Peer
from tests.support.sparkplug_payloads import DBIRTH, NBIRTH
from tests.system.mqtt.conftest import Lines, StartBroker, cable, until
from tests.system.mqtt.test_reading import at

pytestmark = pytest.mark.asyncio

Connect = Callable[..., Peer]


def setpoint(**address: Any) -> dict[str, Any]:
    return point("p_set", {"topic": "pcs1/set", "path": "$.kw", **address}, kind="setpoint", scale=0.1)


async def test_a_command_without_an_answer_is_taken_by_the_broker(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    points = [
        point("start", {"topic": "pcs1/start", "format": "plain"}, kind="command"),
        setpoint(**{"with": {"cmd": "set", "kw": None}}),
    ]
    pcs1 = device("pcs1", at(broker.port), points)
    link = lines.open(pcs1)
    await lines.watch(link, pcs1)
    there = peer(broker.port, "pcs1/#")
    assert math.isnan(await link.write(pcs1.points[0], 1)) and math.isnan(await link.write(pcs1.points[1], 12.5))
    await until(lambda: len(there.heard) == 2, "both")
    assert there.heard == [("pcs1/start", b"1"), ("pcs1/set", b'{"cmd": "set", "kw": 125}')]


async def test_what_the_device_then_says_it_holds_is_the_answer(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    pcs1 = device("pcs1", at(broker.port), [setpoint(state={"topic": "pcs1/state", "path": "$.kw"})])
    link = lines.open(pcs1)
    watched = await lines.watch(link, pcs1)
    there = peer(broker.port, "pcs1/set")
    there.answer = lambda m: there.client.publish("pcs1/state", json.dumps({"kw": json.loads(m.payload)["kw"] - 5}), 1)
    assert await link.write(pcs1.points[0], 12.5) == pytest.approx(12.0)
    assert watched.values() == [pytest.approx(12.0)]


@pytest.mark.mosquitto
async def test_mqtt_5_carries_where_to_answer_and_to_what(
    start_broker: StartBroker, peer: Connect, lines: Lines
) -> None:
    broker = start_broker()
    reply = {"topic": "pcs1/reply", "path": "$.result", "ok": ["done"], "value": "$.kw"}
    pcs1 = device("pcs1", at(broker.port), [setpoint(reply=reply)])
    link = lines.open(pcs1)
    await lines.watch(link, pcs1)
    there = peer(broker.port, "pcs1/set")

    def answer(message: paho.MQTTMessage) -> None:
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = b"of somebody else"
        there.client.publish(message.properties.ResponseTopic, b'{"result": "done", "kw": 0}', 1, properties=properties)
        properties.CorrelationData = message.properties.CorrelationData
        kw = json.loads(message.payload)["kw"]
        said = {"result": "done" if kw < 500 else "too much", "kw": kw}
        there.client.publish(message.properties.ResponseTopic, json.dumps(said), 1, properties=properties)
        assert 1 <= message.properties.MessageExpiryInterval <= 5

    there.answer = answer
    assert await link.write(pcs1.points[0], 12.5) == pytest.approx(12.5)
    with pytest.raises(RefusedByDevice, match=r"pcs1 refused pcs1.p_set: it answered too much"):
        await link.write(pcs1.points[0], 99)


async def test_without_it_the_payload_carries_the_number(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    reply = {"topic": "pcs1/reply", "path": "$.ok", "ok": [True]}
    pcs1 = device("pcs1", at(broker.port, version="3.1.1"), [setpoint(correlation="$.head.id", reply=reply)])
    link = lines.open(pcs1)
    await lines.watch(link, pcs1)
    there = peer(broker.port, "pcs1/set")

    def answer(message: paho.MQTTMessage) -> None:
        request = json.loads(message.payload)
        for head in ({"id": "another"}, request["head"]):
            said = {"ok": head["id"] != "another" and request["kw"] < 500, "head": head}
            there.client.publish("pcs1/reply", json.dumps(said), 1)

    there.answer = answer
    assert math.isnan(await link.write(pcs1.points[0], 12.5))
    with pytest.raises(RefusedByDevice, match="it answered false"):
        await link.write(pcs1.points[0], 99)


async def test_a_command_listens_for_its_answer_where_the_engine_has_not_come_yet(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    pcs1 = device("pcs1", at(broker.port), [setpoint(reply={"topic": "pcs1/reply", "value": "$.kw"})])
    there = peer(broker.port, "pcs1/set")
    there.answer = lambda message: there.client.publish("pcs1/reply", message.payload, 1)
    link = lines.open(pcs1)
    await link.connect()
    assert await link.write(pcs1.points[0], 12.5) == 12.5


async def test_no_answer_is_told_and_the_command_is_not_repeated(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    pcs1 = device("pcs1", at(broker.port, timeout="1s"), [setpoint(reply={"topic": "pcs1/reply"})])
    link = lines.open(pcs1)
    await lines.watch(link, pcs1)
    there = peer(broker.port, "pcs1/set")
    with pytest.raises(TransportError, match=r"pcs1\.p_set was sent, and no answer came within 1 s"):
        await link.write(pcs1.points[0], 1)
    assert len(there.heard) == 1


@pytest.mark.mosquitto
async def test_a_command_that_nobody_listens_to_is_refused(start_broker: StartBroker, lines: Lines) -> None:
    broker = start_broker()
    pcs1 = device("pcs1", at(broker.port), [setpoint()])
    link = lines.open(pcs1)
    await lines.watch(link, pcs1)
    with pytest.raises(RefusedByDevice, match="nobody listens on that topic"):
        await link.write(pcs1.points[0], 1)


async def test_a_sparkplug_command_has_the_type_of_its_birth(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    points = [
        point(name, {"sparkplug": "plant/edge/dev", "metric": name}, kind="setpoint") for name in ("f", "i16", "b")
    ]
    m1 = device("m1", at(broker.port, timeout="1s"), points)
    link = lines.open(m1)
    there = peer(broker.port, "spBv1.0/plant/NCMD/edge", "spBv1.0/plant/DCMD/edge/dev")
    watched = await lines.watch(link, m1, until_online=False)
    await until(lambda: there.heard, "a request for its births")
    with pytest.raises(TransportError, match="no birth has told the type of metric f"):
        await link.write(m1.points[0], 1)
    there.send("spBv1.0/plant/NBIRTH/edge", NBIRTH)
    there.send("spBv1.0/plant/DBIRTH/edge/dev", DBIRTH)
    await until(lambda: watched.online, "the birth")

    def answer(message: paho.MQTTMessage) -> None:
        payload = Payload.FromString(message.payload)
        payload.seq = 2
        there.client.publish("spBv1.0/plant/DDATA/edge/dev", payload.SerializeToString(), 1)

    there.answer = answer
    assert await link.write(m1.points[1], -7) == -7
    sent = Payload.FromString(there.heard[-1][1]).metrics[0]
    assert (sent.name, sent.alias, sent.datatype, sent.int_value) == ("i16", 11, 2, 2**32 - 7)
    with pytest.raises(ValueError, match=r"m1\.i16 was not written: 40000 is not a whole number from -32768 to 32767"):
        await link.write(m1.points[1], 40000)


async def test_a_read_only_station_publishes_nothing(broker: Mosquitto | Amqtt, peer: Connect, lines: Lines) -> None:
    """Neither a command, nor its own presence, nor its will, nor a request for births: counted at the broker."""
    points = [setpoint(), point("f", {"sparkplug": "plant/edge/dev", "metric": "f"}), json_point("p", "$.p")]
    pcs1 = device("pcs1", at(broker.port, birth="300ms", will={"topic": "gridroom/status"}), points)
    link = lines.open(pcs1, read_only=True)
    there = peer(broker.port, "#")
    watched = await lines.watch(link, pcs1, until_online=False)
    with pytest.raises(ReadOnlyError):
        await link.write(pcs1.points[0], 1)
    with pytest.raises(ReadOnlyError):
        await link._live().publish("pcs1/set", b"1", 1)
    await watched.loss()
    await link.close()
    there.send("end", b"1")
    await until(lambda: there.heard, "the end")
    assert there.heard == [("end", b"1")]


async def test_our_own_presence_is_said_and_our_will_kept(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    there = peer(broker.port, "gridroom/#")
    m1 = device("m1", at(broker.port, will={"topic": "gridroom/status", "offline": "gone"}), [json_point("p")])
    link = lines.open(m1)
    await lines.watch(link, m1)
    await until(lambda: there.heard == [("gridroom/status", b"online")], "our word")
    await link.close()
    await until(lambda: there.heard[1:] == [("gridroom/status", b"gone")], "our goodbye")


@pytest.mark.mosquitto
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_our_will_is_said_by_the_broker_where_we_could_not_say_goodbye(
    start_broker: StartBroker, peer: Connect, lines: Lines, version: str
) -> None:
    broker = start_broker()
    async with cable(broker.port) as (port, pull):
        m1 = device("m1", at(port, version=version, will={"topic": "gridroom/status"}), [json_point("p")])
        watched = await lines.watch(lines.open(m1), m1)
        pull()
        assert "the connection was lost; check that the broker runs, and the network" in await watched.loss()
    late = peer(broker.port, "gridroom/#")
    await until(lambda: late.heard == [("gridroom/status", b"offline")], "our will, retained")


async def test_a_sparkplug_host_says_its_state(broker: Mosquitto | Amqtt, peer: Connect, lines: Lines) -> None:
    there = peer(broker.port, "spBv1.0/STATE/#")
    m1 = device("m1", at(broker.port, host_id="gridroom"), [json_point("p")])
    link = lines.open(m1)
    await lines.watch(link, m1)
    await until(lambda: there.heard, "our state")
    await link.close()
    await until(lambda: len(there.heard) == 2, "our goodbye")
    (topic, online), (_, offline) = there.heard
    first, last = json.loads(online), json.loads(offline)
    assert topic == "spBv1.0/STATE/gridroom"
    assert (first["online"], last["online"]) == (True, False) and first["timestamp"] == last["timestamp"]
