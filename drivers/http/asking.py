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
from app.model.errors import GridroomError, ProtocolError, RefusedByDevice, TransportError
from app.model.secrets import is_reference, resolve
from drivers.http.connection import Poll
from drivers.http.values import decode

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
        self._why = RefusedByDevice("")

    async def ask(self, session: aiohttp.ClientSession, url: URL) -> Any:
        """The document at a URL. Raises TransportError, ProtocolError or RefusedByDevice, whose code is the status."""
        self._keep_silence()
        self._prepare()
        try:
            async with timeout(self._poll.timeout_s):
                return await self._follow(session, url)
        except TimeoutError:
            raise self._lost(f"no whole answer from {_shown(url)} within {self._poll.timeout_s:g} s") from None
        except aiohttp.ClientResponseError as error:
            said = " ".join(error.message.split())[:100]
            raise self._wrong(url, f"does not speak HTTP: {said}") from None
        except aiohttp.ClientPayloadError:
            raise self._lost(f"{_shown(url)} broke off in the middle of its answer") from None
        except aiohttp.ServerFingerprintMismatch:
            raise self._lost(f"{_shown(url)} has another certificate than the one of `fingerprint`") from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._lost(f"no connection to {_shown(url)}: {str(error) or type(error).__name__}") from None

    async def _follow(self, session: aiohttp.ClientSession, url: URL) -> Any:
        """Ask, and ask again where the server sends us, as long as it is the same server."""
        for _ in range(MOST_REDIRECTS + 1):
            async with session.get(url, headers=self._headers, ssl=self._tls, allow_redirects=False) as response:
                if response.status not in _MOVED:
                    self._judge(url, response)
                    return self._document(url, response, await self._body(url, response))
                url = self._next(url, response.headers.get("Location", ""))
        raise self._wrong(url, f"redirects more than {MOST_REDIRECTS} times; correct `url`")

    def _next(self, url: URL, location: str) -> URL:
        """Where a redirect leads. Nothing that we send, a password least of all, goes to another server."""
        try:
            target = url.join(URL(location)).with_fragment(None)
        except ValueError:
            target = URL()
        safer = (url.scheme, target.scheme) == ("http", "https") and target.port in (443, url.port)
        if not location or target.host != url.host or not (safer or target.origin() == url.origin()):
            raise self._wrong(url, f"redirects to {_shown(target)}, which is another server; correct `url`")
        return target

    def _judge(self, url: URL, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status == HTTPStatus.OK:
            return
        said = f"{_shown(url)} answered {status} {_phrase(status)}"
        if status < 400:
            raise self._wrong(url, f"answered {status} {_phrase(status)}, without a document; correct `url`")
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            said += "; correct its user, password, token or headers"
            self._be_silent(AFTER_UNAUTHORISED_S, RefusedByDevice(said, device=self._device, code=status))
        retry_s = self._retry_after_s(response.headers.get("Retry-After", ""))
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            said += "; make `every` longer"
            self._be_silent(retry_s or AFTER_TOO_MANY_S, RefusedByDevice(said, device=self._device, code=status))
        refusal = RefusedByDevice(said, device=self._device, code=status)
        if status == HTTPStatus.SERVICE_UNAVAILABLE and retry_s:
            self._be_silent(retry_s, refusal)
        raise refusal

    async def _body(self, url: URL, response: aiohttp.ClientResponse) -> bytes:
        most = self._poll.max_bytes
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            raise self._wrong(url, f"answered in encoding {encoding[:20]}, which was not asked for")
        body = bytearray()
        if (response.content_length or 0) <= most:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > most:
                    break
            else:
                return bytes(body)
        raise self._wrong(url, f"answered with more than {most} bytes; raise `max_bytes`, or ask for less")

    def _document(self, url: URL, response: aiohttp.ClientResponse, body: bytes) -> Any:
        try:
            return decode(body, response.charset or "")
        except ValueError as error:
            raise self._wrong(url, f"answered {response.content_type[:40]}: {error}") from None

    # --------------------------------------------------------------------------------------------------- being silent

    def _be_silent(self, seconds: float, why: RefusedByDevice) -> NoReturn:
        self._silent_until_ns = self._clock.monotonic_ns() + round(min(seconds, LONGEST_HOLD_OFF_S) * SECOND_NS)
        self._why = why
        raise why

    def _keep_silence(self) -> None:
        left_s = (self._silent_until_ns - self._clock.monotonic_ns()) / SECOND_NS
        if left_s > 0:
            message = f"{self._why}; it is asked again in {left_s:.0f} s"
            raise RefusedByDevice(message, device=self._device, code=self._why.code)

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
            raise self._lost(f"{_shown(poll.url)} was not asked: {error}") from None
        if poll.fingerprint:
            self._tls = aiohttp.Fingerprint(poll.fingerprint)
        self._headers = headers

    def _lost(self, message: str) -> TransportError:
        return TransportError(message, device=self._device)

    def _wrong(self, url: URL, what: str) -> ProtocolError:
        return ProtocolError(f"{_shown(url)} {what}", device=self._device)


def _secret(value: str) -> str:
    """A value, or what it refers to. Raises GridroomError."""
    if not is_reference(value):
        return value
    secret = resolve(value)
    if not secret.isprintable():
        raise GridroomError(f"{value} holds a line break or the like; set it anew")
    return secret


def _shown(url: URL) -> str:
    """Without what may be a secret."""
    return str(url.with_user(None).with_query(None)) if url.is_absolute() else f"'{str(url)[:80]}'"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no status that is known)"
