"""The expression language of computed points: a small part of Python's grammar, read by its parser, run by numpy.

    p_kw + other.p_kw          points of the same device by id, of others by full name
    sum('inv*.p_kw')           over every point that a pattern matches: sum mean min max count
    abs clip round sqrt min max convert(x, 'W', 'kW')      a if p_kw > 10 else b      and or not
    integral(p_kw, reset=day)  power over time (kW -> kWh); resets: hour day month year never
    delta(e_kwh, reset=day)    what a counter grew in the period; a counter that starts again loses nothing

`integral` and `delta` remember, and therefore stand outermost. There is no `eval`: what is not listed is a fault.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from app.model.errors import Wrong
from app.model.text import Text
from app.model.units import conversion

RESETS: Final = ("hour", "day", "month", "year", "never")
AGGREGATES: Final = ("sum", "mean", "min", "max", "count")
_BINARY: Final[dict[type[ast.operator], str]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%", ast.Pow: "**",
}  # fmt: skip
_COMPARE: Final[dict[type[ast.cmpop], str]] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_ARGUMENTS: Final[dict[str, tuple[int, int]]] = {
    "abs": (1, 1), "sqrt": (1, 1), "round": (1, 2), "clip": (3, 3), "min": (2, 8), "max": (2, 8),
}  # fmt: skip
_LONGEST: Final = 2000
_DEEPEST: Final = 200
"""Levels of nesting; `a + b + c` has two. Python itself gives up somewhere above."""


class ExpressionError(Wrong):
    """An expression that cannot be: what and where in it."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number: the n-th constant of the expression."""

    slot: int


