"""A station that is offered to a centre, without a field: a test says what is true."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.model.clock import SystemClock
from app.model.loading import load_station
from app.model.station import Station
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import CentreStatus
from app.northbound.loading import load_northbound
from app.northbound.service import Northbound

STATION = """version: 1
station: {id: s, name: S, timezone: Asia/Shanghai, location: {latitude: 0, longitude: 0}}
devices:
  - id: m
    name: {en: Meter, zh: 电表}
    kind: meter
    connection: {driver: modbus-tcp, host: 127.0.0.1, port: 1}
    points:
"""
POINTS = {
    "p_kw": "kind: measurement, unit: kW, precision: 1, deadband: 0.5",
    "q_kvar": "kind: measurement, unit: kvar",
    "tap": "kind: measurement",
    "breaker": "kind: status",
    "door": "kind: status, states: {0: closed, 1: open}",
    "e_kwh": "kind: counter, unit: kWh",
    "p_set": "kind: setpoint, unit: kW, precision: 1",
    "close": "kind: command, states: {0: {en: open, zh: 分}, 1: {en: close, zh: 合}}",
}
OFFER = """version: 1
iec104:
  - id: dispatch1
    name: {en: City dispatch, zh: 地调}
    listen: {host: 127.0.0.1, port: 0}
    ca: 1
    allow: any
    MORE
    points:
      - {point: m.breaker, ioa: 1, type: M_SP_NA_1, groups: [1]}
      - {point: m.door, ioa: 2, type: M_DP_NA_1, groups: [1]}
      - {point: m.p_kw, ioa: 16385, type: M_ME_NC_1, groups: [2]}
      - {point: m.p_kw, ioa: 16386, type: M_ME_NB_1, scale: 0.1}
      - {point: m.q_kvar, ioa: 16387, type: M_ME_NA_1, scale: 1000}
      - {point: m.tap, ioa: 16388, type: M_ST_NA_1}
      - {point: m.e_kwh, ioa: 25601, type: M_IT_NA_1, groups: [3]}
    commands:
      - {point: m.close, ioa: 24577, type: C_SC_NA_1, select: true}
      - {point: m.p_set, ioa: 25089, type: C_SE_NC_1, scale: 2}
      - {name: {en: AGC target, zh: AGC目标}, ioa: 25090, type: C_SE_NC_1}
"""


def write(folder: Path, offer: str = OFFER, more: str = "", points: dict[str, str] = POINTS) -> Path:
    lines = [
        f"      - {{id: {id_}, name: {id_}, {rest}, address: {{table: holding, register: {2 * i}, type: f32}}}}"
        for i, (id_, rest) in enumerate(points.items())
    ]
    (folder / "station.yaml").write_text(STATION + "\n".join(lines) + "\n", encoding="utf-8")
    (folder / "northbound.yaml").write_text(offer.replace("    MORE\n", more and f"    {more}\n"), encoding="utf-8")
    return folder


class Offering:
    """The service of all centres, fed by a test."""

    def __init__(self, folder: Path, offer: str = OFFER, more: str = "", points: dict[str, str] = POINTS) -> None:
        self.station: Station = load_station(write(folder, offer, more, points)).station
        centres, faults, _ = load_northbound(self.station)
        assert not faults
        self.journal: list[tuple[str, Text, float]] = []
        self.troubles: dict[str, Text | None] = {}
        self.service = Northbound(
            centres, self.station, SystemClock(), journal=self._note, on_trouble=self.troubles.__setitem__
        )

    def _note(self, time_ns: int, source: str, message: Text, value: float) -> None:
        self.journal.append((source, message, value))

    def __enter__(self) -> Offering:
        self.service.start()
        self.until(lambda: self.status.port)
        return self

    def __exit__(self, *_: Any) -> None:
        self.service.stop()

    @property
    def status(self) -> CentreStatus:
        return self.service.status()[0]

    def give(self, *rows: tuple[Any, ...], time_ns: int = 0) -> None:
        """(point id, value) or (point id, value, quality) of one batch."""
        now = time.time_ns()
        names = [self.station.by_name[f"m.{row[0]}"] for row in rows]
        quality = [row[2] if len(row) > 2 else 0 for row in rows]
        self.service.take(Updates.of(names, [row[1] for row in rows], quality, time_ns or now, now))

    def until(self, true: Callable[[], object], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"it did not become true: {self.status}"
            time.sleep(0.02)
