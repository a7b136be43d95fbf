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

from app.model.text import Text
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
            mend = (
                Text(f"one of: {' '.join(Table)}", f"可写：{' '.join(Table)}")
                if key == "table"
                else Text("its 0-based number, as on the wire", "即报文中从 0 起的编号")
            )
            found.append(
                KeyFault(
                    key,
                    Text(f"address has no {key}", f"地址缺少 {key}"),
                    Text(f"add `{key}:`, {mend.en}", f"请添加“{key}:”，{mend.zh}"),
                )
            )
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
            mend = (
                Text(f"write '{close[0]}'", f"请写“{close[0]}”")
                if close
                else Text(f"one of: {' '.join(allowed)}", f"可写：{' '.join(allowed)}")
            )
            found.append(KeyFault(key, Text(f"unknown {key} '{mapping[key]}'", f"未知的 {key}“{mapping[key]}”"), mend))
    return found


def _type_faults(table: Table, mapping: Mapping[str, Any]) -> list[KeyFault]:
    type_, bit = mapping.get("type"), "bit" in mapping
    found = []
    if table.of_bits:
        if type_ not in (None, Type.BOOL):
            what = Text(
                f"type {type_} cannot be read from table {table}, whose addresses are single bits",
                f"表 {table} 的地址是单个位，不能读取类型 {type_}",
            )
            found.append(
                KeyFault("type", what, Text("write `type: bool`, or another table", "请写“type: bool”，或另选一个表"))
            )
        if bit:
            mend = Text(
                "leave `bit` out and give the bit's own number as `register`", "请删除 bit，把该位的编号写为 register"
            )
            found.append(
                KeyFault(
                    "bit",
                    Text(f"table {table} has no registers to take a bit of", f"表 {table} 没有可取位的寄存器"),
                    mend,
                )
            )
    elif bit:
        if type_ not in (None, Type.BOOL, Type.U16):
            found.append(
                KeyFault(
                    "type",
                    Text(f"a bit of a register is no {type_}", f"寄存器的一个位不是 {type_}"),
                    Text("write `type: bool`", "请写“type: bool”"),
                )
            )
    elif type_ is None:
        mend = Text(f"add `type:`, one of: {' '.join(Type)}", f"请添加“type:”，可写：{' '.join(Type)}")
        found.append(KeyFault("type", Text("address has no type", "地址缺少 type"), mend))
    elif type_ == Type.BOOL:
        mend = Text("add `bit:` 0 to 15, or use u16", "请添加“bit:”0 至 15，或使用 u16")
        found.append(
            KeyFault(
                "bit",
                Text(
                    f"type bool in table {table} does not say which bit of the register",
                    f"表 {table} 中的 bool 没有说明是寄存器的哪一位",
                ),
                mend,
            )
        )
    if type_ == Type.STRING and "count" not in mapping and not table.of_bits:
        found.append(
            KeyFault(
                "count",
                Text("type string does not say how long it is", "string 没有说明长度"),
                Text("add `count:`, in registers", "请添加“count:”，以寄存器计"),
            )
        )
    if "count" in mapping and type_ != Type.STRING:
        mend = Text(
            "leave it out: the type says how many registers a number takes", "请删除：数字占用的寄存器由类型决定"
        )
        found.append(
            KeyFault(
                "count",
                Text(
                    f"count is for strings, not for {type_ or Type.BOOL}",
                    f"count 用于 string，不用于 {type_ or Type.BOOL}",
                ),
                mend,
            )
        )
    return found


def _whole_number_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    found = []
    for key, low, high in (("register", 0, LAST), ("bit", 0, 15), ("count", 1, 125)):
        value = mapping.get(key, low)
        if type(value) is not int:
            mend = Text(
                f"write a number from {low} to {high}, without quotes", f"请写 {low} 至 {high} 的数字，不加引号"
            )
            found.append(KeyFault(key, Text(f"{key} '{value}' is not a whole number", f"{key}“{value}”不是整数"), mend))
        elif not low <= value <= high:
            mend = Text(f"write a number from {low} to {high}", f"请写 {low} 至 {high} 的数字")
            if key == "register":
                mend = _entity_mend(mapping["table"], value)
            found.append(
                KeyFault(
                    key,
                    Text(f"{key} {value} is outside {low} to {high}", f"{key} {value} 不在 {low} 至 {high} 之间"),
                    mend,
                )
            )
    return found


def _entity_mend(table: str, register: int) -> Text:
    """A manual's number, such as 400053, has its table in front; only where that is the table written is it meant."""
    entity, number = divmod(register, 100_000)
    tables = {0: Table.COIL, 1: Table.DISCRETE, 3: Table.INPUT, 4: Table.HOLDING}
    if tables.get(entity) == table and 1 <= number <= LAST + 1:
        return Text(
            f"registers are 0-based: {register} is `table: {table}, register: {number - 1}`",
            f"寄存器从 0 起：{register} 即“table: {table}, register: {number - 1}”",
        )
    return Text(f"write its 0-based number, 0 to {LAST}", f"请写从 0 起的编号，0 至 {LAST}")


def _extent_faults(table: Table, mapping: Mapping[str, Any]) -> list[KeyFault]:
    type_ = Type.BOOL if table.of_bits or "bit" in mapping else Type(mapping["type"])
    count = mapping["count"] if type_ is Type.STRING else WIDTHS.get(type_, 1)
    register = mapping["register"]
    found = []
    if register + count > LAST + 1:
        what = Text(
            f"{type_} at register {register} takes {count} registers and runs past {LAST}",
            f"寄存器 {register} 处的 {type_} 占 {count} 个寄存器，超过 {LAST}",
        )
        found.append(
            KeyFault(
                "register",
                what,
                Text(f"its first register is {LAST + 1 - count} at most", f"其首个寄存器最大为 {LAST + 1 - count}"),
            )
        )
    if mapping.get("write") == "single" and count > 1:
        what = Text(
            f"write single carries one register, and {type_} has {count}",
            f"write single 只写一个寄存器，而 {type_} 有 {count} 个",
        )
        found.append(
            KeyFault("write", what, Text("write `write: multiple`, or leave it out", "请写“write: multiple”，或删除"))
        )
    return found
