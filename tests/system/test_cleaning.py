"""A counter of a real device rolls over while Gridroom runs and while it does not; both are counted, once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient

from app.configuration import configure
from app.history.folder import DataFolder
from app.station import RunningStation

ROOT = Path(__file__).resolve().parents[2]
STATION = """version: 1
station: {{id: s, name: S, timezone: UTC, location: {{latitude: 0, longitude: 0}}}}
devices:
  - id: m
    name: M
    kind: meter
    connection: {{driver: modbus-tcp, host: 127.0.0.1, port: {port}}}
    points:
      - {{id: e, name: Energy, kind: counter, unit: kWh, scan: 50ms, precision: 1, scale: 0.1,
         address: {{table: holding, register: 10, type: u16}}, clean: [{{counter: {{modulus: 2^16, per_s: 100000}}}}]}}
      - {{id: raw, name: Raw, kind: counter, scan: 50ms, address: {{table: holding, register: 10, type: u16}}}}
"""


@pytest.fixture
def device() -> Iterator[tuple[int, ModbusTcpClient]]:
    command = [sys.executable, "-m", "tests.support.foreign_modbus"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        port = int(process.stdout.readline())
        client = ModbusTcpClient("127.0.0.1", port=port)
        assert client.connect()
        yield port, client
        client.close()
        process.stdin.close()


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is true; fails after a time that no sound run needs."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.02)


@contextmanager
def station(folder: Path) -> Iterator[Callable[[], tuple[float, float]]]:
    """A running station; yields what reads (cleaned, raw)."""
    with DataFolder.open(folder / "data", "a test"):
        running = RunningStation(configure(folder), folder / "data")
        running.start()

        def read() -> tuple[float, float]:
            shot = running.snapshot()
            assert shot.raw is not None
            return round(float(shot.value[0]), 1), round(float(shot.raw.value[0]), 1)

        try:
            yield read
        finally:
            running.stop()


def test_rollovers_count_once_also_across_a_restart(tmp_path: Path, device: tuple[int, ModbusTcpClient]) -> None:
    port, meter = device
    (tmp_path / "station.yaml").write_text(STATION.format(port=port))

    def show(steps: int) -> None:
        assert not meter.write_register(10, steps, device_id=1).isError()

    show(65_000)
    with station(tmp_path) as read:
        until(lambda: read() == (6500.0, 6500.0))
        show(64)
        until(lambda: read() == (6560.0, 6.4))
        show(65_400)
        until(lambda: read()[1] == 6540.0)
        until(lambda: read()[0] == 13_093.6)
    show(200)
    with station(tmp_path) as read:
        until(lambda: read() == (13_127.2, 20.0))
