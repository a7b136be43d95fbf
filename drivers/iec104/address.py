"""Where a value lives in a station: the `address` of a point, judged and parsed. No I/O.

address: {ioa: 16385, type: M_ME_NC_1}
address: {ioa: 24577, type: C_SC_NA_1, select: true, qualifier: 1, termination: none}
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.model.text import Text
from drivers.iec104.typeids import COMMANDS_BY_TYPE, MONITORED_BY_TYPE, NUMBERS, Command, Monitored
from drivers.judging import KeyFault, number_faults, unknown_key

LAST_IOA: Final = 0xFFFFFF
LAST_CA: Final = 65534
"""65535 means all stations."""
KEYS: Final = ("ioa", "type", "ca", "select", "qualifier", "termination")
TERMINATIONS: Final = ("expected", "none")
_COMMANDS_ONLY: Final = ("select", "qualifier", "termination")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a value lives. Build it with `Address.of`, which leaves nothing undecided but the device's `ca`."""

    ioa: int
    type: int
    """Its type identification; of a monitored point the one without time, which stands for both."""
    ca: int | None = None
    """The common address, where it is not the device's."""
    select: bool = False
    qualifier: int = 0
    terminates: bool = True
    """Whether an activation termination ends the command."""

    @property
    def command(self) -> Command | None:
        """What it commands; None for a monitored point."""
        return COMMANDS_BY_TYPE.get(self.type)

    @property
    def monitored(self) -> Monitored | None:
        return MONITORED_BY_TYPE.get(self.type)

    @staticmethod
    def of(mapping: Mapping[str, Any]) -> Address:
        """Parse the `address` of a point. Raises KeyFault, a ValueError, with the first fault and its mend."""
        for fault in faults(mapping):
            raise fault
        number = NUMBERS[mapping["type"]]
        kind = MONITORED_BY_TYPE.get(number)
        return Address(
            ioa=mapping["ioa"],
            type=kind.plain if kind else number,
            ca=mapping.get("ca"),
            select=mapping.get("select", False),
            qualifier=mapping.get("qualifier", 0),
            terminates=mapping.get("termination", TERMINATIONS[0]) == TERMINATIONS[0],
        )


def faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    """Everything wrong with the `address` of a point; empty when `Address.of` takes it."""
    found = [unknown_key(str(key), KEYS, "address") for key in mapping if key not in KEYS]
    if "ioa" not in mapping:
        found.append(
            KeyFault(
                "ioa",
                Text("address has no ioa", "地址缺少 ioa"),
                Text("add `ioa:`, its number, 1 to 16777215", "请添加“ioa:”，编号 1 至 16777215"),
            )
        )
    found += given_faults(mapping, "ioa", 1, LAST_IOA)
    found += given_faults(mapping, "ca", 1, LAST_CA)
    type_ = mapping.get("type")
    if "type" not in mapping:
        found.append(
            KeyFault(
                "type",
                Text("address has no type", "地址缺少 type"),
                Text("add `type:`, such as M_ME_NC_1 or C_SC_NA_1", "请添加“type:”，例如 M_ME_NC_1 或 C_SC_NA_1"),
            )
        )
    elif not isinstance(type_, str) or type_ not in NUMBERS:
        found.append(_unknown_type(type_))
    else:
        found += _command_faults(mapping, COMMANDS_BY_TYPE.get(NUMBERS[type_]))
    return found


def given_faults(mapping: Mapping[str, Any], key: str, low: int, high: int) -> list[KeyFault]:
    """A whole number from `low` to `high`, where there is one."""
    return number_faults(key, mapping[key], low, high) if key in mapping else []


def _unknown_type(given: object) -> KeyFault:
    by_number = next((name for name, number in NUMBERS.items() if str(number) == str(given)), None)
    close = difflib.get_close_matches(str(given).upper(), NUMBERS, n=1)
    name = by_number or (close[0] if close else None)
    mend = (
        Text(f"write '{name}'", f"请写“{name}”")
        if name
        else Text(f"one of: {' '.join(NUMBERS)}", f"可写：{' '.join(NUMBERS)}")
    )
    return KeyFault("type", Text(f"unknown type '{given}'", f"未知的 type “{given}”"), mend)


def _command_faults(mapping: Mapping[str, Any], command: Command | None) -> list[KeyFault]:
    if command is None:
        return [
            KeyFault(
                key,
                Text(
                    f"{key} is for commands, and {mapping['type']} is none",
                    f"{key} 用于命令，而 {mapping['type']} 不是命令",
                ),
                Text("leave it out", "请删除"),
            )
            for key in _COMMANDS_ONLY
            if key in mapping
        ]
    found = []
    select = mapping.get("select", False)
    if not isinstance(select, bool):
        found.append(
            KeyFault(
                "select",
                Text(f"select '{select}' is neither true nor false", f"select “{select}”既不是 true 也不是 false"),
                Text("write `select: true`", "请写“select: true”"),
            )
        )
    elif select and command.element == "bits":
        found.append(
            KeyFault(
                "select",
                Text(f"{command.name} has no select", f"{command.name} 没有选择"),
                Text("leave it out", "请删除"),
            )
        )
    last = {"single": 3, "double": 3, "step": 3, "bits": 0}.get(command.element, 127)
    found += given_faults(mapping, "qualifier", 0, last)
    termination = mapping.get("termination", TERMINATIONS[0])
    if termination not in TERMINATIONS:
        mend = Text(f"write {TERMINATIONS[0]} or {TERMINATIONS[1]}", f"请写 {TERMINATIONS[0]} 或 {TERMINATIONS[1]}")
        found.append(
            KeyFault(
                "termination", Text(f"unknown termination '{termination}'", f"未知的 termination “{termination}”"), mend
            )
        )
    return found
