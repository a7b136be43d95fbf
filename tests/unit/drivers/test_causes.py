"""Why a line does not open, as an operator reads it."""

from __future__ import annotations

import errno
import re
import socket

import pytest

from drivers.causes import cause
from drivers.modbus.exceptions import NAMES, mend, words

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize(
    ("error", "en", "zh"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "connection refused; check the port", "连接被拒绝"),
        (TimeoutError(), "no answer within 3s", "3s 内无应答"),
        (socket.gaierror(-2, "Name or service not known"), "no such host name", "主机名无法解析"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no way to this address", "网络不可达"),
        (FileNotFoundError(errno.ENOENT, "No such file"), "there is no such port", "没有这个串口"),
        (PermissionError(errno.EACCES, "Permission denied"), "may not open it", "无权打开"),
        (OSError(errno.EADDRINUSE, "Address already in use"), "another program has this port", "端口已被其他程序占用"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign"), "this machine has no such address", "本机没有这个地址"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error; check the connection", "请检查连接"),
    ],
)
def test_a_cause_says_what_to_do_in_both_languages(error: Exception, en: str, zh: str) -> None:
    text = cause(error, 3.0)
    assert en in text.en and "; " in text.en
    assert zh in text.zh and "；" in text.zh


def test_the_key_that_is_named_is_one_that_the_connection_has() -> None:
    for error in (socket.gaierror(-2, "Name or service not known"), OSError(errno.EHOSTUNREACH, "No route to host")):
        text = cause(error, 3.0, "url")
        assert "check `url`" in text.en and "请检查 url" in text.zh and "host`" not in text.en


@pytest.mark.parametrize("code", [*NAMES, 99])
def test_every_refusal_of_a_modbus_device_is_said_in_both_languages(code: int) -> None:
    for text in (words(code), mend(code)):
        assert text.en and CHINESE.search(text.zh)
        assert not CHINESE.search(text.en)
