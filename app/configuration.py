"""From a station directory to something that may run: files, drivers and expressions judged together."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from app.control.loading import Bound, device_faults, load_strategies, site_faults
from app.engine.computed import parse_all
from app.engine.expression import Expression
from app.model.control import ORDERS
from app.model.errors import ConfigFaults, Fault
from app.model.loading import Loaded, survey_station
from app.model.secrets import references
from app.model.station import Device, Station
from app.model.text import Text, text_of
from app.northbound.centre import Centre
from app.northbound.loading import load_northbound
from drivers import registry
from drivers.absent import AbsentDriver
from drivers.contract import Complaint

log = logging.getLogger("gridroom.configuration")


@dataclass(frozen=True)
class Configuration:
    """A station that passed every check."""

    station: Station
    expressions: Mapping[int, Expression]
    absent: tuple[Fault, ...] = ()
    """Devices whose driver or certificate is not there: they stay lost, and the others run.
    `check` tells them as faults."""
    centres: tuple[Centre, ...] = ()
    """Whom the station is offered to."""
    strategies: tuple[Bound, ...] = ()
    """What decides over its devices."""

    def secret_uses(self) -> dict[str, list[str]]:
        """Who asks for a secret, by its reference: devices, dispatch centres, `records`."""
        asking = [(device.id, device.connection) for device in self.station.devices]
        asking += [(centre.id, {"password": centre.tls.password}) for centre in self.centres if centre.tls is not None]
        asking.append(("records", {"password": self.station.records.password}))
        uses: dict[str, list[str]] = {}
        for who, form in asking:
            for reference in references(form):
                uses.setdefault(reference, []).append(who)
        return uses


def configure(directory: Path, overlay: Path | None = None, text: str | None = None) -> Configuration:
    """Load and judge everything; `text` in place of what stands in `station.yaml`.

    Raises ConfigFaults with all faults of files, connections, addresses, expressions.
    """
    loaded, faults = survey_station(directory, overlay, text)
    if loaded is None:
        raise ConfigFaults(faults)
    expressions, found = parse_all(loaded)
    driver_faults, absent = _driver_faults(loaded)
    faults += found + driver_faults
    if loaded.station.history.url is not None:
        what = Text(
            "history.url: this version keeps history in the data folder only",
            "history.url：本版本的历史只存于数据文件夹",
        )
        faults.append(loaded.station_fault(("history", "url"), what, Text("remove the line", "请删除该行")))
    centres, northbound_faults, config_hash = load_northbound(loaded.station)
    faults += northbound_faults
    orders = {f"{ORDERS}{one.id}.{command.ioa}" for one in centres for command in one.commands if command.point is None}
    strategies, strategy_faults, config_hash = load_strategies(
        replace(loaded.station, config_hash=config_hash), orders=orders
    )
    faults += strategy_faults
    lower = Text("lower it, or correct the transformers' ratings", "请降低，或改正变压器容量")
    faults += [
        loaded.station_fault(("station", "limits", key), what, lower) for key, what in site_faults(loaded.station)
    ]
    faults += [loaded.fault(device, "", "control", what, mend) for device, what, mend in device_faults(loaded.station)]
    if faults:
        raise ConfigFaults([*faults, *absent])
    for remark in registry.remarks():
        log.warning(remark)
    station = replace(loaded.station, config_hash=config_hash)
    return Configuration(station, expressions, tuple(absent), centres, strategies)


def _driver_faults(loaded: Loaded) -> tuple[list[Fault], list[Fault]]:
    """What the drivers find wrong with devices and lines; and the devices whose driver cannot be used at all."""
    faults: list[Fault] = []
    absent: list[Fault] = []
    lines: dict[tuple[str, str], list[Device]] = {}
    faulty: set[tuple[str, str]] = set()
    """(device, key of its connection): what other devices of the line have there is no second fault."""
    for device in loaded.station.devices:
        if device.driver is None:
            continue
        try:
            driver = registry.driver(device.driver)
        except KeyError:
            known = ", ".join(registry.names())
            what = Text(f"unknown driver '{device.driver}'", f"未知驱动“{device.driver}”")
            faults.append(loaded.fault(device.id, "", "driver", what, Text(f"write one of: {known}", f"可写：{known}")))
            continue
        try:
            complaints = driver.check(device)
            faulty |= {(one.device, one.key) for one in complaints if not one.point}
            with suppress(Exception) if complaints else nullcontext():
                lines.setdefault((device.driver, driver.line(device)), []).append(device)
        except Exception as error:  # a fault of the driver, and not of the files
            absent.append(_failed(loaded, device, error))
            continue
        for one in complaints:
            (absent if one.of_machine or isinstance(driver, AbsentDriver) else faults).append(_complained(loaded, one))
    for (name, _), devices in lines.items():
        try:
            shared = registry.driver(name).check_line(devices)
        except Exception as error:
            if faulty & {(device.id, key) for device in devices for key in device.connection}:
                continue  # told already
            absent += [_failed(loaded, device, error) for device in devices]
        else:
            shared = [one for one in shared if not any((device.id, one.key) in faulty for device in devices)]
            faults += [_complained(loaded, one) for one in shared]
    return faults, absent


def _complained(loaded: Loaded, one: Complaint) -> Fault:
    return loaded.fault(one.device, one.point, one.key, text_of(one.what), text_of(one.mend))


def _failed(loaded: Loaded, device: Device, error: Exception) -> Fault:
    what = Text(
        f"driver '{device.driver}' failed while it judged the device: {type(error).__name__}: {error}",
        f"驱动“{device.driver}”判断设备时出错：{type(error).__name__}：{error}",
    )
    return loaded.fault(device.id, "", "driver", what, Text("tell who wrote the driver", "请告知驱动的作者"))
