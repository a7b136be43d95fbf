"""Control: how long a cycle takes, how evenly cycles run, and how long from a meter's wire to a setpoint's."""

from __future__ import annotations

import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import yaml
from numpy.typing import NDArray

from app.bench.acquisition import servers, write_station
from app.bench.report import Figure
from app.configuration import configure
from app.control.backtest import Record, backtest
from app.control.controller import Controller
from app.control.loading import load_strategies
from app.control.service import LEAST_S, MOST_S
from app.control.standing import Standing
from app.history.folder import DataFolder
from app.model.clock import SECOND_NS, SystemClock
from app.model.control import Mode, Quantity
from app.model.loading import load_station
from app.station import RunningStation

STORAGE: Final = 20
INVERTERS: Final = 100
CYCLES: Final = 500
ROUNDS: Final = 100
YEAR_STEPS: Final = 35_040
POLLED: Final = 50
"""Devices of a thousand points each second, beside those that are set by hand."""
BY_HAND: Final = 60
_REGISTERS: Final = 64
_HEAD: Final = struct.Struct(">HHHBBHH")


def run(seconds: float | None = None) -> list[Figure]:
    """All figures. `seconds` is how long the evenness of cycles is looked at."""
    return [*_cycles(), *_evenness(seconds or 10.0), *_wire(), _by_hand(), _year()]


# --------------------------------------------------------------------------------------------------------------- a park


def _point(id_: str, role: str, unit: str, register: int, kind: str = "", scan: str = "1s") -> dict[str, Any]:
    address = {"table": "holding", "register": register, "type": "f32"}
    given = {"id": id_, "name": id_, "kind": kind or "measurement", "role": role, "unit": unit}
    return {**given, "scan": scan, "address": address}


