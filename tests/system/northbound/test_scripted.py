"""A centre that plays a script frame by frame, which can be wrong; and what tshark reads of our frames."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.iec104 import apci
from drivers.iec104.asdu import decode
from tests.support.northbound_station import OFFER, Offering
from tests.support.tshark import decoded, write_capture

TLS = Path(__file__).parents[2] / "data" / "tls"
INTERROGATION = bytes.fromhex("64 01 06 00 01 00 00 00 00 14")
QUICK = "t1: 2s\n    t2: 1s"


class Centre:
    """One connection, played by hand."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", port), 20)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="station.test")
        self.frames: list[bytes] = []
        self.sent = self.received = 0
        self._splitter = apci.Splitter()
        self._waiting: list[bytes] = []

    def __enter__(self) -> Centre:
        return self

    def __exit__(self, *_: Any) -> None:
        self.socket.close()

    def raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send(self, asdu: bytes) -> None:
        self.raw(apci.information(self.sent, self.received, asdu))
        self.sent += 1

    def acknowledge(self) -> None:
        self.raw(apci.supervisory(self.received))

    def frame(self) -> bytes:
        """The next one. Raises EOFError where the connection was closed."""
        while not self._waiting:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise EOFError
            self._waiting = self._splitter.feed(data)
        frame = self._waiting.pop(0)
        self.frames.append(frame)
        if apci.is_information(frame):
            assert apci.send_number(frame) == self.received
            self.received += 1
        return frame

    def until(self, wanted: Callable[[bytes], bool]) -> bytes:
        while not wanted(frame := self.frame()):
            pass
        return frame

    def start(self) -> None:
        self.raw(apci.control(apci.STARTDT_ACT))
        self.until(lambda frame: apci.unnumbered(frame) == apci.STARTDT_CON)

    def closed(self) -> bool:
        try:
            while True:
                self.frame()
        except EOFError:
            return True


def ends(frame: bytes) -> bool:
    return apci.is_information(frame) and frame[6] == 100 and frame[8] == 10


def test_a_start_is_followed_by_the_end_of_initialisation_once(tmp_path: Path) -> None:
    with Offering(tmp_path) as offering:
        for expected in ([70], []):
            with Centre(offering.status.port) as centre:
                centre.start()
                centre.send(INTERROGATION)
                centre.until(ends)
                centre.acknowledge()
                assert [
                    frame[6] for frame in centre.frames if apci.is_information(frame) and frame[6] == 70
                ] == expected


def test_no_more_than_k_frames_come_without_acknowledgement(tmp_path: Path) -> None:
    with Offering(tmp_path, more="k: 3\n    w: 2") as offering, Centre(offering.status.port) as centre:
        centre.start()
        offering.until(lambda: offering.status.transferring)
        offering.give(*(("breaker", n % 2) for n in range(1, 201)))
        for _ in range(3):
            centre.until(apci.is_information)
        centre.raw(apci.control(apci.TESTFR_ACT))
        assert apci.unnumbered(centre.frame()) == apci.TESTFR_CON, "nothing else has come"
        values: list[float] = []
        while len(values) < 200:
            centre.acknowledge()
            centre.until(apci.is_information)
            read = decode([frame[6:] for frame in centre.frames if apci.is_information(frame)]).columns
            values = read.value[read.ioa == 1].tolist()
        assert values == [n % 2 for n in range(1, 201)]


def test_what_is_not_acknowledged_within_t1_ends_the_connection_and_is_told_to_the_next(tmp_path: Path) -> None:
    with Offering(tmp_path, more=QUICK) as offering:
        with Centre(offering.status.port) as centre:
            centre.start()
            offering.until(lambda: offering.status.transferring)
            offering.give(("breaker", 1))
            assert centre.closed()
        with Centre(offering.status.port) as centre:
            centre.start()
            frame = centre.until(lambda frame: apci.is_information(frame) and frame[6] == 30)
            assert decode([frame[6:]]).columns.value.tolist() == [1]
            centre.acknowledge()


def test_an_idle_connection_is_tested_and_given_up(tmp_path: Path) -> None:
    with Offering(tmp_path, more="t1: 2s\n    t2: 1s\n    t3: 1s") as offering, Centre(offering.status.port) as centre:
        centre.until(lambda frame: apci.unnumbered(frame) == apci.TESTFR_ACT)
        assert centre.closed()


def test_what_we_send_is_acknowledged_within_t2(tmp_path: Path) -> None:
    """A command for nobody: its answer acknowledges. A fault that is not answered is acknowledged by itself."""
    with Offering(tmp_path, more=QUICK) as offering, Centre(offering.status.port) as centre:
        centre.start()
        centre.send(INTERROGATION[:-1])
        frame = centre.until(lambda frame: not apci.is_information(frame) and not apci.unnumbered(frame))
        assert apci.receive_number(frame) == 1
        offering.until(lambda: any("do not fit type 100" in fault.en for fault in offering.status.faults))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Offering]:
    with Offering(tmp_path_factory.mktemp("shared")) as offering:
        yield offering


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\x03\x04\x05",
        b"\x68\xff\x00\x00\x00\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        apci.information(0, 0, INTERROGATION),
        apci.control(apci.STARTDT_ACT) + apci.information(5, 0, INTERROGATION),
        apci.control(apci.STARTDT_ACT) + apci.supervisory(9),
        apci.control(apci.STOPDT_CON),
    ],
)
def test_what_is_no_104_ends_its_connection_and_nothing_else(shared: Offering, data: bytes) -> None:
    offering = shared
    with Centre(offering.status.port) as good:
        good.start()
        with Centre(offering.status.port) as bad:
            bad.raw(data)
            assert bad.closed()
        if not data.startswith(apci.control(apci.STARTDT_ACT)):  # otherwise the other one has taken over
            good.send(INTERROGATION)
            good.until(ends)
        with Centre(offering.status.port) as again:
            again.start()


