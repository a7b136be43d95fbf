"""Columns to ASDUs: what an outstation sends. For simulators, benchmarks and tests. No I/O."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drivers.iec104.asdu import HEAD, LONGEST, OBJECT, octets_of
from drivers.iec104.typeids import MONITORED_BY_TYPE, TIME_OCTETS

_FORMS: Final = {"bsi": "<u4", "nva": "<i2", "sva": "<i2", "ieee": "<f4", "bcr": "<i4"}


def head(type_: int, count: int, cause: int, ca: int) -> bytes:
    """The data unit identifier; `count` with the sequence bit, `cause` with its P/N and test bits."""
    return bytes((type_, count, cause, 0)) + ca.to_bytes(2, "little")


def encode(
    type_: int, cause: int, ca: int, ioa: ArrayLike, value: ArrayLike, quality: ArrayLike = 0, time: ArrayLike = 0
) -> list[bytes]:
    """ASDUs of one monitored type, as many objects in each as fit, in the order given.

    ioa [n]; value [n] or one for all, as `asdu.Columns` has them; quality of its QDS bits; time the octets of
    CP56Time2a as a number.
    """
    kind = MONITORED_BY_TYPE[type_]
    addresses = np.atleast_1d(np.asarray(ioa, np.uint32))
    n = len(addresses)
    objects = np.zeros((n, OBJECT + octets_of(kind, type_)), np.uint8)
    objects[:, :OBJECT] = addresses.astype("<u4").view(np.uint8).reshape(n, 4)[:, :OBJECT]
    qualities = np.broadcast_to(np.asarray(quality, np.uint8), n)
    values = np.broadcast_to(np.asarray(value, np.float64), n)
    objects[:, OBJECT : OBJECT + kind.octets] = _elements(kind.element, values, qualities)
    if type_ == kind.timed:
        times = np.broadcast_to(np.asarray(time, np.uint64), n).astype("<u8")
        objects[:, -TIME_OCTETS:] = times.view(np.uint8).reshape(n, 8)[:, :TIME_OCTETS]
    most = min(127, (LONGEST - HEAD) // objects.shape[1])
    return [
        head(type_, len(objects[i : i + most]), cause, ca) + objects[i : i + most].tobytes() for i in range(0, n, most)
    ]


def _elements(element: str, value: NDArray[np.float64], quality: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Values and qualities as octets [n, size of the element]."""
    if element == "siq":
        return (value.astype(np.uint8) | quality)[:, None]
    if element == "diq":
        return (np.where(np.isnan(value), 0, value + 1).astype(np.uint8) | quality)[:, None]
    if element == "vti":
        return np.column_stack((value.astype(np.int8).view(np.uint8) & 0x7F, quality))
    form = np.dtype(_FORMS[element])
    raw = np.round(value * 32768) if element == "nva" else value
    octets = np.ascontiguousarray(raw.astype(form)).view(np.uint8).reshape(-1, form.itemsize)
    return np.column_stack((octets, quality))
