"""A station that is wrong, slow, silent or gone; a worker that is killed, hangs or has grown. Played frame by frame."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import psutil
import pytest

from app.model import quality as q
from app.model.clock import SECOND_NS, to_datetime
from app.model.errors import RefusedByDevice, TransportError
from app.model.station import Device
from drivers.iec104 import apci, link, process
from drivers.iec104.clock import StationClock
from drivers.iec104.encoding import head
from tests.support.iec104_devices import Listening, devices
from tests.support.iec104_station import NEGATIVE, ScriptedStation, Talk, encode, end_of_initialisation, reply

POINTS = ["p measurement ioa: 1, type: M_ME_NC_1", "s status ioa: 2, type: M_SP_NA_1"]
COMMANDS = [
    "c command ioa: 7, type: C_SC_NA_1, select: true",
    "d command ioa: 8, type: C_DC_TA_1",
    "w setpoint ioa: 9, type: C_SE_NC_1, termination: none",
]
VALUES = [*encode(13, 20, 1, [1], [1.5]), *encode(1, 20, 1, [2], [1])]
pytestmark = pytest.mark.asyncio


def one(folder: Path, station: ScriptedStation, more: str = "", timeout: str = "5s") -> tuple[Device, ...]:
    connection = f"host: 127.0.0.1, port: {station.port}, ca: 1, timeout: {timeout}, execution: {timeout}{more}"
    return devices(folder, {"a": connection}, {"a": POINTS + COMMANDS})


def point(listening: Listening, id_: str):  # type: ignore[no-untyped-def]
    found = listening.devices[0].point(id_)
    assert found is not None
    return found


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not holds():  # noqa: ASYNC110 (another process brings it about)
            await asyncio.sleep(0.05)


def worker_pid() -> int:
    (worker,) = [child for child in psutil.Process().children() if "drivers.iec104.worker" in " ".join(child.cmdline())]
    return worker.pid


# -------------------------------------------------------------------------------------------------------- commands


async def test_a_command_is_selected_and_executed_with_the_qualifiers_of_the_wire(tmp_path: Path) -> None:
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station)) as listening:
        assert math.isnan(await listening.link.write(point(listening, "c"), 1))
        assert [asdu[-1] for asdu in station.seen(45)] == [0x81, 0x01]
        assert math.isnan(await listening.link.write(point(listening, "w"), 2.5))
        assert [asdu[9:] for asdu in station.seen(50)] == [b"\x00\x00\x20\x40\x00"]


@pytest.mark.parametrize(
    ("script", "error", "words", "timeout"),
    [
        (
            lambda talk, asdu: None,
            TransportError,
            "not confirmed within 2 s; it is not known whether it was taken",
            "2s",
        ),
        (
            lambda talk, asdu: talk.send(reply(asdu, 7 | NEGATIVE)),
            RefusedByDevice,
            "its confirmation is negative",
            "5s",
        ),
        (lambda talk, asdu: talk.send(reply(asdu, 47 | NEGATIVE)), RefusedByDevice, "information object address", "5s"),
        (lambda talk, asdu: talk.send(reply(asdu, 7)), TransportError, "not ended by an activation termination", "2s"),
    ],
)
async def test_what_becomes_of_a_command(tmp_path: Path, script, error, words: str, timeout: str) -> None:  # type: ignore[no-untyped-def]
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station, timeout=timeout)) as listening:
        await listening.until(lambda: len(listening.rows()) == 2)
        station.answer = script
        with pytest.raises(error, match=words):
            await listening.link.write(point(listening, "d"), 1)
        station.answer = station.usual
        assert math.isnan(await listening.link.write(point(listening, "d"), 0)), "the next one goes its way"
        assert not listening.lost


async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_ones(tmp_path: Path) -> None:
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station, timeout="2s")) as listening:
        await listening.until(lambda: len(listening.rows()) == 2)
        station.answer = lambda talk, asdu: None
        with pytest.raises(TransportError, match="it is not known whether it was taken"):
            await listening.link.write(point(listening, "w"), 10)
        (first,) = station.seen(50)
        station.answer = lambda talk, asdu: talk.send(reply(first, 7), reply(first, 10), reply(asdu, 7 | NEGATIVE))
        with pytest.raises(RefusedByDevice, match="its confirmation is negative"):
            await listening.link.write(point(listening, "w"), 20)
        station.answer = lambda talk, asdu: talk.send(reply(first, 7 | NEGATIVE), reply(asdu, 7))
        assert math.isnan(await listening.link.write(point(listening, "w"), 30))


async def test_a_refused_selection_executes_nothing(tmp_path: Path) -> None:
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station)) as listening:
        await listening.until(lambda: len(listening.rows()) == 2)
        station.answer = lambda talk, asdu: talk.send(reply(asdu, 7 | NEGATIVE))
        with pytest.raises(RefusedByDevice, match="the selection of"):
            await listening.link.write(point(listening, "c"), 1)
        assert [asdu[-1] for asdu in station.seen(45)] == [0x81]


async def test_selections_go_on_after_one_that_never_ended(tmp_path: Path) -> None:
    """The library would remember it and refuse all others."""
    async with ScriptedStation(VALUES) as station:
        points = [*POINTS, *(f"c{i} command ioa: {i}, type: C_SC_NA_1, select: true" for i in (7, 8))]
        connection = f"host: 127.0.0.1, port: {station.port}, ca: 1, timeout: 1s, execution: 1s"
        async with Listening(devices(tmp_path, {"a": connection}, {"a": points})) as listening:
            await listening.until(lambda: len(listening.rows()) == 2)
            station.answer = lambda talk, asdu: talk.send(reply(asdu, 7))
            with pytest.raises(TransportError, match="termination"):
                await listening.link.write(point(listening, "c7"), 1)
            station.answer = station.usual
            for id_ in ("c8", "c7", "c8"):
                assert math.isnan(await listening.link.write(point(listening, id_), 1))


async def test_commands_follow_each_other_as_fast_as_they_end(tmp_path: Path) -> None:
    """The library misses answers that come before it waits, and takes no second command where one is at work."""
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station)) as listening:
        await listening.until(lambda: len(listening.rows()) == 2)
        for value in (1, 0) * 20:
            assert math.isnan(await listening.link.write(point(listening, "c"), value))
        assert [asdu[-1] for asdu in station.seen(45)] == [0x81, 0x01, 0x80, 0x00] * 20


async def test_more_commands_at_once_than_the_window_holds(tmp_path: Path) -> None:
    points = [*POINTS, *(f"w{i} setpoint ioa: {i}, type: C_SE_NC_1, termination: none" for i in range(100, 140))]
    async with ScriptedStation(VALUES) as station:
        connection = f"host: 127.0.0.1, port: {station.port}, ca: 1, k: 4, w: 2"
        async with Listening(devices(tmp_path, {"a": connection}, {"a": points})) as listening:
            await listening.until(lambda: len(listening.rows()) == 2)
            orders = [listening.link.write(point(listening, f"w{i}"), i) for i in range(100, 140)]
            assert all(map(math.isnan, await asyncio.gather(*orders)))
            assert sorted(int.from_bytes(asdu[6:9], "little") for asdu in station.seen(50)) == list(range(100, 140))


async def test_what_is_reported_as_not_sent_is_never_sent(tmp_path: Path) -> None:
    points = [*POINTS, *(f"w{i} setpoint ioa: {i}, type: C_SE_NC_1, termination: none" for i in range(100, 150))]
    async with ScriptedStation(VALUES) as station:
        connection = f"host: 127.0.0.1, port: {station.port}, ca: 1, timeout: 1s, k: 100, w: 8"
        async with Listening(devices(tmp_path, {"a": connection}, {"a": points})) as listening:
            await listening.until(lambda: len(listening.rows()) == 2)
            station.answer = lambda talk, asdu: talk.raw(apci.supervisory(talk.received))
            orders = [listening.link.write(point(listening, f"w{i}"), i) for i in range(100, 150)]
            ends = await asyncio.gather(*orders, return_exceptions=True)
            station.answer = station.usual
            await asyncio.sleep(2)
            sent = {int.from_bytes(asdu[6:9], "little") for asdu in station.seen(50)}
            for ioa, end in enumerate(ends, 100):
                assert isinstance(end, TransportError) and ("was not sent" in str(end)) == (ioa not in sent), str(end)
            assert 0 < len(sent) < 50


async def test_a_command_whose_line_is_lost_is_not_known(tmp_path: Path) -> None:
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station)) as listening:
        await listening.until(lambda: len(listening.rows()) == 2)
        station.answer = lambda talk, asdu: talk.writer.close()
        with pytest.raises(TransportError, match="closed the connection; it is not known whether it was taken"):
            await listening.link.write(point(listening, "d"), 1)


async def test_clocks_and_timed_commands_are_written_in_the_stations_time(tmp_path: Path) -> None:
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station, ", clock: station")) as listening:
        await listening.link.set_clock(listening.devices[0])
        await listening.link.write(point(listening, "d"), 1)
        octets = [int.from_bytes(asdu[-7:], "little") for asdu in (*station.seen(103), *station.seen(59))]
        now = time.time_ns()
        times, doubtful = StationClock(ZoneInfo("Asia/Shanghai"), 1).read(np.array(octets, np.uint64), now)
        assert len(times) == 2 and not doubtful.any() and (np.abs(times - now) < 10 * SECOND_NS).all()


async def test_no_write_leaves_a_read_only_station_whoever_asks_for_it(tmp_path: Path) -> None:
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station), read_only=True) as listening:
        await listening.until(lambda: len(listening.rows()) == 2)
        order = {"ca": 1, "ioa": 7, "type": 45, "value": 1, "qualifier": 0, "select": False}
        listening.link._session.worker.send({"do": "command", **order})
        await listening.until(lambda: bool(listening.lost))
        assert "a write of type 45 was stopped: the station is read-only" in str(listening.lost["a"])
        assert {asdu[0] for asdu in station.asdus} == {100}


# ---------------------------------------------------------------------------------------------------------- values


async def test_times_of_a_station_in_local_time(tmp_path: Path) -> None:
    async with ScriptedStation() as station, Listening(one(tmp_path, station, ", clock: station")) as listening:
        await listening.until(lambda: listening.online["a"] > 0)
        utc = datetime.now(UTC).replace(microsecond=0)
        local = utc.timestamp() + 8 * 3600
        shown = datetime.fromtimestamp(local, UTC)
        octets = shown.second * 1000 | shown.minute << 16 | shown.hour << 24 | shown.day << 32 | shown.month << 40
        octets |= shown.year % 100 << 48
        station.talk.send(*encode(36, 3, 1, [1], [2.5], 0, octets), *encode(36, 3, 1, [1], [3.5], 0, octets | 1 << 23))
        await listening.until(lambda: len(listening.rows()) == 2)
        first, second = listening.rows()
        assert to_datetime(first[3]) == utc and first[1:3] == (2.5, 0)
        assert second[1:3] == (3.5, q.CLOCK)


async def test_what_the_station_should_not_have_sent_is_counted_and_told(tmp_path: Path) -> None:
    bad = [
        *encode(13, 3, 2, [1], [9.0]),  # another common address
        *encode(13, 3, 1, [99], [9.0]),  # an unknown object
        *encode(11, 3, 1, [1], [9]),  # another type
        head(13, 9, 3, 1) + bytes(8),  # shorter than it says
        head(126, 1, 3, 1) + bytes(8),  # no such type
    ]
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station)) as listening:
        await listening.until(lambda: len(listening.rows()) == 2)
        station.talk.send(*bad, *encode(13, 3, 1, [1], [4.5]))
        await listening.until(lambda: listening.latest()["p"] == (4.5, 0))
        (device,) = listening.devices
        await eventually(lambda: "does not fit 9 objects of type 13" in listening.link.remarks(device)["a._online"].en)
        remarks = listening.link.remarks(device)
        assert "sends it as type 11 M_ME_NB_1" in remarks["a.p"].en
        assert "2 values came for addresses without a point: 1 of station 2" in remarks["a._online"].en
        assert "type 126 is not read here" in remarks["a._online"].en
        assert "2 个值的地址没有对应测点：站 2 信息对象 1（13 M_ME_NC_1）" in remarks["a._online"].zh
        assert "不支持类型标识 126" in remarks["a._online"].zh  # it has come from the worker
        assert len(listening.rows()) == 3 and not listening.lost


async def test_groups_are_interrogated_one_after_the_other(tmp_path: Path) -> None:
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station, ", groups: [2, 5]")) as listening:
        await station.until(lambda: len(station.seen(100)) == 2)
        assert [asdu[-1] for asdu in station.seen(100)] == [22, 25]
        await listening.until(lambda: listening.online["a"] == 1)


async def test_interrogations_counters_and_clocks_are_repeated(tmp_path: Path) -> None:
    more = ", interrogate: 300ms, counters: 300ms, set_clock: 300ms"
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station, more)):
        await station.until(lambda: all(len(station.seen(type_)) >= 3 for type_ in (100, 101, 103)))


async def test_a_station_that_starts_anew_is_interrogated(tmp_path: Path) -> None:
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station)) as listening:
        await listening.until(lambda: len(listening.rows()) == 2)
        station.talk.send(end_of_initialisation(1))
        await station.until(lambda: len(station.seen(100)) == 2)


async def test_a_station_that_does_not_answer_the_interrogation_is_not_there_and_the_other_is(tmp_path: Path) -> None:
    def only_two(talk: Talk, asdu: bytes) -> None:
        if asdu[4] == 2:
            talk.owner.usual(talk, asdu)

    async with ScriptedStation(encode(13, 20, 2, [1], [2.5])) as station:
        station.answer = only_two
        ways = {
            name: f"host: 127.0.0.1, port: {station.port}, ca: {ca}, timeout: 1s" for name, ca in (("a", 1), ("b", 2))
        }
        async with Listening(devices(tmp_path, ways, {"a": POINTS, "b": POINTS})) as listening:
            await listening.until(lambda: bool(listening.lost) and listening.online["b"] > 0)
            assert "100 C_IC_NA_1 of station 1 was not confirmed within 1 s" in str(listening.lost["a"])
            assert listening.latest("b")["p"] == (2.5, 0) and "b" not in listening.lost


# ------------------------------------------------------------------------------------------------------ connections


async def test_nobody_there(tmp_path: Path) -> None:
    async with ScriptedStation() as station:
        pass
    listening = Listening(one(tmp_path, station))
    with pytest.raises(TransportError, match=f"no connection to 127.0.0.1:{station.port}"):
        await listening.connect()
    await listening.link.close()


@pytest.mark.parametrize(
    ("play", "words"),
    [
        (lambda talk: talk.raw(b"HTTP/1.1 400 Bad Request\r\n"), "does not speak IEC 60870-5-104"),
        (lambda talk: talk.raw(apci.information(talk.sent + 2, 0, VALUES[0])), "frames are lost"),
        (lambda talk: talk.writer.close(), "closed the connection"),
        (lambda talk: talk.writer.transport.abort(), "lost|closed"),
    ],
)
async def test_a_line_that_breaks_is_lost_and_comes_back(tmp_path: Path, play, words: str) -> None:  # type: ignore[no-untyped-def]
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station)) as listening:
        await listening.until(lambda: len(listening.rows()) == 2)
        play(station.talk)
        await listening.until(lambda: bool(listening.lost))
        assert listening.lost["a"].args and any(word in str(listening.lost["a"]) for word in words.split("|"))
        listening.lost.clear()
        await listening.connect()
        await listening.until(lambda: listening.online["a"] == 2)


async def test_a_station_that_never_starts_the_transfer(tmp_path: Path) -> None:
    async with ScriptedStation(VALUES) as station:
        station.confirms_start = False
        listening = Listening(one(tmp_path, station, ", t1: 2s, t2: 1s"))
        with pytest.raises(TransportError, match="STARTDT was not answered within t1"):
            await listening.connect()
        await listening.link.close()


async def test_a_station_that_acknowledges_nothing_is_given_up_after_t1(tmp_path: Path) -> None:
    async with ScriptedStation(VALUES) as station:
        station.acknowledges = False
        connection = f"host: 127.0.0.1, port: {station.port}, ca: 1, timeout: 20s, t1: 2s, t2: 1s"
        async with Listening(devices(tmp_path, {"a": connection}, {"a": POINTS})) as listening:
            await listening.until(lambda: bool(listening.lost))
            assert "not acknowledged within t1" in str(listening.lost["a"])


async def test_what_comes_is_acknowledged_after_w_frames_and_after_t2_and_an_idle_line_is_tested_after_t3(
    tmp_path: Path,
) -> None:
    def acknowledged(station: ScriptedStation) -> list[int]:
        """Numbers of the S-frames."""
        return [apci.receive_number(f) for f in station.frames if not apci.is_information(f) and not apci.unnumbered(f)]

    more = ", k: 12, w: 3, t1: 4s, t2: 2s, t3: 1s"
    async with ScriptedStation() as station, Listening(one(tmp_path, station, more)) as listening:
        await listening.until(lambda: listening.online["a"] > 0)
        base = station.talk.sent
        station.talk.send(*(encode(13, 3, 1, [1], [float(n)])[0] for n in range(7)))
        await station.until(lambda: bool(acknowledged(station)) and acknowledged(station)[-1] == base + 7)
        numbers = acknowledged(station)
        assert len(numbers) >= 3 and max(np.diff([0, *numbers])) <= 3, "never more than w are owed"
        await station.until(lambda: apci.control(apci.TESTFR_ACT) in station.frames)


async def test_a_station_that_is_reached_and_says_nothing_is_given_up_after_t0(tmp_path: Path) -> None:
    """The TLS handshake belongs to the connecting: this station takes it and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        connection = f"host: 127.0.0.1, port: {port}, ca: 1, t0: 1s, tls: true"
        listening = Listening(devices(tmp_path, {"a": connection}, {"a": POINTS}))
        with pytest.raises(TransportError, match=f"no connection to 127.0.0.1:{port}: no answer within 1s"):
            await listening.connect()
        await listening.link.close()


