"""The console on a station that runs in another process: what the facade answers is plain data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.console.main import Console
from app.console.pages.devices import DevicesPage
from app.demo import DEMO, DemoSimulator
from tests.support.remote_station import RemoteStation


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[RemoteStation]:
    simulator = DemoSimulator()
    try:
        facade = RemoteStation(DEMO, tmp_path / "data", simulator.wait_until_ready())
        yield facade
        facade.close()
    finally:
        simulator.stop()


def test_the_console_shows_a_station_of_another_process(
    dressed: None, remote: RemoteStation, tmp_path: Path, qtbot: QtBot
) -> None:
    console = Console(remote, tmp_path / "console.json")
    console.open()
    try:
        qtbot.waitUntil(lambda: bool(np.isfinite(console.bridge.snapshot.value).sum() > 500), timeout=20_000)
        for page in console.window.pages:
            console.window.go(page)
            qtbot.wait(150)
        console.window.show_points("meter1")
        page_shown = console.window.pages["devices"]
        assert isinstance(page_shown, DevicesPage)
        qtbot.waitUntil(lambda: page_shown.model.rowCount() > 10, timeout=5_000)
        console.window.show_device("pcs1")
        qtbot.waitUntil(lambda: console.bridge.health_now.devices_online > 30, timeout=20_000)
    finally:
        console.close()
