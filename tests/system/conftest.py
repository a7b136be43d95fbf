"""What several of these need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.control_site import CONTROL, Site
from tests.support.simulated_park import SimulatedPark


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    made: list[Any] = []

    def make_(**park: Any) -> Site:
        made.append(SimulatedPark(tmp_path / "park", **{"control": CONTROL, **park}))
        site = Site(made[-1], tmp_path / "data")
        made.append(site)
        return site

    yield make_
    for one in reversed(made):
        one.close()
