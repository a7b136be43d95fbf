"""The simulator as a process: says where its devices are, takes faults on its input, never outlives its parent."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil

from app.model.clock import SECOND_NS
from app.model.station import Station
from app.simulation.faults import parse
from app.simulation.simulator import Simulator

_log: Final = logging.getLogger("gridroom.simulation")
READY: Final = "# ready"
PARENT_CHECK_S: Final = 1.0


async def run(
    station: Station,
    *,
    time_factor: float = 1.0,
    start: int | None = None,
    seed: int = 1,
    base_port: int = 0,
    overlay_path: Path | None = None,
    duration_s: float | None = None,
    parent_pid: int | None = None,
) -> None:
    """Serve a station's devices until told to stop.

    `start` is the park's time in UTC nanoseconds, None for now. Prints the overlay and then the line `# ready`; lines
    on the input such as `fault pcs1 drop 10s` act on the devices. Ends by SIGINT, SIGTERM, `quit`, after `duration_s`,
    when its input closes (where that is a pipe) or when the process `parent_pid` is gone. Raises GridroomError where a
    port cannot be opened, StorageError where the overlay cannot be written.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    start_s = None if start is None else start / SECOND_NS
    simulator = Simulator(station, time_factor=time_factor, start_s=start_s, seed=seed, base_port=base_port)
    async with simulator:
        if overlay_path is not None:
            await asyncio.to_thread(simulator.write_overlay, overlay_path)
        restore = _on_signals(loop, ended.set)
        _watch_input(loop, lambda line: _obey(simulator, line, ended.set), ended.set)
        tasks: list[asyncio.Task[object]] = [asyncio.create_task(ended.wait())]
        if parent_pid is not None:
            tasks.append(asyncio.create_task(_watch_parent(parent_pid)))
        lives = [] if simulator.living is None else [simulator.living]
        try:
            _say(simulator.overlay() + READY)
            await asyncio.wait([*tasks, *lives], timeout=duration_s, return_when=asyncio.FIRST_COMPLETED)
            for life in lives:
                if life.done():
                    life.result()  # it only ends by an error, which is to be seen
        finally:
            restore()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _say(text: str) -> None:
    """To standard output at once; a reader that has gone is no trouble of ours."""
    try:
        sys.stdout.write(text.rstrip("\n") + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _log.warning("nobody reads the simulator's output any more")


def _obey(simulator: Simulator, line: str, end: Callable[[], None]) -> None:
    """One line of the control channel. What is wrong with it goes to the log, and nothing else happens."""
    if not line.strip():
        return
    try:
        command = parse(line)
        if command.word == "quit":
            end()
        elif command.fault is not None:
            simulator.inject(command.device, command.fault)
        else:
            simulator.clear(command.device)
    except ValueError as error:
        _log.error("%s", error)


def _on_signals(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> Callable[[], None]:
    """End on SIGINT, SIGTERM and SIGBREAK, where there are such; returns what puts the old handlers back."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(end)) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore


def _watch_input(loop: asyncio.AbstractEventLoop, take: Callable[[str], None], end: Callable[[], None]) -> None:
    """Read lines from standard input on a thread; its end is ours where it is a pipe or a terminal, not a file.

    The bare descriptor is read: a thread that waits inside the buffered reader would stall the interpreter's exit.
    """
    try:
        descriptor = sys.stdin.fileno()
        mode = os.fstat(descriptor).st_mode
    except (AttributeError, OSError, ValueError):
        return  # no input at all
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)):
        return

    def read() -> None:
        rest = b""
        while True:
            try:
                data = os.read(descriptor, 4096)
            except OSError:
                data = b""
            *lines, rest = (rest + data).split(b"\n")
            try:
                for line in lines:
                    loop.call_soon_threadsafe(take, line.decode("utf-8", "replace"))
                if not data:
                    loop.call_soon_threadsafe(end)
                    return
            except RuntimeError:
                return  # the loop has ended before its input did

    threading.Thread(target=read, name="simulator input", daemon=True).start()


async def _watch_parent(pid: int) -> None:
    """Until a process is gone, or its number belongs to another."""
    try:
        parent = psutil.Process(pid)
        # Nobody tells of a foreign process's end, so it is asked for.
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await asyncio.sleep(PARENT_CHECK_S)
    except psutil.NoSuchProcess:
        return
