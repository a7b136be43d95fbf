"""Why a line cannot be opened, in both languages, and what to do about it. For every driver that opens a connection."""

from __future__ import annotations

import errno
import socket
from typing import Final

from app.model.durations import format_duration
from app.model.text import Text

_NO_WAY: Final = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


def cause(error: Exception, timeout_s: float, host: str = "host") -> Text:
    """What an OSError, TimeoutError or ValueError of opening a connection means.

    `timeout_s`: how long was waited; `host`: the key of a connection that says where it leads.
    """
    number = getattr(error, "errno", None)
    if isinstance(error, ConnectionRefusedError):
        return Text(
            "connection refused; check the port, and that the device takes another connection",
            "连接被拒绝；请检查端口，以及设备是否还能接受新的连接",
        )
    if isinstance(error, socket.gaierror):
        return Text(
            f"there is no such host name; check `{host}` and the name service",
            f"主机名无法解析；请检查 {host} 和域名服务",
        )
    if number in _NO_WAY:
        return Text(
            f"there is no way to this address; check `{host}`, cable and route",
            f"网络不可达；请检查 {host}、网线和路由",
        )
    if isinstance(error, TimeoutError):
        waited = format_duration(timeout_s)
        return Text(
            f"no answer within {waited}; check the address and the network",
            f"{waited} 内无应答；请检查地址和网络",
        )
    if number == errno.EADDRINUSE:
        return Text(
            "another program has this port; close that program, or give another port",
            "端口已被其他程序占用；请关闭该程序，或改用其他端口",
        )
    if number == errno.EADDRNOTAVAIL:
        return Text(
            "this machine has no such address; write one that it has",
            "本机没有这个地址；请填写本机已有的地址",
        )
    if isinstance(error, FileNotFoundError) or number == errno.ENOENT:
        return Text(
            "there is no such port; check `device`, and that the adapter is plugged in",
            "没有这个串口；请检查 device，以及转换器是否已插好",
        )
    if isinstance(error, PermissionError) or number == errno.EACCES:
        return Text(
            "this user may not open it; give the user the right to it",
            "当前用户无权打开；请为该用户授权",
        )
    return Text(f"{error}; check the connection", f"{error}；请检查连接")
