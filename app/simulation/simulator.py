"""A simulator: the park, its panel of registers, its servers, and the clock that moves them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import yaml

from app.model.errors import GridroomError, StorageError, mend_of, wrong_input
from app.model.station import Device, Station
from app.simulation.dynamics import Verb
from app.simulation.faults import Fault, FaultKind
from app.simulation.framing import RtuFraming, TcpFraming
from app.simulation.panel import Panel
from app.simulation.park import Park
from app.simulation.server import HOST, Line, Unit
from app.simulation.slave import Slave

_log: Final = logging.getLogger("gridroom.simulation")
TICK_S: Final = 0.1
LONGEST_GAP_S: Final = 3600.0
"""A machine that slept does not make the park live through the night in one step."""
LAST_PORT: Final = 65535
_RTU_TCP: Final = "modbus-rtu-tcp"
_DRIVERS: Final = ("modbus-tcp", "modbus-rtu", _RTU_TCP)


class Simulator:
    """Serves the Modbus devices of a station. An async context manager; all methods belong to its loop.

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
        devices = [device for device in station.devices if device.driver in _DRIVERS]
        for device in station.devices:
            if device.driver is not None and device.driver not in _DRIVERS:
                _log.warning(
                    "%s is not simulated: its driver is %s, and only Modbus is served", device.id, device.driver
                )
        self.panel = Panel(self.park, devices, seed)
        self._units: dict[str, Unit] = {}
        self._line_of: dict[str, Line] = {}
        self._lines: list[Line] = []
        self._serial: set[str] = set()
        for group in _lines(devices):
            self._add_line(group, seed)
        self._ends: dict[tuple[str, FaultKind], asyncio.TimerHandle] = {}
        self.living: asyncio.Task[None] | None = None
        """What moves the park while it is started; it ends by an error only."""

    def _add_line(self, devices: list[Device], seed: int) -> None:
        units = [
            Unit(device.id, int(device.connection.get("unit", 1)),
                 Slave(self.panel.image.devices[device.id], self.panel.written))
            for device in devices
        ]  # fmt: skip
        line = Line(TcpFraming() if devices[0].driver == "modbus-tcp" else RtuFraming(), units, seed + len(self._lines))
        self._lines.append(line)
        self._units |= {unit.device: unit for unit in units}
        self._line_of |= {unit.device: line for unit in units}
        self._serial |= {device.id for device in devices if device.driver == "modbus-rtu"}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open every port and begin to live. Raises GridroomError where a port is taken or none is left."""
        highest = LAST_PORT + 1 - len(self._lines)
        if self._base_port > highest:
            what = f"--base-port {self._base_port} leaves too few ports: {len(self._lines)} are needed"
            raise wrong_input(what, f"give one up to {highest}, or none to take free ports")
        for number, line in enumerate(self._lines):
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
        for line in self._lines:
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

    def connections(self) -> dict[str, dict[str, str | int]]:
        """Device id -> the connection keys to use instead of the station's own."""
        found: dict[str, dict[str, str | int]] = {}
        for device in self.panel.image.devices:
            found[device] = {"host": HOST, "port": self._line_of[device].port}
            if device in self._serial:
                found[device]["driver"] = _RTU_TCP
        return found

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
        if self._line_of[device].off:
            self._line_of[device].cut_connections()
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

    def _unit(self, device: str) -> Unit:
        if device not in self._units:
            raise ValueError(f"no device '{device}' is served here; there are: {' '.join(self._units)}")
        return self._units[device]


def _lines(devices: list[Device]) -> list[list[Device]]:
    """Devices that share a line in the station share one here: same driver and place, and units that differ."""
    groups: dict[tuple[str, ...], list[Device]] = {}
    for device in devices:
        at = device.connection
        place = str(at.get("device", "")) or f"{at.get('host', '')}:{at.get('port', 502)}"
        key: tuple[str, ...] = (device.driver or "", place)
        unit = at.get("unit", 1)
        while any(other.connection.get("unit", 1) == unit for other in groups.get(key, ())):
            key = (*key, device.id)
        groups.setdefault(key, []).append(device)
    return list(groups.values())
