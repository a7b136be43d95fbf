"""One connection that bytes come through, TCP or serial, and where it begins. What they mean is the protocol's.

This is pymodbus' transport, which knows nothing of Modbus: it has the one serial port for asyncio that also works on
Windows, where the loop cannot wait for files.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import dataclass
from typing import Final, cast

from pymodbus.transport import CommParams, ModbusProtocol
from pymodbus.transport.transport import CommType

from app.model.errors import TransportError
from app.model.text import Text
from drivers.causes import cause

try:
    from termios import error as _PortError
except ImportError:  # Windows
    _PortError = OSError  # type: ignore[misc,assignment]

LONGEST_RUBBISH: Final = 4096
"""Bytes without a frame in them that are kept."""
CLOSED_HERE: Final = Text("the connection was closed here", "连接已由本程序关闭")
_BITS_A_CHARACTER: Final = 11


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a line begins."""

    name: str
    """As messages say it: `10.0.0.5:502`, `/dev/ttyUSB0`."""
    params: CommParams

    @property
    def serial(self) -> bool:
        return self.params.baudrate > 0

    @property
    def character_s(self) -> float:
        """Time of a character on the line; 0 where it does not matter."""
        return _BITS_A_CHARACTER / self.params.baudrate if self.serial else 0.0


def tcp_params(name: str, host: str, port: int) -> CommParams:
    return CommParams(comm_type=CommType.TCP, comm_name=name, host=host, port=port)


def serial_params(device: str, baudrate: int, parity: str, stopbits: int) -> CommParams:
    """A serial port with characters of 8 data bits."""
    return CommParams(
        comm_type=CommType.SERIAL,
        comm_name=device,
        host=device,
        baudrate=baudrate,
        bytesize=8,
        parity=parity.upper(),
        stopbits=stopbits,
    )


class Channel(ModbusProtocol):
    """A connection, from `open` until `is_open` is false; then a new one is made."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint.params, is_server=False)
        self.max_buffer_size = LONGEST_RUBBISH
        self._name = endpoint.name
        self._serial = endpoint.serial

    @property
    def is_open(self) -> bool:
        return self.is_active() and not self.transport.is_closing()

    async def open(self, timeout_s: float) -> None:
        """Raises TransportError."""
        try:
            async with asyncio.timeout(timeout_s):
                self.transport, _ = await self.call_create()
                await asyncio.sleep(0)  # pymodbus' serial transport is only ready in the loop's next round
        except (OSError, TimeoutError, ValueError, _PortError) as error:
            why = cause(error, timeout_s)
            text = Text(f"{self._name} cannot be opened: {why.en}", f"{self._name} 无法打开：{why.zh}")
            raise TransportError(text) from None

    def shut(self, why: Text = CLOSED_HERE) -> None:
        """Close at once. A request that waits for its answer fails."""
        active, transport = self.is_active(), self.transport
        self.close()
        if active:
            cast(asyncio.WriteTransport, transport).abort()
        self._fail(TransportError(Text(f"{self._name}: {why.en}", f"{self._name}：{why.zh}")))

    def _write(self, frame: bytes) -> None:
        cast(asyncio.WriteTransport, self.transport).write(frame)

    @abstractmethod
    def _fail(self, error: Exception) -> None:
        """The request at hand, if there is one, will not be answered."""

    # ------------------------------------------------------------------------------ what pymodbus' transport calls

    @abstractmethod
    def callback_data(self, data: bytes, addr: object = None) -> int:
        """Everything that came and is not done with yet; returns how many bytes are done with."""

    def callback_new_connection(self) -> ModbusProtocol:
        raise NotImplementedError("a client is never connected to")

    def callback_connected(self) -> None:
        pass

    def callback_disconnected(self, exc: Exception | None) -> None:
        name = self._name
        if exc is None or isinstance(exc, ConnectionError):
            text = Text(
                f"{name}: the connection was closed by the other side; check that the device runs",
                f"{name}：连接被对方关闭；请检查设备是否运行正常",
            )
        else:
            text = Text(
                f"{name}: the connection broke: {exc}; check the cable",
                f"{name}：连接已断开：{exc}；请检查线缆",
            )
        self._fail(TransportError(text))
