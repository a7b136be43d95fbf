"""A station facade without an engine: a small park whose values a test sets, or that moves by itself for pictures."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from app.access.roles import GIVEN
from app.commissioning.service import Commissioning
from app.energy.figures import FigureReader, Figures
from app.energy.today import DayBaseline
from app.model.access import Actor, RoleRow, SecretPlace, SecretRow, SessionRow, Standing, UserRow, WrongPassword
from app.model.audit import AuditFilter, AuditRow, Result, Verdict
from app.model.backtest import Report, Side, Used
from app.model.clock import SECOND_NS, Clock, SystemClock
from app.model.config import Priority
from app.model.control import Clip, ControlState, Mode, ParamRow, PlanView, Quantity, ReplayRow, ReplayView, TemplateRow
from app.model.difference import Applied, DifferenceRow, Kind, VersionRow
from app.model.errors import TransportError
from app.model.loading import load_station
from app.model.quality import IV, NT, SB
from app.model.station import Point, Station
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import (
    AlarmRow,
    AlarmState,
    DeviceStatus,
    Health,
    JournalRow,
    LinkState,
    Place,
    RawValues,
    Series,
    Snapshot,
    SystemView,
)


def _point(id_: str, en: str, zh: str, unit: str = "", **more: Any) -> dict[str, Any]:
    point: dict[str, Any] = {
        "id": id_,
        "name": {"en": en, "zh": zh},
        "kind": "measurement",
        "address": {"table": "holding", "register": 0, "type": "f32"},
        **more,
    }
    if unit:
        point["unit"] = unit
    return point


def _power(limit: float, **more: Any) -> dict[str, Any]:
    return _point(
        "p_kw", "Active power", "有功功率", "kW", role="active_power", precision=1, range=[-limit, limit], **more
    )


def _energies() -> list[dict[str, Any]]:
    return [
        _point("e_in", "Energy import", "输入电量", "kWh", role="energy_import", kind="counter", precision=1),
        _point("e_out", "Energy export", "输出电量", "kWh", role="energy_export", kind="counter", precision=1),
    ]


def _state(**states: Any) -> dict[str, Any]:
    texts = {0: {"en": "Off", "zh": "停机"}, 1: {"en": "Running", "zh": "运行"}, 2: {"en": "Fault", "zh": "故障"}}
    return _point("state", "State", "运行状态", kind="status", role="state", states=texts, **states)


def _phases() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for phase in "abc":
        up = phase.upper()
        rows.append(_point(f"u_{phase}", f"Voltage {up}", f"{up} 相电压", "V", precision=1, range=[0, 500]))
        rows.append(_point(f"i_{phase}", f"Current {up}", f"{up} 相电流", "A", precision=2))
    return rows


POINTS: Mapping[str, list[dict[str, Any]]] = {
    "meter": [
        _power(3000, alarms={"hh": {"value": 1900, "priority": "urgent"}, "h": 1800}, clean=[{"spike": {"window": 7}}]),
        _point("q_kvar", "Reactive power", "无功功率", "kvar", role="reactive_power", precision=1),
        _point("pf", "Power factor", "功率因数", "1", role="power_factor", precision=3, range=[-1, 1]),
        _point("f_hz", "Frequency", "频率", "Hz", role="frequency", precision=2, range=[45, 55]),
        *_phases(),
        *_energies(),
    ],
    "pv_inverter": [
        _power(330),
        _state(),
        *_phases(),
        _point("t_igbt", "Heat sink temperature", "散热器温度", "degC", precision=1, alarms={"h": 75, "hh": 85}),
        *_energies(),
    ],
    "pcs": [
        _power(500),
        _state(),
        _point("q_kvar", "Reactive power", "无功功率", "kvar", role="reactive_power", precision=1),
        _point("t_igbt", "IGBT temperature", "IGBT 温度", "degC", precision=1, range=[-20, 110], alarms={"hh": 90}),
        _point("breaker", "AC breaker", "交流断路器", kind="status", role="breaker",
               states={0: {"en": "Open", "zh": "分"}, 1: {"en": "Closed", "zh": "合"}}),
        *_energies(),
    ],
    "bms": [
        _point("soc", "State of charge", "荷电状态", "%", role="soc", precision=1, range=[0, 100],
               alarms={"ll": 5, "l": 10, "h": 95}),
        _point("soh", "State of health", "健康状态", "%", role="soh", precision=1, range=[0, 100]),
        _point("u_cell_max", "Highest cell voltage", "单体最高电压", "V", role="cell_voltage_max", precision=3),
        _point("u_cell_min", "Lowest cell voltage", "单体最低电压", "V", role="cell_voltage_min", precision=3),
        _point("t_cell_max", "Highest cell temperature", "单体最高温度", "degC", role="cell_temperature_max",
               precision=1, range=[-20, 70], alarms={"h": 45, "hh": 55}),
    ],
    "load": [_power(800), *_phases(), *_energies()],
    "weather": [
        _point("ghi", "Irradiance", "总辐照度", "W/m2", role="irradiance", precision=0, range=[0, 1400]),
        _point("t_air", "Ambient temperature", "环境温度", "degC", role="ambient_temperature", precision=1),
        _point("wind", "Wind speed", "风速", "m/s", role="wind_speed", precision=1, range=[0, 60]),
    ],
    "genset": [
        _power(500),
        _state(),
        _point("fuel", "Fuel level", "燃油液位", "%", role="fuel_level", precision=0, range=[0, 100]),
    ],
    "charger": [_power(120), _state(), *_energies()],
    "transformer": [
        _point("t_oil", "Oil temperature", "油温", "degC", role="oil_temperature", precision=1, range=[-20, 120],
               alarms={"h": 85, "hh": 95}),
        _point("t_wind", "Winding temperature", "绕组温度", "degC", role="winding_temperature", precision=1),
    ],
}  # fmt: skip

DEVICES: Sequence[tuple[str, str, str, str, str]] = (
    ("meter1", "Grid meter", "关口电表", "meter", "bus_main"),
    ("xfmr1", "Transformer 1", "1 号变压器", "transformer", "bus_main"),
    *((f"inv{i}", f"PV inverter {i}", f"{i} 号光伏逆变器", "pv_inverter", "bus_main") for i in range(1, 7)),
    *((f"pcs{i}", f"PCS {i}", f"{i} 号储能变流器", "pcs", "bus_main") for i in (1, 2)),
    *((f"bms{i}", f"Battery {i}", f"{i} 号电池堆", "bms", f"pcs{i}") for i in (1, 2)),
    *((f"load{i}", f"Load feeder {i}", f"{i} 号负荷馈线", "load", "bus_main") for i in (1, 2, 3)),
    ("weather1", "Weather station", "气象站", "weather", "bus_main"),
    ("gen1", "Diesel genset", "柴油发电机", "genset", "bus_main"),
    *((f"chg{i}", f"Charger {i}", f"{i} 号充电桩", "charger", "bus_main") for i in (1, 2)),
)


def write_station(directory: Path, *, extra_points: int = 0) -> Station:
    """Write the park's station.yaml and load it. `extra_points` more points hang on the last device."""
    devices: list[dict[str, Any]] = []
    for number, (id_, en, zh, kind, parent) in enumerate(DEVICES):
        points = [{**point, "address": {**point["address"], "register": 2 * i}} for i, point in enumerate(POINTS[kind])]
        device: dict[str, Any] = {
            "id": id_, "name": {"en": en, "zh": zh}, "kind": kind, "parent": parent, "points": points,
            "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 15000 + number},
        }  # fmt: skip
        if kind == "pcs":
            device |= {"bms": f"bms{id_[-1]}", "ratings": {"power_kw": 500, "energy_kwh": 1000}}
        if kind == "pv_inverter":
            device["ratings"] = {"power_kw": 330}
        devices.append(device)
    feeders = [id_ for id_, _, _, kind, _ in DEVICES if kind in {"pv_inverter", "pcs", "load", "genset", "charger"}]
    form = {
        "version": 1,
        "station": {
            "id": "park1", "name": {"en": "Park 1", "zh": "一号园区"}, "timezone": "Asia/Shanghai",
            "location": {"latitude": 30.27, "longitude": 120.15}, "grid_meter": "meter1",
            "limits": {"import_kw": 2000, "export_kw": 500},
        },
        "topology": [
            {"id": "grid", "kind": "grid", "voltage_kv": 10},
            {"id": "t1", "kind": "transformer", "from": "grid", "to": "bus_main", "device": "xfmr1"},
            {"id": "bus_main", "kind": "bus", "voltage_kv": 0.4, "name": {"en": "Main bus", "zh": "低压母线"}},
            *(
                {"id": f"qf_{id_}", "kind": "breaker", "from": "bus_main", "to": id_}
                | ({"state": f"{id_}.breaker"} if id_.startswith("pcs") else {})
                for id_ in feeders
            ),
        ],
        "devices": devices,
    }  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "station.yaml").write_text(yaml.safe_dump(form, allow_unicode=True), encoding="utf-8")
    station = load_station(directory).station
    return _with_extras(station, extra_points) if extra_points else station


