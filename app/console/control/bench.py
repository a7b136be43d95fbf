"""How evenly control runs while the console is open and somebody goes through its pages: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from app.bench.control import INVERTERS, STORAGE, Field, late_figure, lateness, write_park
from app.bench.report import Figure

SECONDS: Final = 20.0
_WARM_S: Final = 5.0
_PAGE_S: Final = 0.5
"""So long somebody looks at a page."""


def run(seconds: float | None = None) -> list[Figure]:
    """The same park and strategies as without a console."""
    command = [sys.executable, "-m", "app.console.control.bench", str(seconds or SECONDS)]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found = json.loads(done.stdout.splitlines()[-1])
    return [late_figure("the same, with the console open, p99", np.array(found["late"]), found["rate"])]


def main() -> None:
    """In the process of its own: `python -m app.console.control.bench SECONDS`."""
    seconds = float(sys.argv[1])
    with Field() as field, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_park(folder, STORAGE, INVERTERS, field.port)
        late, rate = _measured(folder, seconds)
    sys.stdout.write(json.dumps({"late": late.tolist(), "rate": rate}) + "\n")


def _measured(folder: Path, seconds: float) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], float]:
    from PySide6.QtWidgets import QApplication

    from app.console.main import Console, application
    from app.starting import running

    with running(folder, folder / "data", None, "bench") as station:
        application()
        console = Console(station.facade("bench"), folder / "console.json")
        console.open()
        console.window.resize(1920, 1080)
        names = list(console.window.pages)

        def look(for_s: float) -> None:
            """Go through all pages, the control page between them."""
            end, turn, next_page = time.monotonic() + for_s, 0, 0.0
            while (now := time.monotonic()) < end:
                if now >= next_page:
                    console.window.go("control" if turn % 2 else names[turn // 2 % len(names)])
                    turn, next_page = turn + 1, now + _PAGE_S
                QApplication.processEvents()
                time.sleep(0.002)

        try:
            look(_WARM_S)
            return lateness(station, lambda: look(seconds))
        finally:
            console.close()


if __name__ == "__main__":
    main()
