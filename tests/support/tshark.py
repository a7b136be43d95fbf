"""Finds tshark, which decodes captures for tests that want a second opinion on frames."""

from __future__ import annotations

import os
import shutil
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
    """One row for each frame of IEC 60870-5-104 in a capture: the fields, those of several ASDUs joined by commas."""
    command = [tshark(), "-r", str(capture), "-d", f"tcp.port=={port},iec60870_104", "-Y", "iec60870_104", "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]
