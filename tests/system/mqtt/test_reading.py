"""Values from a real broker: JSON, plain, EdgeX, Sparkplug, retained, silent and garbling devices."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from app.model import quality as q
from app.model.text import Text
from app.model.updates import Updates
from drivers.mqtt.sparkplug_b_pb2 import Payload
from tests.support.mqtt_broker import Amqtt, Mosquitto
from tests.support.mqtt_devices import device, json_point, point
from tests.support.mqtt_peer import VERSION, Peer
from tests.support.sparkplug_payloads import BORN, DBIRTH, DDATA, DDEATH, NBIRTH, NDEATH, T_NS
from tests.system.mqtt.conftest import Lines, StartBroker, until

pytestmark = pytest.mark.asyncio

Connect = Callable[..., Peer]
T_MS = T_NS // 1_000_000


def at(port: int, **more: Any) -> dict[str, Any]:
    """A connection; with a time-out that a busy machine keeps."""
    return {
        "host": "127.0.0.1",
        "port": port,
        "client_id": "gridroom-test",
        "version": VERSION,
        "timeout": "5s",
        **more,
    }


async def test_a_value_has_its_path_its_time_and_its_quality(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    points = [
        json_point("p", "$.p.kw", time="$.ts", quality="$.q") | {"scale": 0.001, "offset": 1},
        json_point("u", "$.u[-1]"),
        point("plain", {"topic": "m1/plain", "format": "plain"}),
        point(
            "state",
            {"topic": "m1/state", "path": "$.s"},
            kind="status",
            states={0: {"en": "off", "zh": "停"}, 2: "run"},
        ),
        point("sn", {"topic": "m1/state", "path": "$.sn"}, kind="text"),
    ]
    m1 = device("m1", at(broker.port), points)
    link = lines.open(m1)
    watched = await lines.watch(link, m1)
    before = time.time_ns()
    there = peer(broker.port)
    there.send("m1/state", {"p": {"kw": 5000}, "u": [1, 2.5], "ts": T_MS, "q": "GOOD", "s": "停", "sn": "A7"})
    there.send("m1/state", {"p": {"kw": 6000}, "ts": T_MS + 1, "q": "bad", "s": "run"})
    there.send("m1/plain", b" 12.5\n")
    await until(lambda: watched.values(2), "the plain value")
    assert watched.rows(0) == [(6.0, 0, T_NS), (7.0, q.IV, T_NS + 1_000_000)]
    ((u, quality, arrived),) = watched.rows(1)
    assert (u, quality) == (2.5, 0) and before <= arrived <= time.time_ns()
    assert watched.values(2) == [12.5] and watched.values(3) == [0, 2]
    assert link.texts(m1) == {"sn": "A7"}


async def test_one_batch_for_many_messages_and_the_order_of_each_point_is_kept(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    m1 = device("m1", at(broker.port), [json_point("n", "$.n")])
    watched = await lines.watch(lines.open(m1), m1)
    there = peer(broker.port)
    sent = [there.client.publish("m1/state", json.dumps({"n": n}), 1) for n in range(3000)]
    sent[-1].wait_for_publish(20)
    await until(lambda: sum(map(len, watched.batches)) == 3000, "all messages", timeout_s=20)
    assert watched.values() == list(range(3000))
    assert len(watched.batches) < 1500


async def test_devices_share_a_batch_and_one_that_nobody_attends_yet_holds_up_none(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    """In the engine all deliver to the same. What comes for a device before its turn waits for it alone."""
    m1, m2, m3, m4 = devices = [
        device(f"m{i}", at(broker.port), [json_point("n", "$.n", topic)], first_index=i - 1)
        for i, topic in ((1, "m1/state"), (2, "m2/state"), (3, "m1/state"), (4, "m2/state"))
    ]
    link = lines.open(*devices)
    engine: list[Updates] = []
    first = await lines.watch(link, m1, into=engine)
    await lines.watch(link, m2, into=engine)
    other = await lines.watch(link, m4)
    there = peer(broker.port)
    sent = [there.client.publish(f"m{1 + n % 2}/state", json.dumps({"n": n}), 1) for n in range(2000)]
    sent[-1].wait_for_publish(20)
    await until(lambda: len(first.values(0) + first.values(1)) == 2000, "all messages", timeout_s=20)
    assert first.values(0) == list(range(0, 2000, 2)) and first.values(1) == list(range(1, 2000, 2))
    assert any({0, 1} <= set(batch.point.tolist()) for batch in engine)
    assert other.values(3) == list(range(1, 2000, 2)), "who delivers elsewhere gets its own there"
    assert first.values(2) == first.values(3) == other.values(1) == []
    late = await lines.watch(link, m3, into=engine)
    there.send("m1/state", {"n": 2000})
    await until(lambda: late.values(2)[-1:] == [2000], "the message behind what was held")
    assert late.values(2) == list(range(0, 2001, 2))


async def test_garbage_of_one_device_is_named_and_stays_there(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    m1 = device("m1", at(broker.port, max_payload=500), [json_point("p", "$.p")])
    m2 = device("m2", at(broker.port, max_payload=500), [json_point("p", "$.p", "m2/state")], first_index=1)
    link = lines.open(m1, m2)
    first, second = await lines.watch(link, m1), await lines.watch(link, m2)
    there = peer(broker.port)
    garbage = {
        b"{": "not JSON", b'{"p": [1]}': "a list is no number", b'{"p": 1, "p": 2}': "key 'p' stands twice",
        b"[" * 400: "nested too deep|not JSON", b'{"p": "x"}': "'x' is no number", b"\xff\xfe": "not UTF-8",
        b" " * 501: "501 bytes, where max_payload is 500", b"9" * 499: "",
        b'{"p": NaN}': "", b'{"p": 1e999}': "", b'{"p": null}': "",
    }  # fmt: skip
    for count, (payload, words) in enumerate(garbage.items(), 1):
        there.send("m1/state", payload)
        there.send("m2/state", {"p": count})
        await until(lambda count=count: len(second.values(1)) == count, "the sound device")
        remark = link.remarks(m1).get("m1.p", Text.of(""))
        assert any(part in remark.en for part in words.split("|")), (payload, remark)
    assert all(quality == q.IV and np.isnan(value) for value, quality, _ in first.rows())
    assert len(first.rows()) >= len(garbage) - 1
    assert link.remarks(m2) == {} and not first.task.done()
    there.send("m1/state", {"p": 4})
    await until(lambda: first.values()[-1] == 4, "a sound value")
    assert link.remarks(m1) == {}


async def test_a_retained_value_is_old_until_a_live_one_comes(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    there = peer(broker.port)
    there.send("m1/state", {"p": 1, "ts": T_MS}, retain=True)
    points = [
        json_point("without", "$.p"),
        json_point("timed", "$.p", time="$.ts"),
        json_point("live", "$.p", retained="live"),
        json_point("ignored", "$.p", retained="ignore"),
    ]
    m1 = device("m1", at(broker.port), points)
    watched = await lines.watch(lines.open(m1), m1)
    await until(lambda: watched.values(2), "the retained message")
    assert [quality for _, quality, _ in watched.rows(0)] == [q.NT | q.CLOCK]
    assert watched.rows(1) == [(1.0, q.NT, T_NS)]
    assert [quality for _, quality, _ in watched.rows(2)] == [0] and watched.rows(3) == []
    there.send("m1/state", {"p": 2, "ts": T_MS + 5}, retain=True)
    await until(lambda: watched.values(3), "the live message")
    assert [watched.rows(i)[-1][:2] for i in range(4)] == [(2.0, 0)] * 4


async def test_a_silent_device_is_lost_and_there_again_when_it_speaks(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    m1 = device("m1", at(broker.port, silence="400ms"), [json_point("p", "$.p")])
    link = lines.open(m1)
    watched = await lines.watch(link, m1, until_online=False)
    assert "m1 has sent nothing for 0.4 s" in await watched.loss()
    assert watched.online == 0
    again = await lines.watch(link, m1, until_online=False)
    peer(broker.port).send("m1/state", {"p": 1})
    assert "m1 has sent nothing for 0.4 s" in await again.loss()
    assert again.online == 1 and watched.values() + again.values() == [1]


async def test_presence_is_the_device_s_own_word_and_its_last_will(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    m1 = device(
        "m1",
        at(broker.port, presence={"topic": "m1/status", "offline": "gone"}, birth="400ms"),
        [json_point("p", "$.p")],
    )
    link = lines.open(m1)
    assert "nothing says whether m1 is there" in await (await lines.watch(link, m1, until_online=False)).loss()
    there = peer(broker.port, will=("m1/status", b"gone"))
    there.send("m1/status", b"online", retain=True)
    watched = await lines.watch(link, m1)
    there.die()
    assert "m1 is said to be offline" in await watched.loss()


async def test_edgex_events_come_by_device_with_the_time_of_each_reading(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    connection = at(broker.port, format="edgex", topic="edgex/events/device/#", device="Meter-01", profile="Meter")
    points = [
        point("p", {"resource": "ActivePower"}), point("on", {"resource": "On"}, kind="status"),
        point("u2", {"resource": "Voltages", "path": "$[1]"}), point("sn", {"resource": "Serial"}, kind="text"),
    ]  # fmt: skip
    m1 = device("m1", connection, points)
    m2 = device("m2", {**connection, "device": "Meter-02"}, [point("p", {"resource": "ActivePower"})], first_index=10)
    link = lines.open(m1, m2)
    first, second = await lines.watch(link, m1), await lines.watch(link, m2)
    reading = {"deviceName": "Meter-01", "profileName": "Meter"}
    event = {
        "apiVersion": "v3", "id": "5a1b", "deviceName": "Meter-01", "profileName": "Meter", "sourceName": "All",
        "origin": T_NS,
        "readings": [
            {**reading, "origin": T_NS + 7, "resourceName": "ActivePower", "valueType": "Float32", "value": "1.25e+01"},
            {**reading, "origin": T_NS + 8, "resourceName": "On", "valueType": "Bool", "value": "true"},
            {**reading, "origin": T_NS + 9, "resourceName": "Voltages", "valueType": "Float64Array", "value": "[1, 2]"},
            {**reading, "origin": T_NS + 9, "resourceName": "Serial", "valueType": "String", "value": "42"},
        ],
    }  # fmt: skip
    there = peer(broker.port)
    there.send("edgex/events/device/ds/Meter/Meter-01/All", event)
    there.send("edgex/events/device/ds/Meter/Meter-02/All", {"event": {**event, "deviceName": "Meter-02"}})
    await until(lambda: second.values(10), "the second device's event")
    assert [first.rows(i) for i in range(3)] == [[(12.5, 0, T_NS + 7)], [(1.0, 0, T_NS + 8)], [(2.0, 0, T_NS + 9)]]
    assert link.texts(m1) == {"sn": "42"}
    assert second.rows(10) == [(12.5, 0, T_NS + 7)]
    there.send("edgex/events/device/ds/Meter/Meter-01/All", {**event, "profileName": "Other"})
    await until(lambda: link.remarks(m1), "a remark")
    remark = link.remarks(m1)["m1.p"]
    assert remark.en == "EdgeX device Meter-01: its profile is Other, where Meter is expected (1 so far)"
    assert remark.zh == "EdgeX 设备 Meter-01：其 profile 为 Other，应为 Meter（累计 1 次）"
    assert link.remarks(m2) == {}


def sparkplug_device(port: int, **more: Any) -> Any:
    points = [point(name, {"sparkplug": "plant/edge/dev", "metric": name}) for name in [*BORN, "null"]]
    texts = [point(name, {"sparkplug": "plant/edge/dev", "metric": name}, kind="text") for name in ("s", "t")]
    return device("m1", at(port, **more), [*points, *texts])


async def test_a_sparkplug_device_lives_from_birth_to_death(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    m1 = sparkplug_device(broker.port)
    link = lines.open(m1)
    there = peer(broker.port, "spBv1.0/plant/NCMD/edge")
    watched = await lines.watch(link, m1, until_online=False)
    await until(lambda: there.heard, "a request for its births")
    assert watched.online == 0
    there.send("spBv1.0/plant/NBIRTH/edge", NBIRTH)
    there.send("spBv1.0/plant/DBIRTH/edge/dev", DBIRTH)
    await until(lambda: watched.online, "the birth")
    names = [*BORN, "null"]
    assert {name: watched.values(i)[0] for i, name in enumerate(names[:-1])} == BORN
    assert watched.rows(len(BORN))[0][1] == q.IV, "null is no value"
    assert link.texts(m1) == {"s": "running", "t": "SN-7"}
    there.send("spBv1.0/plant/DDATA/edge/dev", DDATA)
    await until(lambda: len(watched.rows(names.index("d"))) == 3, "data by alias")
    assert watched.rows(names.index("f"))[1:] == [(2.5, 0, T_NS + 2_000_000_000)]
    assert watched.rows(names.index("i16"))[1:] == [(-301.0, 0, T_NS + 1_500_000_000)]
    past, now = watched.rows(names.index("d"))[1:]
    assert past == (9.0, 0, T_NS - 60_000_000_000) and now == (3.25, 0, T_NS + 1_000_000), "the past stays behind"
    there.send("spBv1.0/plant/DDEATH/edge/dev", DDEATH)
    assert "Sparkplug plant/edge/dev: it died (DDEATH)" in await watched.loss()


async def test_a_gap_right_after_a_rebirth_asks_for_another_though_nothing_more_comes(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at once, which would cost the node too much; and not never: a node may have nothing new to say for hours."""
    monkeypatch.setattr("drivers.mqtt.link.REBIRTH_EVERY_S", 1.0)
    m1 = sparkplug_device(broker.port)
    link = lines.open(m1)
    there = peer(broker.port, "spBv1.0/plant/NCMD/edge")
    watched = await lines.watch(link, m1, until_online=False)
    await until(lambda: there.heard, "a request for its births")
    there.send("spBv1.0/plant/NBIRTH/edge", NBIRTH)
    there.send("spBv1.0/plant/DBIRTH/edge/dev", DBIRTH)
    await until(lambda: watched.online, "the birth")
    gap = Payload.FromString(DDATA)
    gap.seq = 9
    there.send("spBv1.0/plant/DDATA/edge/dev", gap.SerializeToString())
    await until(lambda: len(there.heard) == 2, "another request")
    assert [metric.name for metric in Payload.FromString(there.heard[1][1]).metrics] == ["Node Control/Rebirth"]


