"""Points for tests of drivers, without a station around them; devices, as the conformance suite makes them; patience."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from drivers.conformance import device

__all__ = ["device", "point", "until"]


def point(id_: str, address: Mapping[str, Any], **form: Any) -> dict[str, Any]:
    """A point's form; a measurement unless it says otherwise."""
    return {"id": id_, "name": id_, "kind": "measurement", "address": dict(address), **form}


async def until(condition: Callable[[], object], what: str, *, timeout_s: float = 5.0) -> None:
    """Poll until it holds; fail with `what` otherwise."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s:g} s"
        await asyncio.sleep(0.005)
