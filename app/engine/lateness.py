"""How late scans begin, over the last some thousand of them."""

from __future__ import annotations

from typing import Final

import numpy as np

_KEPT: Final = 16384


class Lateness:
    """A ring of the latest beginnings, in seconds behind their due time."""

    def __init__(self) -> None:
        self._ring = np.zeros(_KEPT)
        self._count = 0

    def add(self, late_s: float) -> None:
        self._ring[self._count % _KEPT] = late_s
        self._count += 1

    def reset(self) -> None:
        """Forget them all."""
        self._count = 0

    def percentile_ms(self, percent: float) -> float:
        """A percentile in milliseconds; 0 before the first scan."""
        kept = self._ring[: min(self._count, _KEPT)]
        return float(np.percentile(kept, percent)) * 1e3 if len(kept) else 0.0

    def worst_ms(self) -> float:
        """The latest of those kept, in milliseconds."""
        kept = self._ring[: min(self._count, _KEPT)]
        return float(kept.max()) * 1e3 if len(kept) else 0.0