def test_a_flood_of_requests_that_nobody_reads_is_bounded(shared: Offering) -> None:
    with Centre(shared.status.port) as centre:
        centre.start()
        frames = b"".join(apci.information(n, 0, INTERROGATION) for n in range(500))
        with contextlib.suppress(OSError):
            centre.raw(frames)
        assert centre.closed()
        assert sum(apci.is_information(frame) for frame in centre.frames) <= 12


def test_who_is_not_allowed_is_turned_away_and_counted(tmp_path: Path) -> None:
    with Offering(tmp_path, OFFER.replace("allow: any", "allow: [10.0.0.5, 10.1.0.0/16]")) as offering:
        with Centre(offering.status.port) as centre:
            assert centre.closed()
        offering.until(
            lambda: (
                "127.0.0.1 is not among the peers that are allowed" in {fault.en for fault in offering.status.faults}
            )
        )
        assert not offering.status.connected


def test_an_address_that_is_allowed_may_connect(tmp_path: Path) -> None:
    offer = OFFER.replace("allow: any", "allow: [127.0.0.0/8]")
    with Offering(tmp_path, offer) as offering, Centre(offering.status.port) as centre:
        centre.start()


def test_more_than_eight_connections_are_turned_away(shared: Offering) -> None:
    shared.until(lambda: not shared.status.connected)
    centres = [Centre(shared.status.port) for _ in range(8)]
    for centre in centres:
        centre.raw(apci.control(apci.TESTFR_ACT))
        centre.frame()
    with Centre(shared.status.port) as ninth:
        assert ninth.closed()
    for centre in centres:
        centre.socket.close()


@pytest.mark.parametrize("shows_certificate", [True, False])
def test_tls_asks_for_a_certificate_of_the_centre(tmp_path: Path, shows_certificate: bool) -> None:
    more = f"tls: {{certificate: {TLS}/station.pem, key: {TLS}/station.key, ca: {TLS}/ca.pem}}"
    context = ssl.create_default_context(cafile=str(TLS / "ca.pem"))
    if shows_certificate:
        context.load_cert_chain(TLS / "client.pem", TLS / "client.key")
    with Offering(tmp_path, more=more) as offering:
        if shows_certificate:
            with Centre(offering.status.port, context) as centre:
                centre.start()
        else:
            with pytest.raises((ssl.SSLError, EOFError, OSError)), Centre(offering.status.port, context) as centre:
                centre.start()
            assert not offering.status.connected


def test_cyclic_values_come_without_being_asked_for(tmp_path: Path) -> None:
    with Offering(tmp_path, more="cyclic: 1s") as offering, Centre(offering.status.port) as centre:
        centre.start()
        frame = centre.until(lambda frame: apci.is_information(frame) and frame[8] == 1)
        assert decode([frame[6:]]).columns.type.tolist()[0] in (5, 9, 11, 13)


def test_what_tshark_reads_is_what_we_mean(tmp_path: Path) -> None:
    with Offering(tmp_path, more="clock: station") as offering:
        offering.give(("breaker", 1), ("door", 0), ("p_kw", 123.5), ("q_kvar", -250), ("tap", -3), ("e_kwh", 77))
        with Centre(offering.status.port) as centre:
            centre.start()
            offering.until(lambda: offering.status.transferring)
            offering.give(("breaker", 0, 0x40), ("p_kw", 99.5), time_ns=1_767_225_600_250_000_000)  # 8 h in Shanghai
            centre.until(lambda frame: apci.is_information(frame) and 99.5 in decode([frame[6:]]).columns.value)
            centre.send(INTERROGATION)
            centre.until(ends)
            centre.send(bytes.fromhex("65 01 06 00 01 00 00 00 00 05"))
            centre.until(lambda frame: apci.is_information(frame) and frame[6] == 101 and frame[8] == 10)
            centre.send(bytes.fromhex("32 01 06 00 01 00 01 62 00") + struct.pack("<fB", 1.5, 0))
            centre.until(lambda frame: apci.is_information(frame) and frame[6] == 50)
            frames = centre.frames
    capture = tmp_path / "sent.pcap"
    write_capture(capture, [(True, frame) for frame in frames], 2404)
    names = ["typeid", "causetx", "nega", "ioa", "float", "normval", "scalval", "vti.v", "siq.spi", "siq.nt", "diq.dpi",
             "bcr.count", "cp56time.hour", "cp56time.ms"]  # fmt: skip
    rows = [dict(zip(names, row, strict=True)) for row in decoded(capture, 2404, [f"iec60870_asdu.{n}" for n in names])]
    by = {(row["typeid"], row["causetx"]): row for row in rows}  # the last of each
    assert by["70", "4"]
    assert by["30", "3"]["cp56time.hour"] == "8" and by["36", "3"]["cp56time.ms"] == "250"
    assert float(by["36", "3"]["float"]) == 99.5
    states = [row for row in rows if row["typeid"] == "1"]
    assert (states[0]["siq.spi"], states[0]["siq.nt"]) in (("0", "1"), ("False", "True"))
    assert by["3", "20"]["diq.dpi"] == "1"
    assert float(by["13", "20"]["float"]) == 99.5
    assert float(by["9", "20"]["normval"]) == pytest.approx(-0.25)
    assert by["11", "20"]["scalval"] == "995"
    assert by["5", "20"]["vti.v"] == "-3"
    assert by["15", "37"]["bcr.count"] == "77"
    assert by["50", "7"]["nega"] in ("1", "True") and by["100", "7"]["nega"] in ("0", "False")
    assert by["100", "10"] and by["101", "10"]
