"""The table of identifiers says what the package dlt645 says, wherever both know one."""

from __future__ import annotations

import dlt645  # noqa: F401  (fills its table)
import pytest
from dlt645.model.data.define import DIMap

from drivers.dlt645.identifiers import layout, single
from drivers.dlt645.values import Type

CLASSES = (0x00, 0x01, 0x02)


def known_to_the_package() -> list[int]:
    return [di for di, item in DIMap.items() if di >> 24 in CLASSES and not isinstance(item, list)]


def test_every_identifier_that_both_know_has_one_format() -> None:
    compared = 0
    for di in known_to_the_package():
        here = layout(di)
        if here is None:
            continue
        form, theirs = here.formats[0], DIMap[di].data_format
        assert (form.digits, form.decimals) == (theirs.count("X"), len(theirs.partition(".")[2])), f"{di:08X}"
        assert here.most == 1, f"{di:08X}"
        compared += 1
    assert compared > 10_000


def test_every_single_value_here_is_known_to_the_package() -> None:
    """Of energies, demands and variables: nothing is invented."""
    theirs = set(known_to_the_package())
    groups = [*range(0x0B), *range(0x15, 0x1F), *range(0x29, 0x33), *range(0x3D, 0x47), 0x80]
    ours = [
        di
        for kind in CLASSES
        for group in groups
        for item in range(0x40)
        for number in range(0x10)
        if layout(di := kind << 24 | group << 16 | item << 8 | number)
    ]
    assert len(ours) > 10_000
    assert {f"{di:08X}" for di in set(ours) - theirs} == set()


@pytest.mark.parametrize(
    ("di", "size", "most"),
    [
        (0x0201FF00, 2, 3), (0x0202FF00, 3, 3), (0x0203FF00, 3, 4), (0x0204FF00, 3, 4), (0x0205FF00, 3, 4),
        (0x0206FF00, 2, 4), (0x0207FF00, 2, 3), (0x0001FF00, 4, 64), (0x0101FF00, 8, 64), (0x05060101, 4, 64),
        (0x05060001, 5, 1),
    ],
)  # fmt: skip
def test_blocks_have_the_lengths_that_concentrators_use(di: int, size: int, most: int) -> None:
    here = layout(di)
    assert here is not None
    assert (here.size, here.most) == (size, most)
    assert here.source.startswith("A.")


def test_a_demand_stands_with_the_time_when_it_occurred() -> None:
    here = layout(0x01010000)
    assert here is not None
    assert [form.type for form in here.formats] == [Type.BCD, Type.TIME]


@pytest.mark.parametrize("di", [0x02010000, 0x02010400, 0x0001000D, 0x00014000, 0x01000000, 0x02030001, 0x05060000,
                                0x05070101, 0x06000001, 0x00150100, 0xFFFFFFFF])  # fmt: skip
def test_what_is_not_in_the_annex_is_not_known(di: int) -> None:
    assert layout(di) is None


def test_the_values_of_a_block_stand_alone_as_well() -> None:
    assert single(0x0201FF00, 0) == 0x02010100  # voltages begin with phase A
    assert single(0x0203FF00, 0) == 0x02030000  # powers with their total
    assert single(0x0001FF01, 4) == 0x00010401
    assert single(0x05060101, 1) is None
    assert single(0x02010100, 0) is None
