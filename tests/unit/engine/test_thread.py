"""The engine's thread: it starts or says why not, and stops at whatever moment it is told to."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest

from app.engine import thread
from app.engine.engine import Engine
from app.engine.thread import EngineThread


class Idle:
    """Stands in for an engine: runs until cancelled."""

    def __init__(self) -> None:
        self.ran = self.ended = 0

    async def run(self) -> None:
        self.ran += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1


class Broken:
    async def run(self) -> None:
        raise ZeroDivisionError("a bug of ours")


def made(engine: object) -> EngineThread:
    return EngineThread(cast(Engine, engine))


def test_it_runs_until_it_is_stopped() -> None:
    engine = Idle()
    one = made(engine)
    one.stop()  # before the start: nothing to do
    one.start()
    one.stop()
    one.stop()
    assert (engine.ran, engine.ended) == (1, 1)


@pytest.mark.expects_errors
def test_a_loop_that_cannot_be_made_is_told_to_who_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was waited for without end."""

    def run(coroutine: Any) -> None:
        coroutine.close()
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(asyncio, "run", run)
    told: list[BaseException] = []

    def start() -> None:
        try:
            made(Idle()).start()
        except OSError as error:
            told.append(error)

    starter = threading.Thread(target=start, daemon=True)
    starter.start()
    starter.join(5)
    assert not starter.is_alive() and "Too many open files" in str(told[0])


def test_it_stops_when_its_start_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control-C may come before the loop is there."""
    engine = Idle()
    one = made(engine)
    go_on = threading.Event()
    real = asyncio.run

    def run(coroutine: Any) -> None:
        assert go_on.wait(5)
        real(coroutine)

    monkeypatch.setattr(thread.asyncio, "run", run)
    monkeypatch.setattr(one._running, "result", lambda timeout=None: interrupted())

    def interrupted() -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one.start()
    threading.Timer(0.2, go_on.set).start()
    one.stop()
    assert engine.ran == engine.ended and not one._thread.is_alive()


@pytest.mark.expects_errors
def test_an_engine_that_breaks_is_told() -> None:
    told = threading.Event()
    one = EngineThread(cast(Engine, Broken()), told.set)
    one.start()
    assert told.wait(5)
    one.stop()
