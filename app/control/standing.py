"""What people have decided of control, and what has tripped: modes, targets, tags, trips. It is kept over restarts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from app.model.access import Actor
from app.model.control import Mode, Running
from app.model.text import Text


@dataclass(frozen=True, slots=True)
class Manual:
    """What a person has set."""

    value: float
    who: str
    why: str
    id: int
    """Of its row in the ledger; 0 where it has none."""


@dataclass(slots=True)
class Standing:
    """Changed on the engine's loop only."""

    mode: Mode = Mode.AUTO
    modes: dict[str, Mode] = field(default_factory=dict)
    """Device -> mode, where it differs from auto."""
    manual: dict[str, Manual] = field(default_factory=dict)
    """Full name of a setpoint point -> what a person has set."""
    orders: dict[str, Manual] = field(default_factory=dict)
    """Full name of a setpoint, or `northbound.CENTRE.OBJECT` -> what a dispatch centre has ordered.

    `who` is the centre, `why` its address."""
    started: dict[str, str] = field(default_factory=dict)
    """Device -> the strategy that has started it."""
    full: dict[str, int] = field(default_factory=dict)
    """Device -> when its battery was last at the top of its band, UTC nanoseconds; before it ever was, since when that
    is looked for."""
    tags: dict[str, str] = field(default_factory=dict)
    trips: dict[str, Text] = field(default_factory=dict)
    stopped: bool = False
    running: dict[str, Running] = field(default_factory=dict)
    """Strategy -> how it runs, where a person has decided other than its file."""

    def mode_of(self, device: str) -> Mode:
        """The station's mode binds every device that is not more restricted itself."""
        own = self.modes.get(device, Mode.AUTO)
        if Mode.OFF in (own, self.mode):
            return Mode.OFF
        return Mode.MANUAL if Mode.MANUAL in (own, self.mode) else Mode.AUTO

    def to_json(self) -> str:
        """All of it."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def of_json(text: str) -> Standing:
        """What `to_json` wrote. Raises ValueError, KeyError, TypeError for anything else."""
        data: dict[str, Any] = json.loads(text)
        return Standing(
            Mode(data["mode"]),
            {name: Mode(mode) for name, mode in data["modes"].items()},
            {name: Manual(**one) for name, one in data["manual"].items()},
            {name: Manual(**one) for name, one in data.get("orders", {}).items()},
            {str(name): str(who) for name, who in data.get("started", {}).items()},
            {str(name): int(when) for name, when in data.get("full", {}).items()},
            {str(name): str(why) for name, why in data["tags"].items()},
            {name: Text(**why) for name, why in data["trips"].items()},
            bool(data["stopped"]),
            {name: Running(one) for name, one in data["running"].items()},
        )


NOBODY = Actor("")
