"""The chain of the audit: how a row's hash is reckoned, and how a broken one is found.

A stranger can reckon it: the hash of a row is SHA-256, in hex, of a JSON array in UTF-8 without white space:
`[hash of the row before, id, time, actor, role, origin, session, what, target, result, reason, details, before, after,
asks]`. `id`, `time` and `asks` are whole numbers, all else strings, escaped as RFC 8785 does: the quotation mark, the
backslash and control characters, and nothing else. Before the first row stands the SHA-256, in hex, of
`gridroom audit ` and the station's id.
"""

from __future__ import annotations

import hashlib
import json.encoder
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.model.audit import Head, Verdict
from app.model.clock import to_datetime

COLUMNS: Final = (
    "id", "time", "actor", "role", "origin", "session", "what", "target", "result", "reason", "details", "before",
    "after", "asks", "hash",
)  # fmt: skip
"""In the order of the array, the row's own hash last."""
BEGUN_ANEW: Final = "audit.begun_anew"
"""What the first row says where a damaged database had to make room."""
_TYPES: Final = [int, int, *[str] * 11, int, str]
"""Of the columns, as they are written."""
_SHOWN: Final = 12
_text: Final[Callable[[str], str]] = json.encoder.encode_basestring


def beginning(station: str) -> str:
    """What stands in place of a hash before the first row."""
    return hashlib.sha256(f"gridroom audit {station}".encode()).hexdigest()


def link(previous: str, row: Sequence[Any]) -> str:
    """The hash of a row: its columns in the order of `COLUMNS`, the hash itself left out or not looked at."""
    id_, when, actor, role, origin, session, what, target, result, reason, details, before, after, asks = row[:14]
    form = (
        f'["{previous}",{id_},{when},{_text(actor)},{_text(role)},{_text(origin)},{_text(session)},{_text(what)},'
        f"{_text(target)},{_text(result)},{_text(reason)},{_text(details)},{_text(before)},{_text(after)},{asks}]"
    )
    return hashlib.sha256(form.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(slots=True)
class _Walk:
    """Along the rows, against the heads that were kept elsewhere."""

    previous: str
    heads: dict[int, list[Head]]
    last: int = 0
    met: int = 0
    """Heads that were as they should be."""
    sound_to: int = 0
    """The last id that a head vouches for."""

    def step(self, row: Sequence[Any]) -> str:
        """What is wrong with the next row; empty where nothing is."""
        id_ = row[0]
        if id_ != self.last + 1:
            return self._misplaced(id_)
        if [type(cell) for cell in row] != _TYPES:  # another type has the same hash, and no filter finds it
            return f"row {id_} is changed: a column of it holds another kind of value than was written"
        expected = link(self.previous, row)
        if row[14] != expected:
            after = f"row {self.last}" if self.last else "the beginning of this station's chain"
            return f"row {id_} is changed or out of order: its hash does not follow from it and {after}"
        self.last, self.previous = id_, expected
        for head in self.heads.pop(id_, ()):
            if head.hash != expected:
                since = f"row {self.sound_to + 1}" if self.sound_to + 1 < id_ else f"row {id_}"
                return (
                    f"the chain was rewritten from {since} or later, at the latest from row {id_}: a head that was "
                    f"kept at {_when(head.time)} has the hash {head.hash[:_SHOWN]} for row {id_}, and here it is "
                    f"{expected[:_SHOWN]}"
                )
            self.met += 1
            self.sound_to = id_
        return ""

    def end(self) -> tuple[str, int]:
        """What is missing behind the last row, and the first of it."""
        if not self.heads:
            return "", 0
        head = max((head for heads in self.heads.values() for head in heads), key=lambda head: head.id)
        first = self.last + 1
        span = f"row {first} is" if head.id == first else f"rows {first} to {head.id} are"
        return f"{span} cut off: a head that was kept at {_when(head.time)} knows row {head.id}", first

    def _misplaced(self, id_: Any) -> str:
        if isinstance(id_, int) and id_ > self.last + 1:
            missing = f"row {self.last + 1} is" if id_ == self.last + 2 else f"rows {self.last + 1} to {id_ - 1} are"
            return f"{missing} removed, or numbered anew: row {id_} follows row {self.last}"
        return f"row {id_} stands where row {self.last + 1} should"


def verify_rows(station: str, rows: Iterable[Sequence[Any]], heads: Iterable[Head] = ()) -> Verdict:
    """Go along the rows (columns as `COLUMNS`, by id) and find the first that is not as it was written.

    `heads` are what was kept in other places, of any station: only this one's are looked at.
    """
    began = time.perf_counter()
    kept: dict[int, list[Head]] = {}
    for head in set(heads):
        if head.station == station:
            kept.setdefault(head.id, []).append(head)
    walk = _Walk(beginning(station), kept)
    anew = ""
    for row in rows:
        fault = walk.step(row)
        if not fault and walk.last == 1 and row[6] == BEGUN_ANEW:
            anew = (
                f" (this chain was begun anew at {_when(row[1])}, because a damaged database was set aside: {row[10]})"
            )
        if fault:
            first = walk.last if walk.last == row[0] else walk.last + 1
            return Verdict(walk.last, False, fault + anew, first, walk.met, time.perf_counter() - began)
    fault, first = walk.end()
    return Verdict(walk.last, not fault, fault + anew if fault else "", first, walk.met, time.perf_counter() - began)


def _when(time_ns: int) -> str:
    return f"{to_datetime(time_ns):%Y-%m-%dT%H:%M:%SZ}"
