"""A real PostgreSQL for tests: made by initdb in a folder of its own, on a free port, ended with the tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.records.database import Place
from app.records.postgresql import PostgresqlServer
from tests.support.mqtt_broker import free_port

USER, PASSWORD, NAME = "gridroom", "pw-of-a-test", "records"
PLACES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql))
"""Tests of the records run on both; those marked `sqlite` are about its file."""
_UNPRIVILEGED = "nobody"
"""As whom a server runs where the tests are root, whom PostgreSQL refuses."""


def program(name: str) -> str | None:
    """The newest there is. Debian keeps servers where nobody's PATH looks."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    return shutil.which(name) or next((found for p in places if (found := shutil.which(name, path=str(p)))), None)


def runs_postgresql() -> bool:
    """Whether tests run on PostgreSQL. In CI they do, and fail where it is missing."""
    return program("initdb") is not None or os.environ.get("CI") == "true"


def _as_whom() -> dict[str, Any]:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return {"user": _UNPRIVILEGED, "group": _group(), "extra_groups": []}
    return {}


def _group() -> int:
    import pwd

    return pwd.getpwnam(_UNPRIVILEGED).pw_gid


class Postgresql:
    """One server. `stop`, `kill` and `pause` are what a network or a power cut do to it; `start` brings it back."""

    def __init__(self) -> None:
        initdb, server = program("initdb"), program("postgres")
        assert initdb and server, "PostgreSQL is not installed; run.py test installs it: apt-get install postgresql"
        self._server = server
        self.folder = Path(tempfile.mkdtemp(prefix="gridroom-pg-"))
        self.port = free_port()
        secret = self.folder / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        if _as_whom():
            for path in (self.folder, secret):
                shutil.chown(path, _UNPRIVILEGED, _group())
        subprocess.run(
            [initdb, "-D", self.folder / "data", "-U", USER, "--pwfile", secret, "-A", "scram-sha-256", "-E", "UTF8",
             "--locale=C", "--no-sync"],
            check=True, capture_output=True, cwd=self.folder, **_as_whom(),
        )  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Without the password, as a station file has it."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{NAME}"

    def start(self) -> Postgresql:
        options = [
            "-p",
            str(self.port),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-c",
            "max_connections=60",
        ]
        if sys.platform != "win32":
            options += ["-k", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._server, "-D", self.folder / "data", *options],
                stdout=log, stderr=log, cwd=self.folder, **_as_whom(),
            )  # fmt: skip
        end = time.monotonic() + 30
        while True:
            try:
                with self.connect("postgres") as connection:
                    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,)).fetchone() is None:
                        connection.execute(f"CREATE DATABASE {NAME}")
                return self
            except Exception:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError((self.folder / "log").read_text(encoding="utf-8")) from None
                time.sleep(0.05)

    @contextmanager
    def connect(self, database: str = NAME) -> Iterator[Any]:
        """A bare connection that commits each statement."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database, autocommit=True,
            connect_timeout=5,
        ) as connection:  # fmt: skip
            yield connection

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT is PostgreSQL's fast way: connections are cut."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """As a power cut."""
        self.stop(signal.SIGQUIT)  # of the whole family at once; SIGKILL would orphan its children

    def pause(self) -> None:
        """All its processes stand still, with their sockets open."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, what: signal.Signals) -> None:
        assert self._process is not None
        family = psutil.Process(self._process.pid)
        for one in (family, *family.children()):
            one.send_signal(what)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def place(self, station: str, **more: Any) -> Place:
        return PostgresqlServer(self.url, station, lambda: PASSWORD, **more)
