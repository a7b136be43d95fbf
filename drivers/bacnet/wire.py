"""One UDP socket and its BACnet application: requests out, answers, notifications and I-Ams in.

bacpypes3 supplies the stack up to the APDU. Of what others ask, only notifications that we subscribed to are answered:
nobody writes to us, finds us, or silences us by DeviceCommunicationControl.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio import timeout
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from bacpypes3.apdu import (
    AbortPDU,
    ConfirmedCOVNotificationRequest,
    ConfirmedRequestPDU,
    Error,
    ErrorPDU,
    ErrorRejectAbortNack,
    IAmRequest,
    RejectPDU,
    SimpleAckPDU,
    UnconfirmedCOVNotificationRequest,
    WhoIsRequest,
)
from bacpypes3.app import Application
from bacpypes3.basetypes import PropertyValue
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.networkport import NetworkPortObject
from bacpypes3.pdu import Address as PduAddress
from bacpypes3.pdu import GlobalBroadcast, IPv4Address
from bacpypes3.settings import settings

from app.model.durations import format_duration
from app.model.errors import RefusedByDevice, TransportError
from app.model.text import Text
from drivers.bacnet import words
from drivers.bacnet.connection import Peer, Place
from drivers.causes import cause

settings.route_aware = True
"""A device behind a router is known by the router as well, and asked through it without looking for it first."""

PROCESS: Final = 1
"""Our subscriber process identifier. Always the same, so that we replace our subscriptions of a run before."""
_NO_ANSWER: Final = (10, 64, 65)
"""Reasons of an Abort that our own stack makes: nobody answered, or not to the end."""
_UNRECOGNISED: Final = 9
_READY_S: Final = 2.0
_ERROR: Final = Text("error", "出错")

Notified = Callable[[Iterable[PropertyValue]], None]


class Denied(Exception):
    """The device answered: no. `code` is the protocol's own."""

    def __init__(self, text: Text, code: int, *, of_device: bool = False, unknown_service: bool = False) -> None:
        super().__init__(text.en)
        self.text = text
        self.code = code
        self.of_device = of_device
        """Whether the device as a whole is busy or broken."""
        self.unknown_service = unknown_service

    @staticmethod
    def by(answer: ErrorRejectAbortNack) -> Denied:
        """What an Error, Reject or Abort says."""
        if isinstance(answer, Error):
            class_, code = answer.errorClass, answer.errorCode
            return Denied(words.error(str(code), str(class_)), int(code), of_device=str(class_) == "device")
        if isinstance(answer, ErrorPDU):  # of a service whose errors have a form of their own
            return Denied(_ERROR, 0)
        reason = answer.reason
        if isinstance(answer, RejectPDU):
            unknown = int(reason) == _UNRECOGNISED
            return Denied(words.rejected(str(reason)), int(reason), unknown_service=unknown)
        return Denied(words.aborted(str(reason)), int(reason))

    def by_device(self, peer: Peer) -> RefusedByDevice:
        """The device as a whole says no."""
        text = Text(
            f"{peer.place} refuses: {self.text.en}; it is asked again later",
            f"{peer.place} 拒绝请求：{self.text.zh}；稍后重试",
        )
        return RefusedByDevice(text, device=peer.device, code=self.code)


