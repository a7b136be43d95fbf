"""Every page of the console as a picture, rendered offscreen."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from PySide6.QtCore import QBuffer, QCoreApplication, QEvent, QEventLoop
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication

from app.console.main import Console, application
from app.console.pages.devices import DevicesPage
from app.console.pages.trends import TrendsPage
from app.console.window import PAGES, MainWindow
from app.facade import StationFacade
from app.model.config import DeviceKind
from app.model.errors import StorageError, mend_of
from app.model.station import Station
from widgets import language, theme

EDITOR: Final = "editor"
"""Not a page of its own: the Devices page with the editor open."""
ALL_PAGES: Final = (*(kind.name for kind in PAGES), EDITOR)
SIZES: Final = ((1366, 768), (1920, 1080), (2560, 1440), (3840, 2160))
_SETTLE_S: Final = 0.35
_SETTLE_ROUNDS: Final = 8
_LONGEST_WAIT_S: Final = 20.0


def render(
    facade: StationFacade,
    out: Path,
    *,
    sizes: Sequence[tuple[int, int]] = SIZES,
    languages: Sequence[str] = ("en", "zh"),
    themes: Sequence[str] = ("light", "dark"),
    pages: Sequence[str] = ALL_PAGES,
    device: str = "",
) -> Generator[Path, None, None]:
    """Write `PAGE-LANGUAGE-THEME-WxH.png` for everything asked for; gives each file when it is whole.

    `out` is a folder. Waits until every page has data. `device` opens that device's faceplate beside each page. Raises
    StorageError.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application()
    before = language.name(), theme.name()
    with _window(facade) as window:
        for width, height in sizes:
            window.resize(width, height)
            for page in pages:
                if page == EDITOR and not can_edit(facade):
                    continue
                show_page(window, page)
                for tongue in languages:
                    for dress in themes:
                        language.choose(tongue)
                        theme.choose(dress)
                        if device:
                            window.show_device(device)
                        settle(window)
                        file = out / f"{page}-{tongue}-{dress}-{width}x{height}.png"
                        _save(window.grab(), file)
                        yield file
    language.choose(before[0])
    theme.choose(before[1])


def show_page(window: MainWindow, name: str) -> None:
    """Go to a page; `EDITOR` opens the editor on the first device that hangs on the station's main bus."""
    window.go(DevicesPage.name if name == EDITOR else name)
    page = window.pages[DevicesPage.name]
    if isinstance(page, DevicesPage):
        if name == EDITOR and page.right.currentWidget() is not page.editor:
            page.show_device(editable(page.station))
            page.edit()
            while page.right.currentWidget() is not page.editor:
                settle(window, 0.02)
            page.editor.forms.setCurrentWidget(page.editor.points)
        elif name == DevicesPage.name:
            page.editor.closed.emit()


def can_edit(facade: StationFacade) -> bool:
    """Whether the editor opens at all: there is a device, and who is here may see what stands in the file."""
    return bool(facade.station.devices) and facade.access.why_not("commissioning.contents") is None


def editable(station: Station) -> str:
    """A device that a picture of the editor shows: one that is reached by some protocol."""
    order = (DeviceKind.PCS, DeviceKind.METER, DeviceKind.PV_INVERTER)
    reached = [device for device in station.devices if device.driver is not None] or list(station.devices)
    return min(reached, key=lambda one: order.index(one.kind) if one.kind in order else len(order)).id


def _save(picture: QPixmap, file: Path) -> None:
    """Under its name it is whole."""
    content = QBuffer()
    picture.save(content, "PNG")
    part = file.with_name(file.name + ".part")
    try:
        part.write_bytes(content.data().data())
        part.replace(file)
    except OSError as error:
        why = error.strerror or str(error)
        raise StorageError(
            f"{file} cannot be written ({why}); {mend_of(error).en}, or name another folder with -o"
        ) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _window(facade: StationFacade) -> Iterator[MainWindow]:
    with tempfile.TemporaryDirectory(prefix="gridroom-shots-") as folder:
        console = Console(facade, Path(folder) / "console.json")
        console.open()
        try:
            console.window.sign_in.close_again()  # a picture is of the page, also where nobody is an administrator yet
            wait_for_data(facade, console.window)
            trends = console.window.pages["trends"]
            if isinstance(trends, TrendsPage):
                trends.add_points(telling_points(facade.station))
            yield console.window
        finally:
            console.close()


def telling_points(station: Station) -> list[str]:
    """What the Trends page shows in a picture: the power of one device of each kind, a state of charge, a state."""
    names: list[str] = []
    for role, kinds in (
        ("active_power", (DeviceKind.METER, DeviceKind.PV_INVERTER, DeviceKind.PCS, DeviceKind.LOAD)),
        ("soc", (DeviceKind.BMS, DeviceKind.PCS)),
        ("state", (DeviceKind.PCS, DeviceKind.PV_INVERTER)),
    ):
        for kind in kinds:
            points = [device.role(role) for device in station.devices if device.kind is kind]
            names += [point.name for point in points if point is not None][:1]
    return names


def wait_for_data(facade: StationFacade, window: MainWindow) -> None:
    """Let Qt run until some value has arrived, or twenty seconds have passed."""
    deadline = time.monotonic() + _LONGEST_WAIT_S
    while not facade.snapshot().time.any() and time.monotonic() < deadline:
        settle(window)


def settle(window: MainWindow, seconds: float = _SETTLE_S) -> None:
    """Let Qt answer, lay out and paint for a while, and however slow the machine is for some rounds.

    A layout within layouts takes a round each: what an inner one needs moves the outer one.
    """
    deadline, rounds = time.monotonic() + seconds, 0
    while (left := deadline - time.monotonic()) > 0 or rounds < _SETTLE_ROUNDS:
        rounds += 1
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, max(1, round(left * 1000)))
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        time.sleep(0.005)
