"""Addresses: every fault is named with its mend, and nothing sound is refused."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.modbus.address import Address, Table, Type, faults


@pytest.mark.parametrize(
    ("mapping", "key", "words"),
    [
        ({"register": 1, "type": "u16"}, "table", "one of: holding input coil discrete"),
        ({"table": "holding", "type": "u16"}, "register", "no register"),
        ({"table": "holding", "register": 1}, "type", "no type"),
        ({"table": "holdng", "register": 1, "type": "u16"}, "table", "write 'holding'"),
        ({"table": "holding", "register": 1, "type": "float32"}, "type", "write 'f32'"),
        ({"table": "holding", "register": 1, "type": "uint17"}, "type", "unknown type 'uint17'"),
        ({"table": "holding", "register": 1, "type": "u16", "regster": 2}, "regster", "write 'register'"),
        ({"table": "holding", "register": 1, "type": "u16", "colour": 2}, "colour", "known keys: table"),
        ({"table": "holding", "register": 1, "type": "u32", "word_order": "swapped"}, "word_order", "big little"),
        ({"table": "holding", "register": 65536, "type": "u16"}, "register", "outside 0 to 65535"),
        ({"table": "holding", "register": -1, "type": "u16"}, "register", "outside 0 to 65535"),
        ({"table": "holding", "register": 400053, "type": "u16"}, "register", "table: holding, register: 52"),
        ({"table": "input", "register": 65536, "type": "u16"}, "register", "write its 0-based number, 0 to 65535"),
        ({"table": "input", "register": 400053, "type": "u16"}, "register", "write its 0-based number, 0 to 65535"),
        ({"table": "input", "register": "52", "type": "u16"}, "register", "without quotes"),
        ({"table": "input", "register": True, "type": "u16"}, "register", "not a whole number"),
        ({"table": "holding", "register": 65535, "type": "f32"}, "register", "65534 at most"),
        ({"table": "holding", "register": 1, "bit": 16}, "bit", "outside 0 to 15"),
        ({"table": "holding", "register": 1, "type": "bool"}, "bit", "which bit"),
        ({"table": "holding", "register": 1, "type": "f32", "bit": 1}, "type", "a bit of a register is no f32"),
        ({"table": "coil", "register": 1, "type": "u16"}, "type", "single bits"),
        ({"table": "coil", "register": 1, "bit": 1}, "bit", "the bit's own number"),
        ({"table": "holding", "register": 1, "type": "string"}, "count", "how long"),
        ({"table": "holding", "register": 1, "type": "string", "count": 126}, "count", "outside 1 to 125"),
        ({"table": "holding", "register": 1, "type": "u32", "count": 2}, "count", "for strings"),
        ({"table": "holding", "register": 1, "type": "u32", "write": "single"}, "write", "write: multiple"),
    ],
)
def test_a_fault_names_the_key_and_the_mend(mapping: dict[str, Any], key: str, words: str) -> None:
    found = faults(mapping)
    assert [fault.key for fault in found] == [key]
    assert words in str(found[0])
    with pytest.raises(ValueError, match=r".+; .+"):
        Address.of(mapping)


def test_all_faults_are_told_at_once() -> None:
    assert {fault.key for fault in faults({"tabel": "holding", "type": "u17"})} == {
        "tabel",
        "table",
        "register",
        "type",
    }


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        (
            {"table": "holding", "register": 52, "type": "f32"},
            Address(Table.HOLDING, 52, Type.F32, 2, write="multiple"),
        ),
        ({"table": "input", "register": 0, "type": "u16"}, Address(Table.INPUT, 0, Type.U16)),
        ({"table": "coil", "register": 65535}, Address(Table.COIL, 65535, Type.BOOL)),
        ({"table": "holding", "register": 3, "bit": 15}, Address(Table.HOLDING, 3, Type.BOOL, bit=15)),
        ({"table": "holding", "register": 3, "type": "u16", "bit": 0}, Address(Table.HOLDING, 3, Type.BOOL, bit=0)),
        (
            {"table": "holding", "register": 3, "type": "string", "count": 8},
            Address(Table.HOLDING, 3, Type.STRING, 8, write="multiple"),
        ),
        (
            {"table": "holding", "register": 3, "type": "i16", "write": "multiple"},
            Address(Table.HOLDING, 3, Type.I16, write="multiple"),
        ),
        ({"table": "holding", "register": 65532, "type": "u64", "word_order": "little"}, None),
    ],
)
def test_a_sound_address_leaves_nothing_undecided(mapping: dict[str, Any], expected: Address | None) -> None:
    assert faults(mapping) == []
    address = Address.of(mapping)
    assert expected in (None, address)
    assert address.end <= 65536
