"""What a device says no with, and why a value is faulty, in both languages. The English are the standard's own words.

Names and numbers are those of ASHRAE 135-2020, clause 21: BACnetErrorCode, BACnetRejectReason, BACnetAbortReason,
BACnetReliability.
"""

from __future__ import annotations

from typing import Final

from app.model.text import Text

_REASONS: Final[dict[str, str]] = {
    "unknown-object": "没有这个对象",
    "unknown-property": "没有这个属性",
    "unsupported-object-type": "不支持该对象类型",
    "invalid-array-index": "数组下标无效",
    "property-is-not-an-array": "该属性不是数组",
    "read-access-denied": "不允许读取",
    "write-access-denied": "不允许写入",
    "access-denied": "拒绝访问",
    "service-request-denied": "拒绝该服务请求",
    "value-out-of-range": "数值超出范围",
    "invalid-data-type": "数据类型不符",
    "datatype-not-supported": "不支持该数据类型",
    "value-not-initialized": "数值尚未初始化",
    "parameter-out-of-range": "参数超出范围",
    "inconsistent-parameters": "参数互相矛盾",
    "missing-required-parameter": "缺少必需参数",
    "no-space-to-write-property": "存储空间不足，无法写入",
    "no-space-to-add-list-element": "列表已满",
    "optional-functionality-not-supported": "不支持该可选功能",
    "cov-subscription-failed": "COV 订阅失败",
    "not-cov-property": "该属性不支持 COV",
    "unknown-subscription": "没有这个订阅",
    "device-busy": "设备忙",
    "busy": "忙",
    "configuration-in-progress": "正在组态",
    "operational-problem": "设备运行异常",
    "internal-error": "设备内部错误",
    "communication-disabled": "通信已被禁用",
    "out-of-memory": "内存不足",
    "timeout": "设备内部超时",
    "unrecognized-service": "不支持该服务",
    "too-many-arguments": "参数过多",
    "invalid-tag": "标签无效",
    "undefined-enumeration": "枚举值未定义",
    "buffer-overflow": "缓冲区溢出",
    "segmentation-not-supported": "不支持分段",
    "application-exceeded-reply-time": "应答超出允许时间",
    "preempted-by-higher-priority-task": "被更高优先级任务抢占",
    "out-of-resources": "资源不足",
    "apdu-too-long": "报文过长",
    "security-error": "安全错误",
    "insufficient-security": "安全等级不足",
    "other": "其他原因",
}
"""The ones that are met; any other one is shown as the standard writes it."""

RELIABILITY: Final[dict[int, Text]] = {
    1: Text("no sensor", "无传感器"),
    2: Text("over range", "超上限"),
    3: Text("under range", "超下限"),
    4: Text("open loop", "回路开路"),
    5: Text("shorted loop", "回路短路"),
    6: Text("no output", "无输出"),
    7: Text("unreliable", "不可靠，原因未列出"),
    8: Text("process error", "过程错误"),
    9: Text("fault of a state", "多态故障"),
    10: Text("configuration error", "组态错误"),
    12: Text("communication failure", "通信故障"),
    13: Text("fault of a member", "成员故障"),
    14: Text("fault of the monitored object", "被监视对象故障"),
    15: Text("tripped", "已跳闸"),
    16: Text("lamp failure", "灯具故障"),
    17: Text("activation failure", "激活失败"),
    18: Text("DHCP renewal failed", "DHCP 续租失败"),
    19: Text("foreign device renewal failed", "外部设备注册续期失败"),
    20: Text("restart of negotiation failed", "重新自动协商失败"),
    21: Text("restart failed", "重启失败"),
    22: Text("proprietary command failed", "厂家自定义命令失败"),
    23: Text("faults listed", "故障列表非空"),
    24: Text("fault of a referenced object", "被引用对象故障"),
    25: Text("state out of range", "状态值超出范围"),
}


def error(code: str, class_: str) -> Text:
    """What an error says: `unknown-object (class object)`."""
    named = _REASONS.get(code)
    return Text(f"{code} (class {class_})", f"{named}（{code}，{class_} 类）" if named else f"{code}（{class_} 类）")


def rejected(reason: str) -> Text:
    """What a reject says."""
    return Text(f"rejected: {reason}", f"请求被拒绝：{_chinese(reason)}")


def aborted(reason: str) -> Text:
    """What an abort says."""
    return Text(f"aborted: {reason}", f"请求被中止：{_chinese(reason)}")


def reliability(number: int) -> Text:
    """Why a value is faulty."""
    return RELIABILITY.get(number, Text(f"reliability {number}", f"可靠性代码 {number}"))


def _chinese(reason: str) -> str:
    return f"{_REASONS[reason]}（{reason}）" if reason in _REASONS else reason
