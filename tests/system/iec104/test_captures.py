"""A second opinion on every frame: tshark decodes what we send, and reads from a station what we read."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from drivers.iec104 import apci
from drivers.iec104.asdu import decode
from drivers.iec104.clock import StationClock
from drivers.iec104.typeids import COMMANDS, MONITORED
from tests.support.iec104_devices import Listening, devices
from tests.support.iec104_station import ScriptedStation, encode
from tests.support.tshark import decoded, write_capture

PORT = 2404
ASDU = "iec60870_asdu"


@pytest.mark.asyncio
async def test_what_we_send_is_what_tshark_reads(tmp_path: Path) -> None:
    values = {"single": 1, "double": 1, "step": 1, "normalized": 0.5, "scaled": -1234, "short": 2.5, "bits": 7}
    points = [f"c{one.type} setpoint ioa: {one.type}, type: {one.name}, termination: none" for one in COMMANDS]
    points += ["s command ioa: 200, type: C_SC_NA_1, select: true, qualifier: 1"]
    async with ScriptedStation() as station:
        connection = f"host: 127.0.0.1, port: {station.port}, ca: 258, originator: 9, counters: 1h, set_clock: 1h"
        async with Listening(devices(tmp_path, {"a": connection}, {"a": points})) as listening:
            (device,) = listening.devices
            await station.until(lambda: bool(station.seen(100) and station.seen(101) and station.seen(103)))
            for one in COMMANDS:
                await listening.link.write(device.point(f"c{one.type}"), values[one.element])
            await listening.link.write(device.point("s"), 1)
    capture = tmp_path / "sent.pcap"
    write_capture(capture, [(False, frame) for frame in station.frames], PORT)
    fields = ["typeid", "causetx", "addr", "oa", "ioa", "sco.se", "float", "cp56time.hour"]
    rows = [row for row in decoded(capture, PORT, [f"{ASDU}.{field}" for field in fields]) if row[0]]
    assert {row[0] for row in rows} == {str(one.type) for one in COMMANDS} | {"100", "101", "103"}
    assert {(row[1], row[2], row[3]) for row in rows} == {("6", "258", "9")}
    assert [row[4] for row in rows if row[0] in {str(one.type) for one in COMMANDS}] == [
        *(str(one.type) for one in COMMANDS), "200", "200",
    ]  # fmt: skip
    assert [row[5] for row in rows if row[4] == "200"] == ["1", "0"]
    assert [float(row[6]) for row in rows if row[0] in ("50", "63")] == [2.5, 2.5]
    assert all(row[7] for row in rows if 58 <= int(row[0]) <= 64 or row[0] == "103")


def test_what_tshark_reads_we_read(tmp_path: Path) -> None:
    time_ = int.from_bytes(StationClock(None, 60).octets(time.time_ns()), "little")
    values = {"siq": [1, 0], "diq": [0, 1], "vti": [-64, 63], "bsi": [1, 2], "nva": [-1, 0.5], "sva": [-32768, 32767],
              "ieee": [1.5, -2.25], "bcr": [-1, 2]}  # fmt: skip
    sent = [
        asdu
        for kind in MONITORED
        for type_ in (kind.plain, kind.timed)
        for asdu in encode(type_, 3, 7, [0x010203, 5], values[kind.element], 0x90, time_)
    ]
    capture = tmp_path / "received.pcap"
    write_capture(capture, [(True, apci.information(n, 0, asdu)) for n, asdu in enumerate(sent)], PORT)
    names = ["typeid", "ioa", "float", "normval", "scalval", "vti.v", "siq.spi", "diq.dpi", "qds.iv", "qds.bl",
             "cp56time.year"]  # fmt: skip
    rows = [dict(zip(names, row, strict=True)) for row in decoded(capture, PORT, [f"{ASDU}.{n}" for n in names])]
    columns = decode(sent).columns
    assert [int(ioa, 0) for row in rows for ioa in row["ioa"].split(",")] == columns.ioa.tolist()
    assert [int(row["typeid"]) for row in rows for _ in range(2)] == columns.type.tolist()
    ours = columns.value.reshape(-1, 2)
    for row, pair in zip(rows, ours, strict=True):
        for field in ("float", "normval", "scalval", "vti.v"):
            if row[field]:
                np.testing.assert_allclose([float(v) for v in row[field].split(",")], pair, atol=1e-4)
        assert bool(row["cp56time.year"]) == (int(row["typeid"]) >= 30)