def _with_extras(station: Station, count: int) -> Station:
    """More points on the last device, added behind the loader, which would read so long a file for a minute."""
    last = station.devices[-1]
    n = len(station.points)
    extras = tuple(
        Point(
            n + i,
            f"{last.id}.x{i}",
            last.id,
            last.points[0].form.model_copy(update={"id": f"x{i}", "name": Text(f"Extra {i}", f"附加点 {i}")}),
        )
        for i in range(count)
    )
    devices = (*station.devices[:-1], replace(last, points=(*last.points, *extras)))
    return replace(station, devices=devices, points=(*station.points, *extras))


class FakeHistory:
    """Answers queries from a wave, on a thread; with `hold` set, answers wait until `release`."""

    def __init__(self, station: Station, clock: Clock) -> None:
        self._station = station
        self._clock = clock
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fake-history")
        self._open = threading.Event()
        self._open.set()
        self.asked: list[tuple[tuple[str, ...], int, int, int]] = []

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def query(self, points: Sequence[str], start_ns: int, end_ns: int, pixels: int) -> Future[list[Series]]:
        self.asked.append((tuple(points), start_ns, end_ns, pixels))
        return self._pool.submit(self._answer, tuple(points), start_ns, end_ns, pixels)

    def _answer(self, points: Sequence[str], start_ns: int, end_ns: int, pixels: int) -> list[Series]:
        self._open.wait(10)
        end_ns = min(end_ns, self._clock.now_ns())
        if end_ns <= start_ns:
            start_ns = end_ns - SECOND_NS
        n = max(2, min(pixels, 600))
        time = np.linspace(start_ns, end_ns, n).astype(np.int64)
        series = []
        for name in points:
            mean = np.array([moving_value(name, int(t)) for t in time])
            spread = np.abs(mean) * 0.01 + 0.1
            gap = start_ns + (end_ns - start_ns) * 6 // 10
            gaps = np.array([[gap, gap + (end_ns - start_ns) // 25]], dtype=np.int64)
            series.append(
                Series(
                    name, "5s", int(time[1] - time[0]), time, mean - spread, mean + spread, mean, mean, mean,
                    np.full(n, 5), np.zeros(n, np.uint16), gaps,
                )
            )  # fmt: skip
        return series

    def close(self) -> None:
        self._open.set()
        self._pool.shutdown(wait=True, cancel_futures=True)


def answered(result: Any) -> Future[Any]:
    """A future that is done."""
    future: Future[Any] = Future()
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
    return future


class FakeAccess:
    """A door where somebody stands already; a test changes who, and what he may not."""

    def __init__(self) -> None:
        self.standing_now = Standing(Actor("li", "operator", "console"), Text("operator", "值班员"))
        self.denied: dict[str, Text] = {}
        """`service.method` -> why not."""
        self.passwords: dict[str, str] = {}
        """Name -> the password that lets in; anybody else is refused."""
        self.touched = 0
        self.confirmed: list[tuple[str, str]] = []

    def standing(self) -> Standing:
        return self.standing_now

    def why_not(self, method: str, devices: Collection[str] | None = None) -> Text | None:
        return self.denied.get(method)

    def become(self, **changed: Any) -> Standing:
        self.standing_now = replace(self.standing_now, **changed)
        return self.standing_now

    def sign_in(self, name: str, password: str) -> Future[Standing]:
        if self.passwords.get(name) != password:
            return answered(WrongPassword(Text("name or password is wrong", "名称或密码错误")))
        return answered(self.become(actor=Actor(name, "operator", "console"), locked=False, first_start=False))

    def sign_in_demo(self) -> Standing:
        return self.become(actor=Actor("demo engineer", "engineer", "console"), locked=False)

    def name_administrator(self, name: str, password: str) -> Future[Standing]:
        self.passwords[name] = password
        return self.sign_in(name, password)

    def change_password(self, old: str, new: str) -> Future[Standing]:
        self.passwords[self.standing_now.actor.name] = new
        return answered(self.become(must_change=False))

    def sign_out(self) -> Standing:
        return self.become(actor=Actor(""), locked=False)

    def lock(self) -> Standing:
        return self.become(locked=True)

    def touch(self) -> None:
        self.touched += 1

    def confirm(self, method: str, name: str, password: str) -> Future[None]:
        if self.passwords.get(name) != password:
            return answered(WrongPassword(Text("name or password is wrong", "名称或密码错误")))
        self.confirmed.append((method, name))
        return answered(None)


class FakeAccounts:
    """A few people."""

    def users(self) -> list[UserRow]:
        since = 1_790_000_000 * SECOND_NS
        return [
            UserRow("阿达", "administrator", False, False, since, since, since),
            UserRow("李", "operator", False, True, since, since, 0),
            UserRow("王", "engineer", True, False, since, since, since),
        ]

    def roles(self) -> list[RoleRow]:
        return list(GIVEN.values())

    def sessions(self) -> list[SessionRow]:
        since = 1_790_000_000 * SECOND_NS
        return [SessionRow("a1", "ada", "administrator", "console, ada at control-room-1", since, since, False)]


class FakeAudit:
    """Some rows of everything."""

    def rows(self, wanted: AuditFilter, limit: int = 200, before_id: int | None = None) -> Future[list[AuditRow]]:
        rows = [
            AuditRow(40 - i, (1_790_000_000 - i) * SECOND_NS, "ada", "engineer", "console, ada at control-room-1", "a1",
                     "alarms.acknowledge", "inv1", str(result), "may not do that here" if i % 4 == 3 else "",
                     '{"ids":[1]}', "", "", 0, "5f" * 32)
            for i, result in enumerate([Result.DONE, Result.ASKED, Result.FAILED, Result.DENIED] * 10)
        ]  # fmt: skip
        chosen = [row for row in rows if not wanted.results or row.result in wanted.results]
        return answered([row for row in chosen if before_id is None or row.id < before_id][:limit])

    def verify(self, heads: Sequence[Path] = ()) -> Future[Verdict]:
        return answered(Verdict(40, sound=True, heads_checked=3))


class FakeVersions:
    def rows(self, limit: int = 200) -> Future[list[VersionRow]]:
        change = DifferenceRow(Kind.CHANGED, "inv1.p_kw", "alarms.h", "100", "110")
        origin = "console, ada at control-room-1"
        return answered([
            VersionRow(2, "b1" * 32, 1_790_000_000 * SECOND_NS, "ada", origin, (change, DifferenceRow(Kind.ADDED, "inv9"))),
            VersionRow(1, "a0" * 32, 1_780_000_000 * SECOND_NS, "ada", origin, ()),
        ])  # fmt: skip


class FakeControl:
    """What a test says that control is; what was asked is remembered."""

    def __init__(self) -> None:
        self.now = ControlState(Mode.AUTO, False, (), ())
        self.asked: list[tuple[Any, ...]] = []
        self.slow: Future[Any] | None = None
        """What is answered to everything that is asked, if it is there."""

    def state(self) -> ControlState:
        return self.now

    def ledger(self, *_: object) -> Future[list[AuditRow]]:
        return answered([])

    def replay(self, at_ns: int) -> Future[ReplayView]:
        self.asked.append(("replay", at_ns))
        rows = (
            ReplayRow("pcs1", Quantity.ACTIVE, 250.0, 100.0, 100.0, 98.5, "shave", "below the limit", Clip.RANK, 7),
        )
        return answered(ReplayView(at_ns, 120.0, rows))

    def arm(self, device: str, role: str) -> str:
        return f"{device} {role}"

    def __getattr__(self, name: str) -> Callable[..., Future[Any]]:
        def ask(*given: Any, **more: Any) -> Future[Any]:
            self.asked.append((name, *given, *more.values()))
            if self.slow is not None:
                return self.slow
            answers = {
                "request": given[2:3] and given[2],
                "export_ledger": 7,
                "request_many": given[0] if given else {},
            }
            return answered(answers.get(name))

        return ask


class FakeStrategies:
    """Parameters, a plan and a trial; what was asked is remembered."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.days: dict[str, tuple[float, ...]] = {"": (100.0,) * 48 + (math.nan,) * 48}

    def parameters(self, strategy: str) -> list[ParamRow]:
        meaning = Text("import is kept below this", "受电功率不超过此值")
        return [ParamRow("limit_kw", "kW", meaning, "100", "", required=True),
                ParamRow("window", "", Text("window", "窗口"), "", "15min", required=False)]  # fmt: skip

    def templates(self) -> Future[list[TemplateRow]]:
        limit, window = self.parameters("")
        about = Text("Import stays below the limit. " * 4, "受电功率不超过限值。" * 4)
        return answered([
            TemplateRow("peak_shaving@1", Text("Shave the peak", "削峰"), about, (replace(limit, value=""), window)),
            TemplateRow("own_use@3", Text("Own use of the sun", "自发自用"), about, (replace(limit, required=False),)),
        ])  # fmt: skip

    def add(self, *given: Any) -> Future[Any]:
        self.asked.append(("add", *given))
        return answered(None)

    def remove(self, *given: Any) -> Future[Any]:
        self.asked.append(("remove", *given))
        return answered(None)

    def plan(self, strategy: str) -> PlanView:
        return PlanView(dict(self.days), -1000.0, 1000.0)

    def read_plan(self, strategy: str, path: Path) -> Future[PlanView]:
        return answered(PlanView({"": (-50.0,) * 96, "2026-12-24": (5.0,) * 96}, -1000.0, 1000.0))

    def change(self, *given: Any) -> Future[Any]:
        self.asked.append(("change", *given))
        return answered(None)

    def draw_plan(self, *given: Any) -> Future[Any]:
        self.asked.append(("draw_plan", *given))
        self.days[given[1]] = tuple(given[2])
        return answered(None)

    def try_out(self, *given: Any) -> Future[Report]:
        self.asked.append(("try_out", *given))
        k = np.arange(96, dtype=np.float64)
        before = 500.0 + 200.0 * np.sin(k / 96 * 2 * np.pi)
        after = np.minimum(before, 600.0)
        time_ns = 1_790_000_000 * SECOND_NS + 900 * SECOND_NS * np.arange(96)
        sides = Side(12_000.0, 0.0, 700.0, 9_000.0, 30_000.0), Side(12_050.0, 0.0, 600.0, 9_010.0, 25_000.0)
        used = (Used("pcs1", 100.0, 90.0, 0.1, 40.0, 60.0),)
        return answered(
            Report(*sides, used, 0.0, 96, 0, {}, time_ns, before, after, np.zeros((96, 1)), np.zeros((96, 1)))
        )


class FakeSecrets:
    def rows(self) -> Future[list[SecretRow]]:
        return answered([
            SecretRow("env:BROKER2", SecretPlace.ENVIRONMENT, Text("missing", "缺失"), ("chg1",)),
            SecretRow("secret:broker1", SecretPlace.SEALED, None, ("inv1", "inv2")),
        ])  # fmt: skip


class FakeAlarms:
    """Alarm rows that a test sets; acknowledging is remembered and done."""

    def __init__(self, clock: Clock, access: FakeAccess) -> None:
        self._clock = clock
        self.access = access
        self._rows: tuple[AlarmRow, ...] = ()
        self._version = 0
        self.acknowledged: list[tuple[tuple[int, ...], str]] = []
        self.journal_rows: list[JournalRow] = []

    @property
    def version(self) -> int:
        return self._version

    def set(self, *rows: AlarmRow) -> None:
        self._rows = rows
        self._version += 1

    def active(self) -> tuple[AlarmRow, ...]:
        return self._rows

    def acknowledge(self, ids: Sequence[int]) -> Future[tuple[int, ...]]:
        actor = self.access.standing_now.actor.name
        self.acknowledged.append((tuple(ids), actor))
        now = self._clock.now_ns()
        kept = []
        for row in self._rows:
            if row.id in ids and row.state is AlarmState.ACTIVE_UNACKNOWLEDGED:
                state = AlarmState.ACTIVE_ACKNOWLEDGED
                row = replace(row, state=state, acknowledged=now, acknowledged_by=actor)
            elif row.id in ids and row.state is AlarmState.RETURNED_UNACKNOWLEDGED:
                continue
            kept.append(row)
        self.set(*kept)
        return answered(tuple(ids))

    def journal(self, limit: int = 1000, before_id: int | None = None) -> Future[list[JournalRow]]:
        rows = [row for row in reversed(self.journal_rows) if before_id is None or row.id < before_id]
        future: Future[list[JournalRow]] = Future()
        future.set_result(rows[:limit])
        return future


def alarm(
    id_: int,
    source: str,
    priority: Priority,
    *,
    at: int,
    condition: str = "hh",
    value: float = 92.4,
    limit: float = 90.0,
    unit: str = "degC",
    state: AlarmState = AlarmState.ACTIVE_UNACKNOWLEDGED,
    message: Text | None = None,
) -> AlarmRow:
    """One alarm as the alarm service would give it."""
    text = message or Text("IGBT temperature very high", "IGBT 温度过高")
    acknowledged = at + SECOND_NS if state is AlarmState.ACTIVE_ACKNOWLEDGED else 0
    returned = at + 5 * SECOND_NS if state is AlarmState.RETURNED_UNACKNOWLEDGED else 0
    return AlarmRow(id_, source, condition, priority, state, text, value, limit, unit, at, returned, acknowledged)


def moving_value(name: str, time_ns: int) -> float:
    """A believable value of a point at a moment, the same whenever it is asked."""
    device, _, point = name.partition(".")
    t = time_ns / SECOND_NS
    phase = sum(map(ord, device)) % 7
    slow = math.sin(2 * math.pi * (t % 86400) / 86400 - math.pi * 0.62)
    wobble = math.sin(t / 17 + phase) + 0.3 * math.sin(t / 3.1 + phase)
    day = max(0.0, 0.55 + 0.45 * slow)
    kind = device.rstrip("0123456789")
    powers = {
        "inv": 260 * day + 9 * wobble, "pcs": -140 + 12 * wobble + 10 * phase, "load": 310 + 25 * wobble,
        "chg": 48 + 3 * wobble, "gen": 0.0,
    }  # fmt: skip
    if point == "p_kw" and kind == "meter":
        sources = ("inv1", "inv2", "inv3", "inv4", "inv5", "inv6", "pcs1", "pcs2")
        sinks = ("load1", "load2", "load3", "chg1", "chg2")
        total = sum(moving_value(f"{d}.p_kw", time_ns) for d in sinks)
        return total - sum(moving_value(f"{d}.p_kw", time_ns) for d in sources)
    fixed = {
        "q_kvar": 21 + wobble, "pf": 0.982, "f_hz": 50 + 0.01 * wobble, "soc": 62.4 + phase * 0.3 + slow,
        "soh": 98.2, "u_cell_max": 3.341, "u_cell_min": 3.312, "t_cell_max": 29.4 + 0.2 * wobble,
        "ghi": 910 * day, "t_air": 17.3 + slow, "wind": 3.1 + wobble, "fuel": 81.0, "t_oil": 61.2, "t_wind": 68.4,
        "t_igbt": 58 + wobble, "breaker": 1.0, "_online": 1.0, "_rtt_ms": 3.2 + abs(wobble), "_errors": 0.0,
        "_late_scans": 0.0, "state": 0.0 if kind == "gen" else 1.0, "p_kw": powers.get(kind, 5.0),
        "e_in": 48213.4 + ((t + 28800) % 86400) / 120, "e_out": 120034.2 + ((t + 28800) % 86400) / 60,
    }  # fmt: skip
    if point in fixed:
        return fixed[point]
    if point.startswith("u_"):
        return 231.4 + 0.4 * wobble
    if point.startswith("i_"):
        return abs(powers.get(kind, 20.0)) * 1.443 + wobble
    return float(len(point))


@dataclass(frozen=True)
class Exported:
    path: Path
    rows: int
    without: int = 0


class FakeStation:
    """The facade that the console uses, without an engine behind it.

    Values stand until `put`, `lose` or `move` changes them; with `moving` set, every snapshot moves them.
    """

    def __init__(
        self,
        station: Station,
        clock: Clock | None = None,
        *,
        mode: str = "DEMO",
        moving: bool = False,
        locked: bool = False,
    ) -> None:
        n = len(station.points)
        self.station = station
        self.mode = mode
        self.clock = clock or SystemClock()
        self.moving = moving
        self.history = FakeHistory(station, self.clock)
        self.access = FakeAccess()
        self.alarms = FakeAlarms(self.clock, self.access)
        self.events = FakeAlarms(self.clock, self.access)
        self.accounts, self.audit = FakeAccounts(), FakeAudit()
        self.versions, self.secrets, self.control = FakeVersions(), FakeSecrets(), FakeControl()
        self.strategies = FakeStrategies()
        self.cannot_apply: Exception | None = None
        self.commissioning = Commissioning(
            station, station.directory / "backups", self.clock,
            locked=Text("the demo station stays as it is", "演示站保持原样") if locked else None,
        )  # fmt: skip
        self._figures = FigureReader(station)
        self._baseline = DayBaseline(station)
        self._sequence = 0
        self._value = np.full(n, np.nan)
        self._quality = np.full(n, NT, dtype=np.uint16)
        self._time = np.zeros(n, dtype=np.int64)
        self._changed = np.zeros(n, dtype=np.int64)
        self._lost: dict[str, int] = {}
        self.history_trouble: Text | None = None
        self.raw: dict[str, tuple[float, int]] = {}
        """What came before the filters of a point, where it is not what came out of them."""
        self.field: dict[str, float] = {}
        """What a point holds in the field, where that is not what the table has."""
        self.exported: list[tuple[tuple[str, ...], int, int, str, Path]] = []
        self.exporting: Future[Exported] = Future()
        """Of the last export: the test finishes it."""

    def put(self, name: str, value: float, quality: int = 0) -> None:
        """A new value of one point, now."""
        self._sequence += 1
        i = self.station.by_name[name]
        self._value[i], self._quality[i] = value, quality
        self._time[i], self._changed[i] = self.clock.now_ns(), self._sequence

    def move(self) -> None:
        """New values for every point of a device that is not lost."""
        now = self.clock.now_ns()
        self._sequence += 1
        for point in self.station.points:
            if point.device not in self._lost and not point.id.startswith("x"):
                value = round(moving_value(point.name, now), 6)
                i = point.index
                if value != self._value[i] or self._quality[i]:
                    self._value[i], self._quality[i], self._changed[i] = value, 0, self._sequence
                self._time[i] = now

    def lose(self, device: str, ago_s: float = 0.0) -> None:
        """The device is gone; its last values stay, not topical."""
        self._sequence += 1
        since = self.clock.now_ns() - round(ago_s * SECOND_NS)
        self._lost[device] = since
        for point in self.station.by_id[device].points:
            i = point.index
            if self._time[i] and not point.own:
                self._time[i] = since
            if point.own:  # what Gridroom says of the connection is true now
                self._value[i] = 0.0 if point.id == "_online" else self._value[i]
            else:
                self._quality[i] |= NT
            self._changed[i] = self._sequence

    def find(self, device: str) -> None:
        """The device is back; its next values are good."""
        self._lost.pop(device, None)

    def trouble(self) -> None:
        """A lost device, bad and substituted values and alarms, so that pictures show them."""
        now = self.clock.now_ns()
        self.move()
        self.put("inv2.t_igbt", 70.1, IV)
        self.put("load3.q_kvar" if "load3.q_kvar" in self.station.by_name else "load3.u_a", 231.0, SB)
        self.lose("inv4", 190)
        rows = (
            alarm(1, "pcs2.t_igbt", Priority.URGENT, at=now - 32 * SECOND_NS),
            alarm(2, "inv4._online", Priority.HIGH, at=now - 190 * SECOND_NS, condition="lost", limit=math.nan,
                  unit="", value=0, message=Text("PV inverter 4 lost", "4 号光伏逆变器通信中断")),
            alarm(3, "meter1.p_kw", Priority.HIGH, at=now - 900 * SECOND_NS, condition="h", value=1822.0, limit=1800.0,
                  unit="kW", state=AlarmState.ACTIVE_ACKNOWLEDGED,
                  message=Text("Active power high", "有功功率高")),
            alarm(4, "bms1.t_cell_max", Priority.MEDIUM, at=now - 4000 * SECOND_NS, condition="h", value=45.2,
                  limit=45.0, state=AlarmState.RETURNED_UNACKNOWLEDGED,
                  message=Text("Highest cell temperature high", "单体最高温度高")),
            alarm(5, "_system.history", Priority.LOW, at=now - 9000 * SECOND_NS, condition="system", value=math.nan,
                  limit=math.nan, unit="", message=Text("Data folder has 4 GB left", "数据文件夹剩余 4 GB")),
        )  # fmt: skip
        self.alarms.set(*rows)
        self.alarms.journal_rows = [
            JournalRow(i + 1, row.raised, row.raised, row.source, "raised", row.condition, str(row.priority),
                       row.message, row.value, 0, "")
            for i, row in enumerate(reversed(rows))
        ] + [
            JournalRow(9, now - 600 * SECOND_NS, now, "meter1.p_kw", "acknowledged", "h", "high", rows[2].message,
                       1822.0, 0, "operator")
        ]  # fmt: skip
        self.events.journal_rows = [
            JournalRow(i + 1, now - (60 - i) * 60 * SECOND_NS, now, f"{device}.state", "status", "", "",
                       Text("State: Running", "运行状态：运行"), 1.0, 0, "")
            for i, device in enumerate(("inv1", "inv2", "inv3", "pcs1", "pcs2", "chg1"))
        ]  # fmt: skip

    def snapshot(self) -> Snapshot:
        if self.moving:
            self.move()
        return Snapshot(
            self._sequence, self.clock.now_ns(), self._value.copy(), self._quality.copy(), self._time.copy(),
            self._time.copy(), self._changed.copy(), self._raw(),
        )  # fmt: skip

    def _raw(self) -> RawValues:
        points = np.array([point.index for point in self.station.points if point.form.clean], np.int32)
        value, quality = self._value[points], self._quality[points]
        for name, (raw, marks) in self.raw.items():
            row = points.tolist().index(self.station.by_name[name])
            value[row], quality[row] = raw, marks
        return RawValues(points, value, quality, self._time[points])

    def system(self) -> Future[SystemView]:
        place = Place("/var/lib/gridroom/park", 1_234_567, 10**11, 10**12)
        parts = (("Gridroom", "0.1.0", "Apache-2.0"), ("numpy", "2.4.6", "BSD-3-Clause"))
        return answered(
            SystemView(place, place, "ab" * 32, 1_790_000_000 * SECOND_NS, "control-room-1, Linux, x86_64", "3.11.7", parts)
        )  # fmt: skip

    def apply(self, *, reason: str = "") -> Future[Applied]:
        return answered(self.cannot_apply or Applied("", (), ()))

    def read_once(self, point: str) -> Future[Updates]:
        future: Future[Updates] = Future()
        i, now = self.station.by_name[point], self.clock.now_ns()
        if self.station.points[i].device in self._lost:
            future.set_exception(TransportError(Text("no answer within 1 s", "1 s 内无应答")))
        else:
            self.put(point, self.field.get(point, float(self._value[i])))
            future.set_result(Updates.of(i, self._value[i], self._quality[i], now, now))
        return future

    def figures(self, snapshot: Snapshot) -> Figures:
        if self._baseline.roll(snapshot.taken):
            for name in self._figures.counters:
                start = self._baseline.start_ns
                self._baseline.put(name, moving_value(name, start), start)
        return self._figures.read(snapshot, self._baseline)

    def export(
        self,
        points: Sequence[str],
        start_ns: int,
        end_ns: int,
        every: str,
        path: Path,
        progress: Callable[[float], None],
    ) -> Future[Exported]:
        self.exported.append((tuple(points), start_ns, end_ns, every, path))
        progress(0.5)
        self.exporting = Future()
        return self.exporting

    def devices(self) -> list[DeviceStatus]:
        now = self.clock.now_ns()
        rows = []
        for device in self.station.devices:
            lost = device.id in self._lost
            rows.append(
                DeviceStatus(
                    device.id, LinkState.LOST if lost else LinkState.ONLINE,
                    self._lost.get(device.id, now - 4 * 3600 * SECOND_NS), math.nan if lost else 3.2, 4 if lost else 0,
                    0, Text("no answer within 1 s", "1 s 内无应答") if lost else None, now + 8 * SECOND_NS if lost else 0,
                )
            )  # fmt: skip
        return rows

    def health(self) -> Health:
        total = len(self.station.devices)
        return Health(12_400.0, total - len(self._lost), total, self.history_trouble, 12.0, 14_400.0)

    def close(self) -> None:
        self.history.close()
        self.commissioning.stop()