class _Client(Application):  # type: ignore[misc]  # it has no types
    """Answers nobody but the devices that notify us."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.notified: dict[tuple[PduAddress, tuple[int, int]], Notified] = {}
        self.heard: dict[PduAddress, Callable[[], None]] = {}
        """Address -> what is done at an I-Am from there: a device says it when it has started."""
        self.found: Callable[[IAmRequest], None] | None = None

    async def indication(self, apdu: Any) -> None:
        if isinstance(apdu, ConfirmedCOVNotificationRequest):
            known = self._notify(apdu)
            answer = SimpleAckPDU(context=apdu) if known else _unknown_subscription(apdu)
            await self.response(answer)
        elif isinstance(apdu, UnconfirmedCOVNotificationRequest):
            self._notify(apdu)
        elif isinstance(apdu, IAmRequest):
            heard = self.heard.get(apdu.pduSource)
            if heard is not None:
                heard()
            if self.found is not None:
                self.found(apdu)
        elif isinstance(apdu, ConfirmedRequestPDU):
            await self.response(RejectPDU(reason=_UNRECOGNISED, context=apdu))

    def _notify(self, apdu: Any) -> bool:
        type_, instance = apdu.monitoredObjectIdentifier
        notified = self.notified.get((apdu.pduSource, (int(type_), int(instance))))
        if notified is None or apdu.subscriberProcessIdentifier != PROCESS:
            return False
        notified(apdu.listOfValues)
        return True


class Wire:
    """The open socket of one local address."""

    def __init__(self, interface: Place) -> None:
        self.interface = interface
        self._client: _Client | None = None
        self._users = 0
        self._lock = asyncio.Lock()

    async def open(self, timeout_s: float) -> None:
        """Open the socket for one user more. Raises TransportError. `timeout_s` is the longest of its devices."""
        async with self._lock:
            if self._client is None:
                self._client = await self._open(timeout_s)
            self._users += 1

    async def close(self) -> None:
        """One user less; the last one closes the socket."""
        async with self._lock:
            self._users -= 1
            if self._users or self._client is None:
                return
            client, self._client = self._client, None
            for pending in [future for requests in client._requests.values() for _, future in requests]:
                pending.cancel()
            for transaction in (*client.asap.clientTransactions, *client.asap.serverTransactions):
                transaction.stop_timer()
            client.close()
            await asyncio.sleep(0)  # transports close on the loop's next turn

    async def _open(self, timeout_s: float) -> _Client:
        try:
            # bacpypes3 would share the port with whoever has it, and each would get half of the answers.
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind((self.interface.ip, self.interface.port))
        except OSError as error:
            raise self._unopened(cause(error, _READY_S)) from None
        own = DeviceObject(
            objectIdentifier=("device", 4_194_303),
            objectName="Gridroom",
            apduTimeout=round(timeout_s * 1000),
            numberOfApduRetries=0,  # what is asked again is the engine's to decide
            maxApduLengthAccepted=1476,
            maxSegmentsAccepted=64,
        )
        port = NetworkPortObject(
            IPv4Address(str(self.interface)), objectIdentifier=("network-port", 1), objectName="NetworkPort-1"
        )
        client: _Client = _Client.from_object_list([own, port])
        try:
            async with timeout(_READY_S):
                for layer in client.link_layers.values():
                    await asyncio.gather(*layer.server._transport_tasks)
                    await layer.server._local_transport_ready.wait()
        except TimeoutError:
            for task in [task for layer in client.link_layers.values() for task in layer.server._transport_tasks]:
                task.cancel()
            client.close()
            raise self._unopened(cause(TimeoutError(), _READY_S)) from None
        return client

    def _unopened(self, why: Text) -> TransportError:
        where = self.interface
        return TransportError(Text(f"{where} cannot be opened: {why.en}", f"{where} 无法打开：{why.zh}"))

    # ------------------------------------------------------------------------------------------------------ requests

    async def ask(self, peer: Peer, request: ConfirmedRequestPDU) -> Any:
        """The answer to one request. Raises TransportError where there is none in time, Denied where it is no."""
        request.pduDestination = address_of(peer)
        future = self._here().request(request)
        try:
            async with timeout(peer.timeout_s):
                return await future
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # The library let go of it, because the socket was closed meanwhile.
            text = Text(f"{self.interface} was closed here", f"{self.interface} 已由本程序关闭")
            raise TransportError(text, device=peer.device) from None
        except ErrorRejectAbortNack as answer:
            if not (isinstance(answer, AbortPDU) and int(answer.reason) in _NO_ANSWER):
                raise Denied.by(answer) from None
        waited = format_duration(peer.timeout_s)
        text = Text(
            f"{peer.place} did not answer within {waited}; check that it is powered, its address and the network",
            f"{peer.place} 在 {waited} 内无应答；请检查设备是否上电、地址和网络",
        )
        raise TransportError(text, device=peer.device)

    async def who_is(self, seconds: float, place: Place | None, found: Callable[[IAmRequest], None]) -> None:
        """Ask one address, or everybody on the interface's network, who is there, and listen for a while."""
        client = self._here()
        if client.found is not None:
            text = Text(
                f"devices are being looked for from {self.interface} already; wait until that has ended",
                f"{self.interface} 正在搜索设备；请等待结束后再试",
            )
            raise TransportError(text)
        client.found = found
        try:
            where = GlobalBroadcast() if place is None else _address(place)
            client.request(WhoIsRequest(destination=where))
            await asyncio.sleep(seconds)
        finally:
            client.found = None

    # ------------------------------------------------------------------------------------------------- notifications

    def subscribe(self, peer: Peer, object_: tuple[int, int], notified: Notified) -> None:
        """Give what an object of a device notifies to `notified`."""
        self._here().notified[address_of(peer), object_] = notified

    def unsubscribe(self, peer: Peer, objects: Iterable[tuple[int, int]]) -> None:
        """Take no more notifications of these objects."""
        if self._client is not None:
            for object_ in objects:
                self._client.notified.pop((address_of(peer), object_), None)

    def listen(self, peer: Peer, heard: Callable[[], None] | None) -> None:
        """Call `heard` when the device says that it is there, as it does after a start; None for no more."""
        if heard is not None:
            self._here().heard[address_of(peer)] = heard
        elif self._client is not None:
            self._client.heard.pop(address_of(peer), None)

    def _here(self) -> _Client:
        if self._client is None:
            raise TransportError(Text(f"{self.interface} was closed here", f"{self.interface} 已由本程序关闭"))
        return self._client


class Wires:
    """The sockets of a program: one a local address, shared by all who speak from there."""

    def __init__(self) -> None:
        self._wires: dict[tuple[asyncio.AbstractEventLoop, Place], Wire] = {}

    def of(self, interface: Place) -> Wire:
        """The one of a local address, on the running loop."""
        key = asyncio.get_running_loop(), interface
        for known in [known for known in self._wires if known[0].is_closed()]:
            del self._wires[known]
        return self._wires.setdefault(key, Wire(interface))


def address_of(peer: Peer) -> PduAddress:
    """Where a device is, as the stack has it."""
    return _address(peer.place)


@lru_cache(maxsize=4096)
def _address(place: Place) -> PduAddress:
    if place.network:
        return PduAddress(f"{place.network}:{place.mac}@{place.ip}:{place.port}")
    return IPv4Address((place.ip, place.port))


def place_of(address: PduAddress) -> Place:
    """Where something came from. Raises ValueError where the place cannot be written."""
    if address.addrNet is None:
        return Place(*address.addrTuple)
    if address.addrRoute is None or len(address.addrAddr) != 1:
        raise ValueError(f"{address} has a station number of several bytes")
    ip, port = address.addrRoute.addrTuple
    return Place(ip, port, 32, int(address.addrNet), address.addrAddr[0])


def _unknown_subscription(apdu: Any) -> Any:
    return Error(service_choice=apdu.apduService, errorClass="services", errorCode="unknownSubscription", context=apdu)
