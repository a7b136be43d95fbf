"""What QoS 1 promises holds: through a broker's restart, a lost connection, and an engine that did not get to it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

import pytest

from app.model.errors import TransportError
from drivers.mqtt.inbox import Inbox
from tests.support.mqtt_broker import Amqtt, Mosquitto
from tests.support.mqtt_devices import device, json_point
from tests.support.mqtt_peer import VERSION, Peer
from tests.system.mqtt.conftest import Lines, StartBroker, until
from tests.system.mqtt.test_reading import at

pytestmark = pytest.mark.asyncio

Connect = Callable[..., Peer]


@pytest.mark.mosquitto
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_broker_that_stops_and_comes_back_loses_nothing(
    start_broker: StartBroker, peer: Connect, lines: Lines, version: str
) -> None:
    broker = start_broker(persistence=True)
    m1 = device("m1", at(broker.port, version=version), [json_point("n", "$.n")])
    link = lines.open(m1)
    watched = await lines.watch(link, m1)
    before = peer(broker.port)
    for n in range(100):
        before.client.publish("m1/state", json.dumps({"n": n}), 1)
    await until(lambda: watched.values()[-1:] == [99], "the first hundred")
    broker.stop()
    assert f"127.0.0.1:{broker.port}" in await watched.loss()
    with pytest.raises(TransportError, match="no connection: connection refused"):
        await link.connect()
    broker.start()
    after = peer(broker.port)
    for n in range(100, 500):
        after.client.publish("m1/state", json.dumps({"n": n}), 1)
    after.send("m1/state", {"n": 500})
    so_far = len(watched.batches)  # what comes before the engine comes to the device goes where the last went
    await lines.watch(link, m1, into=watched.batches)
    await until(lambda: 500 in watched.values(), "what came meanwhile")
    assert sorted(set(watched.values())) == list(range(501))
    meanwhile = [value for batch in watched.batches[so_far:] for value in batch.value.tolist()]
    assert meanwhile == sorted(meanwhile)


@pytest.mark.mosquitto
async def test_what_the_engine_never_got_comes_again(start_broker: StartBroker, peer: Connect, lines: Lines) -> None:
    """The broker is told that a message arrived only when the engine has it: here a process ends before."""
    broker = start_broker()
    m1 = device("m1", at(broker.port), [json_point("n", "$.n")])
    m2 = device("m2", at(broker.port), [json_point("n", "$.n", "m2/state")], first_index=1)
    first = lines.open(m1, m2)
    await lines.watch(first, m2)  # subscribed for once, so that the session has it
    watched = await lines.watch(first, m1)
    watched.task.cancel()
    await first.close()
    there = peer(broker.port)
    for n in range(50):
        there.send("m1/state", {"n": n})
    second = lines.open(m1, m2)
    await lines.watch(second, m2)  # the engine came to this device and not yet to m1
    await asyncio.sleep(0.3)
    await second.close()
    third = lines.open(m1, m2)
    watched = await lines.watch(third, m1)
    await until(lambda: len(watched.values()) == 50, "everything")
    assert watched.values() == list(range(50))
    await third.close()
    fourth = lines.open(m1, m2)
    again = await lines.watch(fourth, m1)
    there.send("m1/state", {"n": 99})
    await until(again.values, "something new")
    assert again.values() == [99], "what was delivered does not come again"


async def test_values_go_on_while_the_engine_waits_for_its_next_try(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    m1 = device("m1", at(broker.port, silence="200ms"), [json_point("n", "$.n")])
    link = lines.open(m1)
    watched = await lines.watch(link, m1, until_online=False)
    await watched.loss()
    peer(broker.port).send("m1/state", {"n": 1})
    await until(lambda: watched.values() == [1], "the value")


async def test_a_broker_that_names_the_theft_of_a_client_id_is_believed(lines: Lines) -> None:
    """MQTT 5's DISCONNECT 0x8E, from a server of bytes: mosquitto 2.0 only closes a session that is kept."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"gridroom-test")
        writer.write(b"\x20\x03\x00\x00\x00")
        subscribe = await reader.readexactly(2)
        packet = await reader.readexactly(subscribe[1])
        writer.write(b"\x90\x04" + packet[:2] + b"\x00\x01" + b"\xe0\x01\x8e")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    m1 = device("m1", at(server.sockets[0].getsockname()[1], version="5"), [json_point("n", "$.n")])
    watched = await lines.watch(lines.open(m1), m1, until_online=False)
    assert "another client took the client id gridroom-test; give each its own `client_id`" in await watched.loss()
    server.close()
    await server.wait_closed()


