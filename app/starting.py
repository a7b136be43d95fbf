"""How every verb brings a station up: its files, its data folder, the demo's simulator, the station, in that order."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import platformdirs

from app.configuration import configure
from app.demo import DemoSimulator, is_demo, station_directory
from app.history.folder import DataFolder
from app.logs import Logs
from app.station import RunningStation


def who(verb: str) -> str:
    """How this process is named to another that wants its data folder."""
    return f"gridroom {verb} (process {os.getpid()} on {socket.gethostname()})"


@contextmanager
def running(
    station: Path, data: Path | None, overlay: Path | None, verb: str, meanwhile: Callable[[], object] = lambda: None
) -> Iterator[RunningStation]:
    """A running station, ended afterwards. Without `data` it goes to the user's own place, by station id.

    `meanwhile` is called while the demo's simulator starts in its own process. Raises ConfigFaults, FolderHeld or
    StorageError before anything is started.
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
            simulator = DemoSimulator()
            stack.callback(simulator.stop)
            meanwhile()
            configuration = configure(directory, simulator.wait_until_ready())
        facade = RunningStation(configuration, folder.path, demo=is_demo(station))
        stack.callback(facade.stop)
        facade.start()
        yield facade