async def test_the_will_of_an_edge_node_loses_its_devices(
    broker: Mosquitto | Amqtt, peer: Connect, lines: Lines
) -> None:
    m1 = sparkplug_device(broker.port)
    link = lines.open(m1)
    there = peer(broker.port, "spBv1.0/plant/NCMD/edge", will=("spBv1.0/plant/NDEATH/edge", NDEATH))
    watched = await lines.watch(link, m1, until_online=False)
    await until(lambda: there.heard, "a request for its births")
    there.send("spBv1.0/plant/NBIRTH/edge", NBIRTH)
    there.send("spBv1.0/plant/DBIRTH/edge/dev", DBIRTH)
    await until(lambda: watched.online, "the birth")
    there.die()
    assert "its edge node died (NDEATH)" in await watched.loss()


async def test_what_is_refused_is_told_of_one_device_alone(
    start_broker: StartBroker, peer: Connect, lines: Lines, tmp_path: Any
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite m2/#\n", encoding="utf-8")
    broker = start_broker(f"acl_file {acl.as_posix()}")
    m1 = device("m1", at(broker.port), [json_point("p", "$.p")])
    m2 = device("m2", at(broker.port), [json_point("p", "$.p", "m2/state")], first_index=1)
    link = lines.open(m1, m2)
    second = await lines.watch(link, m2)
    first = await lines.watch(link, m1, until_online=False)
    peer(broker.port).send("m2/state", {"p": 5})
    await until(lambda: second.values(1) == [5], "the other's value")
    if first.task.done():  # mosquitto 2.0 grants, and withholds the messages; others refuse
        assert "m1/state" in await first.loss()


test_what_is_refused_is_told_of_one_device_alone = pytest.mark.mosquitto(
    test_what_is_refused_is_told_of_one_device_alone
)
