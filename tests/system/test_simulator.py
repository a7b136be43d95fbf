"""The simulated demo park as a client sees it: pymodbus, over real sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from app.demo import DEMO
from app.model.errors import StorageError
from app.model.loading import load_station
from app.model.station import Device
from app.simulation.faults import Fault, FaultKind, parse
from app.simulation.park import Park
from app.simulation.process import run
from app.simulation.simulator import Simulator
from drivers.modbus.address import Address, Type
from drivers.modbus.codec import decode_text
from tests.support.simulated import client_of, demo, point, read_point, read_raw, standing, unit_of

ROOT = Path(__file__).resolve().parents[2]
SERVED = [device.id for device in demo().devices if device.driver is not None]


def resolution(device: Device, name: str) -> float:
    """Half of the last digit that the point's register has."""
    form = point(demo(), f"{device.id}.{name}").form
    address = Address.of(form.address or {})
    return 0.0 if address.type in (Type.F32, Type.F64) else 0.5 * abs(form.scale)


# --- every point --------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("at", ["2026-06-03 10:30", "2026-11-20 19:00"])
async def test_every_point_of_every_device_is_what_the_physics_has(at: str) -> None:
    """All 37 devices, each point by itself, decoded by the codec and compared with the park's own quantity."""
    async with standing(at=at) as simulator:
        simulator.advance(1.0)
        physics = simulator.park.values
        shown = {each.name: means for each, means in simulator.panel.shown}
        checked = 0
        for device in (demo().by_id[id_] for id_ in SERVED):
            async with client_of(simulator, device) as client:
                for each in device.points:
                    if each.form.address is None:
                        continue
                    value = await read_point(client, device, each)
                    means = shown.get(each.name)
                    if means is None or means.codes is not None:
                        continue
                    quantity = float(physics[simulator.park.index[device.id, means.quantity]])
                    expected = quantity * means.factor + means.offset
                    near = resolution(device, each.id) * 1.001 + 1e-9
                    assert value == pytest.approx(expected, rel=2e-7, abs=near), each.name
                    checked += 1
        assert checked > 800


@pytest.mark.asyncio
async def test_no_value_is_cut_by_its_register(caplog: pytest.LogCaptureFixture) -> None:
    """Over a whole summer's day, with everything on, each template's scale holds what the demo park has."""
    simulator = standing(at="2026-06-03 00:05")
    simulator.park.command("gen1", "start")
    for pcs, power in (("pcs1", 500.0), ("pcs2", -500.0)):
        simulator.park.command(pcs, "active_power_setpoint", power)
        simulator.park.command(pcs, "reactive_power_setpoint", 200.0)
    for _ in range(48):
        simulator.advance(1800.0)
    assert not [record.getMessage() for record in caplog.records if "does not fit" in record.getMessage()]


@pytest.mark.asyncio
async def test_values_lie_in_the_ranges_that_the_templates_declare() -> None:
    simulator = standing(at="2026-06-03 04:00")
    for _ in range(20):
        simulator.advance(1800.0)
        for (each, _), value in zip(simulator.panel.shown, simulator.panel.values(), strict=True):
            low, high = each.form.range or (-np.inf, np.inf)
            assert low <= value <= high, f"{each.name} = {value}"


@pytest.mark.asyncio
async def test_texts_say_that_they_are_simulated() -> None:
    async with standing() as simulator:
        device = demo().by_id["inv11"]
        async with client_of(simulator, device) as client:
            texts = {
                each.id: decode_text(await read_raw(client, device, Address.of(each.form.address or {})))
                for each in device.texts
            }
    assert texts["serial"].startswith("SIM") and texts["model"] == "Huawei SUN2000"


@pytest.mark.asyncio
async def test_three_units_share_the_serial_server() -> None:
    """Transformer, weather station and a meter stand on one RTU-over-TCP line in the station, and on one here."""
    async with standing() as simulator:
        ports = {simulator.connections()[id_]["port"] for id_ in ("xfmr1", "wx1", "load3")}
        assert len(ports) == 1
        assert len({connection["port"] for connection in simulator.connections().values()}) == len(SERVED) - 2
        async with client_of(simulator, demo().by_id["wx1"]) as client:
            air = await read_point(client, demo().by_id["wx1"], point(demo(), "wx1.t_air_degc"))
            winding = await read_point(client, demo().by_id["xfmr1"], point(demo(), "xfmr1.t_l1_degc"))
            power = await read_point(client, demo().by_id["load3"], point(demo(), "load3.p_kw"))
        assert 10 < air < winding < 100 < power


