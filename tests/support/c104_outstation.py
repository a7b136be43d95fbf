"""An outstation by c104, in a process of its own: `python -m tests.support.c104_outstation PORT [POINTS]`.

Takes orders as lines of JSON on standard input, and says as lines of JSON what it was told. Station 1 has POINTS, a JSON
object of addresses and types. Without it there are, at 1 to 8, one point of each monitored type without time, at 11 to
18 with time, at 101 to 107 and 111 to 117 one of each command; then the commands at even addresses are refused.
"""

import datetime
import json
import os
import sys
import threading
from typing import Any

import c104

MONITORED = ("M_SP_NA_1", "M_DP_NA_1", "M_ST_NA_1", "M_BO_NA_1", "M_ME_NA_1", "M_ME_NB_1", "M_ME_NC_1", "M_IT_NA_1")
TIMED = ("M_SP_TB_1", "M_DP_TB_1", "M_ST_TB_1", "M_BO_TB_1", "M_ME_TD_1", "M_ME_TE_1", "M_ME_TF_1", "M_IT_TB_1")
COMMANDS = ("C_SC_NA_1", "C_DC_NA_1", "C_RC_NA_1", "C_SE_NA_1", "C_SE_NB_1", "C_SE_NC_1", "C_BO_NA_1")
TIMED_COMMANDS = ("C_SC_TA_1", "C_DC_TA_1", "C_RC_TA_1", "C_SE_TA_1", "C_SE_TB_1", "C_SE_TC_1", "C_BO_TA_1")
ALL_TYPES = {
    ioa: name
    for first, names in ((1, MONITORED), (11, TIMED), (101, COMMANDS), (111, TIMED_COMMANDS))
    for ioa, name in enumerate(names, first)
}


def say(**words: Any) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def number(value: Any) -> float:
    if isinstance(value, c104.Byte32):
        return int.from_bytes(bytes(value), "little")
    if isinstance(value, c104.Double):
        return 1 if value == c104.Double.ON else 0
    if isinstance(value, c104.Step):
        return 1 if value == c104.Step.HIGHER else -1
    return float(value)


def on_command(point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage) -> c104.ResponseState:
    say(
        command=point.io_address, value=number(point.value), select=message.is_select_command,
        recorded=point.recorded_at.timestamp() if point.recorded_at else None,
    )  # fmt: skip
    return c104.ResponseState.SUCCESS


def on_command_of_odd(
    point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage
) -> c104.ResponseState:
    on_command(point, previous_info, message)
    return c104.ResponseState.FAILURE if point.io_address % 2 == 0 else c104.ResponseState.SUCCESS


def on_clock(server: c104.Server, ip: str, date_time: datetime.datetime) -> c104.ResponseState:
    say(clock=date_time.isoformat())
    return c104.ResponseState.SUCCESS


def information(type_: c104.Type, value: float, quality: int, time: float) -> c104.Information:
    """What a point of a type shows."""
    name = type_.name
    marks = c104.Quality()
    for bit, mark in ((1, "Overflow"), (16, "Blocked"), (32, "Substituted"), (64, "NonTopical"), (128, "Invalid")):
        if quality & bit:
            marks |= getattr(c104.Quality, mark)
    at = datetime.datetime.fromtimestamp(time, datetime.UTC)
    if name.startswith("M_IT"):
        return c104.BinaryCounterInfo(int(value), c104.UInt5(1), c104.BinaryCounterQuality(), at)
    if name.startswith("M_ST"):
        return c104.StepInfo(c104.Int7(int(value)), False, marks, at)
    return _MAKERS[name if name.startswith("M_ME") else name[:4]](value, marks, at)


_MAKERS: Any = {
    "M_SP": lambda value, *rest: c104.SingleInfo(bool(value), *rest),
    "M_DP": lambda value, *rest: c104.DoubleInfo(c104.Double.ON if value else c104.Double.OFF, *rest),
    "M_BO": lambda value, *rest: c104.BinaryInfo(c104.Byte32(int(value).to_bytes(4, "little")), *rest),
    "M_ME_NA_1": lambda value, *rest: c104.NormalizedInfo(c104.NormalizedFloat(value), *rest),
    "M_ME_NB_1": lambda value, *rest: c104.ScaledInfo(c104.Int16(int(value)), *rest),
    "M_ME_NC_1": c104.ShortInfo,
}
_MAKERS |= {"M_ME_TD_1": _MAKERS["M_ME_NA_1"], "M_ME_TE_1": _MAKERS["M_ME_NB_1"], "M_ME_TF_1": _MAKERS["M_ME_NC_1"]}


def main(port: int, types: dict[int, str] | None) -> None:
    server = c104.Server("127.0.0.1", port, tick_rate_ms=50)
    server.on_clock_sync(on_clock)
    station = server.add_station(1)
    points = {ioa: station.add_point(ioa, getattr(c104.Type, name)) for ioa, name in (types or ALL_TYPES).items()}
    for point in points.values():
        if point.type.name.startswith("C_"):
            point.on_receive(on_command if types else on_command_of_odd)
    server.start()
    say(ready=port)
    for line in sys.stdin:
        order = json.loads(line)
        if "show" in order:
            point = points[order["show"]]
            point.info = information(point.type, order["value"], order.get("quality", 0), order.get("time", 0.0))
            if order.get("send", True):
                point.transmit(c104.Cot.SPONTANEOUS)
        elif "every" in order:
            points[order["every"]].report_ms = order["ms"]
        elif "mode" in order:
            points[order["mode"]].command_mode = c104.CommandMode.SELECT_AND_EXECUTE
        elif "initialised" in order:
            station.signal_initialized(c104.Coi.REMOTE_RESET)
    os._exit(0)


if __name__ == "__main__":
    given = {int(ioa): name for ioa, name in json.loads(sys.argv[2]).items()} if len(sys.argv) > 2 else None
    threading.Thread(target=main, args=(int(sys.argv[1]), given)).start()
