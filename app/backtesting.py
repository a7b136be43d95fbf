"""`gridroom backtest`: strategies over recorded history, and what they would have made of it. It only reads."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.configuration import configure
from app.control.backtest import Record, backtest, storage_of
from app.control.fleet import Fleet
from app.control.loading import Bound, load_strategies
from app.control.tariff import Tariff
from app.demo import station_directory
from app.headless import moment
from app.history.export.target import targets
from app.history.folder import DataFolder
from app.history.reader import HistoryReader
from app.history.whole import appearing
from app.model.backtest import Report, Side
from app.model.clock import SystemClock, to_datetime
from app.model.errors import ConfigFaults, GridroomError, wrong_input
from app.model.quality import usable
from app.model.station import Station
from app.model.text import Text
from app.model.views import Series

DONE: Final = 0
STEP_S: Final = 900.0
_STEP_NS: Final = round(STEP_S * 1e9)

Query = Callable[[Sequence[str], int, int, int], list[Series]]


def run(station: Path, data: Path, strategies: Path, start: str, end: str, output: Path | None) -> int:
    """Print the comparison; write the curves where a file is named."""
    configuration = configure(station_directory(station))
    found = configuration.station
    bound = _strategies(found, strategies)
    begin_ns, end_ns = moment(start, found.timezone), moment(end, found.timezone)
    if end_ns - begin_ns < _STEP_NS:
        raise wrong_input(f"{start} to {end} is no time", "give at least a quarter of an hour, --from before --to")
    if output is not None:
        targets(found.directory, data, found.audit.heads)(output)
    with DataFolder.open_existing(data, "gridroom backtest") as folder:
        folder.belongs_to(found.id, claim=False)
        with HistoryReader.open(found, folder.path, SystemClock()) as reader:
            record = recorded(found, bound, lambda *given: reader.query(*given).result(), begin_ns, end_ns)
    report = backtest(found, bound, record, tariff_of(bound))
    print(told(report))
    if output is not None:
        _write(output, found, report)
        print(f"{output}: {report.steps:,} rows")
    return DONE


def recorded(station: Station, strategies: Sequence[Bound], query: Query, start_ns: int, end_ns: int) -> Record:
    """Quarters of an hour of the grid's power without storage, of each inverter, and of points that strategies go by.

    Raises GridroomError.
    """
    meter = station.by_id.get(station.grid_meter or "")
    grid = meter.role("active_power") if meter is not None else None
    if grid is None:
        raise GridroomError(Text("a backtest needs the station's grid meter", "回测需要站点的关口表"))
    start_ns -= start_ns % _STEP_NS
    times = np.arange(start_ns, end_ns, _STEP_NS, dtype=np.int64)
    names = [grid.name]
    names += [point.name for id_ in storage_of(station) if (point := station.by_id[id_].role("active_power"))]
    fleet = Fleet(station)
    pv = [station.points[fleet.feedback[i]].name for i in np.flatnonzero(fleet.is_limit)]
    asked = dict.fromkeys(name for one in strategies for name in one.strategy.points() if name in station.by_name)
    beside = [name for name in asked if name not in {*names, *pv}]
    series = query([*names, *pv, *beside], start_ns, int(times[-1]) + _STEP_NS, max(len(times), 100))
    steps = [_by_step(one, times) for one in series]
    # Storage of which nothing at all is recorded gave nothing; of one that is, a step without it is not known.
    stored = [one for one in steps[1 : len(names)] if np.isfinite(one).any()]
    site = steps[0] + np.sum(np.array([np.zeros(len(times)), *stored]), axis=0)
    if not np.isfinite(site).any():
        raise GridroomError(Text(f"nothing is recorded of {grid.name} in this time; take another",
                                 f"该时段没有 {grid.name} 的记录；请选择其他时段"))  # fmt: skip
    inverters = np.array(steps[len(names) : len(names) + len(pv)]).T if pv else np.zeros((len(times), 0))
    return Record(times, STEP_S, site, inverters, dict(zip(beside, steps[len(names) + len(pv) :], strict=True)))


def _by_step(series: Series, times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Means of the steps; NaN where nothing was recorded that may be used."""
    good = usable(series.mean, series.quality)
    at = ((series.time[good] - times[0]) // _STEP_NS).astype(np.int64)
    inside = (at >= 0) & (at < len(times))
    weight = np.bincount(at[inside], minlength=len(times)).astype(np.float64)
    total = np.bincount(at[inside], weights=series.mean[good][inside], minlength=len(times))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: NDArray[np.float64] = total / weight
    return mean


def tariff_of(strategies: Sequence[Bound]) -> Tariff | None:
    """The tariff that one of them goes by: it prices the comparison."""
    found = (getattr(one.strategy.params, "tariff", None) for one in strategies)
    return next((one for one in found if isinstance(one, Tariff)), None)


def _strategies(station: Station, file: Path) -> tuple[Bound, ...]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise wrong_input(f"{file} cannot be read ({error.strerror or error})", "name a file of strategies") from None
    bound, faults, _ = load_strategies(station, text)
    if faults:
        raise ConfigFaults(faults)
    if not bound:
        raise wrong_input(f"{file} names no strategy", "write one under 'strategies:'")
    return bound


def told(report: Report) -> str:
    """The comparison as a table."""
    first, last = to_datetime(int(report.time_ns[0])), to_datetime(int(report.time_ns[-1]))
    days = (report.time_ns[-1] - report.time_ns[0] + _STEP_NS) / 86400e9
    lines = [f"{days:,.1f} days from {first:%Y-%m-%d} to {last:%Y-%m-%d} UTC, {report.steps:,} steps of 15 min"]
    if report.unknown:
        lines.append(f"{report.unknown:,} of them without a record of the grid meter: nothing was done in them")
    for strategy, count in report.unsound.items():
        lines.append(f"{strategy}: what it goes by was not known in {count:,} steps; its devices went by their policy")
    lines.append(f"{'':24}{'doing nothing':>16}{'with strategies':>18}{'difference':>14}")
    for name, unit, get in _ROWS:
        before, after = get(report.before), get(report.after)
        if not math.isnan(before):
            lines.append(f"{f'{name}, {unit}':24}{before:>16,.1f}{after:>18,.1f}{after - before:>+14,.1f}")
    for used in report.storage:
        lines.append(f"{used.device}: charged {used.charged_kwh:,.0f} kWh, discharged {used.discharged_kwh:,.0f} kWh, "
                     f"{used.cycles:,.1f} full cycles, {used.soc_low:.0f} to {used.soc_high:.0f} %")  # fmt: skip
    if report.pv_lost_kwh > 0:
        lines.append(f"PV that was limited: {report.pv_lost_kwh:,.0f} kWh")
    return "\n".join(lines)


_ROWS: Final[tuple[tuple[str, str, Callable[[Side], float]], ...]] = (
    ("imported", "kWh", lambda side: side.import_kwh),
    ("exported", "kWh", lambda side: side.export_kwh),
    ("highest quarter", "kW", lambda side: side.peak_kw),
    ("energy", "CNY", lambda side: side.energy_cost),
    ("demand", "CNY", lambda side: side.demand_cost),
)


def _write(output: Path, station: Station, report: Report) -> None:
    """The curves as CSV, whole or not at all."""
    head = ["time", "before_kw", "after_kw"]
    head += [f"{used.device}_{word}" for used in report.storage for word in ("kw", "soc_pct")]
    try:
        with appearing(output) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(head)
            for k in range(report.steps):
                time = to_datetime(int(report.time_ns[k])).astimezone(station.zone).isoformat()
                pairs = zip(report.storage_kw[k], report.soc[k], strict=True)
                row: list[Any] = [time, _cell(report.before_kw[k]), _cell(report.after_kw[k])]
                row += [_cell(value) for pair in pairs for value in pair]
                writer.writerow(row)
    except OSError as error:
        raise wrong_input(f"{output} cannot be written ({error.strerror or error})", "name another file") from None


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
