"""The closed loop on the simulated park with real Modbus: what is asked comes true, and what goes wrong commands nothing."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.control.kept import save
from app.control.standing import Standing
from app.model.access import Actor, Denied
from app.model.audit import AuditEntry, Result
from app.model.control import Clip, Mode, Quantity, Running
from app.model.errors import GridroomError, StorageError
from app.model.text import Text
from tests.support.control_site import LONG_S, ROOT, SHAVE, SecondReader, Site, until
from tests.support.doors import GOOD


def test_the_import_is_shaved_confirmed_and_written_down(make: Callable[..., Site]) -> None:
    site = make(strategies=[SHAVE])
    until(lambda: site.value("meter1.p_kw") > 90)
    until(lambda: abs(site.value("meter1.p_kw") - 100) < 30 and site.value("pcs1.p_kw") > 20)
    row = site.channel("pcs1")
    assert row.holder == "shave" and row.mode is Mode.AUTO and row.blocked is None
    assert [one.who for one in row.wanted] == ["shave"] and row.wanted[0].live
    until(lambda: abs(site.channel("pcs1").held - site.channel("pcs1").sent) < 1)
    stages = [site.value(f"pcs1._active_power_{stage}") for stage in ("requested", "allowed", "sent")]
    assert all(20 < one < 500 for one in stages), stages
    opened = [one for one in site.ledger("control.setpoint") if one.result == "asked"]
    assert {(one.actor, one.target) for one in opened} >= {("shave", "pcs1"), ("shave", "pcs2")}
    assert "kW to shave" in opened[-1].reason and opened[0].origin.startswith("config ")
    site.door.control.run_strategy("shave", Running.SHADOW, "enough").result(LONG_S)
    until(lambda: [one for one in site.ledger("control.setpoint") if one.result == "done" and '"writes"' in one.after])
    until(lambda: abs(site.value("pcs1.p_kw")) < 5 and site.channel("pcs1").sent_at and site.channel("pcs1").sent != 0)
    assert site.door.audit.verify().result(LONG_S).sound


def test_a_person_sets_commands_tags_and_stops(make: Callable[..., Site]) -> None:
    site = make()
    control = site.door.control
    with pytest.raises(GridroomError, match="put it in manual first"):
        control.request("pcs1", Quantity.ACTIVE, 50.0).result(LONG_S)
    control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
    with pytest.raises(GridroomError, match="not within -500 to 500 kW"):
        control.request("pcs1", Quantity.ACTIVE, 501.0).result(LONG_S)
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(GridroomError, match="not within"):
            control.request("pcs1", Quantity.ACTIVE, wrong).result(LONG_S)
    control.set_mode("inv1", Mode.MANUAL).result(LONG_S)
    assert control.request("inv1", Quantity.LIMIT, 110.0).result(LONG_S) == 110, "which limits nothing"
    assert site.channel("inv1", Quantity.LIMIT).sent_at == 0
    assert control.request("inv1", Quantity.LIMIT, 20.0).result(LONG_S) == 20
    until(lambda: site.value("inv1.p_kw") < 25)
    assert control.request("pcs1", Quantity.ACTIVE, 150.0, reason="a trial").result(LONG_S) == 150
    until(lambda: abs(site.value("pcs1.p_kw") - 150) < 8)
    asked, done = [row for row in site.ledger("control.request") if '"value":150' in row.details] + [
        row for row in site.ledger("control.request") if row.result == "done" and '"asked":150' in row.after
    ]
    assert (asked.actor, asked.reason, done.asks) == ("ada", "a trial", asked.id)

    control.tag("pcs1", "work on the cable").result(LONG_S)
    for refused in (
        lambda: control.request("pcs1", Quantity.ACTIVE, 10.0),
        lambda: control.command("pcs1", "stop", control.arm("pcs1", "stop")),
    ):
        with pytest.raises(GridroomError, match="tagged: work on the cable"):
            refused().result(LONG_S)
    until(lambda: abs(site.value("pcs1.p_kw")) < 5, 15)  # nothing is renewed
    control.untag("pcs1").result(LONG_S)

    with pytest.raises(GridroomError, match="not armed"):
        control.command("pcs1", "stop", "0123456789abcdef").result(LONG_S)
    word = control.arm("pcs1", "stop")
    assert control.command("pcs1", "stop", word).result(LONG_S) == 1
    until(lambda: site.value("pcs1.state") == 0)
    with pytest.raises(GridroomError, match="not armed"):
        control.command("pcs1", "stop", word).result(LONG_S)
    control.command("pcs1", "start", control.arm("pcs1", "start")).result(LONG_S)
    until(lambda: site.value("pcs1.state") == 1)

    control.set_mode("pcs2", Mode.MANUAL).result(LONG_S)
    control.request("pcs2", Quantity.ACTIVE, -100.0).result(LONG_S)
    until(lambda: site.value("pcs2.p_kw") < -80)
    control.stop_all("smoke").result(LONG_S)
    until(lambda: abs(site.value("pcs2.p_kw")) < 5 and site.value("pcs2.state") == 0, 5)
    assert "control_stop" in site.alarms()
    with pytest.raises(GridroomError, match="emergency stop"):
        control.request("pcs2", Quantity.ACTIVE, 10.0).result(LONG_S)
    control.release_stop("all clear").result(LONG_S)
    until(lambda: "control_stop" not in site.alarms())


@pytest.mark.expects_errors
@pytest.mark.parametrize(
    ("fault", "alarm", "trips"),
    [
        ("deaf", "control_follows_pcs1.p_set_kw", False),
        ("backwards", "control_trip_pcs1", True),
        ("exception 4", "control_set_pcs1.p_set_kw", False),
    ],
)
def test_a_converter_that_does_not_do_it(make: Callable[..., Site], fault: str, alarm: str, trips: bool) -> None:
    site = make()
    control = site.door.control
    control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
    control.request("pcs1", Quantity.ACTIVE, 100.0).result(LONG_S)
    until(lambda: site.value("pcs1.p_kw") > 90)
    site.park.tell(f"fault pcs1 {fault}")
    time.sleep(0.5)
    wanted = 300.0 if fault == "deaf" else -200.0
    answer: Future[Any] = control.request("pcs1", Quantity.ACTIVE, wanted)
    if fault.startswith("exception"):
        with pytest.raises(GridroomError):
            answer.result(LONG_S)
    until(lambda: alarm in site.alarms())
    assert ("pcs1" in control.state().trips) is trips
    site.park.tell("clear pcs1")
    if trips:
        until(lambda: abs(site.value("pcs1.p_kw")) < 5)
        control.reset_trip("pcs1", "mended").result(LONG_S)
        until(lambda: site.value("pcs1.p_kw") < -180)
    until(lambda: alarm not in site.alarms())


def test_a_power_that_only_mirrors_the_setpoint_is_found_by_the_meter(make: Callable[..., Site]) -> None:
    site = make()
    control = site.door.control
    control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
    control.request("pcs1", Quantity.ACTIVE, 100.0).result(LONG_S)
    until(lambda: site.value("pcs1.p_kw") > 90)
    time.sleep(3)
    assert "control_follows_pcs1.p_set_kw" not in site.alarms()
    for fault in ("deaf", "mirror"):
        site.park.tell(f"fault pcs1 {fault}")
    time.sleep(0.5)
    control.request("pcs1", Quantity.ACTIVE, 400.0).result(LONG_S)
    until(lambda: "control_follows_pcs1.p_set_kw" in site.alarms())
    row = next(row for row in site.door.alarms.active() if row.source == "_system.control_follows_pcs1.p_set_kw")
    assert "the grid meter does not see it" in row.message.en and site.value("pcs1.p_kw") > 390


@pytest.mark.expects_errors
def test_without_its_meter_storage_falls_back_and_goes_on_when_it_is_there(make: Callable[..., Site]) -> None:
    site = make(strategies=[SHAVE])
    until(lambda: site.value("pcs1.p_kw") > 20)
    site.park.tell("fault meter1 silent")
    until(lambda: site.channel("pcs1").holder == "policy")
    until(lambda: abs(site.value("pcs1.p_kw")) < 5)
    assert site.channel("pcs1").allowed == 0
    site.park.tell("clear meter1")
    until(lambda: site.value("pcs1.p_kw") > 20, 60)


def test_without_a_row_nothing_is_sent_but_the_emergency_stop(make: Callable[..., Site]) -> None:
    site = make()
    control = site.door.control
    control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
    control.request("pcs1", Quantity.ACTIVE, 100.0).result(LONG_S)
    until(lambda: site.value("pcs1.p_kw") > 90)
    with closing(sqlite3.connect(site.data / "records.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(GridroomError, match="cannot be audited"):
            control.request("pcs1", Quantity.ACTIVE, 200.0).result(LONG_S)
        assert site.channel("pcs1").sent == 100
        stopped = control.stop_all("smoke")
        until(lambda: abs(site.value("pcs1.p_kw")) < 5, 5)
        other.execute("ROLLBACK")
    stopped.result(LONG_S)
    until(lambda: [row.result for row in site.ledger("control.stop_all")] == ["asked", "done"])
    assert site.door.audit.verify().result(LONG_S).sound


test_without_a_row_nothing_is_sent_but_the_emergency_stop = pytest.mark.expects_errors(
    test_without_a_row_nothing_is_sent_but_the_emergency_stop
)


def test_what_people_decided_is_true_after_a_restart(make: Callable[..., Site]) -> None:
    site = make(strategies=[SHAVE])
    control = site.door.control
    control.tag("pcs1", "work").result(LONG_S)
    control.set_mode("pcs2", Mode.MANUAL).result(LONG_S)
    control.request("pcs2", Quantity.ACTIVE, -50.0).result(LONG_S)
    site.stop()
    site.start()
    state = site.door.control.state()
    assert state.tags == {"pcs1": "work"} and state.modes == {"pcs2": Mode.MANUAL}
    until(lambda: site.value("pcs2.p_kw") < -40)
    assert site.channel("pcs1").blocked is not None and site.channel("pcs1").sent_at == 0


@pytest.mark.expects_errors
def test_what_people_decided_and_nobody_can_read_any_more_switches_control_off(make: Callable[..., Site]) -> None:
    site = make(strategies=[SHAVE])
    until(lambda: site.value("pcs1.p_kw") > 20)
    site.door.control.tag("pcs2", "work on the cable").result(LONG_S)
    site.stop()
    file = site.data / "control.json"
    broken = file.read_bytes()[:-9]
    file.write_bytes(broken)
    site.start()
    state = site.door.control.state()
    assert state.mode is Mode.OFF and "control_kept" in site.alarms()
    time.sleep(1.5)
    assert all(math.isnan(row.sent) or row.sent == 0 for row in site.door.control.state().channels)
    (aside,) = site.data.glob("control.json.broken-*")
    assert aside.read_bytes() == broken, "the tags can still be made out"
    site.stop()
    site.start()
    assert site.door.control.state().mode is Mode.OFF, "also at the next start"
    site.door.control.set_mode("*", Mode.AUTO, "looked at the cable").result(LONG_S)
    until(lambda: site.value("pcs1.p_kw") > 20)


def test_several_are_set_at_one_moment_or_none(make: Callable[..., Site]) -> None:
    site = make()
    control = site.door.control
    for device in ("pcs1", "pcs2"):
        control.set_mode(device, Mode.MANUAL).result(LONG_S)
    both = {"pcs1": 80.0, "pcs2": -60.0}
    assert control.request_many(both, Quantity.ACTIVE, "a trial").result(LONG_S) == both
    until(lambda: abs(site.value("pcs1.p_kw") - 80) < 6 and abs(site.value("pcs2.p_kw") + 60) < 6)
    with pytest.raises(GridroomError, match="not within"):
        control.request_many({"pcs1": 10.0, "pcs2": 9000.0}, Quantity.ACTIVE).result(LONG_S)
    with pytest.raises(GridroomError, match="no setpoint"):
        control.request_many({"pcs1": 10.0, "inv1": 10.0}, Quantity.ACTIVE).result(LONG_S)
    assert site.channel("pcs1").allowed == 80, "none of them was set"


@pytest.mark.expects_errors
def test_what_is_called_off_before_it_is_held_is_led_back(make: Callable[..., Site]) -> None:
    site = make()
    control = site.door.control
    control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
    control.request("pcs1", Quantity.ACTIVE, 50.0).result(LONG_S)
    until(lambda: abs(site.value("pcs1.p_kw") - 50) < 6)
    site.park.tell("fault pcs1 silent")
    time.sleep(0.5)
    asked = control.request("pcs1", Quantity.ACTIVE, 300.0)
    until(lambda: site.channel("pcs1").requested == 300)
    assert asked.cancel()
    until(lambda: site.channel("pcs1").requested == 50)
    site.park.tell("clear pcs1")
    until(lambda: site.channel("pcs1").held == 50 and abs(site.value("pcs1.p_kw") - 50) < 6)
    until(lambda: any(row.reason == "cancelled" for row in site.ledger("control.request")))

    def kept() -> float:  # who calls off does not wait for it
        text = (site.data / "control.json").read_text(encoding="utf-8")
        return Standing.of_json(text).manual["pcs1.p_set_kw"].value

    until(lambda: kept() == 50)


def test_what_people_decide_at_one_moment_is_all_kept(make: Callable[..., Site]) -> None:
    site = make()
    control = site.door.control
    answers = [control.tag(device, f"work {k}") for k in range(15) for device in ("pcs1", "pcs2")]
    for answer in answers:
        answer.result(LONG_S)
    kept = Standing.of_json((site.data / "control.json").read_text(encoding="utf-8"))
    assert kept.tags == control.state().tags and set(kept.tags) == {"pcs1", "pcs2"}


def test_only_who_may_commands_and_an_area_ends_where_it_ends(make: Callable[..., Site]) -> None:
    site = make()
    for role in ("observer", "operator"):
        password = site.door.accounts.add(role, role).result(LONG_S)
        door = site.station.facade(role)
        door.access.sign_in(role, password).result(LONG_S)
        door.access.change_password(password, GOOD + role).result(LONG_S)
        if role == "observer":
            for call in (
                lambda d=door: d.control.set_mode("pcs1", Mode.MANUAL),
                lambda d=door: d.control.stop_all(),
                lambda d=door: d.control.request("pcs1", Quantity.ACTIVE, 1.0),
            ):
                with pytest.raises(Denied):
                    call().result(LONG_S)
        else:
            door.control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
            with pytest.raises(Denied):
                door.control.run_strategy("x", Running.LIVE).result(LONG_S)


_ENGINE = "import sys; from app.__main__ import main; sys.exit(main())"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP there")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_when_the_engine_is_gone_every_converter_is_safe_within_its_expiry(
    make: Callable[..., Site], tmp_path: Path, how: signal.Signals
) -> None:
    site = make(strategies=[SHAVE])
    until(lambda: site.value("pcs1.p_kw") > 20)
    site.close()
    command = [sys.executable, "-m", "app", "engine", str(site.park.folder), "--data", str(site.data), "--overlay",
               str(site.park.overlay)]  # fmt: skip
    engine = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        reader = SecondReader(site.park, tmp_path / "reader")
        try:
            until(lambda: reader.value("pcs1.p_kw") > 20)
            os.kill(engine.pid, how)
            until(lambda: abs(reader.value("pcs1.p_kw")) < 5 and abs(reader.value("pcs2.p_kw")) < 5, 10)
        finally:
            reader.close()
    finally:
        os.kill(engine.pid, signal.SIGCONT)
        engine.kill()
        engine.wait(20)


def test_a_read_only_station_is_told_why_and_sends_nothing(make: Callable[..., Site]) -> None:
    site = make(strategies=[SHAVE], read_only=True)
    time.sleep(1.0)
    row = site.channel("pcs1")
    assert row.blocked is not None and row.blocked.en == "the station is read-only" and row.sent_at == 0
    with pytest.raises(GridroomError, match="read-only"):
        site.door.control.request("pcs1", Quantity.ACTIVE, 1.0).result(LONG_S)
    assert [one.what for one in site.ledger() if one.what == "control.setpoint"] == []
    assert row.clip is Clip.NONE or row.clip in Clip


def test_strategies_are_tried_over_what_was_recorded(make: Callable[..., Site], tmp_path: Path) -> None:
    site = make()
    until(lambda: site.value("meter1.p_kw") > 90)
    time.sleep(1.5)
    site.close()
    now = datetime.now(UTC)
    words = ["backtest", str(site.park.folder), "--data", str(site.data), "--strategies", str(site.park.folder / "new.yaml"),
             "--from", (now - timedelta(minutes=15)).isoformat(), "--to", (now + timedelta(minutes=15)).isoformat(),
             "-o", str(tmp_path / "curves.csv")]  # fmt: skip

    def tried(text: str) -> subprocess.CompletedProcess[str]:
        (site.park.folder / "new.yaml").write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "app", *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)

    done = tried("strategies: [{id: a, kind: peak_shaving, devices: [pcs1, pcs2], params: {limit_kw: 50}}]")
    assert done.returncode == 0, done.stderr
    assert "highest quarter, kW" in done.stdout and "pcs1: charged 0 kWh, discharged" in done.stdout
    lines = (tmp_path / "curves.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "time,before_kw,after_kw,pcs1_kw,pcs1_soc_pct,pcs2_kw,pcs2_soc_pct" and len(lines) > 2
    before, after = [row.split(",")[1:3] for row in lines[1:] if row.split(",")[1]][-1]
    assert float(before) > 90 and float(after) <= 50.1
    wrong = tried("strategies: [{id: a, kind: peak_shaving, devices: [pcs1, pcs9], params: {limit_kw: 50}}]")
    assert wrong.returncode == 2 and "unknown device 'pcs9'" in wrong.stderr
    nothing = tried("strategies: []")
    assert nothing.returncode == 2 and "names no strategy" in nothing.stderr


def test_what_was_under_way_at_a_kill_is_answered_by_reading_and_not_sent_again(make: Callable[..., Site]) -> None:
    site = make()
    control = site.door.control
    control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
    control.request("pcs1", Quantity.ACTIVE, 60.0).result(LONG_S)
    until(lambda: [row for row in site.ledger("control.request") if row.result == "done"])
    site.stop()
    with closing(sqlite3.connect(site.data / "records.sqlite", isolation_level=None)) as records:
        last = records.execute("SELECT MAX(id) FROM audit").fetchone()[0]
    audit = site.station.audit  # as the gate and the ledger leave it when the program is killed after the frame
    site.station.records.start()
    actor = Actor("ada", "administrator", "a test")
    for what, details in (
        ("control.request", {"device": "pcs1", "quantity": "active_power", "value": 60.0}),
        ("control.setpoint", {"point": "pcs1.p_set_kw", "allowed": -77.0}),
        ("control.command", {"device": "pcs1", "role": "start"}),
    ):
        audit.write(AuditEntry(actor, what, "pcs1", Result.ASKED, details=details)).result(LONG_S)
    site.station.records.stop()
    site.start()
    until(lambda: len([row for row in site.ledger() if row.asks > last]) >= 3)
    answers = {row.what: row for row in site.ledger() if last < row.asks <= last + 3}
    assert answers["control.request"].result == "done" and "holds 60, as was asked" in answers["control.request"].reason
    assert answers["control.setpoint"].result == "failed" and "and not -77" in answers["control.setpoint"].reason
    assert answers["control.command"].result == "failed" and "is not known" in answers["control.command"].reason
    assert site.value("pcs1.p_set_kw") == 60
    assert site.door.audit.verify().result(LONG_S).sound


def test_a_clock_that_is_set_changes_nothing_of_what_is_commanded(make: Callable[..., Site]) -> None:
    site = make(strategies=[SHAVE])
    until(lambda: site.value("pcs1.p_kw") > 20)
    for ahead_s in (7200.0, -7200.0, 0.0):
        site.clock.ahead_s = ahead_s
        seen = set()
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            row = site.channel("pcs1")
            seen.add(row.holder)
            assert row.allowed > 10
            time.sleep(0.01)
        assert seen == {"shave"}
    assert site.value("pcs1.p_kw") > 20


def test_a_changed_strategy_is_taken_by_the_running_station_and_told_key_by_key(make: Callable[..., Site]) -> None:
    site = make(strategies=[SHAVE])
    until(lambda: abs(site.value("meter1.p_kw") - 100) < 30 and site.value("pcs1.p_kw") > 20)
    site.park.bind([{**SHAVE, "params": {"limit_kw": 150}}])
    applied = site.door.apply().result(LONG_S)
    (row,) = applied.rows
    assert (row.where, row.key, row.before, row.after) == ("strategy shave", "params.limit_kw", "100", "150")
    assert applied.reconnected == ()
    until(lambda: abs(site.value("meter1.p_kw") - 150) < 30 and site.channel("pcs1").holder == "shave")
    site.park.bind([{**SHAVE, "devices": ["pcs9"]}])
    with pytest.raises(GridroomError, match="unknown device 'pcs9'"):
        site.door.apply().result(LONG_S)
    assert site.channel("pcs1").holder == "shave", "and it runs on"


@pytest.mark.expects_errors
def test_what_was_told_before_a_change_ends_after_it(make: Callable[..., Site]) -> None:
    site = make(strategies=[{**SHAVE, "devices": ["pcs2"]}])
    control = site.door.control
    control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
    control.request("pcs1", Quantity.ACTIVE, 100.0).result(LONG_S)
    site.park.tell("fault pcs1 exception 4")
    with pytest.raises(GridroomError):
        control.request("pcs1", Quantity.ACTIVE, 200.0).result(LONG_S)

    def told() -> list[int]:
        return [row.id for row in site.door.alarms.active()
                if row.source == "_system.control_set_pcs1.p_set_kw" and not row.returned]  # fmt: skip

    until(told)
    before = told()
    site.park.bind([{**SHAVE, "devices": ["pcs2"], "params": {"limit_kw": 150}}])
    site.door.apply().result(LONG_S)
    until(lambda: site.channel("pcs1").requested == 200)  # the changed control has had its first cycle
    assert told() == before, "it is still the same one"
    site.park.tell("clear pcs1")
    until(lambda: "control_set_pcs1.p_set_kw" not in site.alarms() and site.channel("pcs1").held == 200)


def test_the_emergency_stop_is_told_again_after_a_restart(make: Callable[..., Site]) -> None:
    site = make()
    site.door.control.stop_all("smoke").result(LONG_S)
    site.stop()
    site.start()
    until(lambda: "control_stop" in site.alarms())
    site.door.control.release_stop("all clear").result(LONG_S)
    until(lambda: "control_stop" not in site.alarms())


@pytest.mark.expects_errors
def test_a_cycle_that_fails_is_told_once_and_until_one_succeeds(
    make: Callable[..., Site], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site = make(strategies=[SHAVE])
    until(lambda: site.value("pcs1.p_kw") > 20)

    def broken(self: object, *moment: object) -> None:
        raise ZeroDivisionError("a fault of Gridroom's own")

    with monkeypatch.context() as patch:
        patch.setattr("app.control.controller.Controller.cycle", broken)
        until(lambda: "control" in site.alarms())
        until(lambda: abs(site.value("pcs1.p_kw")) < 5)  # its own timer
    until(lambda: "control" not in site.alarms() and site.value("pcs1.p_kw") > 20)
    assert len([one for one in caplog.records if "a cycle of control failed" in one.message]) == 1


@pytest.mark.expects_errors
def test_a_trip_that_cannot_be_kept_is_told_and_kept_when_it_can(
    make: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make()

    def full(file: object, text: object) -> None:
        raise StorageError(Text.of("the disk is full"))

    with monkeypatch.context() as patch:
        patch.setattr("app.control.kept.save", full)
        site.station.control._standing.trips["pcs1"] = Text("hot", "过热")
        until(lambda: "control_unkept" in site.alarms())
    until(lambda: "control_unkept" not in site.alarms())
    assert "pcs1" in Standing.of_json((site.data / "control.json").read_text(encoding="utf-8")).trips


@pytest.mark.expects_errors
def test_what_loosens_and_cannot_be_written_down_is_not_done(
    make: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make(strategies=[{**SHAVE, "mode": "shadow", "devices": ["pcs2"]}])
    control = site.door.control
    control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
    control.request("pcs1", Quantity.ACTIVE, 50.0).result(LONG_S)
    control.tag("pcs2", "work").result(LONG_S)
    control.stop_all("smoke").result(LONG_S)
    site.station.control._standing.trips["pcs1"] = Text("hot", "过热")

    def full(file: object, text: object) -> None:
        raise StorageError(Text.of("the disk is full"))

    monkeypatch.setattr("app.control.kept.save", full)
    for asked in (
        lambda: control.untag("pcs2"), control.release_stop, lambda: control.reset_trip("pcs1"),
        lambda: control.set_mode("pcs1", Mode.AUTO), lambda: control.run_strategy("shave", Running.LIVE),
    ):  # fmt: skip
        with pytest.raises(StorageError, match="the disk is full"):
            asked().result(LONG_S)
    state = control.state()
    assert state.tags == {"pcs2": "work"} and state.stopped and "pcs1" in state.trips
    assert state.modes == {"pcs1": Mode.MANUAL} and state.strategies[0].running is Running.SHADOW
    assert site.station.control._standing.manual["pcs1.p_set_kw"].value == 50
    for asked in (lambda: control.tag("pcs1", "too"), lambda: control.set_mode("pcs1", Mode.OFF)):
        with pytest.raises(StorageError):
            asked().result(LONG_S)
    state = control.state()
    assert set(state.tags) == {"pcs1", "pcs2"} and state.modes == {"pcs1": Mode.OFF}, "what tightens holds"


def test_nothing_is_confirmed_that_a_tag_has_kept_from_being_sent(
    make: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is hung while what was asked is being written down."""
    site = make()
    control = site.door.control
    control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)

    begun, may = threading.Event(), threading.Event()

    def slow(file: Path, text: str) -> None:
        begun.set()
        assert may.wait(LONG_S)
        save(file, text)

    monkeypatch.setattr("app.control.kept.save", slow)
    asked = control.request("pcs1", Quantity.ACTIVE, 40.0)
    assert begun.wait(LONG_S)
    tagged = control.tag("pcs1", "work on the cable")
    until(lambda: "pcs1" in control.state().tags)
    may.set()
    with pytest.raises(GridroomError, match="work on the cable"):
        asked.result(LONG_S)
    tagged.result(LONG_S)
    assert site.channel("pcs1").sent_at == 0
