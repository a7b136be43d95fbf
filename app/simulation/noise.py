"""Random processes that are functions of time.

A process that is stepped depends on how often it is stepped. These do not: the value at a moment follows from seed,
channel and moment alone, so a simulation gives the same clouds at any time factor and after any start.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_KNOT: Final = np.uint64(0xD1342543DE82EF95)


def uniform(seed: int, channel: ArrayLike, knot: ArrayLike) -> Floats:
    """Reproducible numbers in [0, 1) of (seed, channel, knot); channel and knot broadcast. splitmix64's finaliser."""
    channels = np.atleast_1d(np.asarray(channel, dtype=np.int64)).astype(np.uint64)
    knots = np.atleast_1d(np.asarray(knot, dtype=np.int64)).astype(np.uint64)
    start = np.array([seed], dtype=np.int64).astype(np.uint64)
    mixed: NDArray[np.uint64] = start * _GOLDEN + channels
    mixed = _scramble(mixed * _GOLDEN + _GOLDEN)
    mixed = _scramble((mixed ^ (knots * _KNOT)) + _GOLDEN)
    result: Floats = (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return result


def _scramble(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


class Noise:
    """`channels` independent smooth processes, each a weighted sum of octaves with their own periods.

    Between knots, a period apart, the value eases from one random level to the next. Mean 0; a single octave of
    weight 1 has a standard deviation of about 0.5 and never leaves [-1, 1].
    """

    def __init__(
        self, seed: int, channels: int, periods_s: tuple[float, ...], weights: tuple[float, ...], *, same: bool = False
    ) -> None:
        """`same`: all channels are one process, to be asked at a different moment each."""
        octaves = len(periods_s)
        self._seed = seed
        self._period = np.array(periods_s)
        self._weight = np.array(weights)
        rows = np.zeros(channels, np.int64) if same else np.arange(channels)
        self._channel = rows[:, np.newaxis] * octaves + np.arange(octaves)
        # Knots of different channels fall at different moments, or everything would bend at once.
        self._phase = uniform(seed, self._channel, -1)
        self._knot = np.full((channels, octaves), np.iinfo(np.int64).min)
        self._here = np.zeros((channels, octaves))
        self._next = np.zeros((channels, octaves))

    def at(self, time_s: ArrayLike) -> Floats:
        """float64[channels] at a moment (seconds since any origin), or at one moment a channel."""
        moment = np.asarray(time_s, dtype=np.float64).reshape(-1, 1) / self._period + self._phase
        whole = np.floor(moment)
        knot = whole.astype(np.int64)
        if not np.array_equal(knot, self._knot):
            self._knot = knot
            self._here = 2.0 * uniform(self._seed, self._channel, knot) - 1.0
            self._next = 2.0 * uniform(self._seed, self._channel, knot + 1) - 1.0
        part = moment - whole
        ease = part * part * (3.0 - 2.0 * part)
        result: Floats = (self._here + (self._next - self._here) * ease) @ self._weight
        return result


def smoothstep(low: float, high: float, x: ArrayLike) -> Floats:
    """0 below `low`, 1 above `high`, smooth between."""
    part = np.clip((np.asarray(x, dtype=np.float64) - low) / (high - low), 0.0, 1.0)
    result: Floats = part * part * (3.0 - 2.0 * part)
    return result
