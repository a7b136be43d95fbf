"""A small park for tests of control: two storages with batteries, two inverters, a grid meter; a table that a test fills."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from app.control.controller import Controller, Outcome
from app.control.loading import load_strategies
from app.control.standing import Standing
from app.model import quality as q
from app.model.clock import SECOND_NS
from app.model.loading import load_station
from app.model.station import Station

BEGIN = 1_795_000_000 * SECOND_NS


def point(
    id_: str, role: str | None, unit: str, register: int, kind: str = "measurement", **more: Any
) -> dict[str, Any]:
    made = {"id": id_, "name": id_, "kind": kind, **({"unit": unit} if unit else {}), "scan": "100ms",
            "address": {"table": "holding", "register": register, "type": "f32"}, **more}  # fmt: skip
    return {**made, "role": role} if role else made


def storage(n: int, **control: Any) -> dict[str, Any]:
    return {
        "id": f"pcs{n}", "name": f"PCS {n}", "kind": "pcs", "bms": f"bms{n}", "parent": "bus",
        "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 1, "unit": n},
        "ratings": {"power_kw": 100, "energy_kwh": 200, "apparent_kva": 110}, "control": control,
        "points": [
            point("p_kw", "active_power", "kW", 0), point("q_kvar", "reactive_power", "kvar", 2),
            point("p_set", "active_power_setpoint", "kW", 10, "setpoint"),
            point("q_set", "reactive_power_setpoint", "kvar", 12, "setpoint"),
            {**point("remote", "remote", "", 14, "status"), "address": {"table": "holding", "register": 14, "type": "u16"}},
        ],
    }  # fmt: skip


def battery(n: int) -> dict[str, Any]:
    return {
        "id": f"bms{n}", "name": f"BMS {n}", "kind": "bms", "parent": f"pcs{n}",
        "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 2, "unit": n},
        "points": [
            point("soc", "soc", "%", 0), point("soh", "soh", "%", 2), point("c_lim", "charge_limit", "kW", 4),
            point("d_lim", "discharge_limit", "kW", 6), point("t_max", "cell_temperature_max", "degC", 8),
        ],
    }  # fmt: skip


def inverter(n: int) -> dict[str, Any]:
    return {
        "id": f"inv{n}", "name": f"Inverter {n}", "kind": "pv_inverter", "parent": "bus",
        "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 3, "unit": n},
        "ratings": {"power_kw": 50},
        "points": [
            point("p_kw", "active_power", "kW", 0), point("p_lim", "power_limit_setpoint", "kW", 10, "setpoint"),
        ],
    }  # fmt: skip


METER = {
    "id": "meter1", "name": "Meter", "kind": "meter", "parent": "bus",
    "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 4, "unit": 1},
    "points": [
        point("p_kw", "active_power", "kW", 0), point("q_kvar", "reactive_power", "kvar", 2), point("order", None, "kW", 4),
    ],
}  # fmt: skip


def park(folder: Path, *, limits: dict[str, float] | None = None, read_only: bool = False, more: list[Any] | None = None,
         **control: Any) -> Station:  # fmt: skip
    """Written into a folder and loaded."""
    text = {
        "version": 1,
        "station": {
            "id": "park", "name": "Park", "timezone": "Asia/Shanghai", "location": {"latitude": 30, "longitude": 120},
            "grid_meter": "meter1", "limits": limits or {}, "read_only": read_only,
        },
        "topology": [{"id": "grid", "kind": "grid"}, {"id": "bus", "kind": "bus", "from": "grid"}],
        "devices": [
            METER, storage(1, **control), battery(1), storage(2, **control), battery(2), inverter(1), inverter(2),
            *(more or []),
        ],
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "station.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    return load_station(folder).station


@dataclass
class Columns:
    """A table that a test fills."""

    value: np.ndarray[tuple[int], np.dtype[np.float64]]
    quality: np.ndarray[tuple[int], np.dtype[np.uint16]]
    received: np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass
class Bench:
    """A controller with a table, and a clock that a test moves."""

    station: Station
    strategies: list[dict[str, Any]] = field(default_factory=list)
    now_ns: int = BEGIN
    monotonic_ns: int = SECOND_NS

    def __post_init__(self) -> None:
        text = yaml.safe_dump({"strategies": [{"mode": "live", **one} for one in self.strategies]})
        bound, faults, _ = load_strategies(self.station, text)
        assert not faults, [str(fault) for fault in faults]
        self.standing = Standing()
        self.controller = Controller(self.station, bound, self.standing)
        n = len(self.station.points)
        self.table = Columns(np.full(n, np.nan), np.full(n, q.NT, np.uint16), np.zeros(n, np.int64))
        self.set(**{
            f"{device}.{name}": value
            for device, values in {
                "meter1": {"p_kw": 0.0, "q_kvar": 0.0},
                "pcs1": {"p_kw": 0.0, "q_kvar": 0.0, "remote": 1}, "pcs2": {"p_kw": 0.0, "q_kvar": 0.0, "remote": 1},
                "bms1": {"soc": 50, "soh": 100, "c_lim": 100, "d_lim": 100, "t_max": 25},
                "bms2": {"soc": 50, "soh": 100, "c_lim": 100, "d_lim": 100, "t_max": 25},
                "inv1": {"p_kw": 0.0}, "inv2": {"p_kw": 0.0},
            }.items()
            for name, value in values.items() if device in self.station.by_id
        })  # fmt: skip

    def set(self, **values: float) -> None:
        """Good values, received now. A dot in a name is written as given: use `**{"meter1.p_kw": 5}`."""
        for name, value in values.items():
            row = self.station.by_name[name]
            self.table.value[row], self.table.quality[row], self.table.received[row] = value, 0, self.now_ns

    def lose(self, *names: str) -> None:
        for name in names:
            self.table.quality[self.station.by_name[name]] |= q.NT

    def fresh(self) -> None:
        """Everything that is known was received now."""
        self.table.received[self.table.received > 0] = self.now_ns

    def cycle(self, seconds: float = 0.1, pending: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None) -> Outcome:
        self.now_ns += round(seconds * SECOND_NS)
        self.monotonic_ns += round(seconds * SECOND_NS)
        self.fresh()
        return self.controller.cycle(self.table, self.now_ns, self.monotonic_ns, pending)

    def allowed(self, outcome: Outcome) -> dict[str, float]:
        """Full name of the setpoint -> what is to be sent; without those of which nothing is."""
        return {
            one.point.name: float(value)
            for one, value in zip(self.controller.fleet.channels, outcome.allowed, strict=True) if not np.isnan(value)
        }  # fmt: skip

    def run(self, seconds: float = 0.1) -> dict[str, float]:
        return self.allowed(self.cycle(seconds))
