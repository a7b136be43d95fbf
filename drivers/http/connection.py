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
        mend = "add `url:` to ask the device, or `webhook:` and `secret:` to be told"
        return found or [KeyFault("url", "connection has neither url nor webhook", mend)]
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
        found.append(KeyFault("user", "user and password come together", "add the other, or leave both out"))
    if "token" in connection and "user" in connection:
        found.append(KeyFault("token", "a request carries a token or a user, not both", "leave one of them out"))
    return found + _tls_faults(connection)


def _url_faults(text: object) -> list[KeyFault]:
    mend = "write such as http://192.168.1.20/status"
    try:
        url = URL(text) if isinstance(text, str) else URL()
        sound = url.scheme in ("http", "https") and bool(url.host) and url.port is not None
    except ValueError:
        return [KeyFault("url", "url cannot be read", mend)]
    if not sound:
        return [KeyFault("url", f"url '{_bare(url)}' is no address of a web server", mend)]
    if url.user is not None or url.password is not None:
        return [KeyFault("url", "url holds a user or a password", "write `user:` and `password: env:NAME` instead")]
    told = [name for name in url.query if re.search(_TELLTALE, name)]
    if told:
        what = f"the parameter {told[0]} of the url is a secret, and a file is no place for one"
        return [KeyFault("url", what, "give it as `token: env:NAME`, or in `headers`")]
    return []


def _header_faults(headers: object) -> list[KeyFault]:
    if not isinstance(headers, Mapping):
        return [KeyFault("headers", "headers is no table", "write such as {X-Api-Key: env:NAME}")]
    found = []
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER.fullmatch(name):
            found.append(KeyFault("headers", f"'{name}' is no name of a header", "letters, digits and hyphens only"))
        elif not isinstance(value, str) or not value.isprintable():
            found.append(KeyFault("headers", f"header {name} is no text of one line", "put its value in quotes"))
        elif re.search(_TELLTALE, name) and not is_reference(value):
            what = f"header {name} is a secret, and a file is no place for one"
            found.append(KeyFault("headers", what, f"write {name}: env:NAME, and set the environment variable NAME"))
    return found


def _tls_faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    found = []
    ca, fingerprint = connection.get("ca"), connection.get("fingerprint")
    if ca is not None and not isinstance(ca, str):
        found.append(KeyFault("ca", f"ca '{ca}' is no path", "write the whole path of a PEM file"))
    hexadecimal = fingerprint.replace(":", "") if isinstance(fingerprint, str) else ""
    if fingerprint is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", hexadecimal):
        mend = "write the SHA-256 of the device's certificate, 64 hexadecimal digits, in quotes"
        found.append(KeyFault("fingerprint", f"fingerprint '{fingerprint}' is no SHA-256", mend))
    if ca is not None and fingerprint is not None:
        found.append(KeyFault("ca", "a certificate is judged by ca or by fingerprint", "leave one of them out"))
    if (ca or fingerprint) and not str(connection.get("url", "")).lower().startswith("https:"):
        found.append(KeyFault("url", "a certificate is given, and the url is not of https", "write https://"))
    return found


def _hook_faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    found = [unknown_key(str(key), HOOK_KEYS, "connection") for key in connection if key not in HOOK_KEYS]
    path, host = connection["webhook"], connection.get("host", HOST)
    if not isinstance(path, str) or not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path):
        mend = "write a path such as /meters/1: letters, digits, dots and hyphens between slashes"
        found.append(KeyFault("webhook", f"webhook '{path}' is no path", mend))
    if "secret" in connection:
        found += secret_faults("secret", connection["secret"])
    else:
        mend = "add `secret: env:NAME`: no message is taken unsigned"
        found.append(KeyFault("secret", "connection has no secret", mend))
    if not isinstance(host, str) or not host.strip():
        mend = "write an address of this machine, or 0.0.0.0 for all of them"
        found.append(KeyFault("host", f"host '{host}' is no address", mend))
    found += duration_faults("silence", connection.get("silence", SILENCE))
    found += duration_faults("window", connection.get("window", WINDOW))
    found += number_faults("port", connection.get("port", PORT), 1, 65535)
    found += number_faults("per_minute", connection.get("per_minute", PER_MINUTE), 1, 60_000)
    return found + number_faults("max_bytes", connection.get("max_bytes", MAX_BYTES), *_BOUNDS_BYTES)


def _bare(url: URL) -> str:
    """Without what may be a secret."""
    return str(url.with_user(None).with_query(None)) if url.is_absolute() else str(url)
