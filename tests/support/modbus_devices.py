"""Points for tests of drivers, without a station around them; and devices, as the conformance suite makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers.conformance import device

__all__ = ["device", "point"]


def point(id_: str, address: Mapping[str, Any], **form: Any) -> dict[str, Any]:
    """A point's form; a measurement unless it says otherwise."""
    return {"id": id_, "name": id_, "kind": "measurement", "address": dict(address), **form}
