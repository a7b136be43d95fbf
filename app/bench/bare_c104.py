"""c104's own client and nothing else: how many events it gives to callbacks, one for each point.

    python -m app.bench.bare_c104 PORT STATIONS POINTS

Prints a line when it is connected; a line on standard input ends it, and it prints how many events came.
"""

import os
import sys
import time
from typing import Any

import c104

_count = 0


def _came(point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage) -> c104.ResponseState:
    global _count  # noqa: PLW0603 (as bare as can be)
    _count += 1
    return c104.ResponseState.SUCCESS


def main(port: int, stations: int, points: int) -> None:
    client: Any = c104.Client(tick_rate_ms=100)
    connection = client.add_connection("127.0.0.1", port, init=c104.Init.NONE)
    if connection is None:
        raise RuntimeError("the library took no connection")
    for ca in range(1, stations + 1):
        station = connection.add_station(ca)
        for ioa in range(1, points + 1):
            station.add_point(ioa, c104.Type.M_ME_TF_1).on_receive(_came)
    client.start()
    while connection.state != c104.ConnectionState.OPEN:
        time.sleep(0.1)
        if connection.state == c104.ConnectionState.OPEN_MUTED:
            connection.unmute()
    print("open", flush=True)
    sys.stdin.readline()
    print(_count, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
