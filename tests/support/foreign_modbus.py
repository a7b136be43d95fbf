"""A Modbus TCP device by pymodbus, in a process of its own: `python -m tests.support.foreign_modbus` prints its port.

Input registers 52 and 53 hold 1,234,567.0 as f32, discrete input 0 is set. It ends when its standard input closes.
"""

from __future__ import annotations

import asyncio
import struct
import sys

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

POWER_W = 1_234_567.0


async def main() -> None:
    words = [0] * 200
    words[52:54] = struct.unpack(">HH", struct.pack(">f", POWER_W))
    registers = [SimData(0, values=words, datatype=DataType.REGISTERS)]
    bits = [SimData(0, values=[True] * 16, datatype=DataType.BITS)]
    server = ModbusTcpServer(SimDevice(1, (bits, bits, registers, registers)), address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    sys.stdout.write(f"{server.transport.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
