"""The facade as it is handed out: every method of every service behind the gate, by what is declared at the method."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from app.model.access import Denied, Permit, permit_of


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one method, before it is allowed."""

    path: str
    """`service.method`."""
    permit: Permit
    run: Callable[..., Any]
    """Bound; takes `arguments` by name."""
    arguments: dict[str, Any]
    devices: tuple[str, ...] | None
    """What it touches; None: the whole station."""
    takes_who: bool


class Doorkeeper(Protocol):
    """Who lets calls through."""

    def pass_(self, call: Call) -> Any:
        """Do it, where it is allowed. Raises Denied; an audited call answers by a future."""


class Guarded:
    """A service seen through a door. What carries no permit is not there."""

    def __init__(
        self, name: str, service: object, keeper: Doorkeeper, inner: Mapping[str, object] | None = None
    ) -> None:
        """`inner`: services within this one, by the attribute that leads to them."""
        self._name, self._service, self._keeper = name, service, keeper
        self._inner = {path: Guarded(path, one, keeper) for path, one in (inner or {}).items()}

    def __getattr__(self, name: str) -> Any:
        if (inner := self._inner.get(name)) is not None:
            return inner
        service = self._service
        permit = permit_of(type(service), name)
        path = f"{self._name}.{name}"
        if permit is None:
            raise AttributeError(f"{path} is not for anybody outside: it declares no permit")
        if isinstance(getattr(type(service), name), property):
            return self._keeper.pass_(Call(path, permit, lambda: getattr(service, name), {}, None, takes_who=False))
        return _Method(path, permit, service, getattr(service, name), self._keeper)


class _Method:
    """A method behind the gate."""

    def __init__(self, path: str, permit: Permit, service: object, method: Any, keeper: Doorkeeper) -> None:
        self._path, self._permit, self._service, self._method, self._keeper = path, permit, service, method, keeper

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        shape = _shape(self._method.__func__)
        bound = shape.signature.bind(self._service, *args, **kwargs)
        arguments = dict(list(bound.arguments.items())[1:])
        where = self._permit.where
        devices = tuple(where(self._service, arguments)) if where is not None else None
        run = self._method

        def with_them(**who: Any) -> Any:
            return run(*args, **kwargs, **who)

        call = Call(self._path, self._permit, with_them, arguments, devices, shape.takes_who)
        try:
            return self._keeper.pass_(call)
        except Denied as denied:
            if not shape.answers_by_future and not self._permit.changes:
                raise
            refused: Future[Any] = Future()
            refused.set_exception(denied)
            return refused


@dataclass(frozen=True, slots=True)
class _Shape:
    signature: inspect.Signature
    """Without `who`, which nobody outside can give."""
    takes_who: bool
    answers_by_future: bool


@cache
def _shape(function: Callable[..., Any]) -> _Shape:
    signature = inspect.signature(function)
    parameters = signature.parameters
    outer = [one for name, one in parameters.items() if name != "who"]
    answer = str(signature.return_annotation)
    return _Shape(signature.replace(parameters=outer), "who" in parameters, answer.startswith(("Future", "Task")))


def declared(services: Iterable[tuple[str, type]]) -> Iterator[tuple[str, str, Permit | None]]:
    """(service, member, permit) of every public member of these services: what the matrix and its test are made of."""
    for name, kind in services:
        for member in sorted(dir(kind)):
            if not member.startswith("_"):
                yield name, member, permit_of(kind, member)
