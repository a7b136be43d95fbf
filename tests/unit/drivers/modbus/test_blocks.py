"""The planning of blocks."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.model.config import BlocksForm
from drivers.modbus.address import Address
from drivers.modbus.blocks import Block, reading

_TYPES = ["u16", "i32", "f32", "u64", "f64"]


def _points(table: str) -> st.SearchStrategy[Address]:
    if table in ("coil", "discrete"):
        return st.integers(0, 3000).map(lambda n: Address.of({"table": table, "register": n}))
    number = st.builds(
        lambda register, type_: Address.of({"table": table, "register": register, "type": type_}),
        st.integers(0, 400),
        st.sampled_from(_TYPES),
    )
    bit = st.builds(
        lambda register, bit: Address.of({"table": table, "register": register, "bit": bit}),
        st.integers(0, 400),
        st.integers(0, 15),
    )
    return number | bit


addresses = st.lists(st.sampled_from(["holding", "input", "coil", "discrete"]).flatmap(_points), max_size=80)
limits = st.builds(
    BlocksForm,
    max_registers=st.integers(4, 125),
    max_bits=st.integers(1, 2000),
    max_gap=st.integers(0, 40),
    forbidden=st.lists(
        st.integers(0, 400).flatmap(lambda low: st.tuples(st.just(low), st.integers(low, low + 20))), max_size=4
    ).map(tuple),
)


@given(addresses, limits)
def test_every_point_is_read_exactly_once_or_said_to_be_unreadable(points: list[Address], form: BlocksForm) -> None:
    plan = reading(points, form)
    rows = [row for block in plan.blocks for row in block.rows] + list(plan.unreadable)
    assert sorted(rows) == list(range(len(points)))


@given(addresses, limits)
def test_no_value_is_split(points: list[Address], form: BlocksForm) -> None:
    for block in reading(points, form).blocks:
        for row in block.rows:
            assert points[row].table is block.table
            assert block.start <= points[row].register
            assert points[row].end <= block.start + block.count


@given(addresses, limits)
def test_limits_are_kept_and_forbidden_registers_are_not_touched(points: list[Address], form: BlocksForm) -> None:
    for block in reading(points, form).blocks:
        if block.table.of_bits:
            assert block.count <= form.max_bits
            continue
        assert block.count <= form.max_registers
        asked = set(range(block.start, block.start + block.count))
        assert not any(asked & set(range(low, high + 1)) for low, high in form.forbidden)


@given(addresses, limits)
def test_gaps_are_no_longer_than_allowed(points: list[Address], form: BlocksForm) -> None:
    for block in reading(points, form).blocks:
        for left, right in pairwise(block.items):
            assert 0 <= right.start - left.end <= form.max_gap


@given(addresses, limits)
def test_blocks_have_places_of_their_own_in_the_memory(points: list[Address], form: BlocksForm) -> None:
    plan = reading(points, form)
    for of_bits, size in ((True, plan.bits), (False, plan.words)):
        places = sorted((block.at, block.at + block.count) for block in plan.blocks if block.table.of_bits == of_bits)
        assert all(left[1] <= right[0] for left, right in pairwise(places))
        assert all(end <= size for _, end in places)


@given(addresses, limits)
def test_halving_down_to_single_items_loses_nothing_and_moves_nothing(points: list[Address], form: BlocksForm) -> None:
    def leaves(block: Block) -> list[Block]:
        return [leaf for half in block.halves() for leaf in leaves(half)] if len(block.items) > 1 else [block]

    for block in reading(points, form).blocks:
        parts = leaves(block)
        assert [row for part in parts for row in part.rows] == list(block.rows)
        assert all(part.at - block.at == part.start - block.start for part in parts)


def test_few_blocks_where_few_suffice() -> None:
    floats = [Address.of({"table": "holding", "register": 2 * n, "type": "f32"}) for n in range(1000)]
    assert [block.count for block in reading(floats, BlocksForm()).blocks] == [124] * 16 + [16]


def test_forbidden_registers_part_a_block_and_hold_no_point() -> None:
    points = [Address.of({"table": "holding", "register": n, "type": "u16"}) for n in (0, 9, 11, 20)]
    plan = reading(points, BlocksForm(forbidden=((10, 12),)))
    assert [(block.start, block.count) for block in plan.blocks] == [(0, 10), (20, 1)]
    assert list(plan.unreadable) == [2]
    assert "10 to 12" in plan.unreadable[2].en and "10 至 12" in plan.unreadable[2].zh