# --- writing ------------------------------------------------------------------------------------------------------


async def write(client: AsyncModbusTcpClient, device: Device, id_: str, value: float) -> None:
    """By function 6 or 16, as the register's width wants it."""
    form = point(demo(), f"{device.id}.{id_}").form
    address = Address.of(form.address or {})
    raw = round((value - form.offset) / form.scale) % (1 << 16 * address.count)
    words = [raw >> 16 * (address.count - 1 - k) & 0xFFFF for k in range(address.count)]
    if address.word_order == "little":
        words.reverse()
    if address.count == 1:
        answer = await client.write_register(address.register, words[0], device_id=unit_of(device))
    else:
        answer = await client.write_registers(address.register, words, device_id=unit_of(device))
    assert not answer.isError(), answer


@pytest.mark.asyncio
async def test_a_setpoint_written_to_the_pcs_moves_the_grid_meter() -> None:
    async with standing() as simulator:
        pcs, meter = demo().by_id["pcs1"], demo().by_id["meter1"]
        async with client_of(simulator, pcs) as client, client_of(simulator, meter) as grid:
            await write(client, pcs, "p_set_kw", 0.0)
            simulator.advance(5.0)
            before = await read_point(grid, meter, point(demo(), "meter1.p_kw"))
            await write(client, pcs, "p_set_kw", -350.0)
            assert await read_point(client, pcs, point(demo(), "pcs1.p_set_kw")) == pytest.approx(-350.0)
            assert await read_point(client, pcs, point(demo(), "pcs1.p_kw")) == pytest.approx(0.0, abs=0.1)
            simulator.advance(3.0)
            assert await read_point(client, pcs, point(demo(), "pcs1.p_kw")) == pytest.approx(-350.0, abs=0.5)
            after = await read_point(grid, meter, point(demo(), "meter1.p_kw"))
            assert after - before == pytest.approx(350.0, abs=60)
            assert await read_point(client, pcs, point(demo(), "pcs1.charging")) == 1
            await write(client, pcs, "stop", 1)
            simulator.advance(5.0)
            assert await read_point(client, pcs, point(demo(), "pcs1.p_kw")) == pytest.approx(0.0, abs=0.1)
            assert await read_point(client, pcs, point(demo(), "pcs1.state")) == 0
            await write(client, pcs, "start", 1)
            await write(client, pcs, "p_set_kw", -350.0)  # its timer has ended meanwhile
            simulator.advance(5.0)
            assert await read_point(client, pcs, point(demo(), "pcs1.p_kw")) == pytest.approx(-350.0, abs=0.5)


@pytest.mark.asyncio
@pytest.mark.parametrize("id_", ["inv1", "inv11"])
async def test_a_power_limit_written_to_an_inverter_is_kept(id_: str) -> None:
    """Sungrow's limit is one register, Huawei's two; both also take percent."""
    async with standing(at="2026-06-03 11:00") as simulator:
        inverter = demo().by_id[id_]
        async with client_of(simulator, inverter) as client:
            free = await read_point(client, inverter, point(demo(), f"{id_}.p_kw"))
            assert free > 15
            await write(client, inverter, "p_limit_kw", 12.0)
            simulator.advance(20.0)
            assert await read_point(client, inverter, point(demo(), f"{id_}.p_kw")) == pytest.approx(12.0, abs=0.1)
            await write(client, inverter, "p_limit_pct", 5.0)
            simulator.advance(20.0)
            rated = inverter.ratings.power_kw or 0
            assert await read_point(client, inverter, point(demo(), f"{id_}.p_kw")) == pytest.approx(
                0.05 * rated, abs=0.1
            )
            limit = await read_point(client, inverter, point(demo(), f"{id_}.p_limit_kw"))
            assert limit == pytest.approx(0.05 * rated, abs=0.1)


