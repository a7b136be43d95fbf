"""From a station directory to something that may run: files, drivers and expressions judged together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.engine.computed import parse_all
from app.engine.expression import Expression
from app.model.errors import ConfigFaults, Fault
from app.model.loading import Loaded, load_station
from app.model.station import Device, Station
from app.northbound.centre import Centre
from app.northbound.loading import load_northbound
from drivers import registry


@dataclass(frozen=True)
class Configuration:
    """A station that passed every check."""

    station: Station
    expressions: Mapping[int, Expression]
    centres: tuple[Centre, ...] = ()
    """Whom the station is offered to."""


def configure(directory: Path, overlay: Path | None = None) -> Configuration:
    """Load and judge everything. Raises ConfigFaults with all faults of files, connections, addresses, expressions."""
    loaded = load_station(directory, overlay)
    expressions, faults = parse_all(loaded)
    faults += _driver_faults(loaded)
    if loaded.station.history.url is not None:
        what = "this version keeps history in the data folder only"
        faults.append(loaded.station_fault(("history", "url"), f"history.url: {what}", "remove the line"))
    centres, northbound_faults = load_northbound(loaded.station)
    faults += northbound_faults
    if faults:
        raise ConfigFaults(faults)
    return Configuration(loaded.station, expressions, centres)


def _driver_faults(loaded: Loaded) -> list[Fault]:
    """What the drivers find wrong with devices, and with devices that share a line."""
    faults: list[Fault] = []
    lines: dict[tuple[str, str], list[Device]] = {}
    for device in loaded.station.devices:
        if device.driver is None:
            continue
        try:
            driver = registry.driver(device.driver)
        except KeyError:
            known = ", ".join(registry.names())
            what = f"unknown driver '{device.driver}'"
            faults.append(loaded.fault(device.id, "", "driver", what, f"write one of: {known}"))
            continue
        complaints = driver.check(device)
        if not complaints:
            lines.setdefault((device.driver, driver.line(device)), []).append(device)
        faults += [loaded.fault(one.device, one.point, one.key, one.what, one.mend) for one in complaints]
    for (name, _), devices in lines.items():
        shared = registry.driver(name).check_line(devices)
        faults += [loaded.fault(one.device, one.point, one.key, one.what, one.mend) for one in shared]
    return faults
