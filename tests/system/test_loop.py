"""Nothing may hold the engine's loop: every callback on it is measured while the demo park runs.

What counts is the processor time of the engine's own thread, which a busy machine does not stretch as it stretches the
clock. The station runs in a process of its own, where no test has filled the memory that a collection looks through.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
LONGEST_S: Final = 0.02
DROPPED: Final = "inv1"


def worst_of(folder: Path, *words: str) -> list[tuple[float, str]]:
    """The longest callbacks of a run in a process of its own, in seconds of processor time, the longest first."""
    command = [sys.executable, __file__, "--data", str(folder), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    return [(seconds, what) for seconds, what in json.loads(done.stdout.splitlines()[-1])]


def test_no_callback_holds_the_loop_while_a_device_comes_and_goes(tmp_path: Path) -> None:
    worst = worst_of(tmp_path, "--seconds", "10", "--drop")
    assert worst[0][0] < LONGEST_S, worst


def test_no_callback_holds_the_loop_while_strategies_run_live_and_people_command(tmp_path: Path) -> None:
    worst = worst_of(tmp_path, "--seconds", "10", "--live")
    assert worst[0][0] < LONGEST_S, worst


def test_a_sink_that_blocks_is_caught(tmp_path: Path) -> None:
    """The check itself: it would be worth nothing if it never failed."""
    worst = worst_of(tmp_path, "--seconds", "2", "--block", "0.03")
    assert worst[0][0] >= LONGEST_S and "tick" in worst[0][1], worst


# ------------------------------------------------------------------------------------------ in the station's process


class Watch:
    """Takes the time of every callback of loops on the engine's thread."""

    def __init__(self) -> None:
        self.worst: list[tuple[float, str]] = []
        self.count = 0
        real = asyncio.events.Handle._run
        watch = self

        def run(handle: asyncio.Handle) -> None:
            if threading.current_thread().name != "engine":
                real(handle)
                return
            began = time.thread_time()
            real(handle)
            watch.note(time.thread_time() - began, handle)

        asyncio.events.Handle._run = run  # type: ignore[method-assign]

    def note(self, took_s: float, handle: asyncio.Handle) -> None:
        self.count += 1
        if took_s > 0.001:
            task = getattr(getattr(handle, "_callback", None), "__self__", None)
            name = task.get_name() if isinstance(task, asyncio.Task) else repr(handle)
            self.worst = sorted([*self.worst, (took_s, name)], reverse=True)[:20]


class Blocking:
    """A sink as nobody may write one."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def take(self, updates: Any) -> None:
        end = time.thread_time() + self._seconds
        while time.thread_time() < end:
            pass


def _command(station: Any) -> None:
    """Every strategy live, and what people do meanwhile."""
    from app.model.access import Actor
    from app.model.control import Mode, Quantity, Running

    control, li = station.control, Actor("li", "engineer")
    for one in control.state().strategies:
        control.run_strategy(one.id, Running.LIVE).result(30)
    for k in range(20):
        control.set_mode("pcs1", Mode.MANUAL).result(30)
        control.request("pcs1", Quantity.ACTIVE, 10.0 + k, "a trial", who=li).result(30)
        control.set_mode("pcs1", Mode.AUTO).result(30)
        control.tag("inv2", "work").result(30)
        control.untag("inv2").result(30)
        control.replay(station.now_ns()).result(30)
    control.stop_all("smoke").result(30)
    control.release_stop("over").result(30)


def _run(data: Path, seconds: float, block_s: float, *, drop: bool, live: bool) -> None:
    from app.configuration import configure
    from app.demo import DEMO, DemoSimulator
    from app.history.folder import DataFolder
    from app.model.views import LinkState
    from app.station import RunningStation

    watch = Watch()
    simulator = DemoSimulator()
    with DataFolder.open(data, "a test"):
        station = RunningStation(configure(DEMO, simulator.wait_until_ready()), data)
        if block_s:
            station._engine._sinks = (*station._engine._sinks, Blocking(block_s))

        def wait_for(state: LinkState) -> None:
            end = time.monotonic() + 60
            while next(one.state for one in station.devices() if one.device == DROPPED) is not state:
                if time.monotonic() > end:
                    raise SystemExit(f"{DROPPED} did not become {state}")
                time.sleep(0.05)

        station.start()
        end = time.monotonic() + seconds
        wait_for(LinkState.ONLINE)
        if drop:
            simulator.tell(f"fault {DROPPED} drop")
            wait_for(LinkState.LOST)
            simulator.tell(f"clear {DROPPED}")
            wait_for(LinkState.ONLINE)
        if live:
            _command(station)
        time.sleep(max(0.0, end - time.monotonic()))
        station.stop()
    simulator.stop()
    if watch.count < 100:
        raise SystemExit("the loop was not watched")
    sys.stdout.write(json.dumps(watch.worst) + "\n")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--block", type=float, default=0.0)
    parser.add_argument("--drop", action="store_true")
    parser.add_argument("--live", action="store_true")
    options = parser.parse_args()
    _run(options.data, options.seconds, options.block, drop=options.drop, live=options.live)
