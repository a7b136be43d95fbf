"""Names of tables and files say what is in them, and are read back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.history.layout import Block, Hour, Span, Tier, blocks_in, period_end, period_start

TIMES = st.integers(0, 4_000_000_000_000)


@given(st.sampled_from(Tier), st.sampled_from(Span), TIMES, st.integers(0, 20), TIMES)
def test_a_files_name_gives_its_block_back(tier: Tier, span: Span, time: int, part: int, last: int) -> None:
    block = Block.at(Path("h"), tier, span, Hour(period_start(span, time), part), (last - 5, last))
    assert Block.of_file(block.path) == block


@given(TIMES, st.integers(0, 9))
def test_a_tables_name_gives_its_hour_back(time: int, part: int) -> None:
    hour = Hour(period_start(Span.HOUR, time), part)
    assert {Hour.of_table(table) for table in hour.tables} == {hour}


@given(st.sampled_from(Span), TIMES)
def test_periods_cover_all_time_without_overlap(span: Span, time: int) -> None:
    start = period_start(span, time)
    end = period_end(span, start)
    assert start <= time < end
    assert period_start(span, end) == end
    assert period_start(span, end - 1) == start


def test_months_begin_at_their_first_day() -> None:
    december = round(datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1000)
    january = round(datetime(2027, 1, 1, tzinfo=UTC).timestamp() * 1000)
    assert period_end(Span.MONTH, december) == january
    assert period_start(Span.YEAR, december) == round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
    assert period_end(Span.YEAR, period_start(Span.YEAR, december)) == january


@pytest.mark.parametrize("name", ["a.parquet", "2026-13-01_0_1_2.parquet", "2026-01-01_0_1_2.parquet.unfinished"])
def test_foreign_files_are_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / name).touch()
    assert list(blocks_in(tmp_path)) == []
