"""TCP relays that make the device behind them dead, slow or garbling.

    python -m app.bench.relay 502 2404

Prints the ports on 127.0.0.1 that lead to those given, as one line of JSON, and then takes orders on standard input:
`[0, "dead"]` makes the first of them dead, `[0, "well"]` well again. Ends with its standard input.

`dead` takes and swallows everything, also new connections, as a hung device does; `slow` gives nothing of what the
device says before its time; `garbling` has wrong bytes in everything that the device says.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
from typing import Final

SLOW_S: Final = 0.7
"""A piece of an answer takes so long: less than what the station waits for an answer, more than it ever takes."""
GARBLED_EVERY: Final = 20
"""One byte in so many, at least one a piece."""


class Relay:
    """What stands before one port."""

    def __init__(self, port: int) -> None:
        self.how = "well"
        self._port = port
        self._random = random.Random(port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self._port)
        ways = (self._pass(reader, back_writer, device=False), self._pass(back_reader, writer, device=True))
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            back_writer.close()
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, device: bool) -> None:
        """One way of a connection; `device` is the one from the device."""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if self.how == "dead":
                    continue
                if device and self.how == "slow":
                    await asyncio.sleep(SLOW_S)
                elif device and self.how == "garbling":
                    data = self._garbled(data)
                writer.write(data)
                await writer.drain()

    def _garbled(self, data: bytes) -> bytes:
        wrong = bytearray(data)
        for _ in range(len(data) // GARBLED_EVERY + 1):
            wrong[self._random.randrange(len(data))] = self._random.randrange(256)
        return bytes(wrong)


async def serve(ports: list[int]) -> None:
    """Relay until standard input closes."""
    relays = [Relay(port) for port in ports]
    servers = [await asyncio.start_server(relay.serve, "127.0.0.1", 0) for relay in relays]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        place, how = json.loads(line)
        relays[place].how = how


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m app.bench.relay")
    parser.add_argument("ports", type=int, nargs="+")
    asyncio.run(serve(parser.parse_args().ports))


if __name__ == "__main__":
    main()
