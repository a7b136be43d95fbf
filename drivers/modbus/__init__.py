"""Modbus TCP, RTU and RTU over TCP.

    address     where a value lives              connection  how a device is reached
    codec       registers to values and back     frames      bytes around a PDU
    blocks      which registers in one read      late        answers that come too late
    requests    PDUs, encoded once               wire        one open connection
    polling     a prepared read and its decoding line        turns, silences, reopening
    exceptions  what a device says when it refuses
    link, driver  the contract of `drivers.contract`

`address` and `codec` are what the simulator serves with. No other module is for anybody outside.
"""

from __future__ import annotations

from drivers.contract import Driver


def tcp() -> Driver:
    """Modbus TCP."""
    return _driver("modbus-tcp")


def rtu() -> Driver:
    """Modbus RTU on a serial line."""
    return _driver("modbus-rtu")


def rtu_tcp() -> Driver:
    """Modbus RTU frames within TCP, as transparent gateways carry them."""
    return _driver("modbus-rtu-tcp")


def _driver(word: str) -> Driver:
    # Imported here, so that the simulator may use `address` and `codec` without the client.
    from drivers.modbus.connection import Kind
    from drivers.modbus.driver import ModbusDriver

    return ModbusDriver(Kind(word))
