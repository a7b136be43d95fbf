"""Devices and points for tests of the MQTT driver, without a station around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.model.station import Device
from tests.support.devices import device as any_device
from tests.support.devices import point

__all__ = ["HOST", "device", "json_point", "point"]

HOST = {"host": "broker.local"}


def device(
    id_: str, connection: Mapping[str, Any], points: Sequence[Mapping[str, Any]] = (), *, first_index: int = 0
) -> Device:
    return any_device(id_, connection, points, driver="mqtt", first_index=first_index)


def json_point(id_: str, path: str = "$", topic: str = "m1/state", **address: Any) -> dict[str, Any]:
    return point(id_, {"topic": topic, "path": path, **address})
