"""What is asked of a meter, what its answer must look like, and what it says when it refuses. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.model.text import Text
from drivers.dlt645 import frames
from drivers.dlt645.frames import Frame

_REFUSALS: Final = (
    Text("other error", "其他错误"), Text("no such data", "无请求数据"),
    Text("wrong password or not authorised", "密码错或未授权"),
    Text("the baudrate cannot be changed", "通信速率不能更改"),
    Text("too many time zones of the year", "年时区数超"), Text("too many periods of the day", "日时段数超"),
    Text("too many tariffs", "费率数超"),
)  # fmt: skip
"""Bits 0 to 6 of the error word (annex C)."""
OTHER_ERROR: Final = 0x01
USUAL_LONGEST: Final = 200
"""Data of one frame when reading (5.2.4); what is longer comes in several."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom to ask, and how patiently."""

    device: str
    address: bytes
    timeout_s: float = 1.0
    gap_s: float = 0.0
    """Silence to keep before each request."""

    @property
    def name(self) -> str:
        """As messages say it."""
        return "any meter" if self.address == frames.WILDCARD else f"meter {frames.address_digits(self.address)}"


@dataclass(frozen=True, slots=True)
class Request:
    """One request: to read, and nothing else."""

    peer: Peer
    control: int
    di: bytes = b""
    """The identifier as it travels, DI0 first; empty where an address is asked for."""
    sequence: int = 0
    """Which following frame is asked for, from 1; 0 for none."""
    longest: int = 4
    """Bytes that the answer's data may hold, to know how long it takes on a slow line."""

    @property
    def frame(self) -> Frame:
        tail = bytes([self.sequence]) if self.sequence else b""
        return Frame(self.peer.address, self.control, self.di + tail)

    @property
    def what(self) -> str:
        """As messages say it."""
        return f"di {self.di[::-1].hex().upper()}" if self.di else "its address"


def read(peer: Peer, di: int, longest: int = 0) -> Request:
    """Control 11H (clause 7.1). `longest` is of the data behind the identifier."""
    return Request(peer, frames.READ, di.to_bytes(4, "little"), longest=min(4 + longest, USUAL_LONGEST))


def following(request: Request, sequence: int) -> Request:
    """Control 12H (clause 7.2): the frame after those that came."""
    return Request(request.peer, frames.READ_FOLLOWING, request.di, sequence, request.longest)


def read_address(peer: Peer) -> Request:
    """Control 13H (clause 7.4): to the wildcard, answered by any meter that is alone on its line."""
    return Request(peer, frames.READ_ADDRESS, longest=6)


def mismatch(request: Request, frame: Frame) -> Text | None:
    """Why a frame is not the answer to a request; None when it is."""
    if not frame.from_meter:
        return Text("with what another master asked, or the line's own echo", "是其他主站的请求，或线路回声")
    if request.peer.address not in (frame.address, frames.WILDCARD):
        other = frames.address_digits(frame.address)
        return Text(f"by meter {other}", f"来自电表 {other}")
    if frame.function != request.control:
        came, due = f"{frame.control:02X}H", f"{request.control | frames.FROM_METER:02X}H"
        return Text(f"with control code {came} instead of {due}", f"控制码是 {came}，而不是 {due}")
    if frame.refused:
        return None if frame.data else Text("with a refusal without its reason", "异常应答没有错误信息字")
    if not frame.data.startswith(request.di):
        came = frame.data[:4][::-1].hex().upper()
        return Text(f"with di {came} instead of {request.what}", f"数据标识是 {came}，而不是 {request.what}")
    if request.sequence and (len(frame.data) < 5 or frame.data[-1] != request.sequence):
        return Text(f"with another frame than number {request.sequence}", f"不是第 {request.sequence} 帧")
    if not request.di and len(frame.data) != 6:
        size = len(frame.data)
        return Text(f"with an address of {size} bytes", f"地址为 {size} 个字节")
    return None


def words(error: int) -> Text:
    """What an error word says: `error 02H, no such data`."""
    said = [word for bit, word in enumerate(_REFUSALS) if error >> bit & 1]
    said = said or [Text("not in the standard", "标准中没有")]
    return Text(
        f"error {error:02X}H, {', '.join(word.en for word in said)}",
        f"错误信息字 {error:02X}H，{'、'.join(word.zh for word in said)}",
    )
