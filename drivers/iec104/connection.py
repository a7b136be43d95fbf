"""The `connection` of a device behind IEC 60870-5-104: how it is reached, judged and parsed. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.model.durations import parse_duration_s
from app.model.text import Text
from drivers.iec104.address import LAST_CA, given_faults
from drivers.judging import KeyFault, duration_faults, host_faults, missing_files, secret_faults, unknown_key

PORT: Final = 2404
CLOCKS: Final = ("utc", "station")
_TIMES: Final = {"t0": "30s", "t1": "15s", "t2": "10s", "t3": "20s"}
"""What the standard recommends (IEC 60870-5-104, 9.6)."""
_OPTIONAL_TIMES: Final = ("interrogate", "counters", "set_clock")
_DURATIONS: Final = {**_TIMES, "timeout": "5s", "execution": "30s", "clock_tolerance": "1min"}
K, W = 12, 8
KEYS: Final = (
    "host", "port", "ca", "backup", "backup_port", "k", "w", *_TIMES, "originator", "tls", "timeout", "execution",
    "clock", "clock_tolerance", "groups", *_OPTIONAL_TIMES,
)  # fmt: skip
DEFAULTS: Final[Mapping[str, object]] = {
    "port": PORT, "k": K, "w": W, "originator": 0, "tls": False, "clock": CLOCKS[0], **_DURATIONS,
}  # fmt: skip
TLS_FILES: Final = ("ca", "certificate", "key")
TLS_KEYS: Final = (*TLS_FILES, "password", "name")


@dataclass(frozen=True, slots=True)
class Connection:
    """A `connection` with nothing left undecided. Times in seconds."""

    host: str
    port: int
    ca: int
    backup: tuple[str, int] | None
    parameters: Mapping[str, int]
    """k w t0 t1 t2 t3 originator."""
    tls: Mapping[str, Any] | None
    timeout_s: float
    execution_s: float
    station_clock: bool
    clock_tolerance_s: float
    groups: tuple[int, ...]
    """Groups that are interrogated; empty for the station as a whole."""
    interrogate_s: float | None
    counters_s: float | None
    set_clock_s: float | None

    @staticmethod
    def of(mapping: Mapping[str, Any]) -> Connection:
        """Parse one that has been judged. Raises KeyFault otherwise."""
        for fault in faults(mapping):
            raise fault

        def seconds(key: str) -> float:
            return parse_duration_s(mapping.get(key, _DURATIONS[key]))

        def period(key: str) -> float | None:
            return parse_duration_s(mapping[key]) if key in mapping else None

        port = mapping.get("port", PORT)
        backup = mapping.get("backup")
        tls = mapping.get("tls", False)
        return Connection(
            host=mapping["host"],
            port=port,
            ca=mapping["ca"],
            backup=(backup, mapping.get("backup_port", port)) if backup else None,
            parameters={
                "k": mapping.get("k", K), "w": mapping.get("w", W), "originator": mapping.get("originator", 0),
                **{key: round(seconds(key)) for key in _TIMES},
            },
            tls={} if tls is True else tls or None,
            timeout_s=seconds("timeout"),
            execution_s=seconds("execution"),
            station_clock=mapping.get("clock", CLOCKS[0]) == "station",
            clock_tolerance_s=seconds("clock_tolerance"),
            groups=tuple(mapping.get("groups", ())),
            interrogate_s=period("interrogate"),
            counters_s=period("counters"),
            set_clock_s=period("set_clock"),
        )  # fmt: skip


def missing(mapping: Mapping[str, Any]) -> list[KeyFault]:
    """What a `connection` names and this machine has not."""
    tls = mapping.get("tls")
    return missing_files(tls, TLS_FILES, "tls") if isinstance(tls, Mapping) else []


def line_of(mapping: Mapping[str, Any]) -> str:
    """The name of the line: host and port."""
    return f"{str(mapping.get('host', '')).lower()}:{mapping.get('port', PORT)}"


def faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    """Everything wrong with the `connection` of one device."""
    found = [unknown_key(str(key), KEYS, "connection") for key in mapping if key not in KEYS]
    found += host_faults(mapping, "host")
    if "backup" in mapping:
        found += host_faults(mapping, "backup")
    elif "backup_port" in mapping:
        found.append(
            KeyFault(
                "backup_port",
                Text("backup_port without a backup", "有 backup_port 而没有 backup"),
                Text("add `backup:`, or leave it out", "请添加“backup:”，或删除"),
            )
        )
    if "ca" not in mapping:
        found.append(
            KeyFault(
                "ca",
                Text("connection has no ca", "连接缺少 ca"),
                Text("add `ca:`, the station's common address", "请添加“ca:”，即站的公共地址"),
            )
        )
    for key, low, high in (
        ("ca", 1, LAST_CA), ("port", 1, 65535), ("backup_port", 1, 65535), ("originator", 0, 255), ("k", 1, 32767),
        ("w", 1, 32767),
    ):  # fmt: skip
        found += given_faults(mapping, key, low, high)
    found += _time_faults(mapping) + _clock_faults(mapping) + _group_faults(mapping) + _tls_faults(mapping)
    return found or _window_faults(mapping)


def _time_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    found = []
    for key in (*_DURATIONS, *_OPTIONAL_TIMES):
        if key not in mapping:
            continue
        value = mapping[key]
        if wrong := duration_faults(key, value):
            found += wrong
        elif key in _TIMES:
            seconds, last = parse_duration_s(value), "48h" if key == "t3" else "255s"
            if seconds != round(seconds) or not 1 <= seconds <= parse_duration_s(last):
                found.append(
                    KeyFault(
                        key,
                        Text(
                            f"{key} '{value}' is not whole seconds from 1s to {last}",
                            f"{key}“{value}”不是 1s 至 {last} 的整秒数",
                        ),
                        Text("correct it", "请改正"),
                    )
                )
    return found


def _window_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    """What the standard says of times and windows together (5.5 and 9.6)."""
    found = []
    k, w = mapping.get("k", K), mapping.get("w", W)
    if w > max(1, k * 2 // 3):
        found.append(
            KeyFault(
                "w",
                Text(f"w {w} is more than two thirds of k {k}", f"w {w} 大于 k {k} 的三分之二"),
                Text(f"write {max(1, k * 2 // 3)} or less", f"请写 {max(1, k * 2 // 3)} 或更小"),
            )
        )
    t1, t2 = (parse_duration_s(mapping.get(key, _TIMES[key])) for key in ("t1", "t2"))
    if t2 >= t1:
        found.append(
            KeyFault(
                "t2",
                Text(f"t2 {t2:g}s is not below t1 {t1:g}s", f"t2 {t2:g}s 不小于 t1 {t1:g}s"),
                Text("acknowledge before the other side gives up", "请在对方放弃之前确认"),
            )
        )
    return found


def _clock_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    clock = mapping.get("clock", CLOCKS[0])
    return (
        []
        if clock in CLOCKS
        else [
            KeyFault(
                "clock",
                Text(f"unknown clock '{clock}'", f"未知的 clock “{clock}”"),
                Text("write utc or station", "请写 utc 或 station"),
            )
        ]
    )


def _group_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    groups = mapping.get("groups", [1])
    sound = isinstance(groups, (list, tuple)) and groups and all(type(g) is int and 1 <= g <= 16 for g in groups)
    if sound and len(set(groups)) == len(groups):
        return []
    mend = Text(
        "write a list such as [1, 2], or leave it out for the whole station", "请写列表，例如 [1, 2]；总召唤请省略"
    )
    return [
        KeyFault(
            "groups",
            Text(
                f"groups '{groups}' are not different numbers from 1 to 16", f"groups “{groups}”应为 1 至 16 的不同数字"
            ),
            mend,
        )
    ]


def _tls_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    tls = mapping.get("tls", False)
    if isinstance(tls, bool):
        return []
    if not isinstance(tls, Mapping):
        return [
            KeyFault(
                "tls",
                Text(f"tls '{tls}' is neither true nor a mapping", f"tls “{tls}”既不是 true 也不是映射"),
                Text(f"known keys: {' '.join(TLS_KEYS)}", f"可用的键：{' '.join(TLS_KEYS)}"),
            )
        ]
    found = [unknown_key(str(key), TLS_KEYS, "tls") for key in tls if key not in TLS_KEYS]
    for key in TLS_FILES:
        if key in tls and not isinstance(tls[key], str):
            what = Text(f"tls {key} '{tls[key]}' is no path", f"tls {key}“{tls[key]}”不是路径")
            found.append(KeyFault("tls", what, Text("give the path of a PEM file", "请给出 PEM 文件的路径")))
    if ("certificate" in tls) != ("key" in tls):
        found.append(
            KeyFault(
                "tls",
                Text("tls has only one of certificate and key", "tls 的证书与私钥只有其一"),
                Text("give both, or neither", "请两者都给，或都不给"),
            )
        )
    return found + (secret_faults("password", tls["password"]) if "password" in tls else [])
