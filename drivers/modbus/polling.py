"""A prepared read of one device: its blocks, what was learnt of them, and the decoding of all points at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.model import quality as q
from app.model.clock import SECOND_NS
from app.model.config import BlocksForm
from app.model.station import Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.contract import Plan
from drivers.modbus import requests
from drivers.modbus.address import Address, Type
from drivers.modbus.blocks import Block, reading
from drivers.modbus.codec import Decoder, decode_text
from drivers.modbus.exceptions import DIVISIBLE, words
from drivers.modbus.requests import Peer, Request

RETRY_REFUSED_NS: Final = 600 * SECOND_NS
"""How often something refused is asked for again: a firmware update may have brought it."""

_STRANGE: Final = (
    Text("", ""),
    Text("the device sent NaN, no number", "设备发送了 NaN（非数值）"),
    Text("the device sent infinity", "设备发送了无穷大"),
    Text("its number times `scale` is beyond all numbers", "数值乘以 scale 后超出可表示范围"),
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One block, ready to send."""

    block: Block
    request: Request
    rows: NDArray[np.intp]

    @staticmethod
    def of(peer: Peer, block: Block) -> Ask:
        return Ask(block, requests.read(peer, block.table, block.start, block.count), np.array(block.rows, np.intp))


@dataclass(slots=True)
class Refusal:
    """An item that the device refuses by itself."""

    ask: Ask
    code: int
    retry_ns: int
    """Monotonic."""


