"""The `connection` of an HTTP device, judged and parsed: how it is asked (`Poll`), or how it tells us (`Hook`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from yarl import URL

from app.model.durations import parse_duration_s
from app.model.secrets import is_reference
from app.model.station import Device
from app.model.text import Text
from drivers.judging import KeyFault, duration_faults, missing_files, number_faults, secret_faults, unknown_key

TIMEOUT: Final = "1s"
MAX_BYTES: Final = 131_072
HOST: Final = "127.0.0.1"
PORT: Final = 8480
SILENCE: Final = "5min"
WINDOW: Final = "5min"
PER_MINUTE: Final = 600
POLL_KEYS: Final = (
    "url", "every", "headers", "timeout", "user", "password", "token", "max_bytes", "ca", "fingerprint",
)  # fmt: skip
HOOK_KEYS: Final = ("webhook", "secret", "host", "port", "silence", "window", "per_minute", "max_bytes")
OFFERED: Final[Mapping[str, object]] = {
    **dict.fromkeys(POLL_KEYS, ""), "timeout": TIMEOUT, "max_bytes": MAX_BYTES,
    **dict.fromkeys(("webhook", "secret"), ""), "host": HOST, "port": PORT, "silence": SILENCE, "window": WINDOW,
    "per_minute": PER_MINUTE,
}  # fmt: skip
"""What a form offers: the keys of polling, then those of a webhook; empty where nothing is given."""
_BOUNDS_BYTES: Final = (1, 524_288)
"""Half a MiB of JSON takes the loop's thread about 15 ms."""
_TELLTALE: Final = re.compile(r"auth|cookie|token|secret|passw|key|sign", re.IGNORECASE)
"""Names of headers and of parameters whose value is a secret."""
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Poll:
    """How a device is asked. Secrets are references still."""

    url: URL
    every_s: float
    timeout_s: float
    headers: Mapping[str, str]
    user: str
    password: str
    token: str
    max_bytes: int
    ca: str
    fingerprint: bytes

    @staticmethod
    def of(device: Device) -> Poll:
        """Of a device whose connection has been judged. Without `every`, its fastest scan is the period."""
        given = device.connection
        scans = [point.form.scan for point in device.points if point.polled]
        every = given.get("every")
        return Poll(
            url=URL(given["url"]),
            every_s=parse_duration_s(every) if every else min(scans, default=1.0),
            timeout_s=parse_duration_s(given.get("timeout", TIMEOUT)),
            headers=dict(given.get("headers", {})),
            user=given.get("user", ""),
            password=given.get("password", ""),
            token=given.get("token", ""),
            max_bytes=given.get("max_bytes", MAX_BYTES),
            ca=given.get("ca", ""),
            fingerprint=bytes.fromhex(given.get("fingerprint", "").replace(":", "")),
        )


@dataclass(frozen=True, slots=True)
class Hook:
    """How a device tells us."""

    path: str
    secret: str = field(repr=False)
    """A reference."""
    silence_s: float
    window_s: float
    per_minute: int
    max_bytes: int

    @staticmethod
    def of(device: Device) -> Hook:
        """Of a device whose connection has been judged."""
        given = device.connection
        return Hook(
            path=given["webhook"],
            secret=given["secret"],
            silence_s=parse_duration_s(given.get("silence", SILENCE)),
            window_s=parse_duration_s(given.get("window", WINDOW)),
            per_minute=given.get("per_minute", PER_MINUTE),
            max_bytes=given.get("max_bytes", MAX_BYTES),
        )


def is_hook(connection: Mapping[str, Any]) -> bool:
    """Whether the device tells us, instead of being asked."""
    return "webhook" in connection


def receiver_of(connection: Mapping[str, Any]) -> tuple[str, int]:
    """Host and port on which the messages of a device are received."""
    return connection.get("host", HOST), connection.get("port", PORT)


def line_of(connection: Mapping[str, Any]) -> str:
    """Devices of one server share its connections; devices that tell us share the receiver of a host and port."""
    if is_hook(connection):
        host, port = receiver_of(connection)
        return f"webhook {host}:{port}"
    return str(URL(connection["url"]).origin())


def faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    """Everything wrong with the `connection` of one device."""
    if is_hook(connection):
        return _hook_faults(connection)
    return _poll_faults(connection)


def missing(connection: Mapping[str, Any]) -> list[KeyFault]:
    """What a `connection` names and this machine has not."""
    return missing_files(connection, ("ca",))


def _poll_faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    found = [unknown_key(str(key), POLL_KEYS, "connection") for key in connection if key not in POLL_KEYS]
    if "url" not in connection:
        mend = Text(
            "add `url:` to ask the device, or `webhook:` and `secret:` to be told",
            "轮询请添加“url:”；接收推送请添加“webhook:”和“secret:”",
        )
        return found or [
            KeyFault("url", Text("connection has neither url nor webhook", "连接既没有 url 也没有 webhook"), mend)
        ]
    found += _url_faults(connection["url"])
    found += duration_faults("timeout", connection.get("timeout", TIMEOUT))
    if "every" in connection:
        found += duration_faults("every", connection["every"])
    found += number_faults("max_bytes", connection.get("max_bytes", MAX_BYTES), *_BOUNDS_BYTES)
    for key in ("password", "token"):
        if key in connection:
            found += secret_faults(key, connection[key])
    found += _header_faults(connection.get("headers", {}))
    if ("user" in connection) is not ("password" in connection):
        found.append(
            KeyFault(
                "user",
                Text("user and password come together", "user 和 password 应同时给出"),
                Text("add the other, or leave both out", "请添加另一个，或都删除"),
            )
        )
    if "token" in connection and "user" in connection:
        found.append(
            KeyFault(
                "token",
                Text("a request carries a token or a user, not both", "请求带 token 或 user，不能同时带"),
                Text("leave one of them out", "请删除其一"),
            )
        )
    return found + _tls_faults(connection)


def _url_faults(text: object) -> list[KeyFault]:
    mend = Text("write such as http://192.168.1.20/status", "例如 http://192.168.1.20/status")
    try:
        url = URL(text) if isinstance(text, str) else URL()
        sound = url.scheme in ("http", "https") and bool(url.host) and url.port is not None
    except ValueError:
        return [KeyFault("url", Text("url cannot be read", "无法读取 url"), mend)]
    if not sound:
        return [
            KeyFault(
                "url",
                Text(f"url '{_bare(url)}' is no address of a web server", f"url “{_bare(url)}”不是网页服务器的地址"),
                mend,
            )
        ]
    if url.user is not None or url.password is not None:
        return [
            KeyFault(
                "url",
                Text("url holds a user or a password", "url 中含有用户或口令"),
                Text("write `user:` and `password: secret:NAME` instead", "请改写“user:”和“password: secret:名称”"),
            )
        ]
    told = [name for name in url.query if re.search(_TELLTALE, name)]
    if told:
        what = Text(
            f"the parameter {told[0]} of the url is a secret, and a file is no place for one",
            f"url 的参数 {told[0]} 是机密，不应写在文件里",
        )
        return [
            KeyFault(
                "url",
                what,
                Text(
                    "give it as `token: secret:NAME`, or in `headers`", "请写为“token: secret:名称”，或写在 headers 中"
                ),
            )
        ]
    return []


def _header_faults(headers: object) -> list[KeyFault]:
    if not isinstance(headers, Mapping):
        return [
            KeyFault(
                "headers",
                Text("headers is no table", "headers 不是对照表"),
                Text("write such as {X-Api-Key: secret:NAME}", "例如 {X-Api-Key: secret:NAME}"),
            )
        ]
    found = []
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER.fullmatch(name):
            found.append(
                KeyFault(
                    "headers",
                    Text(f"'{name}' is no name of a header", f"“{name}”不是报头名称"),
                    Text("letters, digits and hyphens only", "只能用字母、数字和连字符"),
                )
            )
        elif not isinstance(value, str) or not value.isprintable():
            found.append(
                KeyFault(
                    "headers",
                    Text(f"header {name} is no text of one line", f"报头 {name} 不是单行文本"),
                    Text("put its value in quotes", "请给其值加引号"),
                )
            )
        elif re.search(_TELLTALE, name) and not is_reference(value):
            what = Text(
                f"header {name} is a secret, and a file is no place for one", f"报头 {name} 是机密，不应写在文件里"
            )
            found.append(
                KeyFault(
                    "headers",
                    what,
                    Text(
                        f"write {name}: secret:NAME or env:NAME, and store it there",
                        f"请写 {name}: secret:名称 或 env:名称，并存于该处",
                    ),
                )
            )
    return found


