"""What a broker or the way to it refuses, in words with the mend, in both languages."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Final

from paho.mqtt.reasoncodes import ReasonCode

from app.model.durations import format_duration
from app.model.text import Text
from drivers.causes import cause
from drivers.mqtt.connection import Broker

TAKEN_OVER: Final = 0x8E
"""Session taken over (MQTT 5, 3.14.2.1): somebody else came with our client id."""
NOBODY: Final = 0x10
"""No matching subscribers (MQTT 5, 3.4.2.1)."""
_UNSPECIFIED: Final = 0x80
"""What paho says where it does not know more than that the connection is gone."""
_BAD_LOGIN: Final = (0x86, 0x87)
_BAD_VERSION: Final = 0x84
_BAD_ID: Final = 0x85
CLOSED: Final = Text("the connection was closed here", "连接已由本程序关闭")
GONE: Final = Text("the connection is gone", "连接已断开")
UNHEARD: Final = Text("nobody listens on that topic: the device is not connected", "没有客户端订阅该主题：设备未连接")
UNCONNECTED: Final = Text("not connected", "未连接")


def at(broker: Broker, what: Text) -> Text:
    """What happened, behind where."""
    return Text(f"{broker.place}: {what.en}", f"{broker.place}：{what.zh}")


def of_connecting(error: Exception, broker: Broker) -> Text:
    """Why no connection came to be."""
    if isinstance(error, ssl.SSLCertVerificationError):
        said = error.verify_message
        return Text(
            f"its certificate is not trusted: {said}; give its authority as `tls: {{ca: FILE}}`",
            f"其证书不受信任：{said}；请用 `tls: {{ca: 文件}}` 指定签发它的 CA 证书",
        )
    if isinstance(error, ssl.SSLError):
        said = error.reason or str(error)
        return Text(
            f"no TLS: {said}; does the broker speak TLS on this port, and does it want a client's certificate?",
            f"TLS 握手失败：{said}；请确认该端口使用 TLS，以及服务器是否要求客户端证书",
        )
    why = cause(error, broker.timeout_s)
    return Text(f"no connection: {why.en}", f"无法连接：{why.zh}")


def of_refusal(reason: ReasonCode, broker: Broker) -> Text:
    """Why the broker did not take us."""
    words = reason.getName().lower()
    if reason.value in _BAD_LOGIN:
        return Text(
            f"the broker refused the login ({words}); correct `user` and `password`",
            f"MQTT 服务器拒绝登录（{words}）；请更正 user 和 password",
        )
    if reason.value == _BAD_VERSION:
        other = "3.1.1" if broker.version == "5" else "5"
        return Text(
            f"the broker does not speak MQTT {broker.version}; write `version: {other}`",
            f"MQTT 服务器不支持 MQTT {broker.version}；请写 `version: {other}`",
        )
    if reason.value == _BAD_ID:
        return Text(
            f"the broker does not take the client id {broker.client_id}; give another as `client_id`",
            f"MQTT 服务器不接受客户端标识 {broker.client_id}；请用 client_id 另给一个",
        )
    return Text(f"the broker refused the connection: {words}", f"MQTT 服务器拒绝连接：{words}")


def unanswered(broker: Broker) -> Text:
    """Why a broker may end a connection instead of answering. TLS 1.3 tells of a missing certificate so late."""
    if broker.tls:
        tls = "`tls: {cert: ..., key: ...}`"
        mend = Text(f"does it want a client's certificate ({tls})", f"是否要求客户端证书（{tls}）")
    else:
        mend = Text("does it want TLS", "是否要求 TLS")
    return Text(
        f"the broker ended the connection without an answer; {mend.en}, or another `version`?",
        f"MQTT 服务器未应答就断开了连接；请确认它{mend.zh}，以及 version 是否正确",
    )


def stolen(broker: Broker) -> Text:
    return Text(
        f"another client took the client id {broker.client_id}; give each its own `client_id`",
        f"另一个客户端占用了客户端标识 {broker.client_id}；请给每个客户端各自的 client_id",
    )


def lost(reason: ReasonCode) -> Text:
    words = reason.getName().lower()
    said, told = ("", "") if reason.value == _UNSPECIFIED else (f" ({words})", f"（{words}）")
    return Text(
        f"the connection was lost{said}; check that the broker runs, and the network",
        f"连接已断开{told}；请检查 MQTT 服务器是否运行以及网络",
    )


def untaken(reason: ReasonCode) -> Text:
    """Why a command stayed with the broker."""
    words = reason.getName().lower()
    return Text(f"the broker refused the command: {words}", f"MQTT 服务器拒绝了该命令：{words}")


def silent(broker: Broker, to: Text) -> Text:
    """No answer within the time; `to` says to what, or is empty."""
    time = format_duration(broker.timeout_s)
    return Text(f"no answer from the broker{to.en} within {time}", f"MQTT 服务器在 {time} 内没有应答{to.zh}")


def ungranted(refused: Sequence[tuple[str, ReasonCode]]) -> Text:
    """Topics that we may not read."""
    named = ", ".join(f"{pattern} ({reason.getName().lower()})" for pattern, reason in refused)
    return Text(
        f"the broker does not let us read {named}; give the user the right to",
        f"MQTT 服务器不允许订阅 {named}；请给该用户授权",
    )
