"""Whatever strangers send: only declared faults, every row sound, and no memory that grows."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from app.model import quality as q
from drivers.mqtt.rosters import roster_of
from drivers.mqtt.rows import Message
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
    "edgex/events/device/x/y/Meter-01": [json.dumps(EVENT).encode(), json.dumps({"payload": "e30="}).encode()],
    "spBv1.0/g/NBIRTH/n": [NBIRTH], "spBv1.0/g/DBIRTH/n/dev": [DBIRTH], "spBv1.0/g/DDATA/n/dev": [DDATA, DBIRTH],
    "spBv1.0/g/DDEATH/n/dev": [DDEATH], "spBv1.0/g/NDEATH/n": [NDEATH], "spBv1.0/g/NDATA/n": [DDATA],
    "m1/status": [b"online", b"offline"], "m1/reply": [b"{}"], "": [b""], "other/topic": [b"1"],
}  # fmt: skip
ALPHABET = b'{}[]":,.0123456789-+eE nulltruefalse\\u\x00\xff\x08\x12'


def mutate(random_: random.Random, payload: bytes) -> bytes:
    """Bytes changed, cut, doubled, put in."""
    data = bytearray(payload)
    for _ in range(random_.randrange(4)):
        at = random_.randrange(len(data) + 1)
        how = random_.randrange(4)
        if how == 0 and data:
            data[at % len(data)] = random_.choice(ALPHABET) if random_.random() < 0.7 else random_.randrange(256)
        elif how == 1:
            data[at:at] = bytes(random_.choices(ALPHABET, k=random_.randrange(6)))
        elif how == 2:
            del data[at : at + random_.randrange(8)]
        else:
            data[at:at] = data[at : at + random_.randrange(30)]
    return bytes(data)


def fuzz(count: int, seed: int) -> int:
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
    random_ = random.Random(seed)
    topics = list(SEEDS)
    rows = done = 0
    while done < count:
        burst = []
        for _ in range(random_.randrange(1, 50)):
            topic = random_.choice(topics)
            payload = mutate(random_, random_.choice(SEEDS[topic]))
            burst.append(Message(topic, payload, 1, 1, random_.random() < 0.1, random_.random() < 0.1, None, T_NS))
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


def without_growth(run: Callable[[int], int], grows_less_than: int) -> None:
    run(0)  # what is remembered once is remembered
    tracemalloc.start()
    try:
        run(1)
        before = tracemalloc.get_traced_memory()[0]
        run(2)
        assert tracemalloc.get_traced_memory()[0] - before < grows_less_than
    finally:
        tracemalloc.stop()


def test_garbage_is_counted_and_remarked_and_nothing_else() -> None:
    assert fuzz(20_000, 1) > 5_000


def test_garbage_is_not_kept() -> None:
    without_growth(lambda seed: fuzz(1500, seed), 100_000)


@pytest.mark.slow
def test_a_million_pieces_of_garbage() -> None:
    for seed in range(20):
        fuzz(50_000, 100 + seed)