@dataclass(frozen=True, slots=True)
class Reference:
    """One point: the n-th reference of the expression."""

    slot: int


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Over the points of the n-th pattern."""

    function: str
    slot: int


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    arguments: tuple[Node, ...]


Node = Constant | Reference | Aggregate | Operation


@dataclass(slots=True)
class Expression:
    """A parsed expression. Two with equal `shape` do the same to other points and numbers, and are run together."""

    tree: Node
    accumulate: str = ""
    """`integral`, `delta`, or nothing."""
    reset: str = ""
    constants: list[float] = field(default_factory=list)
    """Value of each constant."""
    references: list[int] = field(default_factory=list)
    """Point index of each reference."""
    patterns: list[list[int]] = field(default_factory=list)
    """Point indices of each pattern."""

    @property
    def shape(self) -> tuple[Node, str, str]:
        return self.tree, self.accumulate, self.reset

    @property
    def inputs(self) -> list[int]:
        """Every point index it reads."""
        return [*self.references, *(index for pattern in self.patterns for index in pattern)]


Resolve = Callable[[str], int | None]
Match = Callable[[str], list[int]]


def parse(text: str, resolve: Resolve, match: Match) -> Expression:
    """Parse; `resolve` gives the index of a name as written, `match` those of a pattern. Raises ExpressionError."""
    if len(text) > _LONGEST:
        raise ExpressionError(
            Text(
                f"longer than {_LONGEST} characters; split it into several points",
                f"超过 {_LONGEST} 个字符；请拆成多个测点",
            )
        )
    try:
        body = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError(
            Text(
                f"'{text[:80]}' is not an expression: {getattr(error, 'msg', None) or error}",
                f"“{text[:80]}”不是表达式：{getattr(error, 'msg', None) or error}",
            )
        ) from None
    if _depth(body) > _DEEPEST:
        raise ExpressionError(
            Text(
                f"nested deeper than {_DEEPEST} levels; split it into several points",
                f"嵌套超过 {_DEEPEST} 层；请拆成多个测点",
            )
        )
    return _Reader(resolve, match).outermost(body)


def _depth(body: ast.expr) -> int:
    """Levels of expressions within expressions, counted without recursion."""
    depth, level = 0, [body]
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    return depth


class _Reader:
    def __init__(self, resolve: Resolve, match: Match) -> None:
        self.resolve = resolve
        self.match = match
        self.result = Expression(Constant(0))

    def outermost(self, node: ast.expr) -> Expression:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("integral", "delta"):
            self.result.accumulate = node.func.id
            self.result.reset = self._reset(node)
            node = node.args[0]
        self.result.tree = self.read(node)
        if not self.result.inputs:
            raise ExpressionError(Text("reads no point; name at least one", "没有读取任何测点；请至少写一个"))
        return self.result

    def _reset(self, call: ast.Call) -> str:
        """`reset=day`, written as a word or in quotes; never where it is left out."""
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if len(call.args) != 1 or any(keyword.arg != "reset" for keyword in call.keywords):
            raise ExpressionError(
                Text(
                    f"{name} takes one value and 'reset=day' or another of {' '.join(RESETS)}",
                    f"{name} 需要一个值和 reset=day 或其他：{' '.join(RESETS)}",
                )
            )
        if not call.keywords:
            return "never"
        given = call.keywords[0].value
        word = given.id if isinstance(given, ast.Name) else given.value if isinstance(given, ast.Constant) else None
        if word not in RESETS:
            raise ExpressionError(
                Text(
                    f"{name}: unknown reset; one of {' '.join(RESETS)}",
                    f"{name}：未知的 reset；可写 {' '.join(RESETS)}",
                )
            )
        return str(word)

    def read(self, node: ast.expr) -> Node:
        match node:
            case ast.Constant(value=bool(value) | int(value) | float(value)):
                try:
                    return self._constant(float(value))
                except OverflowError:
                    raise ExpressionError(
                        Text("a number is too large; the largest is about 1e308", "数值过大；最大约为 1e308")
                    ) from None
            case ast.Name() | ast.Attribute():
                return self._reference(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Operation("negate", (self.read(operand),))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Operation("not", (self.read(operand),))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return Operation(_BINARY[type(op)], (self.read(left), self.read(right)))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
                return Operation(_COMPARE[type(op)], (self.read(left), self.read(right)))
            case ast.BoolOp(op=op, values=values):
                return Operation("and" if isinstance(op, ast.And) else "or", tuple(self.read(v) for v in values))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return Operation("if", (self.read(test), self.read(body), self.read(orelse)))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(name, arguments)
        raise ExpressionError(
            Text(
                f"'{ast.unparse(node)[:60]}' is not part of the language; see the page on computed points",
                f"“{ast.unparse(node)[:60]}”不属于表达式语言；请参阅计算测点的说明",
            )
        )

    def _constant(self, value: float) -> Constant:
        self.result.constants.append(value)
        return Constant(len(self.result.constants) - 1)

    def _reference(self, node: ast.expr) -> Node:
        name = ast.unparse(node)
        index = self.resolve(name)
        if index is None:
            raise ExpressionError(Text(f"unknown point '{name}'", f"未知测点“{name}”"))
        if index not in self.result.references:
            self.result.references.append(index)
        return Reference(self.result.references.index(index))

    def _call(self, name: str, arguments: list[ast.expr]) -> Node:
        match arguments:
            case [ast.Constant(value=str(pattern))] if name in AGGREGATES:
                found = self.match(pattern)
                if not found:
                    raise ExpressionError(Text(f"pattern '{pattern}' matches no point", f"“{pattern}”没有匹配任何测点"))
                self.result.patterns.append(found)
                return Aggregate(name, len(self.result.patterns) - 1)
            case [value, ast.Constant(value=str(source)), ast.Constant(value=str(target))] if name == "convert":
                try:
                    factor, offset = conversion(source, target)
                except Wrong as error:
                    raise ExpressionError(error.text) from None
                scaled = Operation("*", (self.read(value), self._constant(factor)))
                return Operation("+", (scaled, self._constant(offset))) if offset else scaled
        if name in ("integral", "delta"):
            raise ExpressionError(
                Text(
                    f"{name} remembers and must stand outermost; give it a point of its own",
                    f"{name} 有记忆，必须在最外层；请单独设一个测点",
                )
            )
        if name not in _ARGUMENTS:
            known = " ".join(dict.fromkeys([*_ARGUMENTS, *AGGREGATES, "convert", "integral", "delta"]))
            raise ExpressionError(
                Text(f"unknown function '{name}'; known: {known}", f"未知函数“{name}”；已有：{known}")
            )
        least, most = _ARGUMENTS[name]
        if not least <= len(arguments) <= most:
            en, zh = (f"{least}", f"{least}") if least == most else (f"{least} to {most}", f"{least} 至 {most}")
            given = len(arguments)
            raise ExpressionError(
                Text(f"{name} takes {en} values, not {given}", f"{name} 需要 {zh} 个值，而不是 {given} 个")
            )
        return Operation(name, tuple(self.read(argument) for argument in arguments))
