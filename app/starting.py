"""How every verb brings a station up: its files, its data folder, the demo's simulator, the station, in that order."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import platformdirs

from app import demo
from app.configuration import configure
from app.history.folder import DataFolder
from app.logs import Logs
from app.station import RunningStation

DEMO_WORD: Final = "demo"


def station_directory(given: Path) -> Path:
    """The folder of a station; `demo` is the demo station where there is no folder of that name."""
    return demo.DEMO if str(given) == DEMO_WORD and not given.exists() else given


def is_demo(given: Path) -> bool:
    """Whether it is the demo station, whose devices are simulated."""
    return station_directory(given).resolve() == demo.DEMO.resolve()


def who(verb: str) -> str:
    """How this process is named to another that wants its data folder."""
    return f"gridroom {verb} (process {os.getpid()} on {socket.gethostname()})"


@contextmanager
def running(station: Path, data: Path | None, overlay: Path | None, verb: str) -> Iterator[RunningStation]:
    """A running station, ended afterwards. Without `data` it goes to the user's own place, by station id.

    Raises ConfigFaults, FolderHeld or StorageError before anything is started.
    """
    directory = station_directory(station)
    configuration = configure(directory, overlay)
    place = data or Path(platformdirs.user_data_path("gridroom", appauthor=False)) / configuration.station.id
    with ExitStack() as stack:
        folder = DataFolder.open(place, who(verb))
        stack.callback(folder.close)
        logs = Logs(folder.path)
        logs.start()
        stack.callback(logs.stop)
        if is_demo(station) and overlay is None:
            simulator = demo.DemoSimulator()
            stack.callback(simulator.stop)
            configuration = configure(directory, simulator.wait_until_ready())
        facade = RunningStation(configuration, folder.path, demo=is_demo(station))
        stack.callback(facade.stop)
        facade.start()
        yield facade
