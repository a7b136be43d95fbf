"""A console on a small park without an engine; language and theme are as they were afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.console.main import Console, application
from app.model.clock import ManualClock
from tests.support.fake_station import FakeStation, write_station
from widgets import blink, language, theme


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A window without a screen cannot tell its smallest size to a window manager, and says so each time."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.qt_log_ignore("propagateSizeHints", extend=True))


@pytest.fixture
def dressed(qtbot: QtBot) -> Iterator[None]:
    """The application with our fonts and style sheet, in English and light."""
    application()
    language.choose("en")
    theme.choose("light")
    yield
    language.choose("en")
    theme.choose("light")
    blink.set_still(False)
    blink.want(False)


@pytest.fixture
def facade(tmp_path: Path, manual_clock: ManualClock) -> Iterator[FakeStation]:
    """The park with one value of everything."""
    fake = FakeStation(write_station(tmp_path / "park"), manual_clock)
    fake.move()
    yield fake
    fake.close()


@pytest.fixture
def console(dressed: None, facade: FakeStation, tmp_path: Path) -> Iterator[Console]:
    """Its console, shown at 1366 × 768. Nothing moves but by `console.bridge.refresh()`."""
    made = Console(facade, tmp_path / "console.json")
    made.window.resize(1366, 768)
    made.window.show()
    made.bridge.refresh()
    yield made
    made.close()
