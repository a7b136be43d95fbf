"""Runs expressions of one shape over all their instances at once: k instances, one numpy operation a node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.engine.expression import Aggregate, Constant, Expression, Node, Reference
from app.model import quality as q

Values = NDArray[np.float64]
Qualities = NDArray[np.uint16]

_OPERATIONS: Final[dict[str, Callable[..., Any]]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "%": np.mod, "**": np.power,
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
    "negate": np.negative, "abs": np.abs, "sqrt": np.sqrt, "clip": np.clip,
    "not": lambda a: a == 0,
    "and": lambda *a: reduce(np.logical_and, a),
    "or": lambda *a: reduce(np.logical_or, a),
    "min": lambda *a: reduce(np.minimum, a),
    "max": lambda *a: reduce(np.maximum, a),
    "round": lambda a, digits=0.0: np.round(a * np.power(10.0, digits)) / np.power(10.0, digits),
}  # fmt: skip
_CARRIED: Final = q.OV | q.BL | q.SB | q.NT | q.IV | q.CLOCK | q.ESTIMATED | q.FORCED | q.TEST | q.DERIVED


class _Group:
    """The members of one pattern for all instances, flat, with where each instance begins."""

    def __init__(self, members: Sequence[Sequence[int]]) -> None:
        self.flat = np.array([index for one in members for index in one], dtype=np.int32)
        self.starts = np.cumsum([0, *(len(one) for one in members)])[:-1]
        self.sizes = np.array([len(one) for one in members])

    def reduce(self, function: str, value: Values, quality: Qualities) -> tuple[Values, Qualities]:
        """Over the usable members; marked DERIVED where some were left out, NT where all were."""
        members, qualities = value[self.flat], quality[self.flat]
        good = q.usable(members, qualities)
        count = np.add.reduceat(good.astype(np.float64), self.starts)
        fill = {"min": np.inf, "max": -np.inf}.get(function, 0.0)
        used = np.where(good, members, fill)
        ufunc: Any = {"min": np.minimum, "max": np.maximum}.get(function, np.add)
        result = ufunc.reduceat(used, self.starts)
        if function == "mean":
            result = result / count
        marks = np.bitwise_or.reduceat(np.where(good, qualities & _CARRIED, 0).astype(np.uint16), self.starts)
        marks |= np.where(count < self.sizes, q.DERIVED, 0).astype(np.uint16)
        if function == "count":
            return count, np.zeros_like(marks)
        empty = count == 0
        return np.where(empty, np.nan, result), np.where(empty, q.NT | q.DERIVED, marks).astype(np.uint16)


class Columns:
    """All instances of one shape. `outputs` int32[k] are the points that they compute."""

    def __init__(self, outputs: Sequence[int], expressions: Sequence[Expression]) -> None:
        self.outputs = np.array(outputs, dtype=np.int32)
        self._tree = expressions[0].tree
        self._constants = np.array([e.constants for e in expressions], dtype=np.float64).T
        self._references = np.array([e.references for e in expressions], dtype=np.int32).T
        self._groups = [_Group([e.patterns[i] for e in expressions]) for i in range(len(expressions[0].patterns))]
        counts = [len(e.inputs) for e in expressions]
        self._flat = np.array([index for e in expressions for index in e.inputs], dtype=np.int32)
        self._starts = np.cumsum([0, *counts])[:-1]

    def touched(self, changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """bool[k]: the instances of which an input is marked in `changed`, bool[n] over all points."""
        result: NDArray[np.bool_] = np.logical_or.reduceat(changed[self._flat], self._starts)
        return result

    def newest(self, time: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[k]: source time of each instance's newest input."""
        result: NDArray[np.int64] = np.maximum.reduceat(time[self._flat], self._starts)
        return result

    def evaluate(self, value: Values, quality: Qualities) -> tuple[Values, Qualities]:
        """(value, quality) of length k from the live columns. A bad input makes DERIVED; no number makes IV."""
        with np.errstate(all="ignore"):
            result, marks = self._run(self._tree, value, quality)
        result = np.broadcast_to(np.asarray(result, dtype=np.float64), len(self.outputs)).copy()
        marks = np.broadcast_to(np.asarray(marks, dtype=np.uint16), len(self.outputs)).copy()
        marks[(marks & (q.UNUSABLE | q.BL)) != 0] |= q.DERIVED
        lost = ~np.isfinite(result)
        result[lost] = np.nan
        marks[lost & ((marks & q.NT) == 0)] |= q.IV
        return result, marks

    def _run(self, node: Node, value: Values, quality: Qualities) -> tuple[Any, Any]:
        if isinstance(node, Constant):
            return self._constants[node.slot], 0
        if isinstance(node, Reference):
            indices = self._references[node.slot]
            return value[indices], quality[indices] & _CARRIED
        if isinstance(node, Aggregate):
            return self._groups[node.slot].reduce(node.function, value, quality)
        parts = [self._run(argument, value, quality) for argument in node.arguments]
        if node.name == "if":
            (test, mark), (chosen, mark_chosen), (other, mark_other) = parts  # what was not chosen is not an input
            true = test != 0
            return np.where(true, chosen, other), mark | np.where(true, mark_chosen, mark_other)
        marks = 0
        for _, mark in parts:
            marks = marks | mark
        return _OPERATIONS[node.name](*(part for part, _ in parts)), marks
