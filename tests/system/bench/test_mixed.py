"""The benches of several protocols run, and their peers do what they say. How fast it was is not judged here."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest

from app.bench import faults, mixed
from app.bench.mixed_field import Size, web_server
from tests.support.mqtt_broker import runs_mosquitto

SMALL = Size(
    modbus=2, modbus_points=10, links=2, link_points=10, link_events=100, topics=3, messages=60, http=2, http_points=5
)
needs_mosquitto = pytest.mark.skipif(not runs_mosquitto(), reason="benches of MQTT run on mosquitto alone")


@needs_mosquitto
def test_a_mixed_station_tells_all_that_it_was_asked_for() -> None:
    figures = {figure.name: figure for figure in mixed.run(1.0, SMALL)}
    for name in ("modbus-tcp: worst lateness of a scan", "http: worst lateness of a scan"):
        assert figures[name].value is not None
    for driver in ("iec104", "mqtt", "http"):
        assert 0 <= (figures[f"{driver}: worst age in the table"].value or -1.0) < 60_000, "peers and station disagree"
    assert "aiohttp" in str(figures["of one core, the station's process"].limit)
    into = figures["into table, alarms, history"].value
    assert into is not None
    assert into > 0.5 * SMALL.points_per_s, "every peer is heard"


@needs_mosquitto
def test_each_protocol_has_each_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "HOW", ("garbling",))
    monkeypatch.setattr(faults, "LOOKS", 1)
    figures = faults.run(1.2, SMALL)
    told = [figure.name.split(":")[0] for figure in figures]
    assert told == [*(f"{driver} garbling" for driver in faults.FIRST), "mqtt payloads garbled"]
    for figure in figures:
        assert figure.goal == 50
        assert "modbus-tcp scans" in str(figure.limit)
        assert "iec104 ages" in str(figure.limit)


def test_the_web_server_answers_each_device() -> None:
    with web_server(2, 3) as port, urllib.request.urlopen(f"http://127.0.0.1:{port}/d1", timeout=10) as answer:
        document = json.loads(answer.read())
    assert len(document["p"]) == 3
    assert document["t"] > 1.7e12


@pytest.fixture
def echo() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server


def test_a_relay_is_well_garbling_dead_and_well_again(echo: socket.socket) -> None:
    def asked(wait_s: float) -> bytes:
        ours.sendall(b"question")
        ours.settimeout(wait_s)
        theirs.settimeout(wait_s)
        theirs.sendall(theirs.recv(100))
        return ours.recv(100)

    def through(port: int) -> tuple[socket.socket, socket.socket]:
        client = socket.create_connection(("127.0.0.1", port))
        return client, echo.accept()[0]

    with faults.relayed(echo.getsockname()[1]) as relays:
        ours, theirs = through(relays.ports[0])
        with ours, theirs:
            assert asked(10) == b"question"
            relays.make(0, "garbling")
            while (answer := asked(10)) == b"question":
                pass
            assert len(answer) == 8
            relays.make(0, "dead")
            with pytest.raises(TimeoutError):
                while True:
                    asked(0.5)
        relays.make(0, "well")
        ours, theirs = through(relays.ports[0])
        with ours, theirs:
            for _ in range(20):  # the relay may hear of it after the first words, and swallow those
                with suppress(TimeoutError):
                    assert asked(1).startswith(b"question")
                    break
            else:
                pytest.fail("it is dead for ever")


def test_the_command_line_knows_them() -> None:
    done = subprocess.run([sys.executable, "-m", "app", "bench", "--help"], capture_output=True, text=True, check=True)
    assert "mixed faults" in " ".join(done.stdout.split())
