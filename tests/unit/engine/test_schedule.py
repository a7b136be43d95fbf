"""When what is due: nothing is asked for twice at the start, and devices do not ask all at once."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from app.engine.schedule import ScanGroup

PERIOD_NS = 1_000_000_000


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=2, max_size=20, unique=True), st.integers(0, 10**15))
def test_the_first_scan_comes_half_a_period_after_the_reading_at_the_start_and_in_its_phase(
    phases: list[float], now_ns: int
) -> None:
    for phase in phases:
        group = ScanGroup(PERIOD_NS, [], cast(Any, None), cast(Any, None))
        group.begin(now_ns, phase)
        assert PERIOD_NS / 2 <= group.due_ns - now_ns <= 1.5 * PERIOD_NS
        off = (group.due_ns - now_ns - phase * PERIOD_NS) % PERIOD_NS
        assert min(off, PERIOD_NS - off) <= 1
