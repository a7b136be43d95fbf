"""Whatever strangers send: only declared faults, every row sound, and no memory that grows."""

from __future__ import annotations

import json
import re
from random import Random

import numpy as np
import pytest

from app.model import quality as q
from drivers.mqtt.discovery import MOST_POINTS, Found
from drivers.mqtt.rosters import roster_of
from drivers.mqtt.rows import Message
from tests.support.fuzzing import a_million, spoilt
from tests.support.mqtt_devices import HOST, device, json_point, point
from tests.support.sparkplug_payloads import DBIRTH, DDATA, DDEATH, NBIRTH, NDEATH, T_NS

EVENT = {
    "deviceName": "Meter-01", "profileName": "Meter", "origin": T_NS,
    "readings": [
        {"resourceName": "P", "valueType": "Float32", "value": "12.5", "origin": T_NS},
        {"resourceName": "A", "valueType": "Int8Array", "value": "[1, 2]"},
        {"resourceName": "O", "valueType": "Object", "objectValue": {"a": 1}},
    ],
}  # fmt: skip
SEEDS = {
    "m1/state": [b'{"a": {"b": [1, 2.5e3, null]}, "ts": 1700000000000, "q": "good", "s": "run"}', b"[]", b"-1e400", b'"x"'],
    "m1/plain": [b"12.5", b"run", b"\xff"],
    "edgex/events/device/x/y/Meter-01": [json.dumps(EVENT).encode(), json.dumps({"payload": "e30="}).encode(),
        b'{"payload": "e30\\u00e9"}', json.dumps(EVENT).replace("[1, 2]", "[1, \\ud800]").encode(),
    ],
    "spBv1.0/g/NBIRTH/n": [NBIRTH], "spBv1.0/g/DBIRTH/n/dev": [DBIRTH], "spBv1.0/g/DDATA/n/dev": [DDATA, DBIRTH],
    "spBv1.0/g/DDEATH/n/dev": [DDEATH], "spBv1.0/g/NDEATH/n": [NDEATH], "spBv1.0/g/NDATA/n": [DDATA],
    "m1/status": [b"online", b"offline"], "m1/reply": [b"{}"], "": [b""], "other/topic": [b"1"],
}  # fmt: skip
ID = re.compile(r"[a-z][a-z0-9_]*")
ALPHABET = bytes(range(256)) + 30 * b'{}[]":,.0123456789-+eE nulltruefalse\\u\x00\xff\x08\x12'


def fuzz(count: int, random: Random) -> int:
    """Rows that came of it."""
    common = {**HOST, "time": "$.ts", "quality": "$.q"}
    points = [
        json_point("a", "$.a.b[1]"), json_point("b", "$"), json_point("s", "$.s", words={"run": 1}),
        point("plain", {"topic": "m1/plain", "format": "plain", "time": "$"}),
        json_point("t", "$.a", topic="m1/state") | {"kind": "text"},
        point("set", {"topic": "m1/set", "reply": {"topic": "m1/reply"}}, kind="setpoint"),
    ]  # fmt: skip
    gateway = {**HOST, "format": "edgex", "topic": "edgex/events/#", "device": "Meter-01"}
    resources = [
        point(n.lower(), {"resource": n, "path": path}) for n, path in (("P", "$"), ("A", "$[0]"), ("O", "$.a"))
    ]
    metrics = [point(n, {"sparkplug": "g/n/dev", "metric": n}) for n in ("i8", "i64", "f", "d", "b", "s", "null")]
    devices = [
        device("m1", {**common, "presence": {"topic": "m1/status"}}, points),
        device("m2", gateway, resources, first_index=10),
        device("m3", HOST, metrics, first_index=20),
    ]
    roster = roster_of(devices, 4096)
    roster.router.begin(kept=False)
    topics = list(SEEDS)
    rows = done = 0
    while done < count:
        burst = []
        for _ in range(random.randrange(1, 50)):
            topic = random.choice(topics)
            payload = spoilt(random, random.choice(SEEDS[topic]), ALPHABET)
            burst.append(Message(topic, payload, 1, 1, random.random() < 0.1, random.random() < 0.1, None, T_NS))
        done += len(burst)
        batch = roster.router.decode(burst, T_NS)
        assert len(batch.acknowledge) == len(burst)
        updates = batch.updates
        rows += len(updates)
        none = np.isnan(updates.value)
        assert (np.isfinite(updates.value) | none).all() and (updates.quality[none] & q.IV).all()
        assert (updates.time > 0).all()
    for part in roster.parts.values():
        assert sum(len(trouble.remarks()) for trouble in part.troubles) < 100
    return rows


def test_garbage_is_counted_and_remarked_and_nothing_else() -> None:
    assert fuzz(20_000, Random(1)) > 5_000


@pytest.mark.slow
def test_a_million_pieces_of_garbage() -> None:
    a_million(fuzz)


def look_around(count: int, random: Random) -> None:
    """The same garbage where devices are looked for: proposals of bounded number and sound ids."""
    topics, proposed = list(SEEDS), 0
    for _ in range(0, count, 200):
        found = Found(HOST)
        for _ in range(200):
            topic = random.choice(topics)
            payload = spoilt(random, random.choice(SEEDS[topic]), ALPHABET)
            found.take(Message(topic, payload, 1, 1, False, False, None, T_NS))
        proposals = found.proposals()
        proposed += len(proposals)
        for proposal in proposals:
            assert ID.fullmatch(proposal.device["id"]) and proposal.why
            ids = [one["id"] for one in proposal.device["points"]]
            assert len(set(ids)) == len(ids) <= MOST_POINTS and all(map(ID.fullmatch, ids))
    assert proposed > count / 100


def test_garbage_proposes_nothing_unsound() -> None:
    look_around(10_000, Random(1))


@pytest.mark.slow
def test_a_million_pieces_of_garbage_where_devices_are_looked_for() -> None:
    a_million(look_around)
