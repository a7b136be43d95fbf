"""What goes wrong on the simulated park with real Modbus, and what control makes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.model.control import Mode, Quantity
from app.model.errors import GridroomError
from tests.support.control_site import CONTROL, LONG_S, ROOT, SHAVE, SecondReader, Site, until
from tests.support.simulated_park import STORAGE


@pytest.mark.slow
def test_a_state_of_charge_that_stands_still_trips_its_converter(make: Callable[..., Site]) -> None:
    site = make(energy_kwh=400)  # 3 % of it pass in 90 s; of the battery, which holds 1000 kWh, 1 % in as long
    control = site.door.control
    control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
    control.request("pcs1", Quantity.ACTIVE, -480.0).result(LONG_S)
    until(lambda: site.value("pcs1.p_kw") < -470)
    time.sleep(100)
    assert "pcs1" not in control.state().trips, "while it moves all is well"
    site.park.tell("fault bms1 freeze")
    until(lambda: "pcs1" in control.state().trips, 150)
    assert "stands still" in control.state().trips["pcs1"].en and "control_trip_pcs1" in site.alarms()
    until(lambda: abs(site.value("pcs1.p_kw")) < 5)
    site.park.tell("clear bms1")
    control.reset_trip("pcs1", "BMS restarted").result(LONG_S)
    until(lambda: site.value("pcs1.p_kw") < -470)


def test_a_converter_that_wants_a_heartbeat_gets_it_and_falls_back_without(make: Callable[..., Site]) -> None:
    site = make(control={**CONTROL, "expiry": "60s", "heartbeat": "500ms"})
    control = site.door.control
    control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
    control.request("pcs1", Quantity.ACTIVE, 100.0).result(LONG_S)
    until(lambda: abs(site.value("pcs1.p_kw") - 100) < 5)
    before = site.value("pcs1.beat")
    until(lambda: site.value("pcs1.beat") > before + 6)  # longer than it waits for the next
    assert abs(site.value("pcs1.p_kw") - 100) < 5
    site.stop()
    other = SecondReader(site.park, site.data.parent / "other")
    try:
        until(lambda: abs(other.value("pcs1.p_kw")) < 5, 10)  # long before its setpoint expires
    finally:
        other.close()


def test_answers_that_come_twice_confuse_nobody(make: Callable[..., Site]) -> None:
    site = make(strategies=[SHAVE])
    until(lambda: site.value("pcs1.p_kw") > 20)
    for device in ("meter1", "pcs1", "bms1"):
        site.park.tell(f"fault {device} twice")
    control = site.door.control
    control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
    for kw in (100.0, 300.0, -50.0):
        assert control.request("pcs1", Quantity.ACTIVE, kw).result(LONG_S) == kw
        until(lambda kw=kw: abs(site.value("pcs1.p_kw") - kw) < 10)  # type: ignore[misc]
    asked = [row for row in site.ledger("control.request") if row.result == "asked"]
    doubts = (
        "control_set_pcs1.p_set_kw",
        "control_held_pcs1.p_set_kw",
        "control_follows_pcs1.p_set_kw",
        "control_trip_pcs1",
    )
    assert len(asked) == 3 and not site.alarms() & set(doubts)
    until(lambda: abs(site.value("meter1.p_kw") - 100) < 30)


@pytest.mark.expects_errors
def test_an_answer_that_comes_too_late_is_not_taken_for_the_next(make: Callable[..., Site]) -> None:
    site = make()
    control = site.door.control
    control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
    control.request("pcs1", Quantity.ACTIVE, 100.0).result(LONG_S)
    site.park.tell("fault pcs1 slow 3s")
    until(lambda: site.value("pcs1._online") == 0)
    with pytest.raises(GridroomError):
        control.request("pcs1", Quantity.ACTIVE, 200.0).result(LONG_S)
    until(lambda: "control_set_pcs1.p_set_kw" in site.alarms())
    site.park.tell("clear pcs1")
    until(lambda: site.value("pcs1.p_kw") > 180)  # what was asked last, and is still wanted
    until(lambda: "control_set_pcs1.p_set_kw" not in site.alarms())
    assert site.channel("pcs1").held == pytest.approx(200)


def test_a_meter_that_swings_is_not_followed_for_ever(make: Callable[..., Site]) -> None:
    site = make(strategies=[{**SHAVE, "devices": ["pcs1"]}])
    until(lambda: site.value("pcs1.p_kw") > 20)
    site.park.tell("fault meter1 noise 150")
    until(lambda: "control_hunts_pcs1" in site.alarms(), 60)
    site.park.tell("clear meter1")
    assert "control_trip_pcs1" not in site.alarms()


def test_strategies_that_contradict_each_other_obey_their_order(make: Callable[..., Site]) -> None:
    """One discharges so that the import stays low, one charges by tariff, one allows no export."""
    night = {"id": "night", "kind": "plan_tracking", "devices": ["pcs1", "pcs2"], "params": {"plan": [-200] * 96}}
    zero = {"id": "zero", "kind": "zero_export", "devices": ["pcs1", "pcs2", "inv1", "inv2"]}
    site = make(strategies=[SHAVE, night, zero])
    until(lambda: site.channel("pcs1").sent > 0)
    row = site.channel("pcs1")
    assert {one.who for one in row.wanted} == {"shave", "night", "zero"}
    until(lambda: site.value("meter1.p_kw") < 130)
    assert site.value("pcs1.p_kw") > 0, "demand comes before the plan"


_HUNG = """
import sys, time
from pathlib import Path
from app.console.main import Console, application
from app.starting import running
folder, data, overlay = map(Path, sys.argv[1:4])
with running(folder, data, overlay, "a console") as station:
    app = application()
    console = Console(station.facade("console"), data / "console.json")
    console.open()
    for _ in range(50):
        app.processEvents()
        time.sleep(0.02)
    print("hung", flush=True)
    sys.stdin.readline()  # nothing of the screen moves any more
    console.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a console without a screen is Linux's")