async def test_a_station_that_sends_beyond_its_window_is_read(tmp_path: Path) -> None:
    """k binds who sends; 500 frames at once are no reason to lose one."""
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station)) as listening:
        await listening.until(lambda: len(listening.rows()) == 2)
        for value in range(500):
            station.talk.send(*encode(13, 3, 1, [1], [float(value)]))
        await listening.until(lambda: len(listening.rows()) == 502)
        assert [value for point, value, _, _ in listening.rows()[2:]] == list(range(500))


async def test_the_backup_takes_over_and_the_first_comes_back_as_backup(tmp_path: Path) -> None:
    async with ScriptedStation(VALUES) as first, ScriptedStation(encode(13, 20, 1, [1], [7.5])) as second:
        more = f", backup: 127.0.0.1, backup_port: {second.port}"
        async with Listening(one(tmp_path, first, more)) as listening:
            await listening.until(lambda: len(listening.rows()) == 2)
            assert first.talk.started and not any(talk.started for talk in second.talks)
            first.drop()
            await listening.until(lambda: listening.latest()["p"] == (7.5, 0))
            assert second.talk.started and not listening.lost
            assert math.isnan(await listening.link.write(point(listening, "d"), 1))
            assert len(second.seen(59)) == 1 and not first.seen(59)
            await first.until(lambda: len(first.talks) == 1)
            await eventually(lambda: len(first.talks) == 2)
            assert not first.talk.started
            second.drop()
            await listening.until(lambda: listening.latest()["p"] == (1.5, 0))
            assert not listening.lost


