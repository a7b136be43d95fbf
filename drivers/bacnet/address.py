"""Which property of which object a point is: the `address` of a point, judged and parsed. No I/O.

    address: {object: analog-input:1, property: present-value}

Names and numbers are those of ASHRAE 135-2020, clause 21 (BACnetObjectType, BACnetPropertyIdentifier). Other ones, a
vendor's above all, are written as numbers: `object: 130:1, property: 512`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.model.text import Text
from drivers.judging import KeyFault, number_faults, unknown_key

KEYS: Final = ("object", "property", "index", "priority", "cov")
PRIORITY: Final = 16
PRESENT_VALUE: Final = 85
STATUS_FLAGS: Final = 111
RELIABILITY: Final = 103
DEVICE: Final = 8
LAST_INSTANCE: Final = 4_194_302
"""The one above means any device."""

OBJECTS: Final[dict[str, int]] = {
    "analog-input": 0, "analog-output": 1, "analog-value": 2, "binary-input": 3, "binary-output": 4,
    "binary-value": 5, "device": 8, "loop": 12, "multi-state-input": 13, "multi-state-output": 14, "program": 16,
    "schedule": 17, "averaging": 18, "multi-state-value": 19, "life-safety-point": 21, "life-safety-zone": 22,
    "accumulator": 23, "pulse-converter": 24, "load-control": 28, "characterstring-value": 40, "integer-value": 45,
    "large-analog-value": 46, "positive-integer-value": 48, "lighting-output": 54, "binary-lighting-output": 55,
    "network-port": 56, "staging": 60,
}  # fmt: skip
PROPERTIES: Final[dict[str, int]] = {
    "application-software-version": 12, "change-of-state-count": 15, "controlled-variable-value": 21,
    "cov-increment": 22, "deadband": 25, "description": 28, "elapsed-active-time": 33, "event-state": 36,
    "feedback-value": 40, "firmware-revision": 44, "high-limit": 45, "location": 58, "low-limit": 59,
    "max-pres-value": 65, "min-pres-value": 69, "model-name": 70,
    "number-of-states": 74, "object-name": 77, "object-list": 76, "out-of-service": 81, "polarity": 84,
    "present-value": 85, "priority-array": 87, "protocol-revision": 139, "relinquish-default": 104,
    "reliability": 103, "resolution": 106, "scale": 187, "serial-number": 372, "setpoint": 108, "state-text": 110,
    "status-flags": 111, "system-status": 112, "tracking-value": 164, "units": 117, "update-interval": 118,
    "average-value": 125, "maximum-value": 135, "minimum-value": 136, "value-before-change": 190, "vendor-name": 121,
}  # fmt: skip
FLAGGED: Final = frozenset(OBJECTS.values()) - {DEVICE, OBJECTS["averaging"]}
"""Object types whose present value has status flags beside it."""
SUBSCRIBED: Final = FLAGGED - {OBJECTS[name] for name in ("accumulator", "network-port", "program", "schedule")}
"""Object types that report a change of their present value (ASHRAE 135-2020, table 13-1)."""

_OBJECT: Final = re.compile(r"([a-z-]+|\d{1,4}):(\d{1,7})")
_LAST_TYPE: Final = 1023
_LAST_PROPERTY: Final = 4_194_303


@dataclass(frozen=True, slots=True)
class Address:
    """Where a value lives. Build it with `Address.of`."""

    object_type: int
    instance: int
    property_id: int
    index: int | None
    priority: int
    cov: bool
    """Whether changes are subscribed to, where the device can."""

    @property
    def object_id(self) -> tuple[int, int]:
        """Object type and instance."""
        return self.object_type, self.instance

    @property
    def reference(self) -> tuple[int, int, int, int | None]:
        """Object type, instance, property, index."""
        return self.object_type, self.instance, self.property_id, self.index

    @property
    def flagged(self) -> bool:
        """Whether status flags tell how good the value is."""
        return self.property_id == PRESENT_VALUE and self.object_type in FLAGGED

    @staticmethod
    def of(mapping: Mapping[str, Any]) -> Address:
        """Parse the `address` of a point. Raises KeyFault, a ValueError, with the first fault and its mend."""
        for fault in faults(mapping):
            raise fault
        word, _, instance = mapping["object"].partition(":")
        type_ = OBJECTS[word] if word in OBJECTS else int(word)
        given = mapping["property"]
        property_ = PROPERTIES[given] if isinstance(given, str) else given
        reports = property_ == PRESENT_VALUE and type_ in SUBSCRIBED
        return Address(
            object_type=type_,
            instance=int(instance),
            property_id=property_,
            index=mapping.get("index"),
            priority=mapping.get("priority", PRIORITY),
            cov=mapping.get("cov", True) and reports,
        )


def faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    """Everything wrong with the `address` of a point; empty when `Address.of` takes it."""
    found = [unknown_key(str(key), KEYS, "address") for key in mapping if key not in KEYS]
    if "object" not in mapping:
        found.append(
            KeyFault(
                "object",
                Text("address has no object", "地址缺少 object"),
                Text("add `object:`, such as analog-input:1", "请添加“object:”，例如 analog-input:1"),
            )
        )
    else:
        found += _object_faults(mapping["object"])
    if "property" not in mapping:
        found.append(
            KeyFault(
                "property",
                Text("address has no property", "地址缺少 property"),
                Text("add `property:`, mostly present-value", "请添加“property:”，通常为 present-value"),
            )
        )
    elif _property_number(mapping["property"]) is None:
        what = Text(f"unknown property '{mapping['property']}'", f"未知的 property “{mapping['property']}”")
        found.append(KeyFault("property", what, _meant(mapping["property"], PROPERTIES)))
    found += number_faults("priority", mapping.get("priority", PRIORITY), 1, 16)
    found += number_faults("index", mapping.get("index", 0), 0, 65535)
    if mapping.get("priority") == 6:
        mend = Text(
            "6 is kept for the device's own minimum on and off times (ASHRAE 135, 19.2.3); write another",
            "6 保留给设备自身的最短开关时间（ASHRAE 135, 19.2.3）；请另写一个",
        )
        found.append(KeyFault("priority", Text("priority 6 is not for writing", "优先级 6 不用于写入"), mend))
    if not isinstance(mapping.get("cov", True), bool):
        found.append(
            KeyFault(
                "cov",
                Text(
                    f"cov '{mapping['cov']}' is neither true nor false",
                    f"cov “{mapping['cov']}”既不是 true 也不是 false",
                ),
                Text("write true or false", "请写 true 或 false"),
            )
        )
    return found


def _object_faults(text: object) -> list[KeyFault]:
    match = _OBJECT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        mend = Text(
            "write its type and instance, such as analog-input:1, in quotes if both are numbers",
            "请写类型和实例，例如 analog-input:1；两者都是数字时加引号",
        )
        return [KeyFault("object", Text(f"object '{text}' is not understood", f"无法理解 object “{text}”"), mend)]
    word, instance = match[1], int(match[2])
    if word not in OBJECTS and not (word.isdigit() and int(word) <= _LAST_TYPE):
        return [
            KeyFault("object", Text(f"unknown object type '{word}'", f"未知的对象类型“{word}”"), _meant(word, OBJECTS))
        ]
    if instance > LAST_INSTANCE:
        return [
            KeyFault(
                "object",
                Text(f"instance {instance} is above {LAST_INSTANCE}", f"实例 {instance} 大于 {LAST_INSTANCE}"),
                Text("correct it", "请改正"),
            )
        ]
    return []


def _property_number(given: object) -> int | None:
    if isinstance(given, str):
        return PROPERTIES.get(given)
    return given if type(given) is int and 0 <= given <= _LAST_PROPERTY else None


def _meant(word: object, known: Mapping[str, int]) -> Text:
    close = difflib.get_close_matches(str(word).lower().replace("_", "-"), known, n=1)
    return (
        Text(f"write '{close[0]}'", f"请写“{close[0]}”")
        if close
        else Text("write its number in the standard, or the vendor's", "请写标准或厂商中的编号")
    )
