"""The control centre by c104, in its own process, and spoken to by lines of JSON."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

SECONDS = 20.0


class ForeignCentre:
    """Connections to some ports."""

    def __init__(self, *ports: int) -> None:
        command = [sys.executable, "-m", "tests.support.c104_centre", *map(str, ports)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self.said: list[dict[str, Any]] = []
        """Everything so far."""
        self._reader = threading.Thread(target=self._read, name="foreign centre")
        self._reader.start()

    def __enter__(self) -> ForeignCentre:
        self.hears(lambda one: "ready" in one)
        return self

    def __exit__(self, *_: Any) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))

    def order(self, do: str, **words: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **words}) + "\n")
        self._process.stdin.flush()

    def does(self, do: str, **words: Any) -> bool:
        """Order something, and wait for what the library says of it.

        True is certain; False may also mean that the answer was there before the library began to wait for it.
        """
        self.order(do, **words)
        return bool(self.hears(lambda one: one.get("did") == do)["well"])

    def connect(self, at: int = 0) -> None:
        """Connect and start data transfer."""
        self.order("connect", at=at)
        self.hears(lambda one: one.get("state", "").startswith("OPEN") and one["at"] == at)
        self.does("start", at=at)

    def hears(self, wanted: Any) -> dict[str, Any]:
        """The next thing that it says and a test wants."""
        end = time.monotonic() + SECONDS
        while True:
            try:
                one = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"not heard among {self.said[-20:]}") from None
            self.said.append(one)
            if wanted(one):
                return one

    def hears_point(self, ioa: int, cause: str, **words: Any) -> dict[str, Any]:
        return self.hears(
            lambda one: one.get("point") == ioa and one["cause"] == cause and words.items() <= one.items()
        )

    def drain(self, seconds: float) -> None:
        """Take what comes within some time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self.said.append(self._lines.get(timeout=left))
            except queue.Empty:
                return
