"""A real Secret Service of a session of its own, as a desktop has one: gnome-keyring, unlocked or not.

The child runs `python -m tests.support.secret_service locked|unlocked COMMANDS`, within dbus-run-session.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

DAEMON: Final = "gnome-keyring-daemon"
WAIT_S: Final = 20.0


def runs_secret_service() -> bool:
    """Whether tests run against one. On Linux in CI they do, and fail where it is missing."""
    if not sys.platform.startswith("linux"):
        return False
    return all(map(shutil.which, (DAEMON, "dbus-run-session"))) or os.environ.get("CI") == "true"


def in_session(
    folder: Path, commands: Sequence[tuple[Sequence[str], str]], *, unlocked: bool = True
) -> list[tuple[int, str, str]]:
    """Run each (command, standard input) in one session whose keyring is in `folder`: (code, output, errors)."""
    assert all(map(shutil.which, (DAEMON, "dbus-run-session"))), "run.py test installs gnome-keyring and dbus"
    environment: Mapping[str, str] = {**os.environ, "XDG_DATA_HOME": str(folder), "HOME": str(folder)}
    environment = {name: value for name, value in environment.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        ["dbus-run-session", "--", sys.executable, "-m", __name__, "unlocked" if unlocked else "locked"],
        env=environment, input=json.dumps([(list(words), given) for words, given in commands]), capture_output=True,
        text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [tuple(one) for one in json.loads(done.stdout)]


def _run(how: str) -> None:
    from jeepney import DBusAddress, new_method_call
    from jeepney.io.blocking import open_dbus_connection

    command = [DAEMON, "--foreground", "--components=secrets", *(["--unlock"] if how == "unlocked" else [])]
    daemon = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert daemon.stdin is not None
    daemon.stdin.write(b"of this test")
    daemon.stdin.close()
    try:
        bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
        ask = new_method_call(bus, "NameHasOwner", "s", ("org.freedesktop.secrets",))
        with open_dbus_connection() as connection:
            end = time.monotonic() + WAIT_S
            while not connection.send_and_get_reply(ask).body[0]:
                assert time.monotonic() < end, f"{DAEMON} does not come"
                time.sleep(0.05)
        answers = []
        for words, given in json.load(sys.stdin):
            done = subprocess.run(words, input=given, capture_output=True, text=True, encoding="utf-8", check=False)
            answers.append((done.returncode, done.stdout, done.stderr))
        sys.stdout.write(json.dumps(answers))
    finally:
        daemon.terminate()
        daemon.wait(WAIT_S)


if __name__ == "__main__":
    _run(sys.argv[1])