@pytest.mark.asyncio
async def test_the_genset_starts_by_its_key_and_its_complement() -> None:
    async with standing() as simulator:
        engine = demo().by_id["gen1"]
        async with client_of(simulator, engine) as client:
            await write(client, engine, "start", 0x8B94746B)
            simulator.advance(10.0)
            assert await read_point(client, engine, point(demo(), "gen1.state")) == 2
            simulator.advance(60.0)
            assert await read_point(client, engine, point(demo(), "gen1.p_kw")) == pytest.approx(300.0, abs=0.1)
            assert await read_point(client, engine, point(demo(), "gen1.f_hz")) == pytest.approx(50.0, abs=0.1)
            await write(client, engine, "stop", 0x8B95746A)
            simulator.advance(120.0)
            assert await read_point(client, engine, point(demo(), "gen1.speed_rpm")) == 0


@pytest.mark.asyncio
async def test_a_measured_register_refuses_to_be_written() -> None:
    async with standing() as simulator:
        pcs = demo().by_id["pcs1"]
        async with client_of(simulator, pcs) as client:
            answer = await client.write_register(122, 5, device_id=1)
            assert answer.isError() and answer.exception_code == 2


# --- faults, as a client sees them --------------------------------------------------------------------------------


async def power(client: AsyncModbusTcpClient, id_: str) -> float:
    return await read_point(client, demo().by_id[id_], point(demo(), f"{id_}.p_kw"))


@pytest.mark.asyncio
async def test_a_dropped_device_breaks_its_connections_and_takes_no_new_ones() -> None:
    async with standing() as simulator:
        async with client_of(simulator, demo().by_id["load1"]) as client:
            assert await power(client, "load1") > 0
            simulator.inject("load1", Fault(FaultKind.DROP))
            with pytest.raises(ModbusIOException):
                await power(client, "load1")
        async with client_of(simulator, demo().by_id["load1"], timeout_s=0.3) as again:
            with pytest.raises((ModbusIOException, ConnectionError)):
                await power(again, "load1")
        async with client_of(simulator, demo().by_id["load2"]) as other:
            assert await power(other, "load2") > 0
        simulator.clear("load1")
        async with client_of(simulator, demo().by_id["load1"]) as back:
            assert await power(back, "load1") > 0


@pytest.mark.asyncio
async def test_on_a_shared_line_only_the_dropped_unit_is_silent() -> None:
    async with standing() as simulator:
        simulator.inject("load3", Fault(FaultKind.DROP))
        async with client_of(simulator, demo().by_id["load3"], timeout_s=0.3) as client:
            with pytest.raises(ModbusIOException):
                await power(client, "load3")
        async with client_of(simulator, demo().by_id["wx1"]) as client:
            assert await read_point(client, demo().by_id["wx1"], point(demo(), "wx1.pressure_hpa")) > 900


@pytest.mark.asyncio
async def test_a_frozen_device_stands_still_and_a_noisy_one_does_not() -> None:
    async with standing() as simulator, client_of(simulator, demo().by_id["load1"]) as client:
        simulator.inject("load1", Fault(FaultKind.FREEZE))
        held = await power(client, "load1")
        simulator.advance(120.0)
        assert await power(client, "load1") == held
        simulator.clear("load1")
        simulator.advance(0.01)
        true = await power(client, "load1")
        assert true != held
        simulator.inject("load1", Fault(FaultKind.NOISE, 10.0))
        seen = []
        for _ in range(30):
            simulator.panel.show()
            seen.append(await power(client, "load1"))
        assert 0.03 * true < np.std(seen) < 0.3 * true and np.mean(seen) == pytest.approx(true, rel=0.1)
        assert await power(client, "load1") != true


@pytest.mark.asyncio
async def test_a_slow_device_answers_late_and_right() -> None:
    async with standing() as simulator, client_of(simulator, demo().by_id["load1"]) as client:
        simulator.inject("load1", Fault(FaultKind.SLOW, 0.25))
        begun = time.monotonic()
        assert await power(client, "load1") > 0
        assert time.monotonic() - begun >= 0.24
        async with client_of(simulator, demo().by_id["load1"], timeout_s=0.1) as hasty:
            with pytest.raises(ModbusIOException):
                await power(hasty, "load1")


