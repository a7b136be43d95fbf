"""A connection to a port, carried on to another one, and everything that passed."""

from __future__ import annotations

import socket
import threading


class Tee:
    """Listens on a free port; carries one connection to `target` on 127.0.0.1. `passed`: (from the target, bytes)."""

    def __init__(self, target: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.passed: list[tuple[bool, bytes]] = []
        self._target = target
        self._threads = [threading.Thread(target=self._serve, name="tee")]
        self._threads[0].start()

    def __enter__(self) -> Tee:
        return self

    def __exit__(self, *_: object) -> None:
        """Whoever connected has hung up."""
        self._listening.close()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        near, _ = self._listening.accept()
        with near, socket.create_connection(("127.0.0.1", self._target)) as far:
            back = threading.Thread(target=self._carry, args=(far, near, True), name="tee back")
            back.start()
            self._carry(near, far, False)
            back.join()

    def _carry(self, source: socket.socket, sink: socket.socket, from_target: bool) -> None:
        try:
            while data := source.recv(65536):
                self.passed.append((from_target, data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
