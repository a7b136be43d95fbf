"""A running station in another process, behind the same facade: what the console asks is plain data, so this is easy.

The child runs `python -m tests.support.remote_station STATION DATA OVERLAY`, and a future's answer comes when it is there.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import partial
from itertools import count
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from threading import Lock, Thread
from typing import Any

KEY = b"only this test"


class RemoteStation:
    """The facade in the parent. `facade.history.query(...)` becomes a message; futures stay futures."""

    def __init__(self, station: Path, data: Path, overlay: Path | None = None) -> None:
        command = [sys.executable, "-m", "tests.support.remote_station", str(station), str(data), str(overlay or "")]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        port = int(self._process.stdout.readline())
        self._connection = Client(("127.0.0.1", port), authkey=KEY)
        self._lock = Lock()
        self._tickets = count()
        self._asked: dict[int, Future[Any]] = {}
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        self.station = self.ask("station", None)
        self.mode: str = self.ask("mode", None)
        self.history = _Service(self, "history")
        self.alarms = _Service(self, "alarms")
        self.events = _Service(self, "events")
        self.commissioning = _Service(self, "commissioning")
        self.access = _Service(self, "access")
        self.control = _Service(self, "control")
        self.strategies = _Service(self, "strategies")
        self.accounts = _Service(self, "accounts")
        self.audit = _Service(self, "audit")
        self.versions = _Service(self, "versions")

    def close(self) -> None:
        with self._lock:
            self._connection.send(None)
        self._reader.join(20)
        self._connection.close()
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.ask(name, arguments)

    def snapshot(self) -> Any:
        """The station is asked for again when its configuration is another."""
        snapshot = self.ask("snapshot", ())
        if snapshot.configuration != self.station.config_hash:
            self.station = self.ask("station", None)
        return snapshot

    def apply(self) -> Future[Any]:
        return self.promise("apply", ())

    def ask(self, path: str, arguments: Any) -> Any:
        return self.promise(path, arguments).result(60)

    def promise(self, path: str, arguments: Any) -> Future[Any]:
        ticket, future = next(self._tickets), Future[Any]()
        self._asked[ticket] = future
        future.add_done_callback(lambda one: self._send((ticket, None, None)) if one.cancelled() else None)
        self._send((ticket, path, arguments))
        return future

    def _send(self, message: Any) -> None:
        with self._lock:
            self._connection.send(message)

    def _read(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                ticket, answer, error = self._connection.recv()
                future = self._asked.pop(ticket)
                if not future.set_running_or_notify_cancel():
                    continue
                if error is None:
                    future.set_result(answer)
                else:
                    future.set_exception(error)


class _Service:
    def __init__(self, owner: RemoteStation, name: str) -> None:
        self._owner, self._name = owner, name

    @property
    def version(self) -> int:
        return int(self._owner.ask(f"{self._name}.version", None))

    @property
    def locked(self) -> Any:
        return self._owner.ask(f"{self._name}.locked", None)

    def __getattr__(self, name: str) -> Any:
        path = f"{self._name}.{name}"
        slow = (
            name in ("query", "journal")
            or self._name in ("audit", "versions")
            or (self._name == "control" and name not in ("state", "arm"))
            or (self._name == "commissioning" and name != "discovered")
        )
        return lambda *arguments: (self._owner.promise if slow else self._owner.ask)(path, arguments)


def _answer(target: Any, path: str, arguments: Any) -> Any:
    for step in path.split("."):
        target = getattr(target, step)
    return target if arguments is None else target(*arguments)


def serve(connection: Connection, facade: Any) -> None:
    lock = Lock()
    running: dict[int, Future[Any]] = {}

    def send(ticket: int, answer: Any, error: BaseException | None) -> None:
        with lock:
            connection.send((ticket, answer, error))

    def sent(ticket: int, future: Future[Any]) -> None:
        running.pop(ticket, None)
        error = CancelledError() if future.cancelled() else future.exception()
        send(ticket, None if error else future.result(), error)

    while (message := connection.recv()) is not None:
        ticket, path, arguments = message
        if path is None:
            if ticket in running:
                running[ticket].cancel()
            continue
        try:
            answer = _answer(facade, path, arguments)
        except Exception as error:
            send(ticket, None, RuntimeError(repr(error)))
            continue
        if isinstance(answer, Future):
            running[ticket] = answer
            answer.add_done_callback(partial(sent, ticket))
        else:
            send(ticket, answer, None)


def main() -> None:
    from app.starting import running

    station, data = map(Path, sys.argv[1:3])
    overlay = Path(sys.argv[3]) if sys.argv[3] else None
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
