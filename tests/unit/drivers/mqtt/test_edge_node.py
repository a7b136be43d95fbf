"""An edge node as a host sees it: who lives, what was lost, what a message says."""

from __future__ import annotations

import math
from typing import Any

import pytest

from app.model import quality as q
from app.model.text import Text
from drivers.mqtt.documents import PayloadFault
from drivers.mqtt.edge_node import EdgeNode
from drivers.mqtt.rows import Message, Sheet
from drivers.mqtt.sparkplug import BITS, DataType, Topic, command, number
from drivers.mqtt.sparkplug_b_pb2 import Payload
from tests.support.mqtt_devices import HOST, device, point
from tests.support.sparkplug_payloads import DBIRTH, DDATA, DDEATH, NBIRTH, NDEATH, T_NS


class Machine:
    """A node with one device of two metrics, and what it gives."""

    def __init__(self) -> None:
        points = device("m1", HOST, [point(n, {"sparkplug": "g/n/dev", "metric": n}) for n in ("f", "d")]).points
        self.node = EdgeNode("g", "n")
        self.sheet = Sheet({"m1": points})
        self.rows = self.sheet.rows["m1"]
        self.troubles = self.node.read_by(self.rows, "dev", [(p, i, p.id, {}) for i, p in enumerate(points)])

    def take(
        self, kind: str, payload: bytes | Payload, device_: str = "", *, again: bool = False, received: int = T_NS
    ) -> None:
        data = payload if isinstance(payload, bytes) else payload.SerializeToString()
        name = f"spBv1.0/g/{kind}/n" + (f"/{device_}" if device_ else "")
        topic = Topic.of(name)
        assert topic is not None
        self.node.take(topic, Message(name, data, 1, 1, False, again, None, received))

    def born(self) -> Machine:
        self.take("NBIRTH", NBIRTH)
        self.take("DBIRTH", DBIRTH, "dev")
        self.sheet.take(0)
        return self

    def said(self) -> list[tuple[int, float, int]]:
        updates, _ = self.sheet.take(T_NS)
        return [
            (int(p), float(v), int(k)) for p, v, k in zip(updates.point, updates.value, updates.quality, strict=True)
        ]

    def data(self, seq: int, alias: int = 18, **metric: Any) -> Payload:
        payload = Payload(seq=seq, timestamp=T_NS // 10**6)
        payload.metrics.add(alias=alias, **metric)
        return payload


def test_data_before_a_birth_is_not_known_and_births_are_asked_for() -> None:
    machine = Machine()
    with pytest.raises(PayloadFault, match="before the birth of its node"):
        machine.take("DDATA", DDATA, "dev")
    machine.node.wants_birth = False
    machine.take("NBIRTH", NBIRTH)
    assert machine.node.incomplete, "the device was not born yet"
    with pytest.raises(PayloadFault, match="before the birth of dev"):
        machine.take("DDATA", machine.data(1), "dev")
    assert machine.said() == [] and machine.node.wants_birth


def test_a_missing_number_of_the_sequence_asks_for_births_and_the_data_stands() -> None:
    machine = Machine().born()
    assert not machine.node.incomplete
    machine.take("DDATA", machine.data(2, float_value=1), "dev")
    machine.take("DDATA", machine.data(5, float_value=2), "dev")
    assert machine.said() == [(0, 1.0, 0), (0, 2.0, 0)]
    assert machine.node.incomplete and machine.node.lost_messages == 2
    machine.born()
    assert not machine.node.incomplete


def test_the_sequence_goes_round_at_256() -> None:
    machine = Machine().born()
    for n in range(2, 600):
        machine.take("DDATA", machine.data(n % 256, float_value=n), "dev")
    assert machine.node.lost_messages == 0 and len(machine.said()) == 598


def test_what_the_broker_repeats_is_no_gap() -> None:
    machine = Machine().born()
    machine.take("DDATA", machine.data(2, float_value=1), "dev")
    machine.take("DDATA", machine.data(2, float_value=1), "dev", again=True)
    machine.take("DDATA", machine.data(3, float_value=2), "dev")
    assert machine.node.lost_messages == 0


def test_a_death_of_an_earlier_session_is_not_news() -> None:
    machine = Machine().born()
    old = Payload()
    old.metrics.add(name="bdSeq", datatype=4, long_value=2)
    machine.take("NDEATH", old)
    assert machine.node.alive("dev")
    machine.take("NDEATH", NDEATH)
    assert not machine.node.alive("dev") and not machine.node.alive("")
    assert machine.node.deaths["dev"] == Text("its edge node died (NDEATH)", "其边缘节点已离线（NDEATH）")


def test_a_node_that_is_born_anew_forgets_its_devices_and_aliases() -> None:
    machine = Machine().born()
    machine.take("NBIRTH", NBIRTH)
    assert not machine.node.alive("dev") and machine.node.metric("dev", "f") is None
    with pytest.raises(PayloadFault):
        machine.take("DDATA", machine.data(1, float_value=1), "dev")


def test_a_device_dies_alone() -> None:
    machine = Machine().born()
    machine.take("DDEATH", DDEATH, "dev")
    assert machine.node.alive("") and not machine.node.alive("dev")


@pytest.mark.parametrize(("kept", "alive"), [(True, True), (False, False)])
def test_a_new_connection_knows_what_the_broker_kept(kept: bool, alive: bool) -> None:
    machine = Machine().born()
    machine.node.begin(kept)
    assert machine.node.alive("dev") is alive and machine.node.incomplete is not alive


def test_an_unknown_alias_is_said_and_the_others_stand() -> None:
    machine = Machine().born()
    payload = machine.data(2, float_value=7)
    payload.metrics.add(alias=999, float_value=1)
    payload.metrics.add(float_value=1)
    with pytest.raises(PayloadFault, match="2 metrics with an alias that no birth has told"):
        machine.take("DDATA", payload, "dev")
    assert machine.said() == [(0, 7.0, 0)] and machine.node.incomplete


def test_the_past_before_anything_newer_says_that_it_is_past() -> None:
    machine = Machine()
    machine.take("NBIRTH", NBIRTH)
    birth = Payload(seq=1, timestamp=T_NS // 10**6)
    birth.metrics.add(name="f", alias=18, datatype=9, is_null=True, is_historical=True)
    machine.take("DBIRTH", birth, "dev")
    machine.said()
    machine.take("DDATA", machine.data(2, float_value=3, is_historical=True), "dev")
    assert machine.said() == [(0, 3.0, q.NT)]
    machine.take("DDATA", machine.data(3, float_value=4), "dev")
    machine.take("DDATA", machine.data(4, float_value=2, is_historical=True), "dev")
    assert machine.said() == [(0, 4.0, 0), (0, 2.0, 0), (0, 4.0, 0)]


@pytest.mark.parametrize("wrong", [{"string_value": "x"}, {"int_value": 5}, {}, {"bytes_value": b"x"}])
def test_a_value_of_another_type_than_was_born_is_no_value(wrong: dict[str, Any]) -> None:
    machine = Machine().born()
    machine.take("DDATA", machine.data(2, **wrong), "dev")
    ((slot, value, quality),) = machine.said()
    assert slot == 0 and math.isnan(value) and quality == q.IV
    assert "data type 9 was born" in machine.troubles[0].remarks()["m1.f"].en


def test_times_of_strangers_are_judged() -> None:
    machine = Machine().born()
    for seq, ms in ((2, 5), (3, 2**63), (4, T_NS // 10**6 + 120_000)):
        machine.take("DDATA", machine.data(seq, float_value=1, timestamp=ms), "dev")
    assert [quality for _, _, quality in machine.said()] == [q.CLOCK] * 3


def test_births_cannot_fill_the_memory() -> None:
    machine = Machine()
    machine.take("NBIRTH", NBIRTH)
    birth = Payload(seq=1)
    for alias in range(100_001):
        birth.metrics.add(name="x", alias=alias, datatype=9)
    with pytest.raises(PayloadFault, match="100,000 is the most"):
        machine.take("DBIRTH", birth, "dev")


@pytest.mark.parametrize("datatype", [*BITS, DataType.DOUBLE, DataType.BOOLEAN])
def test_a_command_carries_what_its_type_holds_and_nothing_else(datatype: int) -> None:
    bits, signed = BITS.get(datatype, (1, False))
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if datatype == DataType.DOUBLE:
        low, high = -1e308, 1e308  # type: ignore[assignment]
    for value in (low, high if abs(high) < 2**53 else 2**50, 0, 1):
        metric = Payload.FromString(command("m", 7, datatype, value, T_NS)).metrics[0]
        assert (number(metric, datatype), metric.alias, metric.name) == (value, 7, "m")
    if datatype != DataType.DOUBLE:
        for value in (low - 1, float(high) * 2 + 1, 0.5, math.nan):
            with pytest.raises(ValueError):
                command("m", None, datatype, value, T_NS)
