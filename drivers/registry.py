"""Which driver serves which word in `connection: {driver: ...}`. One table of ours, and the plugins that are installed.

Nothing is registered by import side effect; a driver is imported when a station first asks for it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint
from typing import Final, cast

from drivers import plugins
from drivers.absent import AbsentDriver
from drivers.contract import Driver

_FACTORIES: Final[dict[str, str]] = {
    "modbus-tcp": "drivers.modbus:tcp",
    "modbus-rtu": "drivers.modbus:rtu",
    "modbus-rtu-tcp": "drivers.modbus:rtu_tcp",
    "dlt645": "drivers.dlt645:dlt645",
    "iec104": "drivers.iec104:iec104",
    "sunspec-tcp": "drivers.sunspec:tcp",
    "sunspec-rtu": "drivers.sunspec:rtu",
    "sunspec-rtu-tcp": "drivers.sunspec:rtu_tcp",
    "http": "drivers.http:http",
    "bacnet": "drivers.bacnet:bacnet",
    "mqtt": "drivers.mqtt:mqtt",
}
"""Word -> `module:factory`."""


def names() -> tuple[str, ...]:
    """Every driver word that a station file may use, ours first."""
    return (*_FACTORIES, *(name for name in sorted(_plugins()) if name not in _FACTORIES))


@cache
def driver(name: str) -> Driver:
    """The driver of a word; of a plugin that cannot be used an `AbsentDriver`. Raises KeyError for an unknown word."""
    if name not in _FACTORIES:
        try:
            return plugins.load(name, _plugins()[name])
        except plugins.PluginFault as fault:
            return AbsentDriver(fault.what, fault.mend)
    module, _, factory = _FACTORIES[name].partition(":")
    return cast(Driver, getattr(importlib.import_module(module), factory)())


def remarks() -> list[str]:
    """What is to be said of plugins that are left out because Gridroom has a driver of their name."""
    return [
        f"driver '{name}' of {plugins.package(entry)} is left out: Gridroom has one of that name"
        for name, entries in sorted(_plugins().items())
        if name in _FACTORIES
        for entry in entries
    ]


def look_again() -> None:
    """Forget which plugins there are: something was installed or removed."""
    _plugins.cache_clear()
    driver.cache_clear()


@cache
def _plugins() -> Mapping[str, Sequence[EntryPoint]]:
    return plugins.find()
