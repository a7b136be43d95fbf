"""A transport that takes what is written, and goes nowhere; a test plays the peer by `data_received`."""

from __future__ import annotations

import asyncio


class Nowhere(asyncio.Transport):
    def write(self, data: object) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass
