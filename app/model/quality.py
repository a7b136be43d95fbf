"""Quality of a value: 16 bits that travel with it everywhere. 0 is good.

The low byte is the quality descriptor QDS of IEC 60870-5-101 (7.2.6.3); the high byte is ours.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

GOOD: Final = 0x0000
OV: Final = 0x0001
"""Overflow: beyond what the device can measure."""
BL: Final = 0x0010
"""Blocked: held at the source, for instance while a terminal is being tested."""
SB: Final = 0x0020
"""Substituted: entered by a person or an automatic source instead of measured."""
NT: Final = 0x0040
"""Not topical: not updated in the time in which it should have been."""
IV: Final = 0x0080
"""Invalid: not to be used."""
RANGE: Final = 0x0100
"""Outside the point's declared range."""
CLOCK: Final = 0x0200
"""Source time doubtful."""
DERIVED: Final = 0x0400
"""Computed from at least one bad input."""
ESTIMATED: Final = 0x0800
FORCED: Final = 0x1000
TEST: Final = 0x2000

UNUSABLE: Final = OV | NT | IV
"""A value with one of these bits says nothing about the present: no mean, limit or strategy uses it."""

LETTERS: Final[dict[int, str]] = {
    OV: "OV",
    BL: "BL",
    SB: "SB",
    NT: "NT",
    IV: "IV",
    RANGE: "RANGE",
    CLOCK: "CLOCK",
    DERIVED: "DERIVED",
    ESTIMATED: "ESTIMATED",
    FORCED: "FORCED",
    TEST: "TEST",
}


def letters(quality: int) -> str:
    """The quality as exports print it: `IV|CLOCK`, empty when good."""
    return "|".join(word for bit, word in LETTERS.items() if quality & bit)


def usable(value: NDArray[np.float64], quality: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Where a value may be used: a finite number without OV, NT or IV. Shapes of both are equal and returned."""
    result: NDArray[np.bool_] = np.isfinite(value) & ((quality & UNUSABLE) == 0)
    return result
