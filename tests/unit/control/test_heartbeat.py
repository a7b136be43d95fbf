"""A device that wants to know that somebody is there is told so while it is commanded, and only then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.control.loading import device_faults
from app.control.standing import Manual
from app.model.control import Mode
from app.model.station import Station
from tests.support.control_dispatch import Living, live
from tests.support.control_station import battery, park, point, storage


def with_heartbeat(folder: Path, range_: list[float] | None = None, **more: Any) -> Station:
    """A rack of its own whose heartbeat is wanted, and no setpoint."""
    beat = {**point("beat", "heartbeat", "", 30, "setpoint"), **({"range": range_} if range_ else {})}
    rack = {
        "id": "rack", "name": "Rack", "kind": "bms", "control": {"heartbeat": "1s"},
        "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 9, "unit": 1},
        "points": [beat, point("soc", "soc", "%", 0)],
    }  # fmt: skip
    return park(folder, more=[rack], **more)


def test_it_counts_up_once_a_period_and_begins_anew_at_the_end_of_its_range(tmp_path: Path) -> None:
    async def told(made: Living) -> None:
        await made.cycle(0.25, 24)

    assert live(with_heartbeat(tmp_path / "a", [0, 3]), told).field.of("rack.beat") == [1, 2, 3, 0, 1, 2]
    assert live(with_heartbeat(tmp_path / "b"), told).field.of("rack.beat") == [1, 2, 3, 4, 5, 6]


def test_it_stands_under_a_tag_and_in_a_station_that_only_reads(tmp_path: Path) -> None:
    async def told(made: Living) -> None:
        await made.cycle(1.0, 3)
        made.bench.standing.tags["rack"] = "at work"
        await made.cycle(1.0, 3)

    assert live(with_heartbeat(tmp_path / "a"), told).field.of("rack.beat") == [1, 2, 3]
    assert live(with_heartbeat(tmp_path / "b", read_only=True), told).field.of("rack.beat") == []


def test_it_stands_when_control_stands(tmp_path: Path) -> None:
    async def told(made: Living) -> None:
        await made.cycle(1.0, 2)
        made.clock.advance(11.0)  # no cycle for longer than a setpoint lives
        await made.look()
        assert made.field.of("rack.beat") == [1, 2]
        await made.cycle(1.0)
        assert made.field.of("rack.beat") == [1, 2, 3]

    live(with_heartbeat(tmp_path), told)


def test_of_a_converter_it_counts_while_something_is_to_be_held(tmp_path: Path) -> None:
    pcs = storage(3, heartbeat="1s", expiry="60s")
    pcs["points"].append(point("beat", "heartbeat", "", 30, "setpoint"))

    async def told(made: Living) -> None:
        made.bench.set(**{"pcs3.p_kw": 0, "pcs3.remote": 1, "bms3.soc": 50, "bms3.c_lim": 100, "bms3.d_lim": 100})
        await made.cycle(1.0, 2)
        assert made.field.of("pcs3.beat") == [], "nobody asks anything of it"
        made.bench.standing.modes["pcs3"] = Mode.MANUAL
        made.bench.standing.manual["pcs3.p_set"] = Manual(20.0, "li", "", 1)
        await made.cycle(1.0, 3)
        assert made.field.of("pcs3.beat") == [1, 2, 3]
        made.bench.standing.tags["pcs3"] = "at work"
        await made.cycle(1.0, 3)
        assert made.field.of("pcs3.beat") == [1, 2, 3]

    live(park(tmp_path, more=[pcs, battery(3)]), told)


def test_a_device_without_such_a_point_is_told_by_check(tmp_path: Path) -> None:
    faults = device_faults(park(tmp_path, heartbeat="1s"))
    assert [(id_, what.en) for id_, what, _ in faults] == [
        (id_, f"control: {id_} has no setpoint with the role heartbeat") for id_ in ("pcs1", "pcs2")
    ]


def test_one_that_is_not_taken_is_told_until_it_is(tmp_path: Path) -> None:
    async def told(made: Living) -> None:
        made.field.refused.add("rack.beat")
        await made.cycle(1.0)
        assert made.told.get("control_heartbeat_rack") is None, "one may be noise"
        await made.cycle(1.0)
        why = made.told["control_heartbeat_rack"]
        assert why is not None and "busy" in why.en and "rack.beat" in why.zh
        made.field.refused.clear()
        await made.cycle(1.0, 2)
        assert made.told["control_heartbeat_rack"] is None

    live(with_heartbeat(tmp_path), told)
