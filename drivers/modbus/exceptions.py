"""The exception codes of Modbus: what a device says when it refuses."""

from __future__ import annotations

from typing import Final

from app.model.text import Text

NAMES: Final[dict[int, Text]] = {
    1: Text("illegal function", "非法功能码"),
    2: Text("illegal data address", "非法数据地址"),
    3: Text("illegal data value", "非法数据值"),
    4: Text("server device failure", "从站设备故障"),
    5: Text("acknowledge, still working on it", "已接收，仍在处理"),
    6: Text("server device busy", "从站设备忙"),
    7: Text("negative acknowledge", "否定应答"),
    8: Text("memory parity error", "存储器奇偶校验错"),
    10: Text("gateway path unavailable", "网关路径不可用"),
    11: Text("gateway target device failed to respond", "网关目标设备无响应"),
}
_UNKNOWN: Final = Text("not in the standard", "标准中没有的代码")

DIVISIBLE: Final = (2, 3)
"""Something in the block is wrong, but perhaps not all of it."""
LASTING: Final = (1, 2, 3)
"""What is asked for does not exist. All other codes are trouble that passes."""


def words(code: int) -> Text:
    """`exception 2, illegal data address`."""
    name = NAMES.get(code, _UNKNOWN)
    return Text(f"exception {code}, {name.en}", f"异常码 {code}，{name.zh}")


def mend(code: int) -> Text:
    """What to do about it."""
    if code in LASTING:
        return Text("compare the address with the device's own register list", "请与设备自己的寄存器表核对地址")
    if code in (5, 6):
        return Text("it is busy and is asked again later", "设备正忙，稍后重试")
    if code in (10, 11):
        return Text(
            "check the gateway, its table of units, and that the device behind it has power",
            "请检查网关及其单元表，以及网关后的设备是否上电",
        )
    return Text("see the device's own diagnosis", "请查看设备自身的诊断")
