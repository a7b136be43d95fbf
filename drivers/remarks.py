"""Why points have no value, for links that read one point by several plans: what was read last of it decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from app.model.text import Text

_NONE: Final[Mapping[str, Text]] = {}


class Remarks:
    """Those of the devices of one link: full point name -> why."""

    def __init__(self) -> None:
        self._told: dict[str, Mapping[str, Text]] = {}

    def of(self, device: str) -> Mapping[str, Text]:
        """Any thread: a mapping is never changed once it is there."""
        return self._told.get(device, _NONE)

    def note(self, device: str, names: Collection[str], found: Mapping[str, Text]) -> None:
        """The points `names` were read, and these of them have no value."""
        before = self.of(device)
        if before or found:
            read = frozenset(names)
            self._told[device] = {name: why for name, why in before.items() if name not in read} | dict(found)
