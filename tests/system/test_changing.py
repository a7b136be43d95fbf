"""A configuration changed while the station runs: what it does not touch runs on, or it is refused whole."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.configuration import configure
from app.control.loading import load_strategies
from app.history.export.request import ExportError
from app.history.folder import DataFolder
from app.model.access import Actor, Denied
from app.model.audit import AuditFilter
from app.model.clock import SECOND_NS
from app.model.difference import DifferenceRow, Kind
from app.model.errors import ConfigFaults, GridroomError, StorageError
from app.model.views import AlarmState, LinkState
from app.records.service import FILE_NAME
from app.records.tables import config_version
from app.station import RunningStation
from tests.support.doors import GOOD
from tests.support.field import MemoryField


def device(id_: str, unit: int, **limits: float) -> dict[str, Any]:
    address = {"table": "input", "type": "u16"}
    return {
        "id": id_, "name": id_.upper(), "kind": "meter",
        "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 1, "unit": unit},
        "points": [
            {"id": "p_kw", "name": "P", "kind": "measurement", "unit": "kW", "scan": "100ms",
             "address": {**address, "register": 0}, **({"alarms": limits} if limits else {})},
            {"id": "on", "name": "On", "kind": "status", "scan": "100ms", "address": {**address, "register": 1}},
        ],
    }  # fmt: skip


class Place:
    """A running station whose file a test rewrites."""

    def __init__(self, folder: Path, field: MemoryField) -> None:
        self.folder, self.field = folder, field
        self.devices = [device("a", 1), device("b", 2, h=100), device("c", 3, h=100), self.sums("b.p_kw + c.p_kw")]
        self.more: dict[str, Any] = {}
        self.write()
        self.held = DataFolder.open(folder / "data", "a test")
        self.start()

    @staticmethod
    def sums(value: str) -> dict[str, Any]:
        return {
            "id": "sums", "name": "Sums", "kind": "meter", "points": [
                {"id": "p_kw", "name": "P", "kind": "measurement", "unit": "kW", "value": value},
                {"id": "e_kwh", "name": "E", "kind": "counter", "unit": "kWh", "value": "integral(a.p_kw)"},
            ],
        }  # fmt: skip

    def start(self) -> None:
        self.station = RunningStation(configure(self.folder), self.folder / "data")
        self.station.start()
        self.door = self.station.facade("a test")
        known = self.door.access.standing().first_start
        enter = self.door.access.name_administrator if known else self.door.access.sign_in
        enter("ada", GOOD).result(30)

    def write(self) -> None:
        head = {
            "version": 1,
            "station": {"id": "s", "name": "S", "timezone": "UTC", "location": {"latitude": 0, "longitude": 0}},
        }
        text = yaml.safe_dump({**head, **self.more, "devices": self.devices}, sort_keys=False)
        (self.folder / "station.yaml").write_text(text, encoding="utf-8")

    def apply(self) -> Any:
        self.write()
        return self.door.apply().result(30)

    def value(self, name: str) -> float:
        return self.seen(name)[0]

    def seen(self, name: str) -> tuple[float, int]:
        station = self.station.station
        snapshot = self.door.snapshot()
        assert snapshot.configuration == station.config_hash
        row = station.by_name[name]
        return float(snapshot.value[row]), int(snapshot.quality[row])

    def close(self) -> None:
        self.station.stop()
        self.held.close()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    field = MemoryField()
    monkeypatch.setattr("app.engine.engine.driver", lambda name: field)
    made = Place(tmp_path, field)
    yield made
    made.close()


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.02)


def test_what_a_change_does_not_touch_runs_on_where_its_rows_move(place: Place) -> None:
    place.field.values |= {"a": 70_000.0, "b": 150.0, "c": 150.0}
    until(lambda: {row.source for row in place.door.alarms.active()} == {"b.p_kw", "c.p_kw"})
    until(lambda: place.value("sums.p_kw") == 300.0)
    until(lambda: place.value("sums.e_kwh") > 0)
    alarm = {row.source: row for row in place.door.alarms.active()}
    place.door.alarms.acknowledge([alarm["b.p_kw"].id]).result(30)
    links = list(place.field.links)
    since = {status.device: status.since for status in place.door.devices()}
    until(lambda: place.seen("a.p_kw") == (70_000.0, 0))
    began = place.station.now_ns()
    until(lambda: place.station.now_ns() - began > 4 * SECOND_NS)
    energy = place.value("sums.e_kwh")

    place.devices = [device("new", 9), device("a", 1), device("b", 2, h=120), place.sums("b.p_kw + new.p_kw")]
    place.field.values["new"] = 3.0
    applied = place.apply()

    assert applied.reconnected == ("new",)
    assert applied.rows == (
        DifferenceRow(Kind.ADDED, "new"),
        DifferenceRow(Kind.CHANGED, "b.p_kw", "alarms.h", "100", "120"),
        DifferenceRow(Kind.CHANGED, "sums.p_kw", "value", "b.p_kw + c.p_kw", "b.p_kw + new.p_kw"),
        DifferenceRow(Kind.REMOVED, "c"),
    )
    closed = [links.index(link) for link in links if link.closed]
    assert closed == [2] and len(place.field.links) == 4
    assert place.seen("a.p_kw") == (70_000.0, 0), "not a moment without its value"
    until(lambda: place.seen("new.p_kw") == (3.0, 0))
    until(lambda: place.value("sums.p_kw") == 153.0)
    place.field.values["a"] = 8.0
    until(lambda: place.seen("a.p_kw") == (8.0, 0))
    statuses = {status.device: status for status in place.door.devices()}
    assert list(statuses) == ["new", "a", "b"] and statuses["a"].since == since["a"]
    until(lambda: place.door.devices()[0].state is LinkState.ONLINE)
    after = {row.source: row for row in place.door.alarms.active()}
    assert after["b.p_kw"].id == alarm["b.p_kw"].id and after["b.p_kw"].state is AlarmState.ACTIVE_ACKNOWLEDGED
    assert after["c.p_kw"].state is AlarmState.RETURNED_UNACKNOWLEDGED
    place.field.values["b"] = 110.0  # over the old limit, below the new one
    until(lambda: "b.p_kw" not in {row.source for row in place.door.alarms.active()})
    assert place.door.read_once("a.p_kw").result(30).point.tolist() == [place.station.station.by_name["a.p_kw"]]

    until(lambda: place.station.now_ns() - began > 5 * SECOND_NS)
    until(lambda: energy < place.value("sums.e_kwh") < energy + 50)
    now = place.station.now_ns()
    old, new, gone = place.door.history.query(["a.p_kw", "new.p_kw", "c.p_kw"], began, now, 500).result(30)
    assert set(old.last[~_nan(old.last)].tolist()) == {70_000.0, 8.0}
    inner = [gap for gap in old.gaps.tolist() if gap[1] < now - SECOND_NS]
    assert inner == [], "the record of what runs on has no gap"
    assert set(new.last[~_nan(new.last)].tolist()) == {3.0}
    assert set(gone.last[~_nan(gone.last)].tolist()) == {150.0}


def test_a_status_that_runs_on_is_no_event_and_its_next_change_is_one(place: Place) -> None:
    until(lambda: place.seen("a.on") == (1.0, 0))
    place.devices.insert(0, device("new", 9))
    place.apply()
    place.field.values["a"] = 0.0
    until(lambda: place.seen("a.on") == (0.0, 0))

    def told() -> list[tuple[float, str]]:
        rows = place.door.events.journal(100).result(30)
        return [(row.value, row.message.en) for row in rows if row.source == "a.on"]

    until(lambda: [value for value, _ in told()] == [0.0])
    assert "stopped" not in told()[0][1]


def test_changes_one_after_the_other_keep_every_row_in_its_place(place: Place) -> None:
    for number in range(6):
        place.field.values |= {"a": float(number), f"n{number}": number + 0.5}
        place.devices.insert(number % 3, device(f"n{number}", 10 + number))
        if number == 4:
            place.devices = [one for one in place.devices if one["id"] != "n1"]
        place.apply()
        until(lambda: place.seen("a.p_kw") == (float(number), 0))  # noqa: B023 (asked at once)
        until(lambda: place.seen(f"n{number}.p_kw") == (number + 0.5, 0))  # noqa: B023
        for status in place.door.devices():
            assert place.seen(f"{status.device}._online")[0] in (0.0, 1.0) or math.isnan(
                place.seen(f"{status.device}._online")[0]
            )
    assert sum(not link.closed for link in place.field.links) == len(place.door.devices())
    assert len(place.field.links) == 3 + 6, "nobody but the new ones was ever opened"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"history": {"heartbeat": "30s"}}, "history: taken with the next start only; nothing is changed"),
        ({"access": {"lock_after": "5min"}}, "access: taken with the next start only"),
        ({"audit": {"heads": "heads.txt"}}, "audit: taken with the next start only"),
        ({"topology": [{"id": "grid", "kind": "nothing"}]}, "kind: 'nothing' is not known"),
    ],
)
def test_what_cannot_be_taken_is_refused_whole(place: Place, change: dict[str, Any], words: str) -> None:
    before = place.station.station
    links = len(place.field.links)
    place.more = change
    place.devices.append(device("new", 9))
    with pytest.raises((GridroomError, ConfigFaults), match=words):
        place.apply()
    assert place.station.station is before and len(place.field.links) == links
    until(lambda: place.seen("a.p_kw")[1] == 0)
    place.more = {}
    assert place.apply().reconnected == ("new",)


def test_who_loaded_what_and_the_way_back(place: Place) -> None:
    first = (place.folder / "station.yaml").read_text(encoding="utf-8")
    place.devices[1] = device("b", 2, h=90)
    place.apply()
    (place.folder / "templates").mkdir()
    (place.folder / "templates" / "later.yaml").write_text("# not there in the first version\n", encoding="utf-8")
    newest, oldest = until_rows(place, 2)
    assert (newest.actor, newest.rows) == ("ada", (DifferenceRow(Kind.CHANGED, "b.p_kw", "alarms.h", "100", "90"),))
    assert oldest.rows == () and oldest.origin.startswith("start, ")
    assert place.door.versions.texts(oldest.id).result(30) == {"station.yaml": first}
    applied = place.door.versions.go_back(oldest.id).result(30)
    assert applied.rows == (DifferenceRow(Kind.CHANGED, "b.p_kw", "alarms.h", "90", "100"),)
    assert (place.folder / "station.yaml").read_text(encoding="utf-8") == first
    assert not (place.folder / "templates" / "later.yaml").exists()
    kept = [path.name for path in (place.folder / "data" / "backups").rglob("*.yaml")]
    assert sorted(kept) == ["later.yaml", "station.yaml"]
    assert len(until_rows(place, 3)) == 3
    back = AuditFilter(what="versions.go_back")
    until(lambda: len(place.door.audit.rows(back, 10).result(30)) == 2)  # how it ended is written after the answer
    rows = place.door.audit.rows(back, 10).result(30)
    assert [row.result for row in rows] == ["done", "asked"] and '"after":"100"' in str(rows[0].after).replace(
        " ", ""
    ).replace("'", '"')


def test_going_back_leaves_what_is_no_configuration_where_it_is(place: Place) -> None:
    until_rows(place, 1)
    mine = {
        "notes.csv": "姓名".encode("gbk"), "data/exports/july.csv": b"time,value", "drawings/plan b.yaml": b"a: 1",
        "more/load.csv": b"x" * 100,
    }  # fmt: skip
    for name, content in mine.items():
        (place.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (place.folder / name).write_bytes(content)
    place.devices.pop()
    place.apply()
    newest, oldest = until_rows(place, 2)
    assert set(place.door.versions.texts(newest.id).result(30)) == {"station.yaml"}
    place.door.versions.go_back(oldest.id, "a trial").result(30)
    assert {name: (place.folder / name).read_bytes() for name in mine} == mine
    again = place.door.versions.go_back(newest.id).result(30)
    assert again.rows and {name: (place.folder / name).read_bytes() for name in mine} == mine


def test_an_export_replaces_nothing_of_the_stations(place: Place) -> None:
    (place.folder / "northbound.yaml").write_text("iec104:\n  - {table: points.csv}\n", encoding="utf-8")
    (place.folder / "points.csv").write_text("ioa,type,point\n", encoding="utf-8")
    end = place.station.now_ns()
    for path in (place.folder / "points.csv", place.folder / "data" / "x.csv"):
        with pytest.raises(ExportError):
            place.door.export(["a.p_kw"], 0, end, "raw", path).result(30)
        with pytest.raises(ExportError):
            place.door.audit.export(path).result(30)
    assert (place.folder / "points.csv").read_text(encoding="utf-8") == "ioa,type,point\n"
    assert place.door.audit.export(place.folder / "data" / "exports" / "x.csv").result(30) > 0


def test_a_plan_is_part_of_the_configuration_whatever_bytes_it_has(place: Place) -> None:
    gbk = "时间,power_kw,备注\n".encode("gbk").replace("时间".encode("gbk"), b"time")
    first = gbk + b"".join(b"%02d:%02d,0,\n" % divmod(15 * i, 60) for i in range(96))
    plan = place.folder / "plans" / "day.csv"
    plan.parent.mkdir()
    plan.write_bytes(first)
    listed = "strategies:\n  - {id: p, kind: plan_tracking, devices: [], params: {plan: plans/day.csv}}\n"
    (place.folder / "strategies.yaml").write_text(listed, encoding="utf-8")
    with pytest.raises(ConfigFaults):
        place.apply()  # it is no UTF-8
    place.station.versions.loaded("x", {}, Actor("ada")).result(30)
    plan.write_bytes(first.replace(gbk, b"time,power_kw,note\n"))
    hashes = {load_strategies(place.station.station)[2]}
    plan.write_bytes(plan.read_bytes().replace(b"00:00,0", b"00:00,5"))
    hashes.add(load_strategies(place.station.station)[2])
    assert len(hashes) == 2, "another plan is another configuration"
    newest = until_rows(place, 2)[0]
    with pytest.raises(ConfigFaults):
        place.door.versions.go_back(newest.id).result(30)
    assert b"00:00,5" in plan.read_bytes(), "what could not run changed nothing"
    kept = list((place.folder / "data" / "backups").rglob("day.csv"))
    assert [path.read_bytes() for path in kept] == [plan.read_bytes()]


def test_a_version_that_leads_out_of_the_folder_or_cannot_run_changes_nothing(place: Place, tmp_path: Path) -> None:
    (row,) = until_rows(place, 1)
    there = (place.folder / "station.yaml").read_text(encoding="utf-8")
    outside = tmp_path.parent / "outside.yaml"
    from app.versions import _packed  # what somebody with the database could write

    for files, words in (
        ({"../outside.yaml": "x"}, "is no file of the station's folder"),
        ({str(outside): "x"}, "is no file of the station's folder"),
        ({"station.sh": "x"}, "is no file of the station's folder"),
        ({"station.yaml": "version: 1\n"}, "station"),
        ({}, "station"),
    ):
        packed = _packed(files, {})
        place.station.records.write(
            lambda connection, packed=packed: connection.execute(config_version.update().values(files=packed))
        ).result(30)
        with pytest.raises((GridroomError, ConfigFaults), match=words):
            place.door.versions.go_back(row.id).result(30)
        assert (place.folder / "station.yaml").read_text(encoding="utf-8") == there and not outside.exists()
    until(lambda: place.seen("a.p_kw")[1] == 0)
    with pytest.raises(GridroomError, match="there is no version 99"):
        place.door.versions.go_back(99).result(30)


@pytest.mark.expects_errors
def test_without_its_row_in_the_audit_nothing_is_changed(place: Place) -> None:
    before = place.station.station
    place.devices.append(device("new", 9))
    with closing(sqlite3.connect(place.folder / "data" / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="nothing is done, for it cannot be audited"):
            place.apply()
        with pytest.raises(StorageError, match="cannot be audited"):
            place.door.secrets.put("broker1", "hush").result(30)
        other.execute("ROLLBACK")
    assert place.station.station is before and not (place.folder / "data" / "secrets.json").exists()
    until(lambda: place.station.records.state() == "ok")
    assert place.apply().reconnected == ("new",)


def test_only_who_may_configure_applies(place: Place) -> None:
    place.door.access.sign_out()
    for call in (place.door.apply, lambda: place.door.versions.go_back(1), place.door.versions.rows):
        with pytest.raises(Denied):
            call().result(30)


def test_a_restart_goes_on_with_what_was_changed(place: Place) -> None:
    place.field.values["new"] = 4.0
    place.devices.append(device("new", 9))
    place.apply()
    until(lambda: place.seen("new.p_kw") == (4.0, 0))
    began = place.station.now_ns()
    until(lambda: place.station.now_ns() - began > 2 * SECOND_NS)
    place.station.stop()
    place.start()
    (series,) = place.door.history.query(["new.p_kw"], began, place.station.now_ns(), 100).result(30)
    assert 4.0 in series.last.tolist()
    assert len(until_rows(place, 2)) == 2, "the same again is no version"


def until_rows(place: Place, count: int) -> list[Any]:
    until(lambda: len(place.door.versions.rows().result(30)) == count)
    rows: list[Any] = place.door.versions.rows().result(30)
    return rows


def _nan(values: Any) -> Any:
    return values != values  # noqa: PLR0124