def _tls_faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    found = []
    ca, fingerprint = connection.get("ca"), connection.get("fingerprint")
    if ca is not None and not isinstance(ca, str):
        mend = Text("write the whole path of a PEM file", "请写 PEM 文件的完整路径")
        found.append(KeyFault("ca", Text(f"ca '{ca}' is no path", f"ca “{ca}”不是路径"), mend))
    hexadecimal = fingerprint.replace(":", "") if isinstance(fingerprint, str) else ""
    if fingerprint is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", hexadecimal):
        mend = Text(
            "write the SHA-256 of the device's certificate, 64 hexadecimal digits, in quotes",
            "请写设备证书的 SHA-256，64 位十六进制数，加引号",
        )
        found.append(
            KeyFault(
                "fingerprint",
                Text(f"fingerprint '{fingerprint}' is no SHA-256", f"fingerprint “{fingerprint}”不是 SHA-256"),
                mend,
            )
        )
    if ca is not None and fingerprint is not None:
        found.append(
            KeyFault(
                "ca",
                Text("a certificate is judged by ca or by fingerprint", "证书由 ca 或 fingerprint 判断"),
                Text("leave one of them out", "请删除其一"),
            )
        )
    if (ca or fingerprint) and not str(connection.get("url", "")).lower().startswith("https:"):
        found.append(
            KeyFault(
                "url",
                Text("a certificate is given, and the url is not of https", "给出了证书，但 url 不是 https"),
                Text("write https://", "请写 https://"),
            )
        )
    return found


def _hook_faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    found = [unknown_key(str(key), HOOK_KEYS, "connection") for key in connection if key not in HOOK_KEYS]
    path, host = connection["webhook"], connection.get("host", HOST)
    if not isinstance(path, str) or not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path):
        mend = Text(
            "write a path such as /meters/1: letters, digits, dots and hyphens between slashes",
            "请写路径，例如 /meters/1：斜线之间为字母、数字、点和连字符",
        )
        found.append(KeyFault("webhook", Text(f"webhook '{path}' is no path", f"webhook “{path}”不是路径"), mend))
    if "secret" in connection:
        found += secret_faults("secret", connection["secret"])
    else:
        mend = Text(
            "add `secret: secret:NAME`: no message is taken unsigned", "请添加“secret: secret:名称”：不接受未签名的消息"
        )
        found.append(KeyFault("secret", Text("connection has no secret", "连接缺少 secret"), mend))
    if not isinstance(host, str) or not host.strip():
        mend = Text(
            "write an address of this machine, or 0.0.0.0 for all of them", "请写本机的地址，或写 0.0.0.0 表示全部"
        )
        found.append(KeyFault("host", Text(f"host '{host}' is no address", f"host “{host}”不是地址"), mend))
    found += duration_faults("silence", connection.get("silence", SILENCE))
    found += duration_faults("window", connection.get("window", WINDOW))
    found += number_faults("port", connection.get("port", PORT), 1, 65535)
    found += number_faults("per_minute", connection.get("per_minute", PER_MINUTE), 1, 60_000)
    return found + number_faults("max_bytes", connection.get("max_bytes", MAX_BYTES), *_BOUNDS_BYTES)


def _bare(url: URL) -> str:
    """Without what may be a secret."""
    return str(url.with_user(None).with_query(None)) if url.is_absolute() else str(url)
