"""The declared range of a point: a value outside it is kept, and marked."""

from __future__ import annotations

import numpy as np

from app.model import quality as q
from app.model.station import PointColumns
from app.model.updates import Updates


def in_range(updates: Updates, columns: PointColumns) -> Updates:
    """The same batch with RANGE on every value outside its point's range. NaN is outside of nothing."""
    with np.errstate(invalid="ignore"):
        outside = (updates.value < columns.low[updates.point]) | (updates.value > columns.high[updates.point])
    if not outside.any():
        return updates
    marked = np.where(outside, updates.quality | q.RANGE, updates.quality).astype(np.uint16)
    return Updates(updates.point, updates.value, marked, updates.time, updates.received)
