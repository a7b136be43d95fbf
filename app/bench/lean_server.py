"""Modbus TCP servers so lean that they do not stand in the way of what is measured against them.

    python -m app.bench.lean_server --ports 100 --registers 2000

Prints its ports on 127.0.0.1 as one line of JSON, then serves until it is terminated (with `--with-parent`, until its
standard input closes). Holding and input registers are the same memory: `--registers` of them are f32 values, big word
order, that change every second; 128 more behind them stay as they are written. Coils and discrete inputs likewise are
the same bits. Every unit is answered. Not a model of a device: it checks only what keeps it alive.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import struct
import sys
import threading
from typing import Final

import numpy as np
from numpy.typing import NDArray

_STATIC_REGISTERS: Final = 128
_BITS: Final = 2000
_HEAD: Final = struct.Struct(">HHHBBHH")
_REPLY: Final = struct.Struct(">HHHBBB")


class Memory:
    """What one port serves."""

    def __init__(self, registers: int) -> None:
        self.registers = bytearray(2 * (registers + _STATIC_REGISTERS))
        self.bits = np.zeros(_BITS, dtype=np.uint8)

    def show(self, values: NDArray[np.float64]) -> None:
        """Make `values` float64[registers // 2] the present content of the changing registers."""
        data = values.astype(">f4").tobytes()
        self.registers[: len(data)] = data


class LeanProtocol(asyncio.Protocol):
    """One connection. Answers requests in order, also several in one segment."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._waiting = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (for mypy: asyncio promises it)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._waiting + data
        answers = []
        while len(data) >= _HEAD.size:
            size = 6 + data[4] * 256 + data[5]
            if len(data) < size:
                break
            answers.append(self._answer(data[:size]))
            data = data[size:]
        self._waiting = data
        if answers and self._transport:
            self._transport.write(b"".join(answers))

    def _answer(self, request: bytes) -> bytes:
        transaction, _, _, unit, function, address, count = _HEAD.unpack_from(request)
        memory = self._memory
        if function in (3, 4):
            if 2 * (address + count) <= len(memory.registers) and 1 <= count <= 125:
                head = _REPLY.pack(transaction, 0, 3 + 2 * count, unit, function, 2 * count)
                return head + memory.registers[2 * address : 2 * (address + count)]
        elif function in (1, 2):
            if address + count <= len(memory.bits) and 1 <= count <= 2000:
                data = np.packbits(memory.bits[address : address + count], bitorder="little").tobytes()
                return _REPLY.pack(transaction, 0, 3 + len(data), unit, function, len(data)) + data
        elif function == 5 and address < len(memory.bits):
            memory.bits[address] = count == 0xFF00
            return request
        elif function == 6 and 2 * address < len(memory.registers):
            memory.registers[2 * address : 2 * address + 2] = request[10:12]
            return request
        elif function == 16 and 2 * (address + count) <= len(memory.registers):
            memory.registers[2 * address : 2 * (address + count)] = request[13 : 13 + 2 * count]
            return request[:4] + b"\0\6" + request[6:12]
        code = 2 if function in (1, 2, 3, 4, 5, 6, 16) else 1
        return request[:4] + bytes((0, 3, unit, function | 0x80, code))


async def serve(ports: int, registers: int, stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    loop = asyncio.get_running_loop()
    memories = [Memory(registers) for _ in range(ports)]
    servers = [
        await loop.create_server(lambda memory=memory: LeanProtocol(memory), "127.0.0.1", 0)  # type: ignore[misc]
        for memory in memories
    ]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    base = np.linspace(0, 2 * math.pi, registers // 2)
    second = 0
    while not stop.is_set():
        shape = 1000 + 500 * np.sin(base + second / 60)
        for i, memory in enumerate(memories):
            memory.show(shape + i)
        second += 1
        try:
            await asyncio.wait_for(stop.wait(), 1)
        except TimeoutError:
            continue
    for server in servers:
        server.close()


async def _main(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    if arguments.with_parent:
        loop = asyncio.get_running_loop()

        def watch() -> None:
            sys.stdin.buffer.read()
            loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=watch, daemon=True, name="with-parent").start()
    await serve(arguments.ports, arguments.registers, stop)


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m app.bench.lean_server", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--ports", type=int, default=1, help="how many servers")
    parser.add_argument("--registers", type=int, default=2000, help="changing registers of each, an even number")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
