"""Which driver serves which word in `connection: {driver: ...}`. One table, nothing by import side effect."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Final, cast

from drivers.contract import Driver

_FACTORIES: Final[dict[str, str]] = {
    "modbus-tcp": "drivers.modbus:tcp",
    "modbus-rtu": "drivers.modbus:rtu",
    "modbus-rtu-tcp": "drivers.modbus:rtu_tcp",
    "http": "drivers.http:http",
    "bacnet": "drivers.bacnet:bacnet",
}
"""Word -> `module:factory`. Imported when first asked for, so that a station loads only the protocols it speaks."""


def names() -> tuple[str, ...]:
    """Every driver word that a station file may use."""
    return tuple(_FACTORIES)


@cache
def driver(name: str) -> Driver:
    """The driver of a word. Raises KeyError for an unknown one."""
    module, _, factory = _FACTORIES[name].partition(":")
    return cast(Driver, getattr(importlib.import_module(module), factory)())
