"""How every verb brings a station up: its files, its data folder, the demo's simulator, the station, in that order."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from app.demo import DEMO_WORD, DemoSimulator, is_demo, station_directory

if TYPE_CHECKING:
    from app.station import RunningStation


def who(verb: str) -> str:
    """How this process is named to another that wants its data folder."""
    return f"gridroom {verb} (process {os.getpid()} on {socket.gethostname()})"


def on_end(tell: Callable[[], object]) -> None:
    """Call `tell` whenever a person or the system wants the program to end. On the main thread.

    This holds for the rest of the program: a second signal does not break off what is being stored.
    """
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: tell())


@contextmanager
def running(
    station: Path, data: Path | None, overlay: Path | None, verb: str, meanwhile: Callable[[], object] = lambda: None
) -> Iterator[RunningStation]:
    """A running station, ended afterwards. Without `data` it goes to the user's own place, by station id.

    `meanwhile` is called while the demo's simulator starts, in a process of its own. Raises ConfigFaults, FolderHeld or
    StorageError before anything is started.
    """
    directory = station_directory(station)
    with ExitStack() as stack:
        simulator = None
        if is_demo(station) and overlay is None:
            simulator = DemoSimulator()
            stack.callback(simulator.stop)
        from app.configuration import configure  # heavy: loaded while the simulator starts
        from app.history.folder import DataFolder
        from app.logs import Logs
        from app.station import RunningStation

        # The demo's id is its word: it is not loaded twice while its simulator starts.
        id_ = DEMO_WORD if simulator is not None else configure(directory, overlay).station.id
        place = data or Path(platformdirs.user_data_path("gridroom", appauthor=False)) / id_
        folder = DataFolder.open(place, who(verb))
        stack.callback(folder.close)
        folder.belongs_to(id_)
        logs = Logs(folder.path)
        logs.start()
        stack.callback(logs.stop)
        meanwhile()
        if simulator is not None:
            overlay = simulator.wait_until_ready()
        facade = RunningStation(configure(directory, overlay), folder.path, demo=is_demo(station), overlay=overlay)
        stack.callback(facade.stop)
        facade.start()
        yield facade
