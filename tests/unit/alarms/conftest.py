"""Alarms and events keep their records in a file or on a server, and behave the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.records.database import Place


@pytest.fixture(autouse=True)
def kept(place_of: Callable[[Path], Place | None]) -> None:
    """Each test here runs on both."""
