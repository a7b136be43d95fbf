"""In the worker: the client side of c104, and nothing else of it. The only module of ours that imports the library.

c104 2.2.1 opens connections muted, and blocks while it waits for an answer: its calls are made on threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import c104

from drivers.iec104.typeids import COMMANDS_BY_TYPE

_SUITABLE: Final = {number: getattr(c104.Type, command.name) for number, command in COMMANDS_BY_TYPE.items()}
_QOC: Final = {0: c104.Qoc.NONE, 1: c104.Qoc.SHORT_PULSE, 2: c104.Qoc.LONG_PULSE, 3: c104.Qoc.PERSISTENT}
_FULL_SCALE: Final = 32768
"""What the library multiplies a normalised value with before it rounds it."""
_SELECTION: Final = c104.Cot.SPONTANEOUS
"""The cause by which the relay knows a selection: no command may leave with it."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of the link (IEC 60870-5-104, 9.6): windows in frames, times in seconds."""

    k: int
    w: int
    t0: int
    t1: int
    t2: int
    t3: int
    originator: int


class Client:
    """All connections of one line."""

    def __init__(self, parameters: Parameters, answer_s: float) -> None:
        self._parameters = parameters
        self._client = c104.Client(tick_rate_ms=100, command_timeout_ms=round(answer_s * 1000))
        self._client.originator_address = parameters.originator
        self._client.start()

    def add(self, port: int) -> Connection:
        """A connection to a relay's port; not opened yet."""
        connection = self._client.add_connection("127.0.0.1", port, init=c104.Init.MUTED)
        if connection is None:
            raise RuntimeError(f"the library took no connection to port {port}")
        own, ours = connection.protocol_parameters, self._parameters
        own.send_window_size, own.receive_window_size = ours.k, ours.w
        own.connection_timeout, own.message_timeout = ours.t0, ours.t1
        own.confirm_interval, own.keep_alive_interval = ours.t2, ours.t3
        return Connection(connection)

    def stop(self) -> None:
        """May block for a moment."""
        self._client.stop()


class Connection:
    """One connection of the library. Every method may block, but `is_open`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def open(self) -> None:
        """Begin to connect."""
        self._connection.connect()

    def close(self) -> None:
        self._connection.disconnect()

    def start(self) -> bool:
        """Ask for data transfer (STARTDT)."""
        return bool(self._connection.unmute())

    def interrogate(self, ca: int, qualifier: int) -> bool:
        """C_IC_NA_1: 20 the whole station, 21 to 36 a group. Whether it was sent; what comes is seen by the relay."""
        qoi = c104.Qoi.STATION if qualifier == 20 else getattr(c104.Qoi, f"GROUP_{qualifier - 20}")
        return bool(self._connection.interrogation(ca, qualifier=qoi, wait_for_response=False))

    def count(self, ca: int) -> bool:
        """C_CI_NA_1, general request, which changes no counter."""
        return bool(self._connection.counter_interrogation(ca, wait_for_response=False))

    def set_clock(self, ca: int) -> bool:
        """C_CS_NA_1; the relay writes the time."""
        return bool(self._connection.clock_sync(ca, wait_for_response=False))

    def command(self, ca: int, ioa: int, type_: int, value: float, qualifier: int, *, select: bool) -> bool:
        """Send a command, or with `select` its selection, and wait for its confirmation, at most the client's time.

        The library's own way of selecting and executing at once loses count where a station ends selections, too.
        """
        station = self._connection.get_station(ca) or self._connection.add_station(ca)
        point = station.get_point(ioa)
        if point is not None and point.type != _SUITABLE[type_]:
            station.remove_point(ioa)
            point = None
        if point is None:
            point = station.add_point(ioa, _SUITABLE[type_])
        point.info = information(type_, value, qualifier)
        return bool(point.transmit(_SELECTION if select else c104.Cot.ACTIVATION))


def information(type_: int, value: float, qualifier: int) -> Any:
    """What a command carries. `value` is raw: 0 and 1; -1 and 1 of a step; -32768 to 32767 of a normalised one."""
    match COMMANDS_BY_TYPE[type_].element:
        case "single":
            return c104.SingleCmd(value == 1, _QOC[qualifier])
        case "double":
            return c104.DoubleCmd(c104.Double.ON if value == 1 else c104.Double.OFF, _QOC[qualifier])
        case "step":
            return c104.StepCmd(c104.Step.HIGHER if value > 0 else c104.Step.LOWER, _QOC[qualifier])
        case "normalized":
            return c104.NormalizedCmd(c104.NormalizedFloat(value / _FULL_SCALE), c104.UInt7(qualifier))
        case "scaled":
            return c104.ScaledCmd(c104.Int16(int(value)), c104.UInt7(qualifier))
        case "short":
            return c104.ShortCmd(value, c104.UInt7(qualifier))
        case "bits":
            return c104.BinaryCmd(c104.Byte32(int(value).to_bytes(4, "little")))  # its whole numbers come out as 0
