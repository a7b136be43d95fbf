"""What a change of the configuration touches, and where rows move: for any two stations of some devices on some lines."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from app.bench.station import flat_station
from app.model.config import PointForm
from app.model.difference import Kind, differences, outline
from app.model.station import Device, Point, Station
from app.model.succession import Succession, fixed_changes

BASE = flat_station(1)
DEVICES = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(st.sampled_from(["x", "y", "z"]), st.integers(1, 3), st.integers(0, 1), st.sampled_from([None, 5.0])),
    max_size=6,
)
"""Id -> line, number of points, register, upper alarm limit."""


def station(devices: dict[str, tuple[str, int, int, float | None]]) -> Station:
    made: list[Device] = []
    points: list[Point] = []
    for id_, (line, count, register, limit) in devices.items():
        mine = []
        for number in range(count):
            form = {"id": f"p{number}", "name": "P", "kind": "measurement", "address": {"register": register}}
            alarms = {} if limit is None else {"alarms": {"h": limit}}
            mine.append(Point(len(points) + number, f"{id_}.p{number}", id_, PointForm.model_validate(form | alarms)))
        points += mine
        made.append(replace(BASE.devices[0], id=id_, driver="d", connection={"line": line}, points=tuple(mine)))
    return replace(BASE, devices=tuple(made), points=tuple(points))


@given(DEVICES, DEVICES)
def test_rows_move_with_their_names_and_lines_go_on_whole(before: dict, after: dict) -> None:  # type: ignore[type-arg]
    old, new = station(before), station(after)
    succession = Succession(old, new, lambda device: str(device.connection["line"]))
    for point, row in zip(new.points, succession.to_old.tolist(), strict=True):
        assert (old.points[row].name == point.name) if row >= 0 else point.name not in old.by_name
    for id_, shift in succession.going_on.items():
        for mine, theirs in zip(old.by_id[id_].points, new.by_id[id_].points, strict=True):
            assert mine.index + shift == theirs.index and mine.name == theirs.name
        assert before[id_][:3] == after[id_][:3], "a limit is nothing to the field; line, points and registers are"
    assert succession.stopping | succession.going_on.keys() == before.keys()
    assert succession.beginning | succession.going_on.keys() == after.keys()
    for line in "xyz":
        together = [{id_ for id_, form in one.items() if form[0] == line} for one in (before, after)]
        going = together[1] & succession.going_on.keys()
        assert going in (set(), together[1]), "a line goes on whole or not at all"
        same = [[(i, f[:3]) for i, f in one.items() if f[0] == line] for one in (before, after)]
        assert (going == together[1]) == (same[0] == same[1] or not together[1])


@given(DEVICES, DEVICES)
def test_the_difference_names_everything_that_differs_and_nothing_else(before: dict, after: dict) -> None:  # type: ignore[type-arg]
    rows = differences(outline(station(before)), outline(station(after)))
    told = {(row.kind, row.where) for row in rows}
    assert {where for kind, where in told if kind is Kind.ADDED and "." not in where} == after.keys() - before.keys()
    assert {where for kind, where in told if kind is Kind.REMOVED and "." not in where} == before.keys() - after.keys()
    for id_ in before.keys() & after.keys():
        mine = {where for _, where in told if where.partition(".")[0] == id_}
        assert bool(mine) == (before[id_] != after[id_])
        limits = {row.where for row in rows if row.key == "alarms.h" and row.where.startswith(f"{id_}.")}
        common = min(before[id_][1], after[id_][1])
        assert limits == ({f"{id_}.p{n}" for n in range(common)} if before[id_][3] != after[id_][3] else set())
    assert not differences(outline(station(after)), outline(station(after)))


def test_what_only_a_restart_changes() -> None:
    assert fixed_changes(BASE, BASE) == ()
    assert fixed_changes(BASE, replace(BASE, timezone="Asia/Tokyo", read_only=not BASE.read_only)) == (
        "timezone",
        "read_only",
    )
    assert fixed_changes(BASE, replace(BASE, grid_meter="m")) == ()