class ModbusPlan(Plan):
    """What is asked of one device for one set of points.

    Blocks that the device refuses are halved and stay halved; items that it refuses alone are left out. Every block
    writes into its place of one memory, which no halving moves, so that the decoding is worked out once.
    """

    def __init__(self, device: str, peer: Peer, points: Sequence[Point], limits: BlocksForm) -> None:
        self.device = device
        self.names = tuple(point.name for point in points)
        addresses = [Address.of(point.form.address or {}) for point in points]
        layout = reading(addresses, limits)
        self.unreadable = layout.unreadable
        self._peer = peer
        self._whole = [Ask.of(peer, block) for block in layout.blocks]
        self.asks = list(self._whole)
        self.refusals: list[Refusal] = []
        self._point = np.array([point.index for point in points], np.int32)
        self._memory = bytearray(2 * layout.words)
        self._words: NDArray[np.uint16] = np.frombuffer(self._memory, ">u2")
        self._bits = np.zeros(layout.bits, np.uint8)
        self._time = np.zeros(len(points), np.int64)
        self._missing = np.array(sorted(layout.unreadable), np.intp)
        self._addresses = addresses
        self._at = _positions(addresses, layout.blocks)
        self._numbers = np.array(
            [i for i, a in enumerate(addresses) if a.type is not Type.STRING and i not in layout.unreadable], np.intp
        )
        self._decoder = Decoder([addresses[i] for i in self._numbers], [self._at[i] for i in self._numbers])
        self._scale = np.array([point.form.scale for point in points])
        self._offset = np.array([point.form.offset for point in points])
        self._strange = np.zeros(len(points), np.uint8)
        self._scaled = bool((self._scale != 1).any() or (self._offset != 0).any())

    # ------------------------------------------------------------------------------------------------- what answered

    def take(self, ask: Ask, answer: bytes, now_ns: int) -> None:
        """Keep the answer to one block. `answer` is a PDU of the length that was asked for."""
        block = ask.block
        if block.table.of_bits:
            data = np.frombuffer(answer, np.uint8, offset=2)
            self._bits[block.at : block.at + block.count] = np.unpackbits(data, count=block.count, bitorder="little")
        else:
            self._memory[2 * block.at : 2 * (block.at + block.count)] = memoryview(answer)[2:]
        self._time[ask.rows] = now_ns

    def updates(self, now_ns: int) -> Updates:
        """All points, a row each, from what was taken."""
        raw = np.full(len(self._point), np.nan)
        raw[self._numbers] = self._decoder.decode(self._words, self._bits)
        value = raw
        with np.errstate(over="ignore", invalid="ignore"):
            if self._scaled:
                value = raw * self._scale + self._offset
        value[self._missing] = np.nan
        self._time[self._missing] = now_ns
        quality = np.zeros(len(value), np.uint16)
        finite = np.isfinite(value)
        if not finite.all():
            self._note_strange(raw, ~finite)
            value[~finite] = np.nan
            quality[~finite] = q.IV
        elif self._strange.any():
            self._strange[:] = 0
        return Updates(self._point, value, quality, self._time.copy(), now_ns)

    def _note_strange(self, raw: NDArray[np.float64], bad: NDArray[np.bool_]) -> None:
        """What each answer that is no number was, instead: a position in `_STRANGE`."""
        kind = np.where(np.isnan(raw), 1, np.where(np.isinf(raw), 2, 3))
        kind[self._missing] = 0  # nothing answered
        self._strange[self._numbers] = np.where(bad, kind, 0)[self._numbers]

    def texts(self) -> dict[int, str]:
        """Row -> text, of every row that was taken: strings as they are, numbers as they print."""
        numbers = self.updates(0).value
        missing = set(self._missing.tolist())
        found = {}
        for row, address in enumerate(self._addresses):
            if row in missing:
                continue
            at = self._at[row]
            text = address.type is Type.STRING
            found[row] = decode_text(self._words[at : at + address.count]) if text else f"{numbers[row]:.15g}"
        return found

    # ------------------------------------------------------------------------------------------------- what refused

    def refuse(self, place: int, code: int, now_ns: int) -> None:
        """The device refused `asks[place]` for good: halve it where that may help, else do without its items."""
        ask = self.asks[place]
        if code in DIVISIBLE and len(ask.block.items) > 1:
            self.asks[place : place + 1] = [Ask.of(self._peer, half) for half in ask.block.halves()]
            return
        del self.asks[place]
        for item in ask.block.items:
            alone = Ask.of(self._peer, ask.block.part((item,)))
            self.refusals.append(Refusal(alone, code, now_ns + RETRY_REFUSED_NS))
        self._note_missing()

    def retry(self, now_ns: int) -> Refusal | None:
        """What was refused and is due to be asked again, one a read. Where nothing else is left, that is always."""
        if not self.refusals:
            return None
        first = min(self.refusals, key=lambda refusal: refusal.retry_ns)
        return first if first.retry_ns <= now_ns or not self.asks else None

    def put_off(self, refusal: Refusal, now_ns: int) -> None:
        """It was refused again."""
        refusal.retry_ns = now_ns + RETRY_REFUSED_NS

    def start_afresh(self) -> None:
        """Forget what was refused: something refused has answered."""
        self.asks = list(self._whole)
        self.refusals.clear()
        self._note_missing()

    def remarks(self) -> dict[str, Text]:
        """Full point name -> why it has no value."""
        found = {self.names[row]: _STRANGE[self._strange[row]] for row in np.flatnonzero(self._strange)}
        found |= {self.names[row]: why for row, why in self.unreadable.items()}
        for refusal in self.refusals:
            found |= {self.names[row]: words(refusal.code) for row in refusal.ask.block.rows}
        return found

    def refused(self) -> list[str]:
        """Full names of the points that the device refuses, or that cannot be asked for."""
        return [self.names[row] for row in self._missing]

    def _note_missing(self) -> None:
        refused = {row for refusal in self.refusals for row in refusal.ask.block.rows}
        self._missing = np.array(sorted(refused | set(self.unreadable)), np.intp)


def _positions(addresses: Sequence[Address], blocks: Sequence[Block]) -> list[int]:
    """Where each address begins in the memory; 0 for what no block reads."""
    at = [0] * len(addresses)
    for block in blocks:
        for row in block.rows:
            at[row] = block.at + addresses[row].register - block.start
    return at