@pytest.mark.asyncio
async def test_an_exception_comes_with_its_code() -> None:
    async with standing() as simulator, client_of(simulator, demo().by_id["meter1"]) as client:
        for code in (4, 6):
            simulator.inject("meter1", Fault(FaultKind.EXCEPTION, float(code)))
            answer = await client.read_input_registers(52, count=2, device_id=1)
            assert answer.isError() and answer.exception_code == code


async def raw_exchange(port: int, requests: int) -> list[bytes]:
    """What a device sends to the same read, again and again, each on a connection of its own."""
    request = bytes.fromhex("0001 0000 0006 01 04 0034 0002".replace(" ", ""))
    answers = []
    for _ in range(requests):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        await writer.drain()
        answers.append(await asyncio.wait_for(reader.read(300), 3))
        writer.close()
        await writer.wait_closed()
    return answers


@pytest.mark.asyncio
async def test_garbage_is_rubbish_of_many_kinds_and_ends_when_cleared() -> None:
    async with standing() as simulator:
        port = int(simulator.connections()["meter1"]["port"])
        good = (await raw_exchange(port, 1))[0]
        simulator.inject("meter1", Fault(FaultKind.GARBAGE))
        answers = await raw_exchange(port, 40)
        assert good not in answers
        assert any(len(answer) < len(good) and good.startswith(answer) for answer in answers)  # half a frame
        assert any(len(answer) == len(good) for answer in answers)  # a flipped byte
        assert any(answer.startswith(good) and len(answer) > len(good) for answer in answers)  # more than asked for
        simulator.clear()
        assert await raw_exchange(port, 1) == [good]


@pytest.mark.asyncio
async def test_a_wrong_unit_answers_in_anothers_name() -> None:
    async with standing() as simulator:
        port = int(simulator.connections()["meter1"]["port"])
        simulator.inject("meter1", Fault(FaultKind.WRONG_UNIT))
        assert (await raw_exchange(port, 1))[0][6] == 2
        simulator.clear("meter1")
        assert (await raw_exchange(port, 1))[0][6] == 1


@pytest.mark.asyncio
async def test_a_unit_that_is_not_there_is_refused_on_tcp_and_silent_on_rtu() -> None:
    async with standing() as simulator:
        async with client_of(simulator, demo().by_id["meter1"]) as client:
            answer = await client.read_input_registers(52, count=2, device_id=77)
            assert answer.isError() and answer.exception_code == 11
        async with client_of(simulator, demo().by_id["wx1"], timeout_s=0.3) as client:
            with pytest.raises(ModbusIOException):
                await client.read_input_registers(31, count=1, device_id=77)


@pytest.mark.asyncio
async def test_a_fault_with_a_duration_ends_by_itself() -> None:
    async with standing() as simulator, client_of(simulator, demo().by_id["meter1"]) as client:
        command = parse("fault meter1 exception 4 200ms")
        assert command.fault is not None
        simulator.inject("meter1", command.fault)
        assert (await client.read_input_registers(52, count=2, device_id=1)).isError()
        deadline = time.monotonic() + 5
        while (await client.read_input_registers(52, count=2, device_id=1)).isError():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert not simulator.faults


@pytest.mark.asyncio
async def test_a_tripped_inverter_shows_its_fault_and_comes_back() -> None:
    async with standing(at="2026-06-03 11:00") as simulator:
        inverter = demo().by_id["inv2"]
        async with client_of(simulator, inverter) as client:
            simulator.inject("inv2", Fault(FaultKind.TRIP))
            simulator.advance(2.0)
            assert await read_point(client, inverter, point(demo(), "inv2.state")) == 0x5500
            assert await power(client, "inv2") == 0
            simulator.clear("inv2")
            simulator.advance(30.0)
            assert await power(client, "inv2") > 10


@pytest.mark.asyncio
async def test_a_device_that_is_not_served_is_named() -> None:
    async with standing() as simulator:
        with pytest.raises(ValueError, match="no device 'pcs9'"):
            simulator.inject("pcs9", Fault(FaultKind.DROP))


