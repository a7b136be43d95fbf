"""A whole station with a field, offered to a centre: live values out, orders into the journal and no further."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from app.configuration import configure
from app.history.folder import DataFolder
from app.model.access import Actor
from app.model.errors import TransportError
from app.station import RunningStation
from drivers.iec104 import apci
from drivers.registry import driver
from tests.support.field import MemoryField
from tests.support.foreign_centre import ForeignCentre
from tests.support.northbound_station import OFFER, Offering, write

POINTS = """
    points:
      - {point: m.p_kw, ioa: 16385, type: M_ME_NC_1}
      - {point: m._online, ioa: 9, type: M_SP_NA_1}
      - {point: m.double, ioa: 16386, type: M_ME_NC_1}
    commands:
      - {point: m.p_set, ioa: 25089, type: C_SE_NC_1}
"""


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.02)


@pytest.fixture
def field(monkeypatch: pytest.MonkeyPatch) -> MemoryField:
    """In the place of Modbus: the station file stays as users write it."""
    memory = MemoryField()
    monkeypatch.setattr("app.engine.engine.driver", lambda name: memory)
    return memory


@pytest.fixture
def running(tmp_path: Path, field: MemoryField) -> Iterator[RunningStation]:
    write(tmp_path, OFFER.split("    points:")[0].rstrip() + POINTS, "lost_after: 1s")
    text = (tmp_path / "station.yaml").read_text()
    text += '      - {id: double, name: double, kind: measurement, unit: kW, value: "2 * p_kw"}\n'
    (tmp_path / "station.yaml").write_text(text)
    with DataFolder.open(tmp_path / "data", "a test"):
        station = RunningStation(configure(tmp_path), tmp_path / "data")
        station.start()
        yield station
        station.stop()


@pytest.mark.expects_errors  # a lost centre is one
def test_live_values_go_out_and_orders_stay_in_the_journal(running: RunningStation, field: MemoryField) -> None:
    def lost() -> bool:
        return any(row.source == "_system.northbound.dispatch1" and not row.returned for row in running.alarms.active())

    assert driver("modbus-tcp") is not field, "the real one is untouched"
    until(lambda: running.northbound.status()[0].port)
    until(lost)
    field.values["m"] = 42.0
    with ForeignCentre(running.northbound.status()[0].port) as centre:
        centre.connect()
        until(lambda: not lost())
        field.values["m"] = 43.0
        centre.hears_point(16386, "SPONTANEOUS", value=86.0)
        centre.does("interrogate")
        centre.drain(0.5)
        came = {s["point"]: s["value"] for s in centre.said if s.get("cause") == "INTERROGATED_BY_STATION"}
        assert came == {16385: 43.0, 9: 1.0, 16386: 86.0}
        assert not centre.does("command", ioa=25089, type="C_SE_NC_1", value=60.0)
        until(lambda: any(row.what == "order" for row in running.events.journal().result()))
        field.failing["m"] = TransportError("unplugged")
        centre.hears(lambda one: one.get("point") == 16385 and "NonTopical" in one["quality"])
    (row,) = [row for row in running.events.journal().result() if row.what == "order"]
    assert (row.source, row.value) == ("m.p_set", 60.0)
    assert "60.0 kW: refused" in row.message.en and "已拒绝" in row.message.zh


NEW = """  - id: first
    name: First
    kind: meter
    connection: {driver: modbus-tcp, host: 127.0.0.1, port: 2}
    points:
      - {id: p_kw, name: P, kind: measurement, unit: kW, address: {table: input, register: 0, type: u16}}
