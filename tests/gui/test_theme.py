"""The colours keep their distance: from the page, from alarms, and from each other for the colour-blind."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from widgets import theme

Column = NDArray[np.float64]
SYMBOLS = (
    "line",
    "priority-1",
    "priority-2",
    "priority-3",
    "priority-4",
    "bad-quality",
    "manual",
    "gb-closed",
    "gb-open",
)
TEXTS = ("ink", "ink-soft", "live")
# Machado, Oliveira, Fernandes 2009: what is seen without red or green cones, in linear RGB.
SEEN = {
    "all cones": np.eye(3),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}


def _linear(hex_: str) -> Column:
    c = np.array([int(hex_[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    """WCAG contrast of two colours."""
    y = sorted(float(_linear(c) @ np.array([0.2126, 0.7152, 0.0722])) for c in (a, b))
    return (y[1] + 0.05) / (y[0] + 0.05)


def _oklab(linear: Column) -> Column:
    to_lms = np.array(
        [
            [0.41222147, 0.53633254, 0.05144599],
            [0.21190350, 0.68069955, 0.10739696],
            [0.08830246, 0.28171884, 0.62997870],
        ]
    )
    to_lab = np.array(
        [
            [0.21045426, 0.79361779, -0.00407205],
            [1.97799850, -2.42859221, 0.45059371],
            [0.02590404, 0.78277177, -0.80867577],
        ]
    )
    return to_lab @ np.cbrt(to_lms @ np.clip(linear, 0, 1))


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
def test_contrast(side: int) -> None:
    for surface in ("surface", "ground"):
        behind = theme.TOKENS[surface][side]
        for token in TEXTS:
            assert contrast(theme.TOKENS[token][side], behind) >= 4.5, f"{token} on {surface}"
        for token in SYMBOLS:
            assert contrast(theme.TOKENS[token][side], behind) >= 3, f"{token} on {surface}"


@pytest.mark.parametrize("side", ["light", "dark"])
def test_pens_stay_apart(side: str) -> None:
    column = side == "dark"
    pens = theme.PENS[side]
    assert len(set(pens)) == 8
    for pen in pens:
        assert contrast(pen, theme.TOKENS["surface"][column]) >= 3
        for token in ("priority-1", "priority-2", "priority-3", "priority-4", "bad-quality", "manual"):
            distance = np.linalg.norm(_oklab(_linear(pen)) - _oklab(_linear(theme.TOKENS[token][column])))
            assert distance >= 0.09, f"{pen} is too near {token}"
    for eyes, matrix in SEEN.items():
        for a, b in itertools.combinations(pens, 2):
            distance = np.linalg.norm(_oklab(matrix @ _linear(a)) - _oklab(matrix @ _linear(b)))
            assert distance >= 0.11, f"{a} and {b} look alike with {eyes}"
