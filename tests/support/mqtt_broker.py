"""A real broker for tests: mosquitto on a free port; where there is none and it is not CI, amqtt from its package."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.ports import free_port

WAIT_S = 10.0


def program(name: str = "mosquitto") -> str | None:
    """The program. Debian puts it where only root's PATH looks."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


def runs_mosquitto() -> bool:
    """Whether tests run against mosquitto. In CI they do, and fail where it is missing."""
    return program() is not None or os.environ.get("CI") == "true"


class Mosquitto:
    """One broker in a folder. `stop` and `start` again keep its port, and with `persistence` its sessions."""

    def __init__(self, folder: Path, lines: Sequence[str] = (), *, persistence: bool = False) -> None:
        found = program()
        assert found is not None, "mosquitto is not installed; run.py test installs it: apt-get install mosquitto"
        self._program = found
        self.folder = folder
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        # What it keeps it writes when it is stopped. Asked to write at every change, it would wait for the disk 400 times a
        # test, and on a slow disk longer than the tests wait for it.
        keep = (
            ["persistence true", f"persistence_location {folder.as_posix()}/"] if persistence else ["persistence false"]
        )
        user = "user root" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
        head = [f"listener {self.port} 127.0.0.1", "max_queued_messages 0", "max_inflight_messages 0", user, *keep]
        if not any(line.startswith(("allow_anonymous", "password_file", "require_certificate")) for line in lines):
            head.append("allow_anonymous true")
        (folder / "mosquitto.conf").write_text("\n".join([*head, *lines, ""]), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Mosquitto:
        log = self.folder / "mosquitto.log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [self._program, "-c", str(self.folder / "mosquitto.conf")], stdout=file, stderr=file
            )
        end = time.monotonic() + WAIT_S
        while " running\n" not in log.read_text(encoding="utf-8"):  # on its port: another's would answer as well
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(log.read_text(encoding="utf-8"))
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(WAIT_S)
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and says nothing. Where signals can do that."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class Amqtt:
    """The stand-in, on a thread with a loop of its own. It knows MQTT 3.1.1, and neither TLS nor passwords here."""

    def __init__(self) -> None:
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="amqtt")
        self._broker: Any = None

    def start(self) -> Amqtt:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(WAIT_S)
        return self

    async def _start(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from amqtt.broker import Broker

            plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
            listeners = {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}}
            self._broker = Broker({"listeners": listeners, "plugins": plugins})
            await self._broker.start()

    def stop(self) -> None:
        if self._broker is not None:
            asyncio.run_coroutine_threadsafe(self._broker.shutdown(), self._loop).result(WAIT_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._broker = None


def plain_broker(folder: Path) -> Mosquitto | Amqtt:
    """The plainest broker, started: mosquitto, or what stands in for it."""
    return Mosquitto(folder).start() if runs_mosquitto() else Amqtt().start()
