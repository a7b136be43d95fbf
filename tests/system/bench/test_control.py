"""The measurement of control measures what it says: cycles that command, and setpoints that follow."""

from __future__ import annotations

import pytest

from app.bench import control


def test_every_figure_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ROUNDS", 5)
    monkeypatch.setattr(control, "CYCLES", 20)
    monkeypatch.setattr(control, "YEAR_STEPS", 96 * 3)
    monkeypatch.setattr(control, "POLLED", 2)
    monkeypatch.setattr(control, "BY_HAND", 3)
    figures = control.run(seconds=1.0)
    assert [figure.unit for figure in figures] == ["ms", "ms", "ms", "ms", "ms", "s"]
    assert all(figure.value is not None and figure.value >= 0 and figure.limit for figure in figures)