@pytest.mark.mosquitto
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_stolen_client_id_is_suspected_after_a_while(
    start_broker: StartBroker, lines: Lines, version: str
) -> None:
    broker = start_broker()
    m1 = device("m1", at(broker.port, version=version), [json_point("n", "$.n")])
    ours, others = lines.open(m1), lines.open(m1)
    words = []
    for _ in range(3):
        watched = await lines.watch(ours, m1)
        await lines.watch(others, m1)
        words.append(await watched.loss())
    assert "perhaps another client took the client id" not in words[0]
    assert "3 times soon after connecting: perhaps another client took the client id gridroom-test" in words[-1]


@pytest.mark.mosquitto
async def test_a_broker_that_falls_silent_is_lost(start_broker: StartBroker, lines: Lines) -> None:
    broker = start_broker()
    m1 = device("m1", at(broker.port, keepalive="1s", timeout="500ms"), [json_point("n", "$.n")])
    link = lines.open(m1)
    watched = await lines.watch(link, m1)
    broker.freeze()
    try:
        assert "the connection was lost (keep alive timeout)" in await watched.loss()
        with pytest.raises(TransportError, match="no answer from the broker within 500ms"):
            await link.connect()
    finally:
        broker.thaw()


async def test_an_engine_that_ends_leaves_no_connection(broker: Mosquitto | Amqtt, lines: Lines) -> None:
    m1 = device("m1", at(broker.port, version=VERSION), [json_point("n", "$.n")])
    link = lines.open(m1)
    watched = await lines.watch(link, m1)
    watched.task.cancel()
    await asyncio.gather(link.close(), link.close())
    with pytest.raises(TransportError):
        await link.connect()


@pytest.mark.parametrize("qos", [1, 0])
async def test_an_engine_that_is_busy_makes_the_broker_wait_and_of_qos_0_the_newest_stay(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines, monkeypatch: pytest.MonkeyPatch, qos: int
) -> None:
    monkeypatch.setattr("drivers.mqtt.session.Inbox", lambda: Inbox(most=200))
    m1 = device("m1", at(broker.port, version="3.1.1", qos=qos), [json_point("n", "$.n")])
    link = lines.open(m1)
    watched = await lines.watch(link, m1)
    there = peer(broker.port)
    sent = [there.client.publish("m1/state", json.dumps({"n": n}), qos) for n in range(3000)]
    sent[-1].wait_for_publish(20)  # the loop stands meanwhile, and for longer
    time.sleep(0.5)  # noqa: ASYNC251 (that is what is tested)
    await until(lambda: watched.values()[-1:] == [2999], "the newest", timeout_s=20)
    values = watched.values()
    assert values == (list(range(3000)) if qos else sorted(set(values)))
    session = link._live()
    assert (session.dropped == 0) if qos else (session.dropped + len(values) <= 3000)


async def test_a_closed_link_is_not_opened_again(broker: Mosquitto | Amqtt, lines: Lines) -> None:
    m1 = device("m1", at(broker.port), [json_point("p")])
    link = lines.open(m1)
    await link.connect()
    await link.close()
    with pytest.raises(TransportError, match="the connection was closed here"):
        await link.connect()
