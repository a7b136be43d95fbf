"""Finds tshark, which decodes captures for tests that want a second opinion on frames."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest


def tshark() -> str:
    """Its path. Without it a test fails in CI, and is skipped elsewhere with the command that installs it."""
    for place in (None, "/usr/sbin", "C:\\Program Files\\Wireshark", "/Applications/Wireshark.app/Contents/MacOS"):
        found = shutil.which("tshark", path=place)
        if found:
            return found
    words = "tshark is not installed: sudo apt-get install tshark"
    if os.environ.get("CI"):
        pytest.fail(words)
    pytest.skip(words)


def decoded(capture: Path, port: int, fields: list[str]) -> list[list[str]]:
    """One row for each packet of IEC 60870-5-104 in a capture: the fields, those of several ASDUs joined by commas."""
    wanted = [word for field in fields for word in ("-e", field)]
    return [line.split("\t") for line in packets(capture, port, "iec60870_104", "-T", "fields", *wanted)]


def packets(capture: Path, port: int, which: str, *more: str) -> list[str]:
    """A line for each packet of a capture that a display filter takes."""
    command = [tshark(), "-r", str(capture), "-d", f"tcp.port=={port},iec60870_104", "-Y", which, *more]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def write_capture(file: Path, packets: list[tuple[bool, bytes]], port: int) -> None:
    """A capture (pcap, raw IPv4) of one TCP connection: (whether from the server at `port`, what it sent)."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    places = {True: 1, False: 1}
    out = [head]
    for number, (from_server, data) in enumerate(packets):
        ports = (port, 40000) if from_server else (40000, port)
        hosts = (b"\x7f\0\0\1", b"\x7f\0\0\2") if from_server else (b"\x7f\0\0\2", b"\x7f\0\0\1")
        tcp = struct.pack(">HHIIBBHHH", *ports, places[from_server], places[not from_server], 0x50, 0x18, 65535, 0, 0)
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp) + len(data), number, 0, 64, 6, 0) + b"".join(hosts)
        packet = ip + tcp + data
        out.append(struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet)
        places[from_server] += len(data)
    file.write_bytes(b"".join(out))
