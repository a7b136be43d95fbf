"""The exception codes of Modbus: what a device says when it refuses."""

from __future__ import annotations

from typing import Final

NAMES: Final[dict[int, str]] = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge, still working on it",
    6: "server device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}

DIVISIBLE: Final = (2, 3)
"""Something in the block is wrong, but perhaps not all of it."""
LASTING: Final = (1, 2, 3)
"""What is asked for does not exist. All other codes are trouble that passes."""


def words(code: int) -> str:
    """`exception 2, illegal data address`."""
    return f"exception {code}, {NAMES.get(code, 'not in the standard')}"


def mend(code: int) -> str:
    """What to do about it."""
    if code in LASTING:
        return "compare the address with the device's own register list"
    if code in (5, 6):
        return "it is busy and is asked again later"
    if code in (10, 11):
        return "check the gateway, its table of units, and that the device behind it has power"
    return "see the device's own diagnosis"
