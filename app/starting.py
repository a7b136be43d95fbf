"""How every verb brings a station up: its files, its data folder, the demo's simulator, the station, in that order."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from app.demo import DEMO_WORD, DemoSimulator, is_demo, station_directory
from app.history.folder import DataFolder

if TYPE_CHECKING:
    from app.station import RunningStation

LONGEST_WAIT_S: Final = 0.5


def on_end(tell: Callable[[], object]) -> None:
    """Call `tell` whenever a person or the system wants the program to end. On the main thread.

    This holds for the rest of the program: a second signal does not break off what is being stored.
    """
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: tell())


class Ending:
    """Whether a person or the system wants the program to end, from here on. Made on the main thread."""

    def __init__(self) -> None:
        self._told = threading.Event()
        on_end(self._told.set)

    def told(self) -> bool:
        """Whether it was told to."""
        return self._told.is_set()

    def wait(self, seconds: float) -> None:
        """Until told to end, or for a time."""
        end = time.monotonic() + seconds
        while not self.told() and (left := end - time.monotonic()) > 0:
            self._told.wait(min(LONGEST_WAIT_S, left))  # on Windows nothing interrupts a wait: look up now and then


def _own_place(station: str) -> Path:
    """A data folder in the user's own place."""
    return Path(platformdirs.user_data_path("gridroom", appauthor=False)) / station


@contextmanager
def running(
    station: Path, data: Path | None, overlay: Path | None, verb: str, meanwhile: Callable[[], object] = lambda: None
) -> Iterator[RunningStation]:
    """A running station, ended afterwards. Without `data` it goes to the user's own place, by station id.

    `meanwhile` is called while the demo's simulator starts, in a process of its own. Raises ConfigFaults, FolderHeld or
    StorageError before anything is started, and StorageError at the end where rows could not be stored any more.
    """
    directory = station_directory(station)
    demo = is_demo(station) and overlay is None
    program = f"gridroom {verb}"
    with ExitStack() as stack:
        # Whether another program has the folder is said at once, before the libraries of a station are loaded.
        place = data or (_own_place(DEMO_WORD) if demo else None)
        folder = None
        if place is not None and DataFolder.is_one(place):
            folder = stack.enter_context(DataFolder.open(place, program))
        simulator = None
        if demo:
            simulator = DemoSimulator()
            stack.callback(simulator.stop)
        from app.configuration import configure  # heavy: loaded while the simulator starts
        from app.logs import PLACES, Logs
        from app.model.errors import StorageError
        from app.station import RunningStation

        # The demo's id is its word: it is not loaded twice while its simulator starts.
        id_ = DEMO_WORD if simulator is not None else configure(directory, overlay).station.id
        folder = folder or stack.enter_context(DataFolder.open(place or _own_place(id_), program))
        folder.belongs_to(id_)
        logs = Logs(folder.path)
        logs.start()
        stack.callback(logs.stop)
        logging.getLogger(PLACES).info("data folder %s", folder.path)
        meanwhile()
        if simulator is not None:
            overlay = simulator.wait_until_ready()
        facade = RunningStation(configure(directory, overlay), folder.path, demo=is_demo(station), overlay=overlay)
        stack.callback(facade.stop)
        facade.start()
        yield facade
    if lost := facade.history.lost_rows:
        raise StorageError(
            f"{lost:,} rows are lost: the history in {folder.path} could not be written until the end; see why in its "
            "logs, mend it, and start again"
        )
    if lost := facade.records.lost_rows:
        raise StorageError(
            f"{lost:,} records (journals of alarms and events, versions) are lost: {facade.records.name} could not be "
            "written until the end; see why in the logs, mend it, and start again"
        )
