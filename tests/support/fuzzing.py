"""A million inputs for a decoder of ours: no exception but the declared ones, and no memory that stays.

A test module has a `fuzz(count, random)` that feeds so many inputs and judges what comes of each; some thousand of them
run always, and `a_million` with --nightly.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from random import Random
from typing import Final

import psutil

INPUTS: Final = 1_000_000
GROWTH_MB: Final = 10.0
"""Of the process: finds what is large. What an allocator keeps for itself is not taken for a leak."""
ONE_IN: Final = 100
"""No more than an object of so many inputs may stay: finds what is small, also where it fits into memory already held."""


def a_million(fuzz: Callable[[int, Random], object], *, inputs: int = INPUTS) -> None:
    """Feed a million inputs. After the first tenth, which fills caches, the process must not grow."""
    random, process = Random(inputs), psutil.Process()
    logging.disable()  # pytest keeps what is logged
    try:
        fuzz(inputs // 10, random)
        gc.collect()
        before, blocks = process.memory_info().rss, sys.getallocatedblocks()
        fuzz(inputs - inputs // 10, random)
        gc.collect()
        kept = sys.getallocatedblocks() - blocks
    finally:
        logging.disable(logging.NOTSET)
    grown_mb = (process.memory_info().rss - before) / 1e6
    assert grown_mb < GROWTH_MB and kept < inputs / ONE_IN, (
        f"{grown_mb:.1f} MB and {kept:,} objects more after {inputs:,} inputs"
    )


def spoilt(random: Random, data: bytes, alphabet: bytes = bytes(range(256)), most: int = 3) -> bytes:
    """The same with up to `most` pieces changed, cut, doubled or put in."""
    octets = bytearray(data)
    for _ in range(random.randrange(most + 1)):
        at = random.randrange(len(octets) + 1)
        match random.randrange(4):
            case 0 if octets:
                octets[at % len(octets)] = random.choice(alphabet)
            case 1:
                octets[at:at] = bytes(random.choices(alphabet, k=random.randrange(6)))
            case 2:
                del octets[at : at + random.randrange(8)]
            case _:
                octets[at:at] = octets[at : at + random.randrange(30)]
    return bytes(octets)
