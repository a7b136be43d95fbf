"""The types of ASDU that this driver speaks (IEC 60870-5-101, 7.2.1.1), and what a point may be. No I/O.

Every monitored type has a twin with a time tag CP56Time2a; both are the same point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from app.model.text import Text

Element = Literal["siq", "diq", "vti", "bsi", "nva", "sva", "ieee", "bcr"]
"""The information element that carries the value (7.2.6)."""

TIME_OCTETS: Final = 7
"""Of CP56Time2a (7.2.6.18)."""


@dataclass(frozen=True, slots=True)
class Monitored:
    """One kind of monitored point: its type without and its type with time."""

    name: str
    plain: int
    timed: int
    element: Element
    octets: int
    """Of value and quality, without time."""


MONITORED: Final = (
    Monitored("M_SP_NA_1", 1, 30, "siq", 1),
    Monitored("M_DP_NA_1", 3, 31, "diq", 1),
    Monitored("M_ST_NA_1", 5, 32, "vti", 2),
    Monitored("M_BO_NA_1", 7, 33, "bsi", 5),
    Monitored("M_ME_NA_1", 9, 34, "nva", 3),
    Monitored("M_ME_NB_1", 11, 35, "sva", 3),
    Monitored("M_ME_NC_1", 13, 36, "ieee", 5),
    Monitored("M_IT_NA_1", 15, 37, "bcr", 5),
)
MONITORED_BY_TYPE: Final = {t: kind for kind in MONITORED for t in (kind.plain, kind.timed)}
TIMED: Final = frozenset(kind.timed for kind in MONITORED)


@dataclass(frozen=True, slots=True)
class Command:
    """One kind of command or setpoint."""

    name: str
    type: int
    element: Literal["single", "double", "step", "normalized", "scaled", "short", "bits"]
    timed: bool


_ELEMENTS: Final = (
    ("SC", "N", "single"), ("DC", "N", "double"), ("RC", "N", "step"), ("SE", "NA", "normalized"),
    ("SE", "NB", "scaled"), ("SE", "NC", "short"), ("BO", "N", "bits"),
)  # fmt: skip


def _commands() -> tuple[Command, ...]:
    """45 to 51 in the standard's order, then their twins with time, 58 to 64."""
    found = []
    for first, timed in ((45, False), (58, True)):
        for place, (group, variant, element) in enumerate(_ELEMENTS):
            letters = variant if len(variant) == 2 else "NA"
            name = f"C_{group}_{'T' + letters[1] if timed else letters}_1"
            found.append(Command(name, first + place, element, timed))  # type: ignore[arg-type]
    return tuple(found)


COMMANDS: Final = _commands()
COMMANDS_BY_TYPE: Final = {command.type: command for command in COMMANDS}

END_OF_INITIALISATION: Final = 70
INTERROGATION: Final = 100
COUNTER_INTERROGATION: Final = 101
READ: Final = 102
CLOCK_SYNCHRONISATION: Final = 103
TESTS: Final = (104, 107)
RESET: Final = 105

_TIMED_NAMES: Final = {
    30: "M_SP_TB_1", 31: "M_DP_TB_1", 32: "M_ST_TB_1", 33: "M_BO_TB_1", 34: "M_ME_TD_1", 35: "M_ME_TE_1",
    36: "M_ME_TF_1", 37: "M_IT_TB_1",
}  # fmt: skip
NUMBERS: Final[dict[str, int]] = {
    **{kind.name: kind.plain for kind in MONITORED},
    **{name: number for number, name in _TIMED_NAMES.items()},
    **{command.name: command.type for command in COMMANDS},
}
"""Name -> type identification, of every type that a point may have."""
NAMES: Final = {number: name for name, number in NUMBERS.items()} | {
    END_OF_INITIALISATION: "M_EI_NA_1", INTERROGATION: "C_IC_NA_1", COUNTER_INTERROGATION: "C_CI_NA_1",
    CLOCK_SYNCHRONISATION: "C_CS_NA_1",
}  # fmt: skip


def named(number: int) -> str:
    """A type as people read it: `13 M_ME_NC_1`."""
    return f"{number} {NAMES[number]}" if number in NAMES else str(number)


class Cause:
    """Causes of transmission (7.2.3) that mean something to us."""

    CYCLIC: Final = 1
    BACKGROUND: Final = 2
    SPONTANEOUS: Final = 3
    INITIALISED: Final = 4
    REQUESTED: Final = 5
    ACTIVATION: Final = 6
    CONFIRMATION: Final = 7
    DEACTIVATION: Final = 8
    DEACTIVATED: Final = 9
    TERMINATION: Final = 10
    INTERROGATED: Final = 20
    """By the station as a whole; 21 to 36 by group 1 to 16."""
    COUNTED: Final = 37
    """By a general counter interrogation; 38 to 41 by one of group 1 to 4."""
    UNKNOWN_TYPE: Final = 44
    UNKNOWN_CAUSE: Final = 45
    UNKNOWN_ADDRESS: Final = 46
    UNKNOWN_OBJECT: Final = 47


REFUSALS: Final = {
    Cause.UNKNOWN_TYPE: Text("it does not know this type", "未知的类型标识"),
    Cause.UNKNOWN_CAUSE: Text("it does not know this cause of transmission", "未知的传送原因"),
    Cause.UNKNOWN_ADDRESS: Text("it does not know this common address", "未知的公共地址"),
    Cause.UNKNOWN_OBJECT: Text("it does not know this information object address", "未知的信息对象地址"),
}
"""Causes with which a station refuses what it does not know."""