"""


@pytest.mark.expects_errors  # a lost centre is one
def test_a_centre_stays_connected_through_a_change_of_other_things(running: RunningStation, field: MemoryField) -> None:
    until(lambda: running.northbound.status()[0].port)
    file = running.station.directory / "station.yaml"
    field.values |= {"m": 42.0, "first": 5.0}
    until(lambda: running.snapshot().value[running.station.by_name["m.p_kw"]] == 42.0)
    with ForeignCentre(running.northbound.status()[0].port) as centre:

        def answers() -> bool:  # the worker may lag behind the station
            centre.does("interrogate")
            centre.drain(0.5)
            return [one["value"] for one in centre.said if one.get("point") == 16385][-1] == 42.0

        centre.connect()
        until(answers)
        heard = len(centre.said)
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("devices:\n", f"devices:\n{NEW}"), encoding="utf-8")
        assert running._apply(Actor("ada")).reconnected == ("first",)
        field.values["m"] = 43.0
        centre.hears_point(16385, "SPONTANEOUS", value=43.0)
        assert not [one for one in centre.said[heard:] if "state" in one], "it was not dropped"
        assert 5.0 not in [one.get("value") for one in centre.said if "point" in one]
        centre.does("command", ioa=25089, type="C_SE_NC_1", value=60.0)
        until(lambda: any(row.source == "m.p_set" for row in running.events.journal().result()))


@pytest.mark.expects_errors
def test_another_offer_is_served_anew_with_what_is_true(running: RunningStation, field: MemoryField) -> None:
    until(lambda: running.northbound.status()[0].port)
    field.values["m"] = 42.0
    until(lambda: running.snapshot().value[running.station.by_name["m.p_kw"]] == 42.0)
    file = running.station.directory / "northbound.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("ioa: 16385", "ioa: 16400"), encoding="utf-8")
    applied = running._apply(Actor("ada"))
    assert [row.key.split(".")[0] for row in applied.rows] == ["values", "values"] and applied.reconnected == ()
    until(lambda: running.northbound.status()[0].port)
    with ForeignCentre(running.northbound.status()[0].port) as centre:
        centre.connect()
        centre.does("interrogate")
        centre.drain(0.5)
        assert {one["value"] for one in centre.said if one.get("point") == 16400} == {42.0}
    file.unlink()
    running._apply(Actor("ada"))
    assert running.northbound.status() == []


def test_orders_without_end_are_counted_and_not_written_one_by_one(tmp_path: Path) -> None:
    from tests.system.northbound.test_scripted import Centre

    order = bytes.fromhex("32 01 06 00 01 00 01 62 00 00 00 c0 3f 00")
    with Offering(tmp_path) as offering:
        with Centre(offering.status.port) as centre:
            centre.start()
            for n in range(1, 61):
                centre.send(order)
                centre.until(lambda frame: apci.is_information(frame) and frame[6] == 50)
                if n % 4 == 0:
                    centre.acknowledge()
        offering.until(lambda: offering.status.orders == 60)
        offering.until(lambda: any("further orders within a second" in m.en for _, m, _ in offering.journal))
        assert len(offering.journal) < 60


def worker() -> psutil.Process:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # one of another test may just have ended
            found += [child] if "drivers.iec104.worker" in child.cmdline() else []
    (one,) = found
    return one


def test_a_worker_that_dies_is_started_anew_with_what_is_true(tmp_path: Path) -> None:
    with Offering(tmp_path) as offering:
        offering.give(("p_kw", 5.0), ("breaker", 1))
        os.kill(worker().pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        offering.until(lambda: offering.status.last_error is not None)
        offering.until(lambda: offering.status.port and offering.status.last_error is None)
        with ForeignCentre(offering.status.port) as centre:
            centre.connect()
            centre.does("interrogate")
            centre.drain(0.5)
            assert {s["point"]: s["value"] for s in centre.said if s.get("point") in (1, 16385)} == {1: 1.0, 16385: 5.0}


def test_a_port_that_is_taken_is_told_and_tried_again(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        offering = Offering(tmp_path, OFFER.replace("port: 0", f"port: {port}"), more="lost_after: 1s")
        offering.service.start()
        try:
            offering.until(lambda: offering.status.last_error is not None)  # a busy machine is slower than lost_after
            offering.until(lambda: "cannot be served" in str(offering.troubles.get("northbound.dispatch1")))
            words = offering.troubles["northbound.dispatch1"]
            assert words is not None
            assert words.en.startswith(
                f"dispatch centre City dispatch cannot be served: cannot listen at 127.0.0.1:{port}"
            )
            assert "地调" in words.zh
            taken.close()
            offering.until(lambda: offering.status.port == port)
        finally:
            offering.service.stop()


def test_the_worker_needs_no_c104(tmp_path: Path) -> None:
    """What is offered works where the GPL part is not installed."""
    with Offering(tmp_path) as offering:
        assert offering.status.port
        if sys.platform == "linux":
            mapped = Path(f"/proc/{worker().pid}/maps").read_text()
            assert "c104" not in mapped and "numpy" in mapped
