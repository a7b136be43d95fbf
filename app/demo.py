"""The demo: the park in `station_configs/demo`, its devices served by a simulator process beside the program."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from app.model.errors import GridroomError

DEMO: Final = Path(__file__).resolve().parents[1] / "station_configs" / "demo"
DEMO_WORD: Final = "demo"
READY: Final = "# ready"
LONGEST_START_S: Final = 30.0


def station_directory(given: Path) -> Path:
    """The folder of a station; `demo` is the demo station where there is no folder of that name."""
    return DEMO if str(given) == DEMO_WORD and not given.exists() else given


def is_demo(given: Path) -> bool:
    """Whether it is the demo station, whose devices are simulated."""
    return station_directory(given).resolve() == DEMO.resolve()


class DemoSimulator:
    """The simulator as a child process: its overlay tells where each device listens."""

    def __init__(self, directory: Path = DEMO, arguments: Sequence[str] = ()) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="gridroom-sim-", ignore_cleanup_errors=True)
        self.overlay = Path(self._folder.name) / "overlay.yaml"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app", "sim", str(directory), "-o", str(self.overlay), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=Path(__file__).resolve().parents[1],
            # Control-C is for us alone: the simulator ends after the station that reads it, when its input closes.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    def wait_until_ready(self) -> Path:
        """The overlay file, once every server listens. Raises GridroomError when the simulator ends or says nothing."""
        watchdog = threading.Timer(LONGEST_START_S, self._process.kill)
        watchdog.start()
        try:
            output = self._output()
            while line := output.readline():
                if line.strip() == READY:
                    threading.Thread(target=output.read, name="simulator output", daemon=True).start()
                    return self.overlay
        finally:
            watchdog.cancel()
        code = self._process.wait()
        raise GridroomError(
            f"the simulator ended with exit code {code} before it was ready; run 'gridroom sim' to see why"
        )

    def tell(self, line: str) -> None:
        """Say a line to it, such as `fault pcs1 drop 10s` or `clear pcs1`."""
        if self._process.stdin is not None:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """End the child; it also ends by itself when its input closes. Safe to call twice."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output().close()
        self._folder.cleanup()

    def _output(self) -> IO[str]:
        if self._process.stdout is None:
            raise GridroomError("the simulator was started without a pipe for its output")
        return self._process.stdout
