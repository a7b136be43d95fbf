"""Where a value lives in a Modbus device: the `address` of a point, judged and parsed. No I/O.

    address: {table: holding, register: 52, type: f32, word_order: big}

Registers are 0-based, as on the wire. Bytes within a register are always big-endian; `word_order` says which register
of a longer number comes first.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from drivers.judging import KeyFault, unknown_key


class Table(StrEnum):
    """The four tables of the Modbus data model."""

    HOLDING = "holding"
    INPUT = "input"
    COIL = "coil"
    DISCRETE = "discrete"

    @property
    def of_bits(self) -> bool:
        """Whether its addresses are single bits."""
        return self in (Table.COIL, Table.DISCRETE)

    @property
    def writable(self) -> bool:
        return self in (Table.COIL, Table.HOLDING)


class Type(StrEnum):
    """How registers make a value."""

    BOOL = "bool"
    U16 = "u16"
    I16 = "i16"
    U32 = "u32"
    I32 = "i32"
    U64 = "u64"
    I64 = "i64"
    F32 = "f32"
    F64 = "f64"
    STRING = "string"


WIDTHS: Final[dict[Type, int]] = {
    Type.U16: 1, Type.I16: 1, Type.U32: 2, Type.I32: 2, Type.F32: 2, Type.U64: 4, Type.I64: 4, Type.F64: 4,
}  # fmt: skip
"""Registers of each number."""
WORD_ORDERS: Final = ("big", "little")
WRITES: Final = ("single", "multiple")
KEYS: Final = ("table", "register", "type", "bit", "word_order", "count", "write")
_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "table": tuple(Table), "type": tuple(Type), "word_order": WORD_ORDERS, "write": WRITES,
}  # fmt: skip
LAST: Final = 65535
"""The highest address of every table."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a value lives. Build it with `Address.of`, which leaves nothing undecided."""

    table: Table
    register: int
    """0-based; of a bit table, the bit's own number."""
    type: Type
    count: int = 1
    """Registers that the value takes; 1 in a bit table."""
    bit: int | None = None
    """0 to 15 of the register, 0 the least significant; None for the whole register."""
    word_order: Literal["big", "little"] = "big"
    write: Literal["single", "multiple"] = "single"
    """Function 5 or 6, or function 15 or 16."""

    @property
    def end(self) -> int:
        """The first register behind the value."""
        return self.register + self.count

    @staticmethod
    def of(mapping: Mapping[str, Any]) -> Address:
        """Parse the `address` of a point. Raises KeyFault, a ValueError, with the first fault and its mend."""
        for fault in faults(mapping):
            raise fault
        table = Table(mapping["table"])
        bit = mapping.get("bit")
        type_ = Type.BOOL if table.of_bits or bit is not None else Type(mapping["type"])
        count = int(mapping["count"]) if type_ is Type.STRING else WIDTHS.get(type_, 1)
        return Address(
            table=table,
            register=mapping["register"],
            type=type_,
            count=count,
            bit=bit,
            word_order=mapping.get("word_order", "big"),
            write=mapping.get("write", "multiple" if count > 1 else "single"),
        )


def faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    """Everything wrong with the `address` of a point; empty when `Address.of` takes it."""
    found = [unknown_key(str(key), KEYS, "address") for key in mapping if key not in KEYS]
    for key in ("table", "register"):
        if key not in mapping:
            mend = f"one of: {' '.join(Table)}" if key == "table" else "its 0-based number, as on the wire"
            found.append(KeyFault(key, f"address has no {key}", f"add `{key}:`, {mend}"))
    found += _unknown_words(mapping)
    if found:
        return found
    table = Table(mapping["table"])
    found += _type_faults(table, mapping) + _whole_number_faults(mapping)
    if not found:
        found += _extent_faults(table, mapping)
    return found


def _unknown_words(mapping: Mapping[str, Any]) -> list[KeyFault]:
    found = []
    for key, allowed in _WORDS.items():
        if key in mapping and mapping[key] not in allowed:
            close = difflib.get_close_matches(str(mapping[key]).lower(), allowed, n=1)
            mend = f"write '{close[0]}'" if close else f"one of: {' '.join(allowed)}"
            found.append(KeyFault(key, f"unknown {key} '{mapping[key]}'", mend))
    return found


def _type_faults(table: Table, mapping: Mapping[str, Any]) -> list[KeyFault]:
    type_, bit = mapping.get("type"), "bit" in mapping
    found = []
    if table.of_bits:
        if type_ not in (None, Type.BOOL):
            what = f"type {type_} cannot be read from table {table}, whose addresses are single bits"
            found.append(KeyFault("type", what, "write `type: bool`, or another table"))
        if bit:
            mend = "leave `bit` out and give the bit's own number as `register`"
            found.append(KeyFault("bit", f"table {table} has no registers to take a bit of", mend))
    elif bit:
        if type_ not in (None, Type.BOOL, Type.U16):
            found.append(KeyFault("type", f"a bit of a register is no {type_}", "write `type: bool`"))
    elif type_ is None:
        mend = f"add `type:`, one of: {' '.join(Type)}"
        found.append(KeyFault("type", "address has no type", mend))
    elif type_ == Type.BOOL:
        mend = "add `bit:` 0 to 15, or use u16"
        found.append(KeyFault("bit", f"type bool in table {table} does not say which bit of the register", mend))
    if type_ == Type.STRING and "count" not in mapping and not table.of_bits:
        found.append(KeyFault("count", "type string does not say how long it is", "add `count:`, in registers"))
    if "count" in mapping and type_ != Type.STRING:
        mend = "leave it out: the type says how many registers a number takes"
        found.append(KeyFault("count", f"count is for strings, not for {type_ or Type.BOOL}", mend))
    return found


def _whole_number_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    found = []
    for key, low, high in (("register", 0, LAST), ("bit", 0, 15), ("count", 1, 125)):
        value = mapping.get(key, low)
        if type(value) is not int:
            mend = f"write a number from {low} to {high}, without quotes"
            found.append(KeyFault(key, f"{key} '{value}' is not a whole number", mend))
        elif not low <= value <= high:
            mend = f"write a number from {low} to {high}"
            if key == "register":
                mend = _entity_mend(mapping["table"], value)
            found.append(KeyFault(key, f"{key} {value} is outside {low} to {high}", mend))
    return found


def _entity_mend(table: str, register: int) -> str:
    """A manual's number, such as 400053, has its table in front; only where that is the table written is it meant."""
    entity, number = divmod(register, 100_000)
    tables = {0: Table.COIL, 1: Table.DISCRETE, 3: Table.INPUT, 4: Table.HOLDING}
    if tables.get(entity) == table and 1 <= number <= LAST + 1:
        return f"registers are 0-based: {register} is `table: {table}, register: {number - 1}`"
    return f"write its 0-based number, 0 to {LAST}"


def _extent_faults(table: Table, mapping: Mapping[str, Any]) -> list[KeyFault]:
    type_ = Type.BOOL if table.of_bits or "bit" in mapping else Type(mapping["type"])
    count = mapping["count"] if type_ is Type.STRING else WIDTHS.get(type_, 1)
    register = mapping["register"]
    found = []
    if register + count > LAST + 1:
        what = f"{type_} at register {register} takes {count} registers and runs past {LAST}"
        found.append(KeyFault("register", what, f"its first register is {LAST + 1 - count} at most"))
    if mapping.get("write") == "single" and count > 1:
        what = f"write single carries one register, and {type_} has {count}"
        found.append(KeyFault("write", what, "write `write: multiple`, or leave it out"))
    return found
