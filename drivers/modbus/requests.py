"""What is asked of a unit, as PDUs ready to send; encoded once and sent again and again. PDUs are pymodbus'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from drivers.modbus.address import Address, Table

_READS: Final[dict[Table, type[ModbusPDU]]] = {
    Table.COIL: ReadCoilsRequest,
    Table.DISCRETE: ReadDiscreteInputsRequest,
    Table.HOLDING: ReadHoldingRegistersRequest,
    Table.INPUT: ReadInputRegistersRequest,
}
READ_FUNCTIONS: Final = tuple(pdu.function_code for pdu in _READS.values())


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom to ask, and how patiently."""

    device: str
    unit: int
    timeout_s: float = 1.0
    gap_s: float = 0.0
    """Silence to keep before each request."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request and what its answer must look like."""

    peer: Peer
    pdu: bytes
    size: int
    """Bytes of the answer's PDU, unless it is an exception."""
    echo: bytes = b""
    """What the answer must begin with; empty where the function says enough."""
    shorter: tuple[Table, int, int] | None = None
    """Table, start and count of the same read, less its last register: an answer of another length."""

    @property
    def function(self) -> int:
        return self.pdu[0]

    @property
    def register(self) -> int:
        """The first one asked for, counted from 0."""
        return int.from_bytes(self.pdu[1:3], "big")

    @property
    def writes(self) -> bool:
        return self.pdu[0] not in READ_FUNCTIONS


def read(peer: Peer, table: Table, start: int, count: int) -> Request:
    """Functions 1 to 4."""
    shorter = count - 8 if table.of_bits else count - 1
    return Request(
        peer,
        _encode(_READS[table](address=start, count=count)),
        2 + ((count + 7) // 8 if table.of_bits else 2 * count),
        shorter=(table, start, shorter) if shorter > 0 else None,
    )


def write(peer: Peer, address: Address, content: Sequence[int]) -> Request:
    """Functions 5, 6, 15 and 16: `content` as `codec.encode` made it."""
    several = address.write == "multiple"
    if address.table is Table.COIL:
        coils = WriteMultipleCoilsRequest if several else WriteSingleCoilRequest
        pdu = _encode(coils(address=address.register, bits=[bool(content[0])]))
    else:
        registers = WriteMultipleRegistersRequest if several else WriteSingleRegisterRequest
        pdu = _encode(registers(address=address.register, registers=list(content)))
    # A single write is answered with the value that was taken, which may be another; address and function must agree.
    return Request(peer, pdu, 5, echo=pdu[:5] if several else pdu[:3])


def _encode(request: ModbusPDU) -> bytes:
    return request.function_code.to_bytes(1, "big") + request.encode()
