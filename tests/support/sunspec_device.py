"""SunSpec devices for tests: register maps, and pymodbus' own server that serves them."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from app.simulation.sunspec_map import empty
from drivers.sunspec.models import Field, models

MARK = [0x5375, 0x6E53]
END = [0xFFFF, 0]

INVERTER_103 = [
    103, 50,
    412, 137, 138, 137, 0xFFFF, 4000, 4010, 3990, 2301, 2302, 2303, 0xFFFF,  # A AphA-C A_SF (none) PPV PhV V_SF (none)
    15234, 0, 5001, 0xFFFE, 15300, 0, 0xFC18, 0, 9950, 0xFFFE,  # W Hz VA VAr (-1000) PF, each with its scale
    0x0012, 0xD687, 0, 0xFFFF, 0x8000, 7305, 0xFFFF, 15800, 0,  # WH, DCA not implemented, DCV, DCW
    0xFF9C, 350, 0x8000, 0x8000, 0xFFFF, 4, 0xFFFF,  # temperatures -10.0, 35.0, none, none; St, StVnd
    0, 0b10, *[0xFFFF] * 10,  # Evt1: DC_OVER_VOLT; the rest is not implemented
]  # fmt: skip
"""A three-phase inverter, register by register after the definition of model 103, without help of our own tables."""
INVERTER_103[6] = 0xFFFF  # A_SF -1
INVERTER_103[13] = 0xFFFF  # V_SF -1

_PACKED = {"int16": ">h", "sunssf": ">h", "int32": ">i", "float32": ">f", "uint64": ">Q", "acc64": ">Q"}


def model(number: int, groups: Sequence[Mapping[str, Any]] = (), **values: Any) -> list[int]:
    """The registers of a model; what is not given is not implemented. A dot in a name is written as two underscores."""
    known = models()[number]
    words = empty(number, len(groups))
    for field in known.fields.values():
        _put(words, field.at, field, values.pop(field.name.replace(".", "__"), None))
    for i, group in enumerate(groups):
        for field in known.repeated.values():
            _put(words, known.size + i * known.repeat_size + field.at, field, group.get(field.name))
    assert not values, f"model {number} has no {' '.join(values)}"
    return words


def _put(words: list[int], at: int, field: Field, value: Any) -> None:
    if value is None:
        return
    if field.kind == "string":
        data = str(value).encode().ljust(2 * field.size, b"\0")
        content = list(struct.unpack(f">{field.size}H", data))
    else:
        form = _PACKED.get(field.kind, ">H" if field.size == 1 else ">I")
        data = struct.pack(form, value)
        content = list(struct.unpack(f">{len(data) // 2}H", data))
    words[at : at + field.size] = content


def chain(*parts: Sequence[int], end: bool = True) -> list[int]:
    return [*MARK, *(word for part in parts for word in part), *(END if end else [])]


@dataclass
class Served:
    """A running device, and a client of pymodbus' own that changes its registers."""

    port: int
    client: AsyncModbusTcpClient
    server: ModbusTcpServer
    running: bool = True

    async def stop(self) -> None:
        """Take the device away. May be called twice."""
        self.client.close()
        if self.running:
            self.running = False
            await self.server.shutdown()

    async def put(self, register: int, *words: int) -> None:
        answer = await self.client.write_registers(register, list(words), device_id=1)
        assert not answer.isError(), answer

    async def get(self, register: int, count: int = 1) -> list[int]:
        answer = await self.client.read_holding_registers(register, count=count, device_id=1)
        assert not answer.isError(), answer
        return list(answer.registers)


@asynccontextmanager
async def serve(
    *units: Sequence[int], base: int = 40000, port: int = 0, framer: FramerType = FramerType.SOCKET
) -> AsyncIterator[Served]:
    """pymodbus' server: units 1 and on with these registers from `base` on; anything else is an illegal address."""
    devices = [
        SimDevice(number, [SimData(base, values=list(words), datatype=DataType.REGISTERS)])
        for number, words in enumerate(units, 1)
    ]
    server = ModbusTcpServer(devices, framer=framer, address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    port = server.transport.sockets[0].getsockname()[1]
    served = Served(port, AsyncModbusTcpClient("127.0.0.1", port=port, framer=framer, timeout=3, retries=0), server)
    try:
        await served.client.connect()
        yield served
    finally:
        await served.stop()
