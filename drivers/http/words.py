"""Why a server was not reached, and what it refused with, in both languages, without what may be a secret."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import aiohttp
from yarl import URL

from app.model.text import Text
from drivers.causes import cause

UNAUTHORISED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def shown(url: URL) -> str:
    """A URL without user, password and query."""
    return str(url.with_user(None).with_query(None)) if url.is_absolute() else f"'{str(url)[:80]}'"


def status_line(status: int) -> str:
    """`404 Not Found`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} (no status that is known)"


def refused(where: str, status: int) -> Text:
    """A status from 400 on, and what to do about it."""
    mend, answered = _mend(status), status_line(status)
    return Text(f"{where} answered {answered}; {mend.en}", f"{where} 应答 {answered}；{mend.zh}")


def _mend(status: int) -> Text:
    if status in UNAUTHORISED:
        return Text("correct its user, password, token or headers", "请更正用户名、密码、令牌或请求头")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Text("make `every` longer", "请加大 every")
    if status < 500:
        return Text("correct `url`", "请更正 url")
    return Text("see the device's own diagnosis", "请查看设备自身的诊断")


def unreached(where: str, error: aiohttp.ClientError | OSError, timeout_s: float) -> Text:
    """Why there is no connection, or none any more."""
    match error:
        case aiohttp.ClientPayloadError():
            return Text(
                f"{where} broke off in the middle of its answer; check that the device runs, and the network",
                f"{where} 的应答中途断开；请检查设备是否运行正常以及网络",
            )
        case aiohttp.ServerFingerprintMismatch():
            return Text(
                f"{where} has another certificate than that of `fingerprint`; if it is the device, write the new one",
                f"{where} 的证书与 fingerprint 不符；确认是该设备后，请填写新的指纹",
            )
        case aiohttp.ServerDisconnectedError():
            return Text(
                f"{where} hung up without an answer; check that the device runs",
                f"{where} 未应答即断开；请检查设备是否运行正常",
            )
        case aiohttp.ClientConnectorCertificateError():
            said = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
            return Text(
                f"the certificate of {where} is not trusted: {said}; give `ca` or `fingerprint`",
                f"{where} 的证书不可信：{said}；请填写 ca 或 fingerprint",
            )
    why = cause(error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error, timeout_s, "url")
    return Text(f"no connection to {where}: {why.en}", f"无法连接 {where}：{why.zh}")
