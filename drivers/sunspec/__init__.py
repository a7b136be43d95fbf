"""SunSpec over Modbus TCP, RTU and RTU over TCP: devices that describe themselves by a chain of models.

    models     the model definitions (resources/sunspec)    address    model and point instead of a register
    chain      the models that a device has, and where      polling    a prepared read: scale factors, what is not there
    link, driver  the contract of `drivers.contract`        discovery  a device of all points that are found

The wire, its turns and its errors are those of `drivers.modbus`.
"""

from __future__ import annotations

from drivers.contract import Driver


def tcp() -> Driver:
    """SunSpec on Modbus TCP."""
    return _driver("modbus-tcp")


def rtu() -> Driver:
    """SunSpec on Modbus RTU."""
    return _driver("modbus-rtu")


def rtu_tcp() -> Driver:
    """SunSpec on Modbus RTU frames within TCP."""
    return _driver("modbus-rtu-tcp")


def _driver(word: str) -> Driver:
    # Imported here, so that the models can be read without the client.
    from drivers.modbus.connection import Kind
    from drivers.sunspec.driver import SunSpecDriver

    return SunSpecDriver(Kind(word))
