"""One topic into rows: what a retained message is worth, and who hears what."""

from __future__ import annotations

import json
from typing import Any

from app.model import quality as q
from drivers.mqtt.rosters import roster_of
from drivers.mqtt.rows import Message
from tests.support.mqtt_devices import HOST, device, json_point
from tests.support.sparkplug_payloads import T_NS


def message(document: Any, *, retained: bool = False, topic: str = "m1/state") -> Message:
    return Message(topic, json.dumps(document).encode(), 1, 1, retained, False, None, T_NS)


def test_what_the_broker_kept_never_comes_over_what_was_live() -> None:
    """After a new connection the queue of the session comes first, and what was retained behind it."""
    roster = roster_of([device("m1", HOST, [json_point("p", "$.p")])], 1000)
    live, kept = message({"p": 2}), message({"p": 1}, retained=True)
    updates = roster.router.decode([live, kept], T_NS).updates
    assert updates.value.tolist() == [2.0] and updates.quality.tolist() == [0]
    assert not len(roster.router.decode([kept], T_NS).updates)
    roster.router.begin(kept=True)
    updates = roster.router.decode([kept, live], T_NS).updates
    assert updates.quality.tolist() == [q.NT | q.CLOCK, 0]


def test_only_what_is_live_and_sound_breaks_a_silence() -> None:
    roster = roster_of([device("m1", HOST, [json_point("p", "$.p")])], 1000)
    assert roster.router.decode([message({"p": 1}, retained=True)], T_NS).heard == []
    assert roster.router.decode([message({"p": 1})._replace(payload=b"{")], T_NS).heard == []
    assert roster.router.decode([message({"other": 1})], T_NS).heard == ["m1"]


def test_a_topic_of_two_devices_is_parsed_for_both_and_refused_for_both() -> None:
    devices = [
        device("m1", HOST, [json_point("p", "$.p")]),
        device("m2", HOST, [json_point("p", "$.q")], first_index=1),
    ]
    roster = roster_of(devices, 1000)
    batch = roster.router.decode([message({"p": 1, "q": 2})], T_NS)
    assert batch.updates.value.tolist() == [1.0, 2.0] and batch.owner.tolist() == [0, 1]
    roster.router.decode([message({"p": "x" * 2000})], T_NS)
    assert all(part.troubles[-1].text for part in roster.parts.values())
