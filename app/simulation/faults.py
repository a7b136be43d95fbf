"""What can be made to go wrong with a device, on demand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.model.durations import parse_duration_s


class FaultKind(StrEnum):
    """How a device misbehaves."""

    DROP = "drop"
    """Off: its connections break and nobody listens on its port. On a shared line it is silent."""
    SILENT = "silent"
    """It takes requests and answers none."""
    FREEZE = "freeze"
    """It answers, and its measured values stand still."""
    NOISE = "noise"
    """Its measured values jitter, by some percent (10)."""
    SLOW = "slow"
    """It answers late, by a time (2s)."""
    TWICE = "twice"
    """It answers everything twice."""
    GARBAGE = "garbage"
    """It answers rubbish: random bytes, half frames, wrong lengths."""
    EXCEPTION = "exception"
    """It refuses everything, with a code (4)."""
    WRONG_UNIT = "wrong-unit"
    """It answers in the name of another unit."""
    TRIP = "trip"
    """The machine itself trips and shows its fault, until it is reset."""
    DEAF = "deaf"
    """A converter takes what is written, and goes on as it was."""
    BACKWARDS = "backwards"
    """A converter does the opposite of what it is told."""
    MIRROR = "mirror"
    """The power that it shows is its setpoint, whatever flows."""


DEFAULTS: Final[dict[FaultKind, float]] = {FaultKind.NOISE: 10.0, FaultKind.SLOW: 2.0, FaultKind.EXCEPTION: 4.0}
_NEEDED: Final = f"fault DEVICE {'|'.join(FaultKind)} [amount] [duration]"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one device."""

    kind: FaultKind
    amount: float = 0.0
    """Percent of noise, seconds of delay, or the exception's code."""
    duration_s: float | None = None
    """None until it is cleared."""


@dataclass(frozen=True, slots=True)
class Command:
    """One line of the control channel."""

    word: str
    """`fault`, `clear` or `quit`."""
    device: str = ""
    """Empty for all devices."""
    fault: Fault | None = None


def parse(line: str) -> Command:
    """A line such as `fault pcs1 drop 10s`, `fault inv3 slow 2s`, `clear pcs1`, `clear` or `quit`.

    Raises ValueError with the accepted forms.
    """
    words = line.split()
    if words == ["quit"]:
        return Command("quit")
    if words and words[0] == "clear" and len(words) <= 2:
        return Command("clear", words[1] if len(words) == 2 else "")
    if words and words[0] == "fault" and len(words) >= 3:
        return Command("fault", words[1], _fault(words[2], words[3:]))
    raise ValueError(f"'{line.strip()}' is not understood; write '{_NEEDED}', 'clear [DEVICE]' or 'quit'")


def _fault(word: str, rest: list[str]) -> Fault:
    if word not in list(FaultKind):
        raise ValueError(f"unknown fault '{word}'; one of: {' '.join(FaultKind)}")
    kind = FaultKind(word)
    amount = DEFAULTS.get(kind, 0.0)
    if rest and kind in DEFAULTS:
        given = rest.pop(0)
        try:
            amount = parse_duration_s(given) if kind is FaultKind.SLOW else float(given.removesuffix("%"))
        except ValueError as error:
            what = "a delay such as 2s" if kind is FaultKind.SLOW else "a number"
            raise ValueError(f"'{given}' after {kind} is not {what}: {error}") from None
    duration_s = parse_duration_s(rest.pop(0)) if rest else None
    if rest:
        raise ValueError(f"'{' '.join(rest)}' is too much; write '{_NEEDED}'")
    return Fault(kind, amount, duration_s)
