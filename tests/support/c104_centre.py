"""A control centre by c104, in a process of its own: `python -m tests.support.c104_centre PORT [PORT ...]`.

Takes orders as lines of JSON on standard input, each about the connection `at` (0 is the first port); says as lines of
JSON what it receives: `point` with its value, quality, cause and time, and what became of an order.
"""

import json
import os
import sys
import threading
from typing import Any

import c104

CA = 1


def say(**words: Any) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def number(value: Any) -> float:
    if isinstance(value, c104.Double):
        return {c104.Double.OFF: 0.0, c104.Double.ON: 1.0}.get(value, -1.0)
    if isinstance(value, c104.Byte32):
        return float(int.from_bytes(bytes(value), "little"))
    return float(value)


def on_receive(point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage) -> c104.ResponseState:
    marks = str(point.quality).partition("{")[2].partition("}")[0]
    say(
        at=PORTS.index(point.station.connection.port), point=point.io_address, type=message.type.name,
        value=number(point.value), quality=marks, cause=message.cot.name,
        time=point.recorded_at.timestamp() if point.recorded_at else None,
    )  # fmt: skip
    # The library takes one type at an address only, and there are two: forget it
    point.station.remove_point(point.io_address)
    return c104.ResponseState.SUCCESS


def on_new_point(client: c104.Client, station: c104.Station, io_address: int, point_type: c104.Type) -> None:
    station.add_point(io_address, point_type).on_receive(on_receive)


def on_new_station(client: c104.Client, connection: c104.Connection, common_address: int) -> None:
    connection.add_station(common_address)


def on_state(connection: c104.Connection, state: c104.ConnectionState) -> None:
    say(at=PORTS.index(connection.port), state=state.name)


def obey(connection: c104.Connection, order: dict[str, Any]) -> bool:
    """Whether the library says that it went well."""
    match order["do"]:
        case "start":
            return bool(connection.unmute())
        case "stop":
            return bool(connection.mute())
        case "interrogate":
            group = order.get("group", 0)
            qualifier = getattr(c104.Qoi, f"GROUP_{group}") if group else c104.Qoi.STATION
            return bool(connection.interrogation(order.get("ca", CA), qualifier=qualifier))
        case "count":
            return bool(connection.counter_interrogation(CA))
        case "clock":
            return bool(connection.clock_sync(CA))
        case "test":
            return bool(connection.test(CA))
        case "command":
            station = connection.get_station(CA) or connection.add_station(CA)
            kind = getattr(c104.Type, order["type"])
            point = station.get_point(order["ioa"]) or station.add_point(order["ioa"], kind)
            mode = c104.CommandMode.SELECT_AND_EXECUTE if order.get("select") else c104.CommandMode.DIRECT
            point.command_mode = mode
            if order["type"] == "C_SC_NA_1":
                point.info = c104.SingleCmd(bool(order["value"]))
            else:
                point.info = c104.ShortCmd(order["value"])
            return bool(point.transmit(c104.Cot.ACTIVATION))
    raise ValueError(order["do"])


def main() -> None:
    client = c104.Client(tick_rate_ms=50, command_timeout_ms=5000)
    client.on_new_station(on_new_station)
    client.on_new_point(on_new_point)
    client.start()
    connections = [client.add_connection("127.0.0.1", port, init=c104.Init.MUTED) for port in PORTS]
    for connection in connections:
        connection.on_state_change(on_state)
    say(ready=True)
    for line in sys.stdin:
        order = json.loads(line)
        connection = connections[order.get("at", 0)]
        if order["do"] == "connect":
            connection.connect()
        elif order["do"] == "disconnect":
            connection.disconnect()
        else:
            say(at=order.get("at", 0), did=order["do"], well=obey(connection, order))
    os._exit(0)


if __name__ == "__main__":
    PORTS = [int(word) for word in sys.argv[1:]]
    threading.Thread(target=main).start()
