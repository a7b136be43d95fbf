"""A running station in another process, behind the same facade: what the console asks is plain data, so this is easy.

The child runs `python -m tests.support.remote_station STATION DATA OVERLAY`, and answers one call after the other.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from threading import Lock
from typing import Any

KEY = b"only this test"


class RemoteStation:
    """The facade in the parent. `facade.history.query(...)` becomes a message; futures stay futures."""

    def __init__(self, station: Path, data: Path, overlay: Path) -> None:
        command = [sys.executable, "-m", "tests.support.remote_station", str(station), str(data), str(overlay)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        port = int(self._process.stdout.readline())
        self._connection = Client(("127.0.0.1", port), authkey=KEY)
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(2)
        self.station = self._ask("station", None)
        self.mode: str = self._ask("mode", None)
        self.history = _Service(self, "history")
        self.alarms = _Service(self, "alarms")
        self.events = _Service(self, "events")

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        self._connection.send(None)
        self._connection.close()
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self._ask(name, arguments)

    def _ask(self, path: str, arguments: Any) -> Any:
        with self._lock:
            self._connection.send((path, arguments))
            ok, answer = self._connection.recv()
        if not ok:
            raise RuntimeError(answer)
        return answer


class _Service:
    def __init__(self, owner: RemoteStation, name: str) -> None:
        self._owner, self._name = owner, name

    @property
    def version(self) -> int:
        return int(self._owner._ask(f"{self._name}.version", None))

    def __getattr__(self, name: str) -> Any:
        path = f"{self._name}.{name}"
        if name in ("query", "journal"):
            return lambda *arguments: self._owner._pool.submit(self._owner._ask, path, arguments)
        return lambda *arguments: self._owner._ask(path, arguments)


def _answer(target: Any, path: str, arguments: Any) -> Any:
    for step in path.split("."):
        target = getattr(target, step)
    answer = target if arguments is None else target(*arguments)
    return answer.result(30) if isinstance(answer, Future) else answer


def serve(connection: Connection, facade: Any) -> None:
    while (message := connection.recv()) is not None:
        try:
            connection.send((True, _answer(facade, *message)))
        except Exception as error:
            connection.send((False, repr(error)))


def main() -> None:
    from app.starting import running

    station, data, overlay = map(Path, sys.argv[1:4])
    with (
        running(station, data, overlay, "test") as running_station,
        Listener(("127.0.0.1", 0), authkey=KEY) as listener,
    ):
        sys.stdout.write(f"{listener.address[1]}\n")
        sys.stdout.flush()
        with listener.accept() as connection:
            serve(connection, running_station.facade("test"))


if __name__ == "__main__":
    main()
