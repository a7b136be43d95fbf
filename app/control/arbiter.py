"""The arbiter: many wishes, one order. A pure function of columns.

Design, part 7: intervals intersect from the highest rank down; where that would be empty the higher one stays, at the
edge that is nearest to what the lower one asked, and the clip is recorded. The highest target wins, clamped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.control.fleet import Floats, Rows, clamp
from app.control.strategies.contract import column
from app.model.control import RANKS, Rank

NOBODY: Final = -1
FIRM: Final = frozenset({Rank.PROTECTION, Rank.GRID})


@dataclass(frozen=True, slots=True)
class Claim:
    """What one party asks of some channels; columns of one length, `channel` positions in the fleet."""

    rank: Rank
    channel: NDArray[np.intp]
    low: Floats
    high: Floats
    target: Floats
    """NaN where none."""
    is_last: bool = False
    """It comes after every other, whatever their ranks: what is wanted where nobody wants anything."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it, each of length n."""

    low: Floats
    high: Floats
    firm_low: Floats
    firm_high: Floats
    """What the ranks of protection and grid leave: no minimum time and no least change of a device passes these."""
    value: Floats
    """The highest target, clamped; else the nearest to rest that is allowed; NaN where nobody asks anything."""
    requested: Floats
    """The target before it was clamped; rest where there is none, NaN where nobody asks anything."""
    holder: Rows
    """Position in `claims` of who set the target; `NOBODY` where none."""
    clipper: Rows
    """Position in `claims` of who moved the value away from what was requested; `NOBODY` where none."""


def in_order(claims: Sequence[Claim]) -> list[int]:
    """Positions, the highest rank first; of one rank the first named comes first."""
    return sorted(range(len(claims)), key=lambda i: (claims[i].is_last, RANKS.index(claims[i].rank)))


def arbitrate(claims: Sequence[Claim], rest: Floats) -> Verdict:
    """`rest` float64[n]: where a channel goes that is bound, and for which nobody has a target."""
    n = len(rest)
    low, high, target = column(n, -np.inf).copy(), column(n, np.inf).copy(), column(n, np.nan).copy()
    holder = np.full(n, NOBODY, np.int64)
    low_by, high_by = holder.copy(), holder.copy()
    asked = np.zeros(n, np.bool_)
    firm: tuple[Floats, Floats] | None = None
    for i in in_order(claims):
        claim = claims[i]
        at = claim.channel
        if firm is None and claim.rank not in FIRM:
            firm = low.copy(), high.copy()
        asked[at] = True
        above, below, wanted = low[at], high[at], target[at]  # copies
        mine_low, mine_high = clamp(claim.low, above, below), clamp(claim.high, above, below)
        low_by[at[mine_low > above]] = i
        high_by[at[mine_high < below]] = i
        low[at], high[at] = mine_low, mine_high
        first = np.isnan(wanted) & np.isfinite(claim.target)
        if first.any():
            target[at] = np.where(first, claim.target, wanted)
            holder[at[first]] = i
    requested = np.where(np.isnan(target), rest, target)
    value = clamp(requested, low, high)
    clipper = np.where(value > requested, low_by, np.where(value < requested, high_by, NOBODY))
    nobody = ~asked
    requested[nobody] = value[nobody] = np.nan
    firm_low, firm_high = firm or (low, high)
    return Verdict(low, high, firm_low, firm_high, value, requested, holder, clipper)