# ----------------------------------------------------------------------------------------------------- the worker


async def test_a_killed_worker_is_a_lost_line_and_a_new_one_recovers_it(tmp_path: Path) -> None:
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station)) as listening:
        await listening.until(lambda: len(listening.rows()) == 2)
        first = worker_pid()
        psutil.Process(first).kill()
        await listening.until(lambda: bool(listening.lost))
        assert "its worker process died" in str(listening.lost["a"])
        await listening.connect()
        await listening.until(lambda: listening.online["a"] == 2 and len(listening.rows()) == 4)
        assert worker_pid() != first


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="only POSIX can stop a process")
async def test_a_worker_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "SILENT_S", 2.0)
    monkeypatch.setattr(process, "CLOSING_S", 0.3)
    async with ScriptedStation(VALUES) as station, Listening(one(tmp_path, station)) as listening:
        await listening.until(lambda: len(listening.rows()) == 2)
        first = worker_pid()
        os.kill(first, signal.SIGSTOP)
        await listening.until(lambda: bool(listening.lost))
        assert "hangs" in str(listening.lost["a"])
        await eventually(lambda: not psutil.pid_exists(first))


async def test_a_worker_whose_memory_has_grown_gives_way_and_nobody_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedStation(VALUES) as station:
        listening = Listening(one(tmp_path, station))
        monkeypatch.setattr(link, "WORKER_RSS_MB", 5.0)  # a process has more as soon as it lives
        monkeypatch.setattr(link, "WORKER_LIFE_S", 1.5)
        async with listening:
            monkeypatch.setattr(link, "WORKER_RSS_MB", 1e6)
            await listening.until(lambda: len(listening.rows()) >= 2 and listening.online["a"] == 1)
            await eventually(lambda: len(station.talks) == 2 and len(listening.rows()) >= 4)
            assert not listening.lost and listening.online["a"] == 1


async def test_a_worker_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    async with ScriptedStation(VALUES) as station:
        script = (
            "import asyncio, sys\n"
            "from drivers.iec104.process import Worker\n"
            "async def main():\n"
            "    order = {'role': 'controlling', 'connections': [{'host': '127.0.0.1', 'port': int(sys.argv[1])}],\n"
            "             'parameters': dict(k=12, w=8, t0=5, t1=5, t2=2, t3=20, originator=0), 'answer_s': 3,\n"
            "             'zone': None, 'read_only': True, 'rss_mb': 1e6, 'least_life_s': 1}\n"
            "    worker = await Worker.start(order)\n"
            "    while (await worker.receive())['note'] != 'started': pass\n"
            "    print(worker.pid, flush=True)\n"
            "    await asyncio.sleep(60)\n"
            "asyncio.run(main())\n"
        )
        starter = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            script,
            str(station.port),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        assert starter.stdout is not None
        pid = int(await starter.stdout.readline())
        starter.kill()
        await starter.communicate()
        await eventually(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
