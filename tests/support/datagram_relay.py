"""A relay of datagrams before a device: it keeps them to itself when told so, and counts those that write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

_CONFIRMED_REQUEST, _WRITE_PROPERTY = 0, 15
"""PDU type and service choice (ASHRAE 135, 20.1.2.1 and 21)."""
_BVLC_AND_PLAIN_NPCI: Final = 6


def is_bacnet_write(datagram: bytes) -> bool:
    """A WriteProperty to a device that is behind no router."""
    apdu = datagram[_BVLC_AND_PLAIN_NPCI:]
    return len(apdu) > 3 and apdu[0] >> 4 == _CONFIRMED_REQUEST and apdu[3] == _WRITE_PROPERTY


class Relay:
    """One port of loopback that leads to `target`, for one client at a time."""

    def __init__(self, target: int, is_write: Callable[[bytes], bool]) -> None:
        self.silent = False
        self.writes = 0
        self._target = target
        self._is_write = is_write
        self._client: Any = None

    async def open(self) -> int:
        """Returns the port."""
        loop = asyncio.get_running_loop()
        self._front, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self._from_client), local_addr=("127.0.0.1", 0)
        )
        self._back, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self._from_device), remote_addr=("127.0.0.1", self._target)
        )
        return int(self._front.get_extra_info("sockname")[1])

    def close(self) -> None:
        self._front.close()
        self._back.close()

    def _from_client(self, datagram: bytes, address: Any) -> None:
        self._client = address
        if not self.silent:
            self.writes += self._is_write(datagram)
            self._back.sendto(datagram)

    def _from_device(self, datagram: bytes, address: Any) -> None:
        if not self.silent and self._client is not None:
            self._front.sendto(datagram, self._client)


class _Side(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, Any], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._take(data, addr)
