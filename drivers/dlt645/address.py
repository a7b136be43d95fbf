"""Where a value lives in a meter: the `address` of a point, judged and parsed. No I/O.

address: {di: "0201FF00", field: 1}
address: {di: "03110000", digits: 6}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.model.text import Text
from drivers.dlt645 import identifiers
from drivers.dlt645.identifiers import Layout
from drivers.dlt645.values import Format, Type
from drivers.judging import KeyFault, number_faults, unknown_key

KEYS: Final = ("di", "field", "type", "digits", "decimals", "signed")
MOST_DIGITS: Final = 16
_HEX: Final = frozenset("0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a value lives. Build it with `Address.of`, which leaves nothing undecided."""

    di: int
    start: int
    """The first byte of the value behind the identifier."""
    format: Format
    longest: int
    """Bytes that the whole answer may hold behind the identifier."""
    single: int | None = None
    """The identifier under which the same value stands alone."""

    @property
    def end(self) -> int:
        return self.start + self.format.size

    @staticmethod
    def of(mapping: Mapping[str, Any]) -> Address:
        """Parse the `address` of a point. Raises KeyFault, a ValueError, with the first fault and its mend."""
        for fault in faults(mapping):
            raise fault
        di, field = _di(mapping["di"]), mapping.get("field", 0)
        layout = identifiers.layout(di)
        if layout is None or "digits" in mapping:
            type_ = Type(mapping.get("type", Type.BCD))
            form = Format(mapping["digits"], mapping.get("decimals", 0), mapping.get("signed", False), type_)
            return Address(di, field * form.size, form, (field + 1) * form.size)
        before, form = _part(layout, mapping.get("type"))
        if "signed" in mapping:
            form = Format(form.digits, form.decimals, mapping["signed"], form.type)
        start = field * layout.size + before
        return Address(di, start, form, layout.most * layout.size, identifiers.single(di, field))


def _part(layout: Layout, type_: str | None) -> tuple[int, Format]:
    """How many bytes stand before the wanted format in a repetition, and the format. Raises LookupError."""
    before = 0
    for form in layout.formats:
        if type_ in (None, form.type):
            return before, form
        before += form.size
    raise LookupError(type_)


def faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    """Everything wrong with the `address` of a point; empty when `Address.of` takes it."""
    found = [unknown_key(str(key), KEYS, "address") for key in mapping if key not in KEYS]
    found += _di_faults(mapping)
    found += number_faults("field", mapping.get("field", 0), 0, 255)
    if mapping.get("type", Type.BCD) not in tuple(Type):
        found.append(
            KeyFault(
                "type",
                Text(f"unknown type '{mapping['type']}'", f"未知的 type “{mapping['type']}”"),
                Text(f"one of: {' '.join(Type)}", f"可写：{' '.join(Type)}"),
            )
        )
    if not isinstance(mapping.get("signed", False), bool):
        found.append(
            KeyFault(
                "signed",
                Text(
                    f"signed '{mapping['signed']}' is neither true nor false",
                    f"signed “{mapping['signed']}”既不是 true 也不是 false",
                ),
                Text("write true or false", "请写 true 或 false"),
            )
        )
    if found:
        return found
    layout = identifiers.layout(_di(mapping["di"]))
    if layout is None or "digits" in mapping:
        return _format_faults(mapping)
    return _table_faults(mapping, layout)


def _di(value: object) -> int:
    """YAML reads 02030000 without quotes as the number 2030000: its zeros in front are put back."""
    return int(f"{value:08d}" if isinstance(value, int) else str(value), 16)


def _di_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    if "di" not in mapping:
        return [
            KeyFault(
                "di",
                Text("address has no di", "地址缺少 di"),
                Text(
                    'add `di:`, eight hexadecimal digits such as "02030000"',
                    '请添加“di:”，八位十六进制数，例如 "02030000"',
                ),
            )
        ]
    di = mapping["di"]
    whole = type(di) is int and 0 <= di <= 99_999_999
    if whole or (isinstance(di, str) and len(di) == 8 and set(di) <= _HEX):
        return []
    mend = Text('write DI3 to DI0 between quotes, such as "0201FF00"', '请在引号中写 DI3 至 DI0，例如 "0201FF00"')
    return [KeyFault("di", Text(f"di '{di}' is not eight hexadecimal digits", f"di “{di}”不是八位十六进制数"), mend)]


def _format_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    """Of a value whose format the point says."""
    if "digits" not in mapping:
        di = f"{_di(mapping['di']):08X}"
        mend = Text(
            "add `digits:`, all of its digits, and `decimals:`; a byte holds two digits",
            "请添加“digits:”（总位数）和“decimals:”；每字节两位",
        )
        return [
            KeyFault(
                "di",
                Text(
                    f"di {di} is not in the table of known ones, and nothing says its format",
                    f"di {di} 不在已知表中，也没有说明其格式",
                ),
                mend,
            )
        ]
    digits = mapping["digits"]
    found = number_faults("digits", digits, 2, MOST_DIGITS)
    if not found and digits % 2:
        found.append(
            KeyFault(
                "digits",
                Text(f"digits {digits} do not fill bytes", f"digits {digits} 不能占满字节"),
                Text("write an even number: a byte holds two", "请写偶数：每字节两位"),
            )
        )
    if not found and mapping.get("type") == Type.TIME and digits not in (10, 12):
        found.append(
            KeyFault(
                "digits",
                Text(f"a time has no {digits} digits", f"时间没有 {digits} 位"),
                Text("write 10 for YYMMDDhhmm, 12 with seconds", "YYMMDDhhmm 请写 10，带秒请写 12"),
            )
        )
    if not found:
        found += number_faults("decimals", mapping.get("decimals", 0), 0, digits)
    if not found and mapping.get("type", Type.BCD) != Type.BCD:
        for key in ("decimals", "signed"):
            if mapping.get(key):
                found.append(
                    KeyFault(
                        key,
                        Text(
                            f"{key} is for type bcd, not for {mapping['type']}",
                            f"{key} 用于类型 bcd，不用于 {mapping['type']}",
                        ),
                        Text("leave it out", "请删除"),
                    )
                )
    return found


def _table_faults(mapping: Mapping[str, Any], layout: Layout) -> list[KeyFault]:
    """Of a value whose format the table knows."""
    found = []
    if "decimals" in mapping:
        mend = Text("leave it out, or add `digits` where your meter differs", "请删除；若该表计不同，请添加 digits")
        found.append(
            KeyFault(
                "decimals",
                Text(
                    f"table {layout.source} knows the decimals of this di", f"表 {layout.source} 已规定该 di 的小数位"
                ),
                mend,
            )
        )
    field = mapping.get("field", 0)
    if field >= layout.most:
        many = f"{layout.most} values" if layout.most > 1 else "one value"
        what = Text(f"this di holds {many}, and no field {field}", f"该 di 有 {layout.most} 个值，没有 field {field}")
        mend = (
            Text("leave it out", "请删除")
            if layout.most == 1
            else Text(f"write 0 to {layout.most - 1}", f"请写 0 至 {layout.most - 1}")
        )
        found.append(KeyFault("field", what, mend))
    try:
        _part(layout, mapping.get("type"))
    except LookupError:
        types = " or ".join(form.type for form in layout.formats)
        found.append(
            KeyFault(
                "type",
                Text(f"this di holds {types}, not {mapping['type']}", f"该 di 为 {types}，不是 {mapping['type']}"),
                Text(f"write {types}, or leave it out", f"请写 {types}，或删除"),
            )
        )
    return found
