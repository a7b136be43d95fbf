"""The verbs that open the console: the station first, then its window, and both closed in order."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.model.errors import GridroomError, mend_of, wrong_input
from app.place import here
from app.starting import Ending, on_end, running

if TYPE_CHECKING:
    from app.console.main import Console

DONE: Final = 0
NO_DISPLAY: Final = (
    "there is no display here; run 'gridroom engine' for a station without a screen, "
    "or set DISPLAY (ssh -X does) and start again"
)


def console(station: Path, data: Path | None, overlay: Path | None) -> int:
    """Open the console on a station; returns when its window is closed."""
    if not _has_display():
        raise GridroomError(NO_DISPLAY)
    told = threading.Event()
    on_end(told.set)  # until the window is there: an interrupt in the midst of loading Qt ends in a crash
    with opened(station, data, overlay, "console"):
        from PySide6.QtCore import QTimer

        from app.console.main import application

        app = application()
        on_end(lambda: QTimer.singleShot(0, app.quit))
        return DONE if told.is_set() else app.exec()


@contextmanager
def opened(station: Path, data: Path | None, overlay: Path | None, verb: str) -> Iterator[Console]:
    """An open console on a running station, both closed afterwards, the console first."""
    with running(station, data, overlay, verb, meanwhile=_load_qt) as facade:
        from app.console.main import Console, application

        application()
        console = Console(facade.facade(here("console")), facade.data / "console.json")
        try:
            console.open()
            yield console
        finally:
            console.close()


def _load_qt() -> None:
    """The window's libraries take their time; better while something else is waited for."""
    importlib.import_module("app.console.main")


def screenshots(
    station: Path,
    output: Path,
    overlay: Path | None,
    *,
    data: Path | None,
    warm_s: float,
    sizes: Sequence[tuple[int, int]],
) -> int:
    """Render every page in both languages and themes. What was written when it is broken off stays."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    ending = Ending()
    written = 0
    with (
        tempfile.TemporaryDirectory(prefix="gridroom-pictures-", ignore_cleanup_errors=True) as empty,
        running(station, data or Path(empty), overlay, "screenshots") as facade,
    ):
        from app.console.screenshots import render

        _make(output)
        ending.wait(warm_s)
        with closing(render(facade.facade(here("screenshots")), output, sizes=sizes)) as pictures:
            while not ending.told() and (picture := next(pictures, None)) is not None:
                sys.stdout.write(f"{picture}\n")
                written += 1
    if ending.told():
        raise GridroomError(f"interrupted; {written} whole pictures are in {output}, start it again for the others")
    return DONE


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise wrong_input(f"no folder can be made at {folder}: a file is in the way", "name another with -o") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise GridroomError(
            f"folder {folder} cannot be made ({why}); {mend_of(error).en}, or name another with -o"
        ) from error


def _has_display() -> bool:
    """Whether Qt would find a screen. Only Linux can be without one; elsewhere Qt says so itself."""
    if not sys.platform.startswith("linux") or "QT_QPA_PLATFORM" in os.environ:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