def test_a_console_that_hangs_controls_on_and_one_that_is_closed_or_killed_leaves_all_safe(
    make: Callable[..., Site], tmp_path: Path
) -> None:
    site = make(strategies=[SHAVE], control={**CONTROL, "expiry": "2s", "renew": "500ms"})
    until(lambda: site.value("pcs1.p_kw") > 20)
    site.close()
    reader = SecondReader(site.park, tmp_path / "reader")
    command = [sys.executable, "-c", _HUNG, *map(str, (site.park.folder, site.data, site.park.overlay))]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    try:
        for end in ("closed", "killed"):
            until(lambda: abs(reader.value("pcs1.p_kw")) < 5, 30)
            console = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True, env=environment,
            )  # fmt: skip
            assert console.stdin is not None and console.stdout is not None
            while console.stdout.readline().strip() != "hung":
                assert console.poll() is None
            until(lambda: reader.value("pcs1.p_kw") > 20)
            time.sleep(3.5)  # longer than a setpoint lasts
            assert reader.value("pcs1.p_kw") > 20, "the engine goes on without the screen"
            if end == "closed":
                console.stdin.write("\n")
                console.stdin.flush()
            else:
                os.kill(console.pid, signal.SIGKILL)
            until(lambda: abs(reader.value("pcs1.p_kw")) < 5 and abs(reader.value("pcs2.p_kw")) < 5, 30)
            console.stdin.close()
            console.wait(30)
            console.stdout.close()
    finally:
        reader.close()


def test_a_station_that_would_overload_its_transformer_is_refused_at_check(tmp_path: Path) -> None:
    from tests.support.control_station import METER, storage

    text = {
        "version": 1,
        "station": {"id": "s", "name": "S", "timezone": "UTC", "location": {"latitude": 0, "longitude": 0},
                    "grid_meter": "meter1", "limits": {"import_kw": 900}},
        "topology": [{"id": "grid", "kind": "grid"},
                     {"id": "t1", "kind": "transformer", "from": "grid", "to": "bus", "device": "tr1"},
                     {"id": "bus", "kind": "bus"}],
        "devices": [METER, storage(1), {"id": "tr1", "name": "T", "kind": "transformer",
                                        "ratings": {"apparent_kva": 800}, "points": []}],
    }  # fmt: skip
    import yaml

    (tmp_path / "station.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "app", "check", str(tmp_path)], cwd=ROOT, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 2 and "more than the transformers bear" in done.stdout + done.stderr


def test_a_genset_is_started_before_the_reserve_is_used_up_and_stopped_by_who_started_it(
    make: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.control.switching.AGAIN_S", 3.0)
    params = {"reserve_pct": 5, "genset": "gen1", "start_below_pct": 6, "stop_above_pct": 99.5}
    backup = {"id": "backup", "kind": "backup_reserve", "devices": ["pcs1", "pcs2"], "params": params}
    site = make(strategies=[backup], only=(*STORAGE, "gen1"))
    until(lambda: site.value("bms1.soc_pct") > 10)
    site.door.strategies.change("backup", "start_below_pct", "99", "a trial").result(LONG_S)
    until(lambda: site.value("gen1.p_kw") > 20, 60)
    site.door.strategies.change("backup", "start_below_pct", "6").result(LONG_S)
    site.stop()
    site.start()  # who has started it is known after a restart
    site.door.strategies.change("backup", "stop_above_pct", "7").result(LONG_S)
    until(lambda: site.value("gen1.p_kw") < 5, 60)
    asked = [row for row in site.ledger("control.switch") if row.result == "asked"]
    assert {(row.actor, row.role, row.target) for row in asked} == {("backup", "strategy", "gen1")}
    told = [json.loads(row.details)["role"] for row in asked]
    assert told == sorted(told) and set(told) == {"start", "stop"}, "it is told again while it takes its time"


def test_a_machine_without_a_setpoint_is_commanded_tagged_and_stopped_with_everything(
    make: Callable[..., Site],
) -> None:
    site = make(only=(*STORAGE, "gen1"))
    control = site.door.control
    (row,) = control.state().commanded
    assert (row.device, row.mode, row.blocked, row.locked) == ("gen1", None, None, False)
    control.tag("gen1", "oil is changed").result(LONG_S)
    with pytest.raises(GridroomError, match="oil is changed"):
        control.command("gen1", "start", control.arm("gen1", "start")).result(LONG_S)
    (row,) = control.state().commanded
    assert row.blocked is not None and "oil is changed" in row.blocked.en
    control.untag("gen1").result(LONG_S)
    control.command("gen1", "start", control.arm("gen1", "start")).result(LONG_S)
    until(lambda: site.value("gen1.p_kw") > 20 and control.state().commanded[0].power_kw > 20, 60)
    control.stop_all("smoke").result(LONG_S)
    until(lambda: site.value("gen1.p_kw") < 5, 60)