# --- living, and as a process -------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_it_lives_by_itself_at_its_time_factor() -> None:
    async with Simulator(demo(), time_factor=600.0, start_s=1.78e9, seed=1) as simulator:
        begun = simulator.park.time_s
        async with client_of(simulator, demo().by_id["meter1"]) as client:
            before = await read_point(client, demo().by_id["meter1"], point(demo(), "meter1.e_import_kwh"))
            deadline = time.monotonic() + 20
            while simulator.park.time_s < begun + 300:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            after = await read_point(client, demo().by_id["meter1"], point(demo(), "meter1.e_import_kwh"))
            assert after > before


@pytest.mark.asyncio
async def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Exception, match=f"port {port} .*--base-port"):
            async with Simulator(demo(), time_factor=0.0, start_s=1.78e9, base_port=port):
                pass


def start(*arguments: str, stdin: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """To be used in a `with`: it closes the child's input, which ends the child, and waits for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "app", "sim", str(DEMO), *arguments],
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def until_ready(process: subprocess.Popen[str]) -> str:
    """What it printed up to `# ready`."""
    assert process.stdout is not None
    lines = []
    while (line := process.stdout.readline()) and line != "# ready\n":
        lines.append(line)
    assert line, process.stderr.read() if process.stderr else ""
    return "".join(lines)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and what it complained about, within ten seconds."""
    try:
        _, errors = process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, errors


def test_the_process_prints_its_overlay_and_ends_with_its_parent(tmp_path: Path) -> None:
    with start("-o", str(tmp_path / "overlay.yaml")) as process:
        printed = until_ready(process)
        assert (tmp_path / "overlay.yaml").read_text(encoding="utf-8") == printed
        assert list(yaml.safe_load(printed)["devices"]) == SERVED
        mapped = load_station(DEMO, tmp_path / "overlay.yaml").station
        assert {str(device.connection["host"]) for device in mapped.devices if device.driver} == {"127.0.0.1"}
        # Its input closes, as it does when the parent dies.
        assert ended(process) == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_signals_end_it_cleanly(number: str) -> None:
    with start() as process:
        until_ready(process)
        process.send_signal(getattr(signal, number))
        assert process.wait(10) == 0
        assert ended(process) == (0, "")


def test_an_input_that_is_no_pipe_does_not_end_it() -> None:
    """As a service or in the background of a shell, its input is the null device."""
    begun = time.monotonic()
    with start("--duration", "1s", stdin=subprocess.DEVNULL) as process:
        until_ready(process)
        assert ended(process) == (0, "")
    assert time.monotonic() - begun >= 1.0


def test_an_overlay_that_cannot_be_written_is_told_and_leaves_no_part(tmp_path: Path) -> None:
    (tmp_path / "overlay.yaml").mkdir()
    with pytest.raises(StorageError, match=r"overlay .*overlay\.yaml cannot be written .*; .*or name another file"):
        Simulator(demo()).write_overlay(tmp_path / "overlay.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.yaml"]


def refused(port: int) -> bool:
    """Whether the grid meter answers a read with an exception."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
        link.sendall(bytes.fromhex("000100000006010400340002"))
        return link.recv(300)[7] == 0x84


def test_faults_are_taken_from_its_input() -> None:
    with start() as process:
        port = yaml.safe_load(until_ready(process))["devices"]["meter1"]["connection"]["port"]
        assert process.stdin is not None
        assert not refused(port)
        process.stdin.write("nonsense\nfault meter1 exception\n")
        process.stdin.flush()
        deadline = time.monotonic() + 5
        while not refused(port):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.stdin.write("clear\nquit\n")
        process.stdin.flush()
        assert process.wait(10) == 0
        assert "'nonsense' is not understood" in ended(process)[1]


@pytest.mark.asyncio
async def test_a_park_that_breaks_down_ends_it_with_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(park: Park, dt_s: float) -> None:
        raise ZeroDivisionError("physics")

    monkeypatch.setattr(Park, "advance", break_down)
    with pytest.raises(ZeroDivisionError, match="physics"):
        await asyncio.wait_for(run(demo(), start=10**18, duration_s=30), 10)


@pytest.mark.asyncio
async def test_it_ends_when_a_process_it_watches_is_gone() -> None:
    watched = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    living = asyncio.create_task(run(demo(), start=10**18, duration_s=30, parent_pid=watched.pid))
    try:
        await asyncio.sleep(0.3)
        assert not living.done()
    finally:
        watched.kill()
        await watched.wait()
    await asyncio.wait_for(living, 10)
