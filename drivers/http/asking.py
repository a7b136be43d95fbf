"""One request to one device's web server, and the judgement of what comes back."""

from __future__ import annotations

import base64
import ssl
from asyncio import timeout
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, NoReturn

import aiohttp
from yarl import URL

from app.model.clock import SECOND_NS, Clock, from_datetime
from app.model.durations import format_duration
from app.model.errors import GridroomError, ProtocolError, RefusedByDevice, TransportError
from app.model.secrets import is_reference, resolve
from app.model.text import Text
from drivers.http import words
from drivers.http.connection import Poll
from drivers.http.values import NoDocument, decode

MOST_REDIRECTS: Final = 3
AFTER_UNAUTHORISED_S: Final = 300.0
"""A wrong password that is sent every second locks the account."""
AFTER_TOO_MANY_S: Final = 60.0
"""Where a 429 does not say how long to wait."""
LONGEST_HOLD_OFF_S: Final = 3600.0
"""However long a Retry-After wants us to wait."""
_MOVED: Final = (301, 302, 303, 307, 308)


class Asker:
    """How one device is asked: its headers, its certificate, and whether it wants to be left alone for a while."""

    def __init__(self, device: str, poll: Poll, clock: Clock) -> None:
        self._device = device
        self._poll = poll
        self._clock = clock
        self._headers: Mapping[str, str] = {}
        self._tls: ssl.SSLContext | aiohttp.Fingerprint | bool = True
        self._silent_until_ns = 0
        """Monotonic."""
        self._why = RefusedByDevice(Text("", ""))

    async def ask(self, session: aiohttp.ClientSession, url: URL) -> Any:
        """The document at a URL. Raises TransportError, ProtocolError or RefusedByDevice, whose code is the status."""
        self._keep_silence()
        self._prepare()
        try:
            async with timeout(self._poll.timeout_s):
                return await self._follow(session, url)
        except TimeoutError:
            waited = format_duration(self._poll.timeout_s)
            raise self._lost(
                f"no whole answer from {words.shown(url)} within {waited}; check that it is powered, and the network",
                f"{words.shown(url)} 在 {waited} 内没有完整应答；请检查设备是否上电以及网络",
            ) from None
        except aiohttp.ClientResponseError as error:
            said = " ".join(error.message.split())[:100]
            raise self._wrong(
                url, f"does not speak HTTP: {said}; correct `url`", f"不是 HTTP 服务：{said}；请更正 url"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            why = words.unreached(words.shown(url), error, self._poll.timeout_s)
            raise TransportError(why, device=self._device) from None

    async def _follow(self, session: aiohttp.ClientSession, url: URL) -> Any:
        """Ask, and ask again where the server sends us, as long as it is the same server."""
        for _ in range(MOST_REDIRECTS + 1):
            async with session.get(url, headers=self._headers, ssl=self._tls, allow_redirects=False) as response:
                if response.status not in _MOVED:
                    self._judge(url, response)
                    return self._document(url, response, await self._body(url, response))
                url = self._next(url, response.headers.get("Location", ""))
        en, zh = f"redirects more than {MOST_REDIRECTS} times", f"重定向超过 {MOST_REDIRECTS} 次"
        raise self._wrong(url, f"{en}; correct `url`", f"{zh}；请更正 url")

    def _next(self, url: URL, location: str) -> URL:
        """Where a redirect leads. Nothing that we send, a password least of all, goes to another server."""
        try:
            target = url.join(URL(location)).with_fragment(None)
        except ValueError:
            target = URL()
        safer = (url.scheme, target.scheme) == ("http", "https") and target.port in (443, url.port)
        if not location or target.host != url.host or not (safer or target.origin() == url.origin()):
            there = words.shown(target)
            en, zh = f"redirects to {there}, which is another server", f"重定向到另一台服务器 {there}"
            raise self._wrong(url, f"{en}; correct `url`", f"{zh}；请更正 url")
        return target

    def _judge(self, url: URL, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status == HTTPStatus.OK:
            return
        answered = words.status_line(status)
        if status < 400:
            raise self._wrong(
                url, f"answered {answered}, without a document; correct `url`", f"应答 {answered}，没有内容；请更正 url"
            )
        refusal = RefusedByDevice(words.refused(words.shown(url), status), device=self._device, code=status)
        if status in words.UNAUTHORISED:
            self._be_silent(AFTER_UNAUTHORISED_S, refusal)
        retry_s = self._retry_after_s(response.headers.get("Retry-After", ""))
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self._be_silent(retry_s or AFTER_TOO_MANY_S, refusal)
        if status == HTTPStatus.SERVICE_UNAVAILABLE and retry_s:
            self._be_silent(retry_s, refusal)
        raise refusal

    async def _body(self, url: URL, response: aiohttp.ClientResponse) -> bytes:
        most = self._poll.max_bytes
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            named = encoding[:20]
            raise self._wrong(
                url,
                f"answered in encoding {named}, which was not asked for; switch compression off at the device",
                f"应答使用了未请求的压缩 {named}；请在设备上关闭压缩",
            )
        body = bytearray()
        if (response.content_length or 0) <= most:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > most:
                    break
            else:
                return bytes(body)
        raise self._wrong(
            url,
            f"answered with more than {most} bytes; raise `max_bytes`, or ask for less",
            f"应答超过 {most} 个字节；请加大 max_bytes，或请求更少的数据",
        )

    def _document(self, url: URL, response: aiohttp.ClientResponse, body: bytes) -> Any:
        try:
            return decode(body, response.charset or "")
        except NoDocument as error:
            kind, why = response.content_type[:40], error.text
            raise self._wrong(
                url, f"answered {kind}: {why.en}; correct `url`", f"应答 {kind}：{why.zh}；请更正 url"
            ) from None

    # --------------------------------------------------------------------------------------------------- being silent

    def _be_silent(self, seconds: float, why: RefusedByDevice) -> NoReturn:
        self._silent_until_ns = self._clock.monotonic_ns() + round(min(seconds, LONGEST_HOLD_OFF_S) * SECOND_NS)
        self._why = why
        raise why

    def _keep_silence(self) -> None:
        left_s = (self._silent_until_ns - self._clock.monotonic_ns()) / SECOND_NS
        if left_s > 0:
            why = self._why.text
            text = Text(f"{why.en}; it is asked again in {left_s:.0f} s", f"{why.zh}；{left_s:.0f} 秒后重试")
            raise RefusedByDevice(text, device=self._device, code=self._why.code)

    def _retry_after_s(self, text: str) -> float:
        """Of RFC 9110, 10.2.3: seconds, or a date. 0 where it says nothing that can be read."""
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            ahead_ns = from_datetime(parsedate_to_datetime(text)) - self._clock.now_ns()
        except (ValueError, OverflowError):
            return 0.0
        return max(0.0, ahead_ns / SECOND_NS)

    # -------------------------------------------------------------------------------------------------------- secrets

    def _prepare(self) -> None:
        """Resolve the secrets, once; a missing one is looked for again, but stays with this device."""
        if self._headers:
            return
        poll = self._poll
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Gridroom"}
        try:
            headers |= {name: _secret(value) for name, value in poll.headers.items()}
            if poll.token:
                headers["Authorization"] = f"Bearer {_secret(poll.token)}"
            if poll.user:
                login = base64.b64encode(f"{poll.user}:{_secret(poll.password)}".encode()).decode()
                headers["Authorization"] = f"Basic {login}"
            if poll.ca:
                self._tls = ssl.create_default_context(cafile=poll.ca)
        except (GridroomError, OSError) as error:
            why = error.text if isinstance(error, GridroomError) else Text.of(str(error))
            where = words.shown(poll.url)
            raise self._lost(f"{where} was not asked: {why.en}", f"未请求 {where}：{why.zh}") from None
        if poll.fingerprint:
            self._tls = aiohttp.Fingerprint(poll.fingerprint)
        self._headers = headers

    def _lost(self, en: str, zh: str) -> TransportError:
        return TransportError(Text(en, zh), device=self._device)

    def _wrong(self, url: URL, en: str, zh: str) -> ProtocolError:
        """What a URL did that it should not."""
        return ProtocolError(Text(f"{words.shown(url)} {en}", f"{words.shown(url)} {zh}"), device=self._device)


def _secret(value: str) -> str:
    """A value, or what it refers to. Raises GridroomError."""
    if not is_reference(value):
        return value
    secret = resolve(value)
    if not secret.isprintable():
        text = Text(
            f"{value} holds a line break or the like; set it anew", f"{value} 中含有换行等不可见字符；请重新设置"
        )
        raise GridroomError(text)
    return secret