def _device(id_: str, kind: str, port: int, unit: int, points: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    connection = {"driver": "modbus-tcp", "host": "127.0.0.1", "port": port, "unit": unit}
    return {"id": id_, "name": id_, "kind": kind, "connection": connection, "points": points, **more}


def write_park(folder: Path, storage: int, inverters: int, port: int, scan: str = "1s") -> None:
    """A station and its strategies, written into a folder."""
    meter = [_point("p_kw", "active_power", "kW", 0, scan=scan)]
    battery = [
        _point("p_kw", "active_power", "kW", 2, scan=scan), _point("soc", "soc", "%", 4),
        _point("c_lim", "charge_limit", "kW", 6), _point("d_lim", "discharge_limit", "kW", 10),
        _point("p_set", "active_power_setpoint", "kW", 20, "setpoint"),
    ]  # fmt: skip
    sun = [_point("p_kw", "active_power", "kW", 8), _point("p_lim", "power_limit_setpoint", "kW", 30, "setpoint")]
    ratings = {"power_kw": 100, "energy_kwh": 200}
    all_storage, pv = [f"pcs{n}" for n in range(storage)], [f"inv{n}" for n in range(inverters)]
    devices = [
        _device("meter1", "meter", port, 1, meter),
        *(_device(id_, "pcs", port, 2 + n, battery, ratings=ratings, control={"expiry": "10s"})
          for n, id_ in enumerate(all_storage)),
        *(_device(id_, "pv_inverter", port, 100 + n, sun, ratings={"power_kw": 50}) for n, id_ in enumerate(pv)),
    ]  # fmt: skip
    head = {
        "id": "bench", "name": "Bench", "timezone": "Asia/Shanghai", "location": {"latitude": 30, "longitude": 120},
        "grid_meter": "meter1", "limits": {"import_kw": 5000, "export_kw": 3000},
    }  # fmt: skip
    text = yaml.safe_dump({"version": 1, "station": head, "devices": devices})
    (folder / "station.yaml").write_text(text, encoding="utf-8")
    many: list[dict[str, Any]] = [
        {"id": "demand", "kind": "demand_control", "devices": all_storage, "params": {"limit_kw": 4000}},
        {"id": "export", "kind": "export_limit", "devices": [*all_storage, *pv]},
        {"id": "soc", "kind": "soc_management", "devices": all_storage},
        {"id": "tariff", "kind": "tariff_schedule", "devices": all_storage, "params": {"tariff": "zhejiang"}},
    ]
    one: list[dict[str, Any]] = [
        {"id": "shave", "kind": "peak_shaving", "devices": all_storage, "params": {"limit_kw": 100}}
    ]
    live = yaml.safe_dump({"strategies": [{"mode": "live", **each} for each in (many if inverters else one)]})
    (folder / "strategies.yaml").write_text(live, encoding="utf-8")


class _Table:
    def __init__(self, n: int) -> None:
        self.value, self.quality = np.full(n, 50.0), np.zeros(n, np.uint16)
        self.received = np.zeros(n, np.int64)


# ------------------------------------------------------------------------------------------------- cycles by themselves


def _cycles() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        write_park(Path(folder), STORAGE, INVERTERS, 1)
        station = load_station(Path(folder)).station
        bound, faults, _ = load_strategies(station)
        if faults:
            raise AssertionError([str(fault) for fault in faults])
        controller, table = Controller(station, bound, Standing()), _Table(len(station.points))
        clock, took, moving = SystemClock(), [], np.random.default_rng(1)
        for k in range(CYCLES):
            table.value[:] = 50.0 + moving.normal(0, 5, len(table.value))
            now, table.received[:] = clock.now_ns(), clock.now_ns()
            began = time.perf_counter()
            outcome = controller.cycle(table, now, (k + 1) * SECOND_NS // 10)
            took.append(1e3 * (time.perf_counter() - began))
            if not np.isfinite(outcome.allowed[0]):
                raise AssertionError("nothing was allowed")
        return [Figure.at_most(f"a cycle of {STORAGE} storages, {INVERTERS} inverters, 4 strategies, p99",
                               float(np.percentile(took, 99)), "ms", 5.0, f"{np.median(took):.2f} ms p50")]  # fmt: skip


def _evenness(seconds: float) -> list[Figure]:
    """The whole station on a field that answers at once."""
    with Field() as field, tempfile.TemporaryDirectory() as folder:
        write_park(Path(folder), STORAGE, INVERTERS, field.port)
        with _running(Path(folder)) as station:
            late, rate = lateness(station, lambda: time.sleep(seconds))
    return [late_figure("how late a cycle begins, p99", late, rate)]


def lateness(station: RunningStation, meanwhile: Callable[[], None]) -> tuple[NDArray[np.float64], float]:
    """How late, in ms, each cycle began, and cycles a second.

    Due is a cycle when an input has changed, 20 ms after the one before at the soonest, and 100 ms after it anyway.
    """
    control, controller = station.control, station.control._controller
    cycle, heard = controller.cycle, control.heard
    late: list[float] = []
    stirred, last = 0, 0

    def hearing(points: NDArray[np.int32]) -> None:
        nonlocal stirred
        if not stirred and controller.watched()[points].any():
            stirred = time.perf_counter_ns()
        heard(points)

    def watched(*given: Any) -> Any:
        nonlocal stirred, last
        now = time.perf_counter_ns()
        if last:
            due = last + round(MOST_S * SECOND_NS)
            if stirred:
                due = min(due, max(stirred, last + round(LEAST_S * SECOND_NS)))
            late.append(max(0.0, (now - due) / 1e6))
        stirred, last = 0, now
        return cycle(*given)

    setattr(controller, "cycle", watched)  # noqa: B010 (mypy)
    setattr(control, "heard", hearing)  # noqa: B010
    began = time.perf_counter()
    meanwhile()
    took = time.perf_counter() - began
    setattr(controller, "cycle", cycle)  # noqa: B010
    setattr(control, "heard", heard)  # noqa: B010
    return np.array(late), len(late) / took


def late_figure(name: str, late: NDArray[np.float64], rate: float) -> Figure:
    """p99, of a goal of 20 ms."""
    limit = f"{rate:.0f} cycles/s, worst {late.max():.1f} ms late"
    return Figure.at_most(name, float(np.percentile(late, 99)), "ms", 20.0, limit)


# --------------------------------------------------------------------------------------------------------- wire to wire


class Field:
    """Holding registers that anybody reads, on a thread; tells when a register was written."""

    def __init__(self) -> None:
        self.registers = bytearray(2 * _REGISTERS)
        for register, value in ((0, 100.0), (2, 0.0), (4, 50.0), (6, 100.0), (8, 20.0), (10, 100.0)):
            self.put(register, value)
        self.written: list[int] = []
        """Monotonic nanoseconds of each write."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._sockets: list[socket.socket] = []

    def put(self, register: int, value: float) -> None:
        self.registers[2 * register : 2 * register + 4] = struct.pack(">f", value)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # whoever waits in accept() hears of it
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(one)
            self._threads.append(threading.Thread(target=self._serve, args=(one,), daemon=True))
            self._threads[-1].start()

    def _serve(self, one: socket.socket) -> None:
        waiting = b""
        with suppress(OSError):  # whoever asked is gone, maybe before the answer
            while data := one.recv(4096):
                waiting += data
                while len(waiting) >= 12 and len(waiting) >= 6 + int.from_bytes(waiting[4:6]):
                    size = 6 + int.from_bytes(waiting[4:6])
                    one.sendall(self._answer(waiting[:size]))
                    waiting = waiting[size:]

    def _answer(self, request: bytes) -> bytes:
        transaction, _, _, unit, function, address, count = _HEAD.unpack_from(request)
        if function in (3, 4):
            data = bytes(self.registers[2 * address : 2 * (address + count)])
            return struct.pack(">HHHBBB", transaction, 0, 3 + len(data), unit, function, len(data)) + data
        self.written.append(time.monotonic_ns())
        self.registers[2 * address : 2 * (address + count)] = request[13 : 13 + 2 * count]
        return struct.pack(">HHHBBHH", transaction, 0, 6, unit, function, address, count)


@contextmanager
def _running(folder: Path) -> Iterator[RunningStation]:
    with DataFolder.open(folder / "data", "gridroom bench") as data:
        station = RunningStation(configure(folder), data.path)
        station.start()
        try:
            end = time.monotonic() + 30
            while station.health().devices_online < station.health().devices_total and time.monotonic() < end:
                time.sleep(0.05)
            time.sleep(1.0)
            yield station
        finally:
            station.stop()


def _wire() -> list[Figure]:
    with Field() as field, tempfile.TemporaryDirectory() as folder:
        write_park(Path(folder), 1, 0, field.port, scan="20ms")
        with _running(Path(folder)):
            took = []
            for k in range(ROUNDS):
                time.sleep(0.11 + 0.013 * (k % 7))  # at any moment of a scan
                before = len(field.written)
                changed = time.monotonic_ns()
                field.put(0, 150.0 + (k % 2) * 20.0)
                end = time.monotonic() + 2.0
                while len(field.written) == before and time.monotonic() < end:
                    time.sleep(0.0005)
                if len(field.written) == before:
                    raise AssertionError("no setpoint followed")
                took.append((field.written[before] - changed) / 1e6)
        bare = _bare(field.port)
    limit = f"{bare:.2f} ms for one bare read and one bare write, 10 ms half a scan"
    return [
        Figure.at_most("meter's wire to setpoint's wire, p50", float(np.median(took)), "ms", 30.0, limit),
        Figure.at_most("meter's wire to setpoint's wire, p99", float(np.percentile(took, 99)), "ms", 100.0, limit),
    ]


def _bare(port: int) -> float:
    """One read and one write over a bare socket, the median of many."""
    read = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 2)
    write = struct.pack(">HHHBBHHB", 2, 0, 11, 2, 16, 20, 2, 4) + struct.pack(">f", 1.0)
    took = []
    with socket.create_connection(("127.0.0.1", port)) as one:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(ROUNDS):
            began = time.perf_counter()
            for request in (read, write):
                one.sendall(request)
                one.recv(256)
            took.append(1e3 * (time.perf_counter() - began))
    return float(np.median(took))


def _by_hand() -> Figure:
    """A person's setpoint, from asked to held by the device, each with its rows of the audit, while much is polled."""
    with servers(POLLED) as ports, Field() as field, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_station(folder, ports)
        polled = yaml.safe_load((folder / "station.yaml").read_text(encoding="utf-8"))
        write_park(folder, 1, 0, field.port)
        park = yaml.safe_load((folder / "station.yaml").read_text(encoding="utf-8"))
        polled["station"] |= park["station"]
        polled["devices"] += park["devices"]
        (folder / "station.yaml").write_text(yaml.safe_dump(polled), encoding="utf-8")
        (folder / "strategies.yaml").unlink()
        with _running(folder) as station:
            door = station.facade("bench")
            door.access.name_administrator("bench", "measured on this machine").result(30)
            door.control.set_mode("pcs0", Mode.MANUAL).result(30)
            took, before, began = [], station.points_total, time.perf_counter()
            for k in range(BY_HAND):
                asked = time.perf_counter()
                door.control.request("pcs0", Quantity.ACTIVE, float(10 + k % 50), reason="bench").result(30)
                took.append(1e3 * (time.perf_counter() - asked))
                time.sleep(0.05)
            rate = (station.points_total - before) / (time.perf_counter() - began)
    limit = f"{rate:,.0f} points/s polled meanwhile; {_median_ms(took):.1f} ms p50"
    return Figure.at_most("by hand, from asked to confirmed, p95", float(np.percentile(took, 95)), "ms", 300.0, limit)


def _median_ms(took: list[float]) -> float:
    return float(np.median(took))


def _year() -> Figure:
    """A year of quarters of an hour, three strategies, two storages; beside the bare cycles of it."""
    with tempfile.TemporaryDirectory() as folder:
        write_park(Path(folder), 2, 1, 1)
        station = load_station(Path(folder)).station
        bound = [one for one in load_strategies(station)[0] if one.id != "soc"]
        k = np.arange(YEAR_STEPS)
        load = 150.0 + 80.0 * np.sin(k / 96 * 2 * np.pi) + np.random.default_rng(1).normal(0, 20, YEAR_STEPS)
        times = 1_785_513_600 * SECOND_NS + 900 * SECOND_NS * k
        record = Record(times, 900.0, load, np.full((YEAR_STEPS, 1), 20.0))
        began = time.perf_counter()
        report = backtest(station, bound, record)
        took = time.perf_counter() - began
        if not sum(one.cycles for one in report.storage) > 1:
            raise AssertionError("the storage did nothing")
        scale = 35_040 / YEAR_STEPS
        return Figure.at_most("a year of backtest, 3 strategies", took * scale, "s", 20.0,
                              f"{1e6 * took / YEAR_STEPS:,.0f} us a step")  # fmt: skip
