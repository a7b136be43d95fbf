"""A simulator: the park, its panel of registers, its servers, and the clock that moves them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import yaml
from yarl import URL

from app.model.errors import GridroomError, StorageError, mend_of, wrong_input
from app.model.station import Device, Point, Station
from app.simulation.dynamics import Verb
from app.simulation.faults import Fault, FaultKind
from app.simulation.framing import Dlt645Framing, Framing, RtuFraming, TcpFraming
from app.simulation.meter import Meter
from app.simulation.panel import Panel
from app.simulation.park import Park
from app.simulation.placing import DLT645, HTTP, is_served, placed
from app.simulation.registers import DeviceRegisters
from app.simulation.server import HOST, Answering, Line, LineUnit, Port, Unit
from app.simulation.site import Page, Site
from app.simulation.slave import Slave
from drivers.dlt645.address import Address as MeterAddress
from drivers.dlt645.connection import SERIAL_KEYS, digits
from drivers.http.address import Address as HttpAddress
from drivers.modbus.address import Address

A = TypeVar("A")
_SPOKEN: Final = "what is served: Modbus, SunSpec, DL/T 645, and HTTP that is polled"
_log: Final = logging.getLogger("gridroom.simulation")
TICK_S: Final = 0.1
LONGEST_GAP_S: Final = 3600.0
"""A machine that slept does not make the park live through the night in one step."""
LAST_PORT: Final = 65535
_OVER_TCP: Final = {"modbus-rtu": "modbus-rtu-tcp", "sunspec-rtu": "sunspec-rtu-tcp"}
"""Drivers of serial lines -> those that reach the same device here."""

_OF_CONVERTERS: Final = {FaultKind.DEAF: Verb.DEAF, FaultKind.BACKWARDS: Verb.BACKWARDS}


class Simulator:
    """Serves the devices of a station. An async context manager; all methods belong to its loop.

    `time_factor` 0 stands still: only `advance` moves it then.
    """

    def __init__(
        self, station: Station, *, time_factor: float = 1.0, start_s: float | None = None, seed: int = 1,
        base_port: int = 0,
    ) -> None:  # fmt: skip
        self.station = station
        self._time_factor = time_factor
        self._base_port = base_port
        self.park = Park(station, seed=seed, start_s=time.time() if start_s is None else start_s)
        found = [placed(device) for device in station.devices if is_served(device)]
        for device in station.devices:
            if device.driver is not None and not is_served(device):
                how = "webhook" if device.driver == HTTP else device.driver
                _log.warning("%s is not simulated: nothing here speaks %s; %s", device.id, how, _SPOKEN)
        maps = {each.device.id: each.map for each in found if each.map is not None}
        self.panel = Panel(self.park, [each.device for each in found], seed, maps)
        self._placed = {each.device.id: each for each in found}
        self._units: dict[str, Unit] = {}
        self._port_of: dict[str, Port] = {}
        self._ports: list[Port] = []
        for group in _lines([each.original for each in found]):
            self._add_port(group, seed + len(self._ports))
        self._ends: dict[tuple[str, FaultKind], asyncio.TimerHandle] = {}
        self.living: asyncio.Task[None] | None = None
        """What moves the park while it is started; it ends by an error only."""

    def _add_port(self, devices: list[Device], seed: int) -> None:
        port: Port
        units: Sequence[Unit]
        if devices[0].driver == HTTP:
            units = pages = [Page(device, *self._values(device, HttpAddress.of)) for device in devices]
            port = Site(pages, seed)
        else:
            units = on_line = [LineUnit(device.id, _number(device), self._answering(device)) for device in devices]
            port = Line(_framing(devices[0].driver), on_line, seed)
        self._ports.append(port)
        self._units |= {unit.device: unit for unit in units}
        self._port_of |= {unit.device: port for unit in units}

    def _answering(self, device: Device) -> Answering:
        if device.driver == DLT645:
            return Meter(digits(device.connection["address"]), *self._values(device, MeterAddress.of))
        return Slave(self.panel.image.devices[device.id], self.panel.written)

    def _values(
        self, device: Device, parse: Callable[[Mapping[str, Any]], A]
    ) -> tuple[DeviceRegisters, list[tuple[Point, A, Address]]]:
        """The registers of a device, and of each of its points the address outside and that within."""
        registers = self.panel.image.devices[device.id]
        outside = {
            point.name: parse(point.form.address)
            for point in (*device.points, *device.texts)
            if point.form.address is not None
        }
        return registers, [(point, outside[point.name], place) for point, place in registers.places]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open every port and begin to live. Raises GridroomError where a port is taken or none is left."""
        highest = LAST_PORT + 1 - len(self._ports)
        if self._base_port > highest:
            what = f"--base-port {self._base_port} leaves too few ports: {len(self._ports)} are needed"
            raise wrong_input(what, f"give one up to {highest}, or none to take free ports")
        for number, line in enumerate(self._ports):
            port = self._base_port + number if self._base_port else 0
            try:
                await line.listen(port)
            except OSError as error:
                await self.stop()
                raise GridroomError(
                    f"port {port} on {HOST} cannot be opened ({error.strerror}); "
                    "give another --base-port, or none to take free ports"
                ) from error
        if self._time_factor > 0.0:
            self.living = asyncio.create_task(self._live(), name="simulator")

    async def stop(self) -> None:
        """Close every port. May be called twice."""
        if self.living is not None:
            self.living.cancel()
            await asyncio.gather(self.living, return_exceptions=True)
            self.living = None
        for handle in self._ends.values():
            handle.cancel()
        self._ends.clear()
        for line in self._ports:
            await line.close()

    async def _live(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            self.advance(min(now - last, LONGEST_GAP_S) * self._time_factor)
            last = now

    def advance(self, seconds: float) -> None:
        """Let so much of the park's time pass, and show it in the registers."""
        self.park.advance(seconds)
        self.panel.show()

    # --- where it is ----------------------------------------------------------------------------------------------

    def connections(self) -> dict[str, dict[str, str | int | None]]:
        """Device id -> the connection keys to use instead of the station's own; None for those to leave out."""
        return {id_: _here(each.original, self._port_of[id_].port) for id_, each in self._placed.items()}

    def overlay(self) -> str:
        """The overlay file that maps the station's devices here, as YAML."""
        devices = {device: {"connection": connection} for device, connection in self.connections().items()}
        return yaml.safe_dump({"devices": devices}, sort_keys=False, default_flow_style=None)

    def write_overlay(self, path: Path) -> Path:
        """Write the overlay file; a reader never sees half of it. Raises StorageError."""
        part = path.with_name(path.name + ".part")
        try:
            part.write_text(self.overlay(), encoding="utf-8")
            part.replace(path)
        except OSError as error:
            why = error.strerror or str(error)
            raise StorageError(
                f"overlay {path} cannot be written ({why}); {mend_of(error).en}, or name another file with -o"
            ) from error
        finally:
            part.unlink(missing_ok=True)
        return path

    # --- what goes wrong ------------------------------------------------------------------------------------------

    @property
    def devices(self) -> tuple[str, ...]:
        """Ids of the devices that are served."""
        return tuple(self.panel.image.devices)

    @property
    def faults(self) -> Mapping[str, tuple[Fault, ...]]:
        """The faults there are, by device."""
        return {unit.device: tuple(unit.faults.values()) for unit in self._units.values() if unit.faults}

    def inject(self, device: str, fault: Fault) -> None:
        """Begin a fault; one of the same kind is replaced. Raises ValueError for a device that is not served."""
        unit = self._unit(device)
        self._end(unit, fault.kind)
        unit.faults[fault.kind] = fault
        self.panel.set_fault(device, fault.kind, fault.amount, on=True)
        if fault.kind is FaultKind.TRIP:
            self.park.command(device, Verb.TRIP)
        elif fault.kind in _OF_CONVERTERS:
            self.park.command(device, _OF_CONVERTERS[fault.kind], 1.0)
        if self._port_of[device].off:
            self._port_of[device].cut_connections()
        if fault.duration_s is not None:
            later = asyncio.get_running_loop().call_later(fault.duration_s, self._end, unit, fault.kind)
            self._ends[device, fault.kind] = later

    def clear(self, device: str = "") -> None:
        """End every fault of a device, or of all. Raises ValueError for a device that is not served."""
        for unit in [self._unit(device)] if device else list(self._units.values()):
            for kind in tuple(unit.faults):
                self._end(unit, kind)

    def _end(self, unit: Unit, kind: FaultKind) -> None:
        timer = self._ends.pop((unit.device, kind), None)
        if timer is not None:
            timer.cancel()
        if unit.faults.pop(kind, None) is None:
            return
        self.panel.set_fault(unit.device, kind, 0.0, on=False)
        if kind is FaultKind.TRIP:
            self.park.command(unit.device, Verb.RESET)
            self.park.command(unit.device, Verb.START)
        elif kind in _OF_CONVERTERS:
            self.park.command(unit.device, _OF_CONVERTERS[kind], 0.0)

    def _unit(self, device: str) -> Unit:
        if device not in self._units:
            raise ValueError(f"no device '{device}' is served here; there are: {' '.join(self._units)}")
        return self._units[device]


def _here(device: Device, port: int) -> dict[str, str | int | None]:
    """The connection keys with which a device is reached on loopback."""
    if device.driver == HTTP:
        url = URL(str(device.connection["url"])).with_scheme("http").with_host(HOST).with_port(port)
        return {"url": str(url)} | {key: None for key in ("ca", "fingerprint") if key in device.connection}
    found: dict[str, str | int | None] = {"host": HOST, "port": port}
    if device.driver in _OVER_TCP:
        found["driver"] = _OVER_TCP[device.driver]
    if device.driver == DLT645:
        found |= {key: None for key in SERIAL_KEYS if key in device.connection}
    return found


def _framing(driver: str | None) -> Framing:
    if driver == DLT645:
        return Dlt645Framing()
    return TcpFraming() if driver in ("modbus-tcp", "sunspec-tcp") else RtuFraming()


def _number(device: Device) -> int:
    """The device's number on its line."""
    if device.driver == DLT645:
        return int(digits(device.connection["address"]))
    return int(device.connection.get("unit", 1))


def _lines(devices: list[Device]) -> list[list[Device]]:
    """Devices that share a line in the station share one here: same driver and place, and units that differ."""
    groups: dict[tuple[str, ...], list[Device]] = {}
    for device in devices:
        at = device.connection
        place = str(at.get("device", "")) or f"{at.get('host', '')}:{at.get('port', 502)}"
        if device.driver == HTTP:
            place = str(URL(str(at["url"])).origin())
        key: tuple[str, ...] = (device.driver or "", place)
        while device.driver != HTTP and any(_number(other) == _number(device) for other in groups.get(key, ())):
            key = (*key, device.id)
        groups.setdefault(key, []).append(device)
    return list(groups.values())
